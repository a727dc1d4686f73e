"""Normalisation: its kind, how often, and competition between responses."""

from __future__ import annotations

from dataclasses import replace

from ..blueprint import Block, Blueprint, NormKind
from ..naming import NORM_NAMES
from .draw import Change, Draw, edit_blocks, edit_layers, where
from .registry import hyperparameter, inverse, transformation


def renorm(b: Blueprint, kind: NormKind, draw: Draw) -> Change | None:
    """Change the kind of the norms of a share of the blocks, and of the stem where all are changed."""
    places = draw.blocks(b, lambda block: any(x.norm not in ("none", kind) for x in block.layers))
    if not places:
        return None

    def edit(block: Block) -> Block:
        layers = tuple(x if x.norm == "none" else replace(x, norm=kind) for x in block.layers)
        return replace(block, layers=layers)

    new = edit_blocks(b, places, edit)
    if where(b, places) == "every block" and new.stem.norm != "none":
        new = replace(new, stem=replace(new.stem, norm=kind))
    return Change(new, f"{where(b, places)}: {NORM_NAMES[kind]}")


@transformation("layer-norm", "norm.layer-norm")
def layer_norm(b: Blueprint, draw: Draw) -> Change | None:
    """Normalise each position over its channels."""
    return renorm(b, "layer", draw)


@transformation("group-norm", "norm.group-norm")
def group_norm(b: Blueprint, draw: Draw) -> Change | None:
    """Normalise groups of channels of each sample."""
    return renorm(b, "group", draw)


@transformation("fewer-norms", "norm.fewer-norms")
def fewer_norms(b: Blueprint, draw: Draw) -> Change | None:
    """Keep one normalisation in a block and drop others."""
    places = draw.blocks(b, lambda block: sum(x.norm != "none" for x in block.layers) > 1)
    if not places:
        return None
    keep_last = draw.chance(0.7)

    def edit(block: Block) -> Block:
        normed = [n for n, layer in enumerate(block.layers) if layer.norm != "none"]
        kept = normed[-1] if keep_last else normed[0]
        layers = tuple(x if n == kept else replace(x, norm="none") for n, x in enumerate(block.layers))
        return replace(block, layers=layers)

    return Change(
        edit_blocks(b, places, edit), f"{where(b, places)}: one norm only, the {'last' if keep_last else 'first'}"
    )


@transformation("response-norm", "norm.response-norm")
def response_norm(b: Blueprint, draw: Draw) -> Change | None:
    """Let channels compete by the energy of their responses."""
    places = draw.layers(b, lambda block, layer: not layer.response and layer.act != "none" and layer.op == "conv")
    if not places:
        return None
    new = edit_layers(b, places, lambda _, layer: (replace(layer, response=True),))
    return Change(new, f"{where(b, places)}: global response normalisation")


@inverse("batch-norm", "norm.layer-norm", "norm.group-norm")
def batch_norm(b: Blueprint, draw: Draw) -> Change | None:
    """Return to batch normalisation."""
    return renorm(b, "batch", draw)


@inverse("more-norms", "norm.fewer-norms")
def more_norms(b: Blueprint, draw: Draw) -> Change | None:
    """Normalise behind every convolution again."""
    places = draw.layers(b, lambda _, layer: layer.norm == "none" and layer.op == "conv")
    if not places:
        return None
    new = edit_layers(b, places, lambda _, layer: (replace(layer, norm="batch"),))
    return Change(new, f"{where(b, places)}: batch norm restored")


@inverse("no-response-norm", "norm.response-norm")
def no_response_norm(b: Blueprint, draw: Draw) -> Change | None:
    """Take global response normalisation out."""
    places = draw.layers(b, lambda _, layer: layer.response)
    if not places:
        return None
    new = edit_layers(b, places, lambda _, layer: (replace(layer, response=False),))
    return Change(new, f"{where(b, places)}: no response normalisation")


@hyperparameter("norm-kind")
def norm_kind(b: Blueprint, draw: Draw) -> Change | None:
    """Change the kind of normalisation."""
    kinds: tuple[NormKind, ...] = ("batch", "layer", "group")
    return renorm(b, draw.choice(kinds), draw)
