"""The blueprint: a backbone as data, which the ``rules`` designer edits and renders as PyTorch source.

It says what a person would say of a network: a stem, stages of blocks, links between stages, a tail. It is stored
as the last line of every source the designer writes, so that a child can be edited as surely as its parent.
Channel counts are those at ``width = 1.0``.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

VERSION = 1
_TIMES = "times"  # equal items in a row are written once
_MOST_TIMES = 64

NormKind = Literal["batch", "layer", "group", "none"]
ActKind = Literal[
    "relu", "gelu", "silu", "mish", "elu", "softplus", "hardswish", "relu6", "leaky_relu", "hardtanh", "none"
]
LayerOp = Literal["conv", "attention", "window", "pool", "tokens", "shuffle", "mean", "max"]
Order = Literal["post", "pre", "act-norm"]
DownOp = Literal["conv", "max", "max3", "avg", "avg3", "blur", "blur5", "space-to-depth", "patch"]
ShortcutKind = Literal["pad", "conv", "conv3", "pool-conv"]
MergeKind = Literal["add", "weighted", "concat"]
ScaleKind = Literal["none", "scalar", "channel"]
GateKind = Literal["squeeze", "efficient", "spatial", "multiplicative"]
PoolKind = Literal["avg", "max", "mixed", "gem", "attention", "pyramid"]


@dataclass(frozen=True)
class Gate:
    """A multiplication of features by something computed from them."""

    kind: GateKind
    reduction: int = 4
    kernel: int = 3


@dataclass(frozen=True)
class Layer:
    """One operation of a path with its normalisation and activation.

    Attributes:
        op: The operation. All but a convolution keep the number of channels.
        kernel: Kernel size of a convolution or of pooling.
        kernels: Further kernel sizes that run in parallel and are summed.
        groups: Groups of a convolution or shuffle; 0 means depthwise (which keeps the number of channels).
        dilation: Dilation of a convolution.
        factorised: A k x k convolution as k x 1 followed by 1 x k.
        width: Output channels relative to the block's output channels.
        norm: Normalisation kind.
        act: Activation kind.
        response: Global response normalisation behind the activation.
        gates: Gates behind everything else.
        heads: Heads of an attention.
        window: Side of an attention window.
        grid: Side of the token grid of a token MLP.
        ratio: Hidden size of a token MLP relative to the number of tokens.
    """

    op: LayerOp = "conv"
    kernel: int = 3
    kernels: tuple[int, ...] = ()
    groups: int = 1
    dilation: int = 1
    factorised: bool = False
    width: float = 1.0
    norm: NormKind = "batch"
    act: ActKind = "relu"
    response: bool = False
    gates: tuple[Gate, ...] = ()
    heads: int = 2
    window: int = 4
    grid: int = 4
    ratio: float = 1.0

    @property
    def keeps_channels(self) -> bool:
        """Whether the output has as many channels as the input."""
        return self.op != "conv" or self.groups == 0

    @property
    def spatial(self) -> bool:
        """Whether it is a convolution that looks at neighbours."""
        return self.op == "conv" and max((self.kernel, *self.kernels)) > 1

    @property
    def dense(self) -> bool:
        """Whether it is a plain spatial convolution that mixes all channels."""
        return self.spatial and self.groups == 1 and not self.kernels and not self.factorised


Path = tuple[Layer, ...]


@dataclass(frozen=True)
class FeedForward:
    """A residual channel MLP behind the block; ``gated`` multiplies two hidden halves, ``depthwise`` adds a 3x3."""

    ratio: float = 2.0
    kind: Literal["plain", "gated", "depthwise"] = "plain"
    act: ActKind = "gelu"


@dataclass(frozen=True)
class Block:
    """A residual block: a main path, perhaps parallel branches, and how they meet the shortcut.

    Attributes:
        layers: The main path.
        branches: Paths parallel to the main path, from the same input.
        join: How branches meet the main path.
        order: ``post``: operation, norm, activation; ``pre``: norm, activation, operation; ``act-norm``: the
            operation, then activation, then norm.
        stride: 1, or 2 where the block halves the resolution.
        down: The operator that halves it. ``conv`` strides the first spatial convolution of every path; the others
            act on the block's input.
        shortcut: The shortcut where the shape changes.
        project: A learnt projection also where the shape stays.
        merge: How the shortcut meets the rest.
        scale: Learnt scaling of the residual, per block or per channel.
        scale_init: Its initial value.
        act: The activation behind the merge.
        drop_path: Rate of stochastic depth.
        split: Only half of the channels go through the path; they are concatenated and shuffled at the end.
        feed_forward: A channel MLP behind the block.
    """

    layers: Path
    branches: tuple[Path, ...] = ()
    join: MergeKind = "add"
    order: Order = "post"
    stride: int = 1
    down: DownOp = "conv"
    shortcut: ShortcutKind = "pad"
    project: bool = False
    merge: MergeKind = "add"
    scale: ScaleKind = "none"
    scale_init: float = 0.2
    act: ActKind = "relu"
    drop_path: float = 0.0
    split: bool = False
    feed_forward: FeedForward | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The main path and the branches."""
        return (self.layers, *self.branches)


@dataclass(frozen=True)
class Transition:
    """A downsampling layer of its own before a stage: norm, operator, new width."""

    op: DownOp = "patch"
    norm: NormKind = "batch"


@dataclass(frozen=True)
class Stage:
    """Blocks of one width."""

    channels: int
    blocks: tuple[Block, ...]
    transition: Transition | None = None


@dataclass(frozen=True)
class Stem:
    """The first convolutions; ``patch`` cuts the image into ``stride`` x ``stride`` patches."""

    channels: int
    kernels: tuple[int, ...] = (3,)
    stride: int = 1
    patch: bool = False
    pool: bool = False
    norm: NormKind = "batch"
    act: ActKind = "relu"


@dataclass(frozen=True)
class Link:
    """A connection from the output of stage ``source`` (-1: the stem) to that of a later stage ``target``."""

    source: int
    target: int
    join: Literal["add", "concat"] = "add"


@dataclass(frozen=True)
class Tail:
    """From the last stage to the logits.

    Attributes:
        pool: How a feature map becomes a vector.
        expansion: Width of a last 1x1 convolution relative to the last stage; 0 for none.
        late: The expansion is a linear layer behind the pooling.
        levels: Earlier stages whose pooled features join the last one's.
        dropout: Dropout before the classifier.
        act: Activation of the expansion.
        heads: Softmax maps of attention pooling.
    """

    pool: PoolKind = "avg"
    expansion: float = 0.0
    late: bool = False
    levels: tuple[int, ...] = ()
    dropout: float = 0.0
    act: ActKind = "relu"
    heads: int = 1


@dataclass(frozen=True)
class Blueprint:
    """A whole backbone; ``last`` names the sub-category of the last idea applied to it."""

    name: str
    stem: Stem
    stages: tuple[Stage, ...]
    tail: Tail = field(default_factory=Tail)
    links: tuple[Link, ...] = ()
    last: str = ""

    def blocks(self) -> Iterator[tuple[int, int, Block]]:
        """Yield stage index, block index and block, from the input on."""
        for s, stage in enumerate(self.stages):
            for i, block in enumerate(stage.blocks):
                yield s, i, block

    def block(self, s: int, i: int) -> Block:
        """Return block ``i`` of stage ``s``."""
        return self.stages[s].blocks[i]

    def with_stage(self, s: int, stage: Stage) -> Blueprint:
        """Return a copy with stage ``s`` replaced."""
        return replace(self, stages=(*self.stages[:s], stage, *self.stages[s + 1 :]))

    def with_block(self, s: int, i: int, block: Block) -> Blueprint:
        """Return a copy with one block replaced."""
        blocks = self.stages[s].blocks
        return self.with_stage(s, replace(self.stages[s], blocks=(*blocks[:i], block, *blocks[i + 1 :])))


def to_json(blueprint: Blueprint) -> str:
    """Return the blueprint as one compact line; values at their defaults are left out."""
    return json.dumps({"version": VERSION, **_encode(blueprint)}, separators=(",", ":"))


def from_json(text: str) -> Blueprint:
    """Read what :func:`to_json` wrote.

    Raises:
        ValueError: Not a blueprint of this version.
    """
    try:
        data = json.loads(text)
        if not isinstance(data, dict) or data.pop("version", None) != VERSION:
            raise ValueError("not a blueprint of this version")
        return _decode(Blueprint, data)
    except (TypeError, KeyError, RecursionError, AttributeError) as error:
        raise ValueError(f"not a blueprint: {error}") from error


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = {f.name: f for f in dataclasses.fields(value)}
        return {name: _encode(getattr(value, name)) for name, f in names.items() if getattr(value, name) != _default(f)}
    if not isinstance(value, tuple):
        return value
    items: list[Any] = []
    for item in map(_encode, value):
        if items and isinstance(item, dict) and item == {k: v for k, v in items[-1].items() if k != _TIMES}:
            items[-1][_TIMES] = items[-1].get(_TIMES, 1) + 1
        else:
            items.append(item)
    return items


def _default(f: dataclasses.Field[Any]) -> Any:
    return f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default


_T = TypeVar("_T")


def _decode(kind: type[_T], data: Any) -> _T:
    hints = typing.get_type_hints(kind)
    return kind(**{name: _value(hints[name], item) for name, item in data.items()})


def _repeated(entry: Any) -> list[Any]:
    """Return an entry of a list as often as it says it stands there."""
    if not isinstance(entry, dict) or _TIMES not in entry:
        return [entry]
    times = entry[_TIMES]
    if type(times) is not int or not 1 <= times <= _MOST_TIMES:
        raise ValueError(f"{times!r} is no count")
    return [{key: value for key, value in entry.items() if key != _TIMES}] * times


def _value(hint: Any, data: Any) -> Any:
    """Return ``data`` as a value of the annotated type, strictly: a blueprint may come from a stranger's file."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        if not isinstance(data, list):
            raise TypeError("a list is due")
        return tuple(_value(args[0], item) for entry in data for item in _repeated(entry))
    if origin is Literal:
        if data not in args:
            raise ValueError(f"{data!r} is none of {', '.join(map(str, args))}")
        return data
    if origin is types.UnionType:
        return None if data is None else _value(args[0], data)
    if dataclasses.is_dataclass(hint):
        return _decode(typing.cast(type[Any], hint), data)
    if hint is float and type(data) is int:
        return float(data)
    if type(data) is not hint:
        raise TypeError(f"{data!r} is no {hint.__name__}")
    return data
