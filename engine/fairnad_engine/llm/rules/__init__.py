"""The built-in ``rules`` model: it designs backbones by real structural transformations, without a model server."""
