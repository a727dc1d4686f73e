"""The downsampling operator: what halves the resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..blueprint import Blueprint, DownOp, ShortcutKind
from ..geometry import strided_layer
from ..naming import DOWN_NAMES
from .draw import Change, Draw, edit_blocks, where
from .registry import hyperparameter, inverse, transformation
from .schedule import striding


def _places(b: Blueprint) -> list[tuple[int, int]]:
    """Return where the resolution drops: (stage, block), the block being -1 for a layer of its own."""
    found = [(s, -1) for s, stage in enumerate(b.stages) if stage.transition is not None]
    return found + [(s, i) for s, i, block in b.blocks() if block.stride != 1]


def operator(b: Blueprint, s: int, i: int) -> DownOp:
    """Return the operator at a place."""
    transition = b.stages[s].transition
    return transition.op if i < 0 and transition is not None else b.block(s, i).down


def with_operator(b: Blueprint, s: int, i: int, op: DownOp) -> Blueprint:
    """Return a copy with the operator at one place changed."""
    stage = b.stages[s]
    if i < 0 and stage.transition is not None:
        return b.with_stage(s, replace(stage, transition=replace(stage.transition, op=op)))
    return b.with_block(s, i, replace(b.block(s, i), down=op))


def change_operator(b: Blueprint, draw: Draw, ops: Sequence[DownOp]) -> Change | None:
    """Give one or all of the places another operator, one of ``ops``."""
    op = draw.choice(ops)
    places = [place for place in _places(b) if operator(b, *place) != op]
    if op == "conv":
        places = [(s, i) for s, i in places if i < 0 or all(strided_layer(p) is not None for p in b.block(s, i).paths)]
    if not places:
        return None
    chosen = places if draw.chance(0.5) else [draw.choice(places)]
    new = b
    for place in chosen:
        new = with_operator(new, *place, op)
    stages = ", ".join(str(s + 1) for s, _ in chosen)
    return Change(new, f"downsampling into stage {stages}: {DOWN_NAMES[operator(b, *chosen[0])]} -> {DOWN_NAMES[op]}")


@transformation("strided-convolution", "pool.strided-conv")
def strided_conv(b: Blueprint, draw: Draw) -> Change | None:
    """Halve the resolution by strided convolutions, learnt shortcuts included."""
    shortcuts = [(s, i) for s, i, block in b.blocks() if block.stride != 1 and block.shortcut in ("pad", "pool-conv")]
    free = [place for place in _places(b) if operator(b, *place) not in ("conv", "patch")]
    if shortcuts and (not free or draw.chance(0.5)):
        chosen = shortcuts if draw.chance(0.4) else [draw.choice(shortcuts)]
        kind: ShortcutKind = "conv3" if draw.chance(0.4) else "conv"
        new = edit_blocks(b, chosen, lambda block: striding(replace(block, shortcut=kind, down="conv")))
        return Change(new, f"{where(b, chosen)}: strided convolution ({kind}) on the shortcut")
    return change_operator(b, draw, ("conv", "patch"))


@transformation("max-pooling", "pool.max-pool")
def max_pool(b: Blueprint, draw: Draw) -> Change | None:
    """Halve the resolution by max pooling."""
    return change_operator(b, draw, ("max", "max3"))


@transformation("blur-pooling", "pool.blur-pool")
def blur_pool(b: Blueprint, draw: Draw) -> Change | None:
    """Halve the resolution behind a fixed low-pass filter."""
    return change_operator(b, draw, ("blur", "blur5"))


@transformation("space-to-depth", "pool.space-to-depth")
def space_to_depth(b: Blueprint, draw: Draw) -> Change | None:
    """Halve the resolution by moving 2x2 patches into the channels."""
    return change_operator(b, draw, ("space-to-depth",))


@inverse("plain-downsampling", "pool.strided-conv", "pool.max-pool", "pool.blur-pool", "pool.space-to-depth")
def plain(b: Blueprint, draw: Draw) -> Change | None:
    """Halve the resolution by average pooling, the plainest operator."""
    return change_operator(b, draw, ("avg", "avg3"))


@hyperparameter("downsampling-operator")
def any_operator(b: Blueprint, draw: Draw) -> Change | None:
    """Change the downsampling operator."""
    return change_operator(b, draw, ("conv", "max", "max3", "avg", "avg3", "blur", "blur5", "patch"))
