"""The shapes a blueprint implies: channels, divisors, resolutions, and whether they fit an input.

Renderer and counter both ask here, so that the source that is written and the costs that are estimated agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm

from .blueprint import Block, Blueprint, DownOp, Layer, Stem

_MOST_BLOCKS = 64
_MOST_STAGES = 8


class InvalidBlueprintError(ValueError):
    """The blueprint describes no network that works on the given input."""


def scaled(channels: int, width: float, divisor: int = 1) -> int:
    """Return ``channels * width`` rounded to a positive multiple of ``divisor``; every rendered source repeats it."""
    return max(1, round(channels * width / divisor)) * divisor


@dataclass(frozen=True)
class LayerShape:
    """A layer of a path with the widths around it.

    Attributes:
        layer: The layer.
        before: Input width: None for the block's input, else relative to the block's output channels.
        after: Output width, likewise.
        stride: 2 where this layer halves the resolution.
    """

    layer: Layer
    before: float | None
    after: float | None
    stride: int


@dataclass(frozen=True)
class BlockShape:
    """A block with its input and output channels and spatial sizes."""

    stage: int
    index: int
    block: Block
    channels_in: int
    channels: int
    size_in: tuple[int, int]
    size: tuple[int, int]


@dataclass(frozen=True)
class Layout:
    """Every shape in a network.

    Attributes:
        stem: Channels of the stem's output.
        channels: Channels of every stage.
        stem_size: Spatial size of the stem's output.
        sizes: Spatial size of every stage's output.
        blocks: The blocks, from the input on.
    """

    stem: int
    channels: tuple[int, ...]
    stem_size: tuple[int, int]
    sizes: tuple[tuple[int, int], ...]
    blocks: tuple[BlockShape, ...]


def bias(block: Block, layer: Layer) -> bool:
    """Whether the layer's convolution has a bias: where no normalisation would cancel it."""
    if block.order == "post":
        return layer.norm == "none"
    return block.order != "pre" and layer.act != "none"


def enters_by_operator(block: Block) -> bool:
    """Whether the block halves its input before anything else sees it."""
    return block.stride != 1 and block.down != "conv"


def brings_width(op: DownOp) -> bool:
    """Whether a downsampling operator also changes the number of channels."""
    return op in ("conv", "space-to-depth", "patch")


def changes_entry(block: Block) -> bool:
    """Whether the operator at the block's entrance also brings the new width."""
    return enters_by_operator(block) and brings_width(block.down)


def strided_layer(path: Sequence[Layer]) -> int | None:
    """Return the index of the layer that takes a path's stride: its first spatial convolution."""
    return next((i for i, layer in enumerate(path) if layer.spatial), None)


def path_shapes(block: Block, path: Sequence[Layer]) -> tuple[LayerShape, ...]:
    """Return the layers of one path of ``block`` with the widths around them."""
    entry: float | None = 1.0 if block.split or changes_entry(block) else None
    strided = strided_layer(path) if block.stride != 1 and block.down == "conv" else None
    shapes, width = [], entry
    for i, layer in enumerate(path):
        after = width if layer.keeps_channels else layer.width
        shapes.append(LayerShape(layer, width, after, block.stride if i == strided else 1))
        width = after
    return tuple(shapes)


def width_divisor(block: Block, width: float | None) -> int:
    """Return what channels of a relative ``width`` (None: the block's input) must be divisible by, for groups."""
    need = 1
    for path in block.paths:
        for shape in path_shapes(block, path):
            if (
                shape.layer.groups > 1
                and shape.layer.op in ("conv", "shuffle")
                and width in (shape.before, shape.after)
            ):
                need = lcm(need, shape.layer.groups)
    return need


def divisors(blueprint: Blueprint) -> tuple[int, ...]:
    """Return what the channels of the stem and of every stage must be divisible by."""
    needs = [1] * (len(blueprint.stages) + 1)
    for s, i, block in blueprint.blocks():
        own = width_divisor(block, 1.0) * (2 if block.split else 1)
        needs[s + 1] = lcm(needs[s + 1], own)
        fresh = i == 0 and blueprint.stages[s].transition is None
        source = s if fresh else s + 1
        needs[source] = lcm(needs[source], width_divisor(block, None))
    return tuple(needs)


def link_stride(blueprint: Blueprint, source: int, target: int) -> int:
    """Return the factor by which the resolution drops from stage ``source``'s output to stage ``target``'s."""
    stride = 1
    for s in range(source + 1, target + 1):
        stage = blueprint.stages[s]
        stride *= 2 if stage.transition is not None else 1
        for block in stage.blocks:
            stride *= block.stride
    return stride


def layout(blueprint: Blueprint, input_shape: tuple[int, int, int], width: float = 1.0) -> Layout:
    """Return every shape of the network on inputs of ``input_shape`` (channels, height, width).

    Raises:
        InvalidBlueprintError: The network does not work on such inputs.
    """
    check(blueprint)
    needs = divisors(blueprint)
    stem = scaled(blueprint.stem.channels, width, needs[0])
    size = stem_size = _stem_size(blueprint.stem, input_shape[1:])
    channels, sizes, blocks, before = [], [], [], stem
    for s, stage in enumerate(blueprint.stages):
        now = scaled(stage.channels, width, needs[s + 1])
        if stage.transition is not None:
            size, before = _halved(size, stage.transition.op), now
        for i, block in enumerate(stage.blocks):
            after = size if block.stride == 1 else _halved(size, block.down)
            blocks.append(BlockShape(s, i, block, before, now, size, after))
            size, before = after, now
        channels.append(now)
        sizes.append(size)
    return Layout(stem, tuple(channels), stem_size, tuple(sizes), tuple(blocks))


def _stem_size(stem: Stem, size: Sequence[int]) -> tuple[int, int]:
    h, w = size
    if stem.patch and (h % stem.stride or w % stem.stride):
        raise InvalidBlueprintError(f"patches of {stem.stride} do not tile {h}x{w}")
    h, w = -(-h // stem.stride), -(-w // stem.stride)
    return _halved((h, w), "max") if stem.pool else (h, w)


def _halved(size: tuple[int, int], op: str) -> tuple[int, int]:
    if min(size) < 2:
        raise InvalidBlueprintError("the resolution drops below one pixel")
    if op in ("space-to-depth", "patch") and (size[0] % 2 or size[1] % 2):
        raise InvalidBlueprintError(f"{op} cannot halve the odd size {size[0]}x{size[1]}")
    return (size[0] + 1) // 2, (size[1] + 1) // 2


def check(blueprint: Blueprint) -> None:
    """Refuse a blueprint whose parts do not fit each other.

    Raises:
        InvalidBlueprintError: With the reason.
    """
    if not 1 <= len(blueprint.stages) <= _MOST_STAGES or not all(stage.blocks for stage in blueprint.stages):
        raise InvalidBlueprintError("a stage without blocks")
    if sum(len(stage.blocks) for stage in blueprint.stages) > _MOST_BLOCKS:
        raise InvalidBlueprintError("too many blocks")
    if min(blueprint.stem.channels, *(stage.channels for stage in blueprint.stages)) < 1:
        raise InvalidBlueprintError("a stage without channels")
    last = len(blueprint.stages) - 1
    if any(not -1 <= link.source < link.target <= last for link in blueprint.links):
        raise InvalidBlueprintError("a link to nowhere")
    if any(not 0 <= level < last for level in blueprint.tail.levels):
        raise InvalidBlueprintError("the tail pools a stage that is not there")
    for s, i, block in blueprint.blocks():
        _check_block(block, bound=i > 0 or blueprint.stages[s].transition is not None)


def _check_block(block: Block, bound: bool) -> None:
    """Refuse a block whose paths do not end at its width.

    ``bound`` says that its input and output width are one number at every ``width``; other equal widths may part
    where they are rounded to different divisors.
    """
    if block.stride not in (1, 2) or not all(block.paths):
        raise InvalidBlueprintError("an empty path")
    for layer in (layer for path in block.paths for layer in path):
        if layer.kernel < 1 or layer.groups < 0 or layer.dilation < 1 or not 0 < layer.width <= 16:
            raise InvalidBlueprintError("a layer out of range")
        if layer.op == "conv" and any(k % 2 == 0 for k in (layer.kernel, *layer.kernels)):
            raise InvalidBlueprintError("an even kernel")
    if block.split and not (bound and block.stride == 1 and not block.project):
        raise InvalidBlueprintError("only a block that keeps its shape can be split")
    for path in block.paths:
        ends = path_shapes(block, path)[-1].after
        if block.stride != 1 and block.down == "conv" and strided_layer(path) is None:
            raise InvalidBlueprintError("no convolution can take the stride")
        if ends != 1.0 and not (ends is None and bound) and block.join != "concat":
            raise InvalidBlueprintError("a path ends at another width than its block's")
        if ends not in (1.0, None) and path is block.layers:
            raise InvalidBlueprintError("the main path ends at another width than its block's")
