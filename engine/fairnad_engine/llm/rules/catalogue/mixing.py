"""Attention and token mixing: layers that let positions exchange information without a convolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..blueprint import Block, Blueprint, Layer, LayerOp
from ..geometry import InvalidBlueprintError, check, strided_layer
from .draw import BlockPlace, Change, Draw, where
from .registry import inverse, transformation

_MOST_TOKENS = 300  # beyond, attention between all positions costs more than the rest of a small network


def mixer(op: LayerOp, like: Layer, kernel: int = 3, heads: int = 2, window: int = 4, ratio: float = 1.0) -> Layer:
    """Return a mixing layer with the norm of a neighbour."""
    return Layer(op=op, kernel=kernel, norm=like.norm, act="none", heads=heads, window=window, ratio=ratio)


def mix(b: Blueprint, places: Sequence[BlockPlace], layer: Layer, draw: Draw) -> Blueprint:
    """Return a copy whose blocks at ``places`` mix positions by ``layer``.

    It takes a spatial convolution's place where another layer can bring the block's width and stride, and stands
    behind the first convolution otherwise.
    """
    sizes = {(shape.stage, shape.index): shape.size for shape in draw.layout(b).blocks}
    replaces = draw.chance(0.65)
    for s, i in places:
        block = b.block(s, i)
        fitted = replace(layer, grid=min(sizes[s, i]), norm=block.layers[0].norm)
        like = [n for n, old in enumerate(block.layers) if old.op == layer.op]
        if like:
            n = like[0]
            fitted = replace(fitted, norm=block.layers[n].norm, act=block.layers[n].act, gates=block.layers[n].gates)
            b = b.with_block(s, i, replace(block, layers=(*block.layers[:n], fitted, *block.layers[n + 1 :])))
            continue
        spatial = [n for n, old in enumerate(block.layers) if old.spatial]
        own = strided_layer(block.layers) if block.stride != 1 and block.down == "conv" else None
        free = [n for n in spatial if n != own]
        options = []
        if replaces and free:
            n = free[-1] if len(free) > 1 and draw.chance(0.5) else free[0]
            options.append((*block.layers[:n], fitted, *block.layers[n + 1 :]))
        options.append((*block.layers[:1], fitted, *block.layers[1:]))
        b = _first_valid(b, (s, i), [replace(block, layers=layers) for layers in options])
    return b


def _first_valid(b: Blueprint, place: BlockPlace, options: Sequence[Block]) -> Blueprint:
    for block in options:
        new = b.with_block(*place, block)
        try:
            check(new)
        except InvalidBlueprintError:
            continue
        return new
    return b


def _places(b: Blueprint, draw: Draw, layer: Layer, least: int, most: int) -> list[BlockPlace]:
    """Return a share of the blocks without such a layer whose maps have a number of positions in range."""
    shapes = draw.layout(b).blocks

    def same(x: Layer) -> bool:
        return replace(x, norm=layer.norm, act=layer.act, gates=(), response=False, grid=layer.grid) == layer

    return draw.scope(
        [
            (shape.stage, shape.index)
            for shape in shapes
            if least <= shape.size[0] * shape.size[1] <= most and not any(same(x) for x in shape.block.layers)
        ]
    )


@transformation("self-attention", "mixing.self-attention")
def self_attention(b: Blueprint, draw: Draw) -> Change | None:
    """Let all positions of a block attend to each other."""
    heads = draw.number("heads", (1, 2, 4, 8))
    layer = mixer("attention", Layer(), heads=heads)
    places = _places(b, draw, layer, 4, _MOST_TOKENS)
    if not places:
        return None
    new = mix(b, places, layer, draw)
    return Change(new, f"{where(b, places)}: self-attention, {heads} head{'s' if heads > 1 else ''}")


@transformation("attention-beside-convolution", "mixing.self-attention")
def attention_branch(b: Blueprint, draw: Draw) -> Change | None:
    """Add a parallel branch of self-attention to convolutional blocks."""
    shapes = [x for x in draw.layout(b).blocks if 4 <= x.size[0] * x.size[1] <= _MOST_TOKENS]
    places = draw.scope(
        [
            (x.stage, x.index)
            for x in shapes
            if not x.block.branches and (x.block.stride == 1 or x.block.down != "conv") and x.block.join != "concat"
        ]
    )
    if not places:
        return None
    heads = draw.number("heads", (1, 2, 4, 8))
    for s, i in places:
        block = b.block(s, i)
        path = (Layer(kernel=1, norm=block.layers[0].norm), mixer("attention", block.layers[0], heads=heads))
        b = b.with_block(s, i, replace(block, branches=(path,)))
    return Change(
        b, f"{where(b, places)}: self-attention ({heads} head{'s' if heads > 1 else ''}) beside the convolutions"
    )


@transformation("window-attention", "mixing.window-attention")
def window_attention(b: Blueprint, draw: Draw) -> Change | None:
    """Let the positions inside non-overlapping windows attend to each other."""
    sizes = [min(shape.size) for shape in draw.layout(b).blocks]
    window = draw.number("window", [w for w in (2, 4, 7, 8) if w < max(sizes)] or [2])
    heads = draw.number("heads", (1, 2, 4, 8))
    layer = mixer("window", Layer(), heads=heads, window=window)
    places = _places(b, draw, layer, window * window + 1, 10**6)
    if not places:
        return None
    new = mix(b, places, layer, draw)
    return Change(
        new, f"{where(b, places)}: {window}x{window} window attention, {heads} head{'s' if heads > 1 else ''}"
    )


@transformation("pooling-mixer", "mixing.pooling-mixer")
def pooling_mixer(b: Blueprint, draw: Draw) -> Change | None:
    """Mix positions by average pooling, without weights."""
    kernel = draw.number("kernel", (3, 5))
    layer = mixer("pool", Layer(), kernel=kernel)
    places = _places(b, draw, layer, 4, 10**6)
    if not places:
        return None
    new = mix(b, places, layer, draw)
    return Change(new, f"{where(b, places)}: {kernel}x{kernel} pooling mixer")


@transformation("token-mlp", "mixing.mlp-mixer")
def token_mlp(b: Blueprint, draw: Draw) -> Change | None:
    """Mix positions by an MLP over the tokens that all channels share."""
    ratio = draw.number("expansion", (0.5, 1.0, 2.0))
    layer = mixer("tokens", Layer(), ratio=ratio)
    places = _places(b, draw, layer, 4, _MOST_TOKENS)
    if not places:
        return None
    new = mix(b, places, layer, draw)
    return Change(new, f"{where(b, places)}: token MLP, hidden ratio {ratio:g}")


@inverse(
    "convolution-for-mixing",
    "mixing.self-attention",
    "mixing.window-attention",
    "mixing.pooling-mixer",
    "mixing.mlp-mixer",
)
def convolve(b: Blueprint, draw: Draw) -> Change | None:
    """Return token mixing layers to 3x3 convolutions."""
    places = draw.blocks(b, lambda block: any(x.op in _MIXERS for x in block.layers))
    if not places:
        return None
    new = b
    for s, i in places:
        block = b.block(s, i)
        layers = tuple(Layer(groups=0, norm=x.norm, act=x.act) if x.op in _MIXERS else x for x in block.layers)
        new = new.with_block(s, i, replace(block, layers=layers))
    return Change(new, f"{where(b, places)}: token mixing -> depthwise 3x3")


_MIXERS = ("attention", "window", "pool", "tokens")
