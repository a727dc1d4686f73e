"""Parameters and multiply-accumulates of a blueprint, counted without PyTorch.

The formulas are those of the layers that the renderer writes; as ``FlopCounterMode`` does, they count convolutions and
matrix products and neither norms nor activations. The tests compare them with PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .blueprint import Block, Blueprint, FeedForward, Gate, Layer, NormKind, Stem
from .geometry import (
    BlockShape,
    Layout,
    bias,
    brings_width,
    changes_entry,
    enters_by_operator,
    layout,
    path_shapes,
    scaled,
    strided_layer,
    width_divisor,
)


class Cost(NamedTuple):
    """Parameters, and multiply-accumulates for one image."""

    params: int
    macs: int

    def __add__(self, other: object) -> Cost:
        """Return the sum of two costs."""
        if not isinstance(other, Cost):
            return NotImplemented
        return Cost(self.params + other.params, self.macs + other.macs)


_FREE = Cost(0, 0)


def count(blueprint: Blueprint, input_shape: tuple[int, int, int], num_classes: int, width: float = 1.0) -> Cost:
    """Return the cost of the backbone that ``render`` writes.

    Raises:
        InvalidBlueprintError: The network does not work on inputs of ``input_shape`` (channels, height, width).
    """
    shapes = layout(blueprint, input_shape, width)
    total = _stem(blueprint.stem, input_shape, shapes)
    for s, stage in enumerate(blueprint.stages):
        if stage.transition is not None:
            before = shapes.channels[s - 1] if s else shapes.stem
            total += _norm(stage.transition.norm, before)
            entered = next(b.size_in for b in shapes.blocks if b.stage == s)
            total += _operator(stage.transition.op, before, shapes.channels[s], entered)
            if not brings_width(stage.transition.op):
                total += _conv(before, shapes.channels[s], 1, entered)
        total += _links(blueprint, s, shapes)
    for block in shapes.blocks:
        total += _block(block)
    return total + _tail(blueprint, shapes, num_classes)


def _conv(
    before: int, after: int, area: int, size: tuple[int, int], groups: int = 1, *, with_bias: bool = False
) -> Cost:
    weights = after * (before // groups) * area
    return Cost(weights + (after if with_bias else 0), weights * size[0] * size[1])


def _linear(before: int, after: int, rows: int = 1, *, with_bias: bool = True) -> Cost:
    return Cost(before * after + (after if with_bias else 0), before * after * rows)


def _norm(kind: NormKind, channels: int) -> Cost:
    return Cost(0 if kind == "none" else 2 * channels, 0)


def _stem(stem: Stem, input_shape: tuple[int, int, int], shapes: Layout) -> Cost:
    before, h, w = input_shape
    total, strides = _FREE, stem.stride
    for n, kernel in enumerate(stem.kernels):
        after = shapes.stem if n == len(stem.kernels) - 1 else max(4, shapes.stem // 2)
        step = stem.stride if stem.patch else (2 if strides > 1 else 1)
        strides = 1 if stem.patch else strides // 2
        h, w = -(-h // step), -(-w // step)
        total += _conv(before, after, kernel * kernel, (h, w), with_bias=stem.norm == "none")
        total += _norm(stem.norm, after)
        before = after
    return total


def _operator(op: str, before: int, after: int, size: tuple[int, int]) -> Cost:
    """Return the cost of a downsampling operator whose output is ``size``."""
    if op in ("blur", "blur5"):
        return Cost(0, (25 if op == "blur5" else 9) * before * size[0] * size[1])
    if op in ("patch", "space-to-depth"):
        return _conv(4 * before, after, 1, size)
    return _conv(before, after, 9, size) if op == "conv" else _FREE


def _block(shape: BlockShape) -> Cost:
    block, channels_in, channels = shape.block, shape.channels_in, shape.channels
    total, size_in = _FREE, shape.size_in
    if enters_by_operator(block):
        total += _operator(block.down, channels_in, channels, shape.size)
        size_in = shape.size
        if changes_entry(block):
            total += _norm("batch", channels)
            channels_in = channels
    base = channels // 2 if block.split else channels
    for n, path in enumerate(block.paths):
        total += _path(block, path, channels_in, base, size_in, shape.size)
        ends = path_shapes(block, path)[-1].after
        if n and block.join == "concat":
            total += _fuse(base, _width(block, ends, channels_in, base), shape.size)
        elif n and block.join == "weighted":
            total += Cost(1, 0)
    total += Cost({"none": 0, "scalar": 1, "channel": base}[block.scale], 0)
    total += _fuse(base, base, shape.size) if block.merge == "concat" else Cost(2 * (block.merge == "weighted"), 0)
    strides = block.stride if not enters_by_operator(block) else 1
    kind = "conv" if block.project and block.shortcut == "pad" else block.shortcut
    if kind != "pad" and (block.project or strides != 1 or channels_in != channels):
        total += _conv(channels_in, channels, 9 if kind == "conv3" else 1, shape.size) + _norm("batch", channels)
    if block.feed_forward is not None:
        total += _feed_forward(block.feed_forward, channels, shape.size)
    return total


def _width(block: Block, width: float | None, channels_in: int, base: int) -> int:
    if width is None:
        return channels_in
    return base if width == 1.0 else scaled(base, width, width_divisor(block, width))


def _fuse(own: int, other: int, size: tuple[int, int]) -> Cost:
    return _conv(own + other, own, 1, size) + _norm("batch", own)


def _path(
    block: Block, path: Sequence[Layer], channels_in: int, base: int, size_in: tuple[int, int], size: tuple[int, int]
) -> Cost:
    strided = strided_layer(path) if block.stride != 1 and block.down == "conv" else None
    total, now = _FREE, size_in if strided is not None else size
    for n, shape in enumerate(path_shapes(block, path)):
        before = _width(block, shape.before, channels_in, base)
        after = _width(block, shape.after, channels_in, base)
        entered, now = now, size if n == strided else now
        total += _layer(block, shape.layer, before, after, entered, now)
        total += _norm(shape.layer.norm, before if block.norms_inputs else after)
        total += Cost(2 * after if shape.layer.response else 0, 0)
        for gate in shape.layer.gates:
            total += _gate(gate, after, now)
    return total


def _layer(
    block: Block, layer: Layer, before: int, after: int, entered: tuple[int, int], size: tuple[int, int]
) -> Cost:
    if layer.op in ("attention", "window"):
        return _attention(layer, before, size)
    if layer.op == "tokens":
        tokens = layer.grid * layer.grid
        hidden = round(tokens * layer.ratio)
        return _linear(tokens, hidden, before) + _linear(hidden, tokens, before)
    if layer.op != "conv":
        return _FREE
    groups = before if layer.groups == 0 else layer.groups
    if layer.kernels:
        return sum((_conv(before, after, k * k, size, groups) for k in (layer.kernel, *layer.kernels)), _FREE)
    if layer.factorised and layer.kernel > 1:
        between = (size[0], entered[1])
        first = _conv(before, after, layer.kernel, between, groups)
        return first + _conv(after, after, layer.kernel, size, groups)
    return _conv(before, after, layer.kernel**2, size, groups, with_bias=bias(block, layer))


def _attention(layer: Layer, channels: int, size: tuple[int, int]) -> Cost:
    inner = layer.heads * max(4, channels // layer.heads)
    side = min(layer.window, *size) if layer.op == "window" else 0
    windows = -(-size[0] // side) * -(-size[1] // side) if side else 1
    tokens = side * side if side else size[0] * size[1]
    rows = windows * tokens
    maps = _linear(channels, 3 * inner, rows, with_bias=False) + _linear(inner, channels, rows, with_bias=False)
    return maps + Cost(2 * channels, 2 * windows * tokens * tokens * inner)


def _gate(gate: Gate, channels: int, size: tuple[int, int]) -> Cost:
    if gate.kind == "squeeze":
        hidden = max(4, channels // gate.reduction)
        return _linear(channels, hidden) + _linear(hidden, channels)
    if gate.kind == "efficient":
        return Cost(gate.kernel, gate.kernel * channels)
    if gate.kind == "spatial":
        return _conv(2, 1, gate.kernel**2, size)
    return _conv(channels, channels, gate.kernel**2, size, channels) + _conv(
        channels, channels, 1, size, with_bias=True
    )


def _feed_forward(ff: FeedForward, channels: int, size: tuple[int, int]) -> Cost:
    hidden = scaled(channels, ff.ratio)
    up, down = _conv(channels, hidden, 1, size, with_bias=True), _conv(hidden, channels, 1, size, with_bias=True)
    total = _norm("batch", channels) + down
    if ff.kind == "gated":
        return total + up + up + _norm("batch", hidden)
    if ff.kind == "depthwise":
        between = _conv(hidden, hidden, 9, size, hidden) + _norm("batch", hidden)
        return total + _conv(channels, hidden, 1, size) + between
    return total + up


def _links(blueprint: Blueprint, s: int, shapes: Layout) -> Cost:
    total, joined, own = _FREE, 0, shapes.channels[s]
    for link in (link for link in blueprint.links if link.target == s):
        before = shapes.channels[link.source] if link.source >= 0 else shapes.stem
        if link.join == "concat":
            joined += before
        else:
            total += _conv(before, own, 1, shapes.sizes[s]) + _norm("batch", own)
    return total + (_fuse(own, joined, shapes.sizes[s]) if joined else _FREE)


def _tail(blueprint: Blueprint, shapes: Layout, num_classes: int) -> Cost:
    tail, channels, size = blueprint.tail, shapes.channels[-1], shapes.sizes[-1]
    final, total = blueprint.stages[-1].blocks[-1], _FREE
    features = channels
    if final.norms_inputs:
        total += _norm("batch", channels)
    if tail.expansion and not tail.late:
        features = scaled(channels, tail.expansion)
        total += _conv(channels, features, 1, size) + _norm("batch", features)
    if tail.pool == "attention":
        maps = _conv(features, tail.heads, 1, size)
        total += Cost(maps.params, 2 * maps.macs)
    total += Cost({"mixed": features, "gem": 1}.get(tail.pool, 0), 0)
    features *= {"pyramid": 5, "attention": tail.heads}.get(tail.pool, 1)
    features += sum(shapes.channels[level] for level in tail.levels)
    if tail.expansion and tail.late:
        hidden = scaled(channels, tail.expansion)
        total += _linear(features, hidden)
        features = hidden
    return total + _linear(features, num_classes)
