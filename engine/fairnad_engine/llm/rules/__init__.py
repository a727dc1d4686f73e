"""The built-in ``rules`` model: it designs backbones by real structural transformations, without a model server.

``blueprint`` holds a backbone as data, ``render`` writes it as PyTorch source and reads it back, ``cost`` counts it,
``catalogue`` transforms it, ``designer`` answers design tasks.
"""

from __future__ import annotations

from .catalogue import TRANSFORMATIONS
from .cost import count
from .designer import RulesDesigner
from .seeds import seed_source

__all__ = ["TRANSFORMATIONS", "RulesDesigner", "count", "seed_source"]
