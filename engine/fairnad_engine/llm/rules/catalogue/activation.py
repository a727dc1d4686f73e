"""Activation: its shape, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..blueprint import ActKind, Block, Blueprint
from ..naming import ACT_NAMES
from .draw import Change, Draw, edit_blocks, where
from .registry import hyperparameter, inverse, transformation

_SMOOTH: Mapping[ActKind, str] = {
    "gelu": r"gelu|gaussian",
    "silu": r"silu|\bswish",
    "mish": r"mish",
    "elu": r"\belu|exponential linear",
    "softplus": r"softplus",
}
_HARD: Mapping[ActKind, str] = {
    "hardswish": r"hard.?swish|h-swish",
    "relu6": r"relu6|clip",
    "leaky_relu": r"leaky",
    "hardtanh": r"hard.?tanh|bounded",
}


def reactivate(b: Blueprint, act: ActKind, draw: Draw) -> Change | None:
    """Change the activations of a share of the blocks, and of stem and tail where all are changed."""
    places = draw.blocks(b, lambda block: any(a not in ("none", act) for a in _acts(block)))
    if not places:
        return None

    def edit(block: Block) -> Block:
        layers = tuple(x if x.act == "none" else replace(x, act=act) for x in block.layers)
        return replace(block, layers=layers, act="none" if block.act == "none" else act)

    new = edit_blocks(b, places, edit)
    if where(b, places) == "every block":
        new = replace(new, stem=replace(new.stem, act=act), tail=replace(new.tail, act=act))
    return Change(new, f"{where(b, places)}: {ACT_NAMES[b.block(*places[0]).activation]} -> {ACT_NAMES[act]}")


def _acts(block: Block) -> tuple[ActKind, ...]:
    return (block.act, *(layer.act for layer in block.layers))


@transformation("smooth-activation", "act.smooth")
def smooth(b: Blueprint, draw: Draw) -> Change | None:
    """Use a smooth activation."""
    return reactivate(b, draw.named(_SMOOTH), draw)


@transformation("hard-activation", "act.hard")
def hard(b: Blueprint, draw: Draw) -> Change | None:
    """Use a piecewise linear activation other than ReLU."""
    return reactivate(b, draw.named(_HARD), draw)


@transformation("fewer-activations", "act.fewer-activations")
def fewer(b: Blueprint, draw: Draw) -> Change | None:
    """Leave activations out; each block keeps one."""
    places = draw.blocks(b, lambda block: sum(a != "none" for a in _acts(block)) > 1)
    if not places:
        return None
    outer = draw.chance(0.5)

    def edit(block: Block) -> Block:
        if outer and block.act != "none":
            return replace(block, act="none")
        active = [n for n, layer in enumerate(block.layers) if layer.act != "none"]
        gone = active if block.act != "none" and len(active) == 1 else active[1:]
        layers = tuple(replace(x, act="none") if n in gone else x for n, x in enumerate(block.layers))
        return replace(block, layers=layers)

    return Change(edit_blocks(b, places, edit), f"{where(b, places)}: fewer activations")


@inverse("relu", "act.smooth", "act.hard")
def relu(b: Blueprint, draw: Draw) -> Change | None:
    """Return to ReLU."""
    return reactivate(b, "relu", draw)


@inverse("more-activations", "act.fewer-activations")
def more(b: Blueprint, draw: Draw) -> Change | None:
    """Add activations where blocks have none."""
    places = draw.blocks(b, lambda block: any(a == "none" for a in _acts(block)[:-1]))
    if not places:
        return None

    def edit(block: Block) -> Block:
        act: ActKind = block.activation
        layers = tuple(replace(x, act=act) if x.op == "conv" else x for x in block.layers[:-1])
        return replace(block, layers=(*layers, block.layers[-1]), act="none" if block.order == "pre" else act)

    return Change(edit_blocks(b, places, edit), f"{where(b, places)}: an activation behind every layer")


@hyperparameter("activation-kind")
def activation_kind(b: Blueprint, draw: Draw) -> Change | None:
    """Change the kind of activation."""
    kinds: tuple[ActKind, ...] = ("relu", *_SMOOTH, *_HARD)
    return reactivate(b, draw.choice(kinds), draw)
