"""Branching and multi-path: several ways through a block."""

from __future__ import annotations

from dataclasses import replace

from ..blueprint import Block, Blueprint, Layer, LayerOp, Path
from ..geometry import strided_layer
from .draw import Change, Draw, base_widths, edit_blocks, edit_layers, where
from .registry import inverse, transformation


def can_branch(block: Block, path: Path) -> bool:
    """Whether a block can take ``path`` beside its own."""
    return len(block.branches) < 3 and (block.stride == 1 or block.down != "conv" or strided_layer(path) is not None)


@transformation("parallel-kernels", "branch.multi-kernel")
def parallel_kernels(b: Blueprint, draw: Draw) -> Change | None:
    """Run kernels of several sizes side by side in one layer."""
    extra = draw.choice(((1,), (5,), (1, 5), (5, 7)))
    places = draw.layers(
        b,
        lambda _, layer: (
            layer.spatial
            and not (layer.factorised or layer.dilation > 1)
            and not {*extra} & {layer.kernel, *layer.kernels}
        ),
    )
    if not places:
        return None
    new = edit_layers(b, places, lambda _, layer: (replace(layer, kernels=extra),))
    return Change(new, f"{where(b, places)}: kernels {'+'.join(map(str, extra))} in parallel")


@transformation("multi-kernel-branch", "branch.multi-kernel")
def kernel_branch(b: Blueprint, draw: Draw) -> Change | None:
    """Add a narrow branch with a larger receptive field."""
    kernel, width = draw.number("kernel", (5, 7)), draw.choice((0.25, 0.5))
    like = b.block(0, 0)
    norm = like.normalisation
    path = (
        Layer(kernel=1, width=width, norm=norm, act=like.activation),
        Layer(kernel=kernel, groups=0, norm=norm, act=like.activation),
        Layer(kernel=1, norm=norm, act="none"),
    )
    places = draw.blocks(b, lambda block: can_branch(block, path))
    if not places:
        return None
    new = edit_blocks(b, places, lambda block: replace(block, branches=(*block.branches, path)))
    return Change(new, f"{where(b, places)}: + branch with depthwise {kernel}x{kernel}")


@transformation("grouped-bottleneck", "branch.cardinality")
def cardinality(b: Blueprint, draw: Draw) -> Change | None:
    """Turn blocks into many narrow paths of one shape, as grouped bottlenecks."""
    width = draw.choice((0.5, 1.0))
    places = draw.blocks(b, lambda block: not block.split and block.layers[-1].op == "conv")
    widths = [round(base_widths(b, (s, i, len(b.block(s, i).layers) - 1))[1] * width) for s, i in places]
    options = [g for g in (4, 8, 16, 32) if widths and all(w % g == 0 and w >= 2 * g for w in widths)]
    if not options:
        return None
    groups = draw.number("groups", options)

    def edit(block: Block) -> Block:
        act, norm, last = block.activation, block.normalisation, block.layers[-1]
        inner = Layer(kernel=1, width=width, norm=norm, act=act)
        core = Layer(width=width, groups=groups, norm=norm, act=act)
        return replace(block, layers=(inner, core, replace(last, kernel=1, kernels=(), groups=1, width=1.0)))

    new = edit_blocks(b, places, edit)
    return Change(new, f"{where(b, places)}: bottleneck ({width:g}) of {groups} groups")


@transformation("parallel-paths", "branch.cardinality")
def parallel_paths(b: Blueprint, draw: Draw) -> Change | None:
    """Replace a block's path by several narrow copies of one shape, summed."""
    paths = draw.number("groups", (2, 3, 4))
    places = draw.blocks(b, lambda block: not block.branches and not block.split)
    if not places:
        return None

    def edit(block: Block) -> Block:
        act, norm = block.activation, block.normalisation
        inner = Layer(kernel=1, width=0.5, norm=norm, act=act)
        core = Layer(width=0.5, norm=norm, act=act)
        path = (inner, core, Layer(kernel=1, norm=norm, act="none" if block.order == "post" else act))
        return replace(block, layers=path, branches=(path,) * (paths - 1))

    return Change(edit_blocks(b, places, edit), f"{where(b, places)}: {paths} narrow parallel paths")


@transformation("pooled-branch", "branch.pooled-branch")
def pooled_branch(b: Blueprint, draw: Draw) -> Change | None:
    """Add a branch that pools its input before a 1x1 convolution."""
    ops: dict[LayerOp, str] = {"mean": r"average|avg|mean", "max": r"max"}
    op, kernel = draw.named(ops), draw.number("kernel", (3, 5))
    like = b.block(0, 0)
    norm = like.normalisation
    path = (Layer(op=op, kernel=kernel, norm="none", act="none"), Layer(kernel=1, norm=norm, act="none"))
    places = draw.blocks(b, lambda block: can_branch(block, path))
    if not places:
        return None
    new = edit_blocks(b, places, lambda block: replace(block, branches=(*block.branches, path)))
    return Change(new, f"{where(b, places)}: + {kernel}x{kernel} {op} pooling branch")


@transformation("channel-split", "branch.channel-split")
def channel_split(b: Blueprint, draw: Draw) -> Change | None:
    """Send half of the channels around the block and shuffle the halves."""
    places = draw.scope(
        [
            (s, i)
            for s, i, x in b.blocks()
            if (i > 0 or b.stages[s].transition is not None)
            and x.stride == 1
            and not (x.split or x.project)
            and b.stages[s].channels >= 8
        ]
    )
    if not places:
        return None
    new = edit_blocks(b, places, lambda block: replace(block, split=True))
    return Change(new, f"{where(b, places)}: half of the channels pass by, then shuffle")


@inverse("single-path", "branch.multi-kernel", "branch.cardinality", "branch.pooled-branch", "branch.channel-split")
def single_path(b: Blueprint, draw: Draw) -> Change | None:
    """Return to one path for all channels."""

    def many(block: Block) -> bool:
        return bool(block.branches or block.split or any(x.kernels for x in block.layers))

    places = draw.blocks(b, many)
    if not places:
        return None

    def edit(block: Block) -> Block:
        layers = tuple(replace(x, kernels=()) for x in block.layers)
        return replace(block, layers=layers, branches=(), join="add", split=False)

    return Change(edit_blocks(b, places, edit), f"{where(b, places)}: one path")
