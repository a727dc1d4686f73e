"""Stage layout: how deep and wide the stages are, how many there are, and whether their blocks differ."""

from __future__ import annotations

from dataclasses import replace

from ..blueprint import Block, Blueprint, Layer, Stage
from .channels import bottleneck_layers
from .draw import Change, Draw, edit_blocks, where
from .registry import inverse, transformation
from .schedule import final_size, striding


def plain(block: Block) -> Block:
    """Return the block as one that keeps its shape."""
    return replace(block, stride=1, down="conv")


def deepen(b: Blueprint, s: int) -> Blueprint:
    """Return a copy with one more block at the end of stage ``s``."""
    stage = b.stages[s]
    return b.with_stage(s, replace(stage, blocks=(*stage.blocks, plain(stage.blocks[-1]))))


def shorten(b: Blueprint, s: int) -> Blueprint | None:
    """Return a copy with one block less in stage ``s``: its last that keeps the shape; None where there is none."""
    stage = b.stages[s]
    keep = [i for i, block in enumerate(stage.blocks) if i and block.stride == 1]
    if not keep:
        return None
    return b.with_stage(s, replace(stage, blocks=(*stage.blocks[: keep[-1]], *stage.blocks[keep[-1] + 1 :])))


def depths(b: Blueprint) -> str:
    """Return the stages' depths, for example 2-2-2."""
    return "-".join(str(len(stage.blocks)) for stage in b.stages)


def widths(b: Blueprint) -> str:
    """Return the stages' channels."""
    return "-".join(str(stage.channels) for stage in b.stages)


@transformation("depth-ratio", "stages.depth-ratio")
def depth_ratio(b: Blueprint, draw: Draw) -> Change | None:
    """Move blocks from one stage to another."""
    if len(b.stages) < 2:
        return None
    new = b
    for _ in range(draw.choice((1, 1, 2))):
        source = draw.choice(range(len(b.stages)))
        target = draw.choice([s for s in range(len(b.stages)) if s != source])
        less = shorten(new, source)
        new = deepen(less if less is not None else new, target)
    return Change(new, f"stage depths {depths(b)} -> {depths(new)}") if depths(new) != depths(b) else None


@transformation("width-ratio", "stages.width-ratio")
def width_ratio(b: Blueprint, draw: Draw) -> Change | None:
    """Change how the channels are spread over the stages."""
    factors = [draw.choice((0.5, 0.75, 1.0, 1.25, 1.5, 2.0)) for _ in b.stages]
    if draw.chance(0.5):
        chosen = draw.choice(range(len(b.stages)))
        factors = [factor if s == chosen else 1.0 for s, factor in enumerate(factors)]
    if len(set(factors)) == 1 and len(b.stages) > 1:
        return None
    stages = tuple(
        replace(stage, channels=max(4, 4 * round(stage.channels * f / 4)))
        for stage, f in zip(b.stages, factors, strict=True)
    )
    new = replace(b, stages=stages)
    return Change(new, f"stage widths {widths(b)} -> {widths(new)}") if widths(new) != widths(b) else None


@transformation("stage-count", "stages.stage-count")
def stage_count(b: Blueprint, draw: Draw) -> Change | None:
    """Add a stage at the end, or merge two stages."""
    small = final_size(b, draw.input_shape) < 4
    merge = len(b.stages) > 2 and (len(b.stages) > 4 or draw.chance(0.6 if small else 0.4))
    if merge or "fewer" in draw.words or "remove" in draw.words:
        return _merge(b, draw)
    last = b.stages[-1]
    block = replace(last.blocks[-1], split=False)
    deep = final_size(b, draw.input_shape) >= 2
    first = striding(block) if deep else plain(block)
    channels = 4 * round(last.channels * (1.5 if deep else 1.25) / 4)
    stage = Stage(channels, (first, *[plain(last.blocks[-1])] * (draw.choice((1, 2)) - 1)))
    return Change(replace(b, stages=(*b.stages, stage)), f"a further stage of {channels} channels")


def _merge(b: Blueprint, draw: Draw) -> Change | None:
    """Join two stages at the first one's resolution; links and levels that lose their end go."""
    if len(b.stages) < 2:
        return None
    s = draw.choice(range(len(b.stages) - 1))
    one, two = b.stages[s], b.stages[s + 1]
    if two.transition is not None or two.blocks[0].split or (one.transition is None and one.blocks[0].split):
        return None
    blocks = (*one.blocks, *(replace(block, stride=1) for block in two.blocks))
    merged = Stage(two.channels, blocks, one.transition)
    links = tuple(link for link in b.links if link.target < s and link.source < s)
    levels = tuple(level for level in b.tail.levels if level < s)
    new = replace(
        b, stages=(*b.stages[:s], merged, *b.stages[s + 2 :]), links=links, tail=replace(b.tail, levels=levels)
    )
    return Change(new, f"stages {s + 1} and {s + 2} merged")


def _kinds(block: Block) -> dict[str, Block]:
    """Return blocks of other kinds that could stand in the place of ``block``."""
    act, norm = block.activation, block.normalisation
    pre = block.order == "pre"
    core = Layer(kernel=5, groups=0, norm=norm, act=act)
    last = Layer(kernel=1, norm=norm, act=act if pre else "none")
    bare = replace(block, branches=(), join="add", split=False)
    return {
        "bottleneck": bottleneck_layers(bare, 0.5),
        "inverted bottleneck": bottleneck_layers(bare, 2.0, Layer(kernel=3, groups=0)),
        "depthwise 5x5": replace(bare, layers=(core, last)),
        "attention": replace(
            bare, layers=(Layer(op="attention", norm=norm, act="none"), replace(last, gates=block.layers[-1].gates))
        ),
        "pooling mixer": replace(bare, layers=(Layer(op="pool", norm=norm, act="none"), last)),
        "grouped": bottleneck_layers(bare, 1.0, Layer(kernel=3, groups=4)),
    }


_KIND_WORDS = {
    "bottleneck": r"bottleneck",
    "inverted bottleneck": r"invert|mbconv",
    "depthwise 5x5": r"depth.?wise|convnext",
    "attention": r"attention|transformer|hybrid",
    "pooling mixer": r"pool",
    "grouped": r"group|resnext",
}


@transformation("mixed-blocks", "stages.mixed-blocks")
def mixed_blocks(b: Blueprint, draw: Draw) -> Change | None:
    """Use another kind of block in part of the network."""
    kind = draw.named(_KIND_WORDS)
    shapes = {(x.stage, x.index): x.size[0] * x.size[1] for x in draw.layout(b).blocks}
    fit = [
        (s, i)
        for s, i, block in b.blocks()
        if kind not in ("attention", "pooling mixer") or (shapes[s, i] <= 300 and block.stride == 1)
    ]
    if len(fit) < 2:
        return None
    alternate, stage = draw.chance(0.4), draw.choice(sorted({s for s, _ in fit}))
    places = fit[1::2] if alternate else [place for place in fit if place[0] == stage]
    new = edit_blocks(b, places, lambda block: _kinds(block)[kind])
    new = edit_blocks(new, places, lambda block: striding(block, stride=block.stride))
    return Change(new, f"{where(b, places)}: {kind} blocks" + (", every second" if alternate else ""))


@inverse("uniform-blocks", "stages.mixed-blocks")
def uniform(b: Blueprint, draw: Draw) -> Change | None:
    """Give every block the path of one of them."""
    s, i = draw.choice([(s, i) for s, i, _ in b.blocks()])
    layers = b.block(s, i).layers
    new = edit_blocks(
        b, [(t, j) for t, j, _ in b.blocks()], lambda x: striding(replace(x, layers=layers), stride=x.stride)
    )
    return Change(new, f"every block like stage {s + 1} block {i + 1}")


@inverse("fewer-stages", "stages.stage-count")
def fewer_stages(b: Blueprint, draw: Draw) -> Change | None:
    """Merge two stages."""
    return _merge(b, draw)


@inverse("even-stages", "stages.depth-ratio", "stages.width-ratio")
def even(b: Blueprint, draw: Draw) -> Change | None:
    """Give the stages one depth."""
    depth = round(sum(len(stage.blocks) for stage in b.stages) / len(b.stages))
    new = b
    for s in range(len(b.stages)):
        while len(new.stages[s].blocks) < depth:
            new = deepen(new, s)
        while len(new.stages[s].blocks) > depth and (less := shorten(new, s)) is not None:
            new = less
    return Change(new, f"stage depths {depths(b)} -> {depths(new)}")
