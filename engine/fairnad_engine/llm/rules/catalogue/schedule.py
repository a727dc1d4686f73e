"""Downsampling schedule: when and where the resolution drops."""

from __future__ import annotations

from dataclasses import replace

from ..blueprint import Block, Blueprint, DownOp, Transition
from ..geometry import InvalidBlueprintError, layout, strided_layer
from ..naming import DOWN_NAMES
from .draw import Change, Draw
from .registry import inverse, transformation

_LEAST = 2  # pixels a side that a network should keep to the end, where the image allows it


def striding(block: Block, *, stride: int = 2) -> Block:
    """Return the block with a stride, its operator one that its paths can take."""
    if stride != 1 and block.down == "conv" and any(strided_layer(path) is None for path in block.paths):
        block = replace(block, down="avg")
    return replace(block, stride=stride)


def final_size(b: Blueprint, input_shape: tuple[int, int, int]) -> int:
    """Return the shorter side of the last feature map; 0 where the network does not fit the image."""
    try:
        return min(layout(b, input_shape).sizes[-1])
    except InvalidBlueprintError:
        return 0


def keep_resolution(b: Blueprint, input_shape: tuple[int, int, int]) -> Blueprint:
    """Drop the last downsamplings until the last feature map keeps a reasonable size."""
    while final_size(b, input_shape) < _LEAST:
        strided = [(s, i) for s, i, block in b.blocks() if block.stride != 1]
        moved = [s for s, stage in enumerate(b.stages) if stage.transition is not None]
        if strided and (not moved or strided[-1][0] >= moved[-1]):
            b = b.with_block(*strided[-1], replace(b.block(*strided[-1]), stride=1))
        elif moved:
            b = b.with_stage(moved[-1], replace(b.stages[moved[-1]], transition=None))
        else:
            break
    return b


def _positions(b: Blueprint) -> list[tuple[int, int]]:
    return [(s, i) for s, i, _ in b.blocks()]


def _may_stride(b: Blueprint, s: int, i: int) -> bool:
    block = b.block(s, i)
    return block.stride == 1 and not block.split and not (i == 0 and b.stages[s].transition is not None)


def _move(b: Blueprint, draw: Draw, *, earlier: bool) -> Change | None:
    """Move one in-block downsampling over one to four blocks."""
    order, moves = _positions(b), []
    for n, place in enumerate(order):
        if b.block(*place).stride == 1:
            continue
        for target in order[max(0, n - 4) : n] if earlier else order[n + 1 : n + 5]:
            if _may_stride(b, *target):
                moves.append((place, target))
    if not moves:
        return None
    source, target = draw.choice(moves)
    old = b.block(*source)
    new = b.with_block(*source, replace(old, stride=1))
    new = new.with_block(*target, striding(replace(new.block(*target), down=old.down)))
    names = [f"stage {s + 1} block {i + 1}" for s, i in (source, target)]
    return Change(new, f"downsampling moved from {names[0]} to {names[1]}")


@transformation("earlier-downsampling", "schedule.early")
def earlier(b: Blueprint, draw: Draw) -> Change | None:
    """Halve the resolution earlier."""
    if b.stem.stride == 1 and not b.stem.patch and draw.chance(0.3):
        new = keep_resolution(replace(b, stem=replace(b.stem, stride=2)), draw.input_shape)
        return Change(new, "stem halves the resolution")
    return _move(b, draw, earlier=True)


@transformation("later-downsampling", "schedule.late")
def later(b: Blueprint, draw: Draw) -> Change | None:
    """Keep the resolution for longer."""
    strided = [(s, i) for s, i, block in b.blocks() if block.stride != 1]
    if strided and draw.chance(0.25):
        s, i = strided[-1]
        return Change(b.with_block(s, i, replace(b.block(s, i), stride=1)), f"stage {s + 1} keeps the resolution")
    return _move(b, draw, earlier=False)


@transformation("separate-downsampling", "schedule.separate-layer")
def separate(b: Blueprint, draw: Draw) -> Change | None:
    """Halve the resolution in a layer of its own between stages."""
    ops: dict[DownOp, str] = {
        "patch": r"2\s*[x×]\s*2|patch|strid",
        "conv": r"3\s*[x×]\s*3",
        "avg": r"average|avg",
        "max": r"max",
        "blur": r"blur|alias",
        "space-to-depth": r"space|merg|concat",
    }
    op = draw.named(ops)
    places = [(s, i) for s, i, block in b.blocks() if block.stride != 1 and b.stages[s].transition is None]
    if not places:
        return None
    chosen = places if draw.chance(0.5) else [draw.choice(places)]
    for s, i in chosen:
        norm = "layer" if "layer norm" in draw.words else "batch"
        b = b.with_block(s, i, replace(b.block(s, i), stride=1))
        b = b.with_stage(s, replace(b.stages[s], transition=Transition(op, "layer" if norm == "layer" else "batch")))
    stages = ", ".join(str(s + 1) for s, _ in chosen)
    return Change(b, f"before stage {stages}: downsampling layer of its own ({DOWN_NAMES[op]})")


@inverse("downsampling-in-block", "schedule.separate-layer")
def in_block(b: Blueprint, draw: Draw) -> Change | None:
    """Halve the resolution inside the first block of a stage."""
    stages = [s for s, stage in enumerate(b.stages) if stage.transition is not None and not stage.blocks[0].split]
    if not stages:
        return None
    s = draw.choice(stages)
    stage = b.stages[s]
    if stage.blocks[0].stride != 1:
        return None
    first = striding(replace(stage.blocks[0], down="conv"))
    new = b.with_stage(s, replace(stage, transition=None, blocks=(first, *stage.blocks[1:])))
    return Change(new, f"stage {s + 1}: downsampling in its first block")
