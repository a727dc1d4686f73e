"""Bottleneck, expansion and channel mixing: how wide a block is inside, and where channels meet."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from ..blueprint import ActKind, Block, Blueprint, FeedForward, Layer
from .convolution import group_options
from .draw import Change, Draw, edit_blocks, edit_layers, where
from .registry import hyperparameter, inverse, transformation


def _tail_act(block: Block) -> ActKind:
    """Return the activation of a path's last layer: pre-activation blocks have one in front of it."""
    return block.activation if block.order == "pre" else "none"


def bottleneck_layers(block: Block, width: float, core: Layer | None = None) -> Block:
    """Return the block with a 1x1 - core - 1x1 path of a hidden ``width``."""
    act, norm, last = block.activation, block.normalisation, block.layers[-1]
    core = core or Layer(kernel=3, width=width)
    mixers = [layer for layer in block.layers if layer.op in ("attention", "window", "pool", "tokens")]
    inner = [replace(mixer, norm=norm) for mixer in mixers[:1]]
    layers = (
        Layer(kernel=1, width=width, norm=norm, act=act),
        *inner,
        replace(core, norm=norm, act=act),
        Layer(kernel=1, norm=norm, act=_tail_act(block), gates=last.gates, response=False),
    )
    return replace(block, layers=layers)


def _is(block: Block, width: float, *, depthwise: bool) -> bool:
    return any(x.width == width for x in block.layers) and depthwise == any(
        x.op == "conv" and x.groups == 0 for x in block.layers
    )


@transformation("bottleneck", "channel.bottleneck")
def bottleneck(b: Blueprint, draw: Draw) -> Change | None:
    """Narrow the channels before the spatial convolution and widen them behind it."""
    width = draw.choice((0.25, 0.5))
    places = draw.blocks(b, lambda block: not _is(block, width, depthwise=False))
    if not places:
        return None
    new = edit_blocks(b, places, lambda block: bottleneck_layers(block, width))
    return Change(new, f"{where(b, places)}: bottleneck of {width:g} of the width")


@transformation("inverted-bottleneck", "channel.inverted-bottleneck")
def inverted(b: Blueprint, draw: Draw) -> Change | None:
    """Widen the channels around a depthwise convolution, and narrow them behind it."""
    expansion = float(draw.number("expansion", (1.5, 2, 3, 4, 6)))
    kernel, linear = draw.number("kernel", (3, 5)), draw.chance(0.5)
    places = draw.blocks(b, lambda block: not _is(block, expansion, depthwise=True))
    if not places:
        return None

    def edit(block: Block) -> Block:
        made = bottleneck_layers(block, expansion, Layer(kernel=kernel, groups=0))
        return replace(made, act="none") if linear else made

    text = f"{where(b, places)}: inverted bottleneck x{expansion:g}, depthwise {kernel}x{kernel}"
    return Change(edit_blocks(b, places, edit), text)


@transformation("feed-forward", "channel.feed-forward")
def feed_forward(b: Blueprint, draw: Draw) -> Change | None:
    """Add a residual channel MLP behind blocks."""
    kinds: dict[Literal["plain", "gated", "depthwise"], str] = {
        "plain": r"mlp|feed.?forward",
        "gated": r"gat|glu",
        "depthwise": r"depth.?wise",
    }
    kind, ratio = draw.named(kinds), float(draw.number("expansion", (1, 2, 4)))
    act: ActKind = draw.choice(("gelu", "relu", "silu"))
    made = FeedForward(ratio=ratio, kind=kind, act="silu" if kind == "gated" else act)
    places = draw.blocks(b, lambda block: block.feed_forward != made)
    if not places:
        return None
    new = edit_blocks(b, places, lambda block: replace(block, feed_forward=made))
    return Change(new, f"{where(b, places)}: + {kind} feed-forward x{ratio:g}")


@transformation("channel-shuffle", "channel.channel-shuffle")
def channel_shuffle(b: Blueprint, draw: Draw) -> Change | None:
    """Interleave channels behind grouped convolutions."""
    places = draw.layers(
        b, lambda block, x: x.spatial and x.groups != 0 and all(y.op != "shuffle" for y in block.layers)
    )
    places = [p for n, p in enumerate(places) if p[:2] not in {q[:2] for q in places[:n]}]
    options = group_options(b, places)
    if not options:
        return None
    groups = draw.number("groups", options)
    shuffle = Layer(op="shuffle", groups=groups, norm="none", act="none")
    new = edit_layers(b, places, lambda _, layer: (replace(layer, groups=groups), shuffle))
    return Change(new, f"{where(b, places)}: {groups} groups, then channel shuffle")


@inverse("basic-path", "channel.bottleneck", "channel.inverted-bottleneck")
def basic(b: Blueprint, draw: Draw) -> Change | None:
    """Return to two 3x3 convolutions of the block's width."""
    places = draw.blocks(b, lambda block: any(x.width != 1.0 for x in block.layers))
    if not places:
        return None

    def edit(block: Block) -> Block:
        act, norm = block.activation, block.normalisation
        return replace(block, layers=(Layer(norm=norm, act=act), Layer(norm=norm, act=_tail_act(block))))

    return Change(edit_blocks(b, places, edit), f"{where(b, places)}: two 3x3 convolutions")


@inverse("no-feed-forward", "channel.feed-forward")
def no_feed_forward(b: Blueprint, draw: Draw) -> Change | None:
    """Take channel MLPs out."""
    places = draw.blocks(b, lambda block: block.feed_forward is not None)
    new = edit_blocks(b, places, lambda block: replace(block, feed_forward=None))
    return Change(new, f"{where(b, places)}: no feed-forward") if places else None


@inverse("no-shuffle", "channel.channel-shuffle")
def no_shuffle(b: Blueprint, draw: Draw) -> Change | None:
    """Take channel shuffles out, and the groups they served."""
    places = draw.blocks(b, lambda block: any(x.op == "shuffle" for x in block.layers))
    if not places:
        return None

    def edit(block: Block) -> Block:
        return replace(
            block, layers=tuple(replace(x, groups=min(x.groups, 1)) for x in block.layers if x.op != "shuffle")
        )

    return Change(edit_blocks(b, places, edit), f"{where(b, places)}: no shuffle, dense convolutions")


@hyperparameter("groups")
def groups_of(b: Blueprint, draw: Draw) -> Change | None:
    """Change the number of groups of convolutions."""
    places = draw.layers(b, lambda _, layer: layer.spatial and layer.groups != 0)
    places = [p for p in places if all(x.op != "shuffle" for x in b.block(p[0], p[1]).layers)]
    options = [1, *group_options(b, places)]
    groups = draw.choice(options)
    new = edit_layers(b, places, lambda _, layer: (replace(layer, groups=groups),))
    return Change(new, f"{where(b, places)}: {groups} groups") if places else None
