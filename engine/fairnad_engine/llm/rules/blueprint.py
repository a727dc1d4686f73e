"""The blueprint: a backbone as data, which the ``rules`` designer edits and renders as PyTorch source.

It says what a person would say of a network: a stem, stages of blocks, links between stages, a tail. It is stored
as the last line of every source the designer writes, so that a child can be edited as surely as its parent.
Channel counts are those at ``width = 1.0``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

NormKind = Literal["batch", "layer", "group", "none"]
ActKind = Literal[
    "relu", "gelu", "silu", "mish", "elu", "softplus", "hardswish", "relu6", "leaky_relu", "hardtanh", "none"
]
LayerOp = Literal["conv", "attention", "window", "pool", "tokens", "shuffle", "mean", "max"]
Order = Literal["post", "pre", "act-norm", "norm-first"]
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
            operation, then activation, then norm; ``norm-first``: norm, operation, activation.
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
    def activation(self) -> ActKind:
        """The activation that the block uses, for layers that need one."""
        return next((act for act in (self.act, *(layer.act for layer in self.layers)) if act != "none"), "relu")

    @property
    def normalisation(self) -> NormKind:
        """The normalisation that the block uses, for layers that need one."""
        return next((layer.norm for layer in self.layers if layer.norm != "none"), "batch")

    @property
    def norms_inputs(self) -> bool:
        """Whether norms stand in front of their operations."""
        return self.order in ("pre", "norm-first")

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
