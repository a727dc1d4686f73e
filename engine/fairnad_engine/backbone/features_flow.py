"""A graph as a flow of values, spelling differences taken out: what the features are counted on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fairnad_engine.backbone import features_axes as ax
from fairnad_engine.backbone.features_axes import Axes, Shape
from fairnad_engine.backbone.graph import Argument, BackboneGraph, NodeRef, TensorRef

BATCH = 3  # odd, so that no halving of it looks like one of the map
CONVS = frozenset(["conv1d", "conv2d", "conv3d", "conv_transpose2d", "convolution"])
POOLS = frozenset(["max_pool2d", "avg_pool2d", "lp_pool2d", "max_pool2d_with_indices", "max_pool1d", "avg_pool1d"])
SPLITS = frozenset(["chunk", "split", "split_with_sizes", "unbind"])
CONTRACTIONS = frozenset(["matmul", "mm", "bmm", "baddbmm"])
REDUCTIONS = frozenset(
    [
        "mean",
        "sum",
        "amax",
        "amin",
        "var",
        "std",
        "linalg_vector_norm",
        "norm",
        "frobenius_norm",
        "prod",
        "logsumexp",
        "max",
        "min",
    ]
)


@dataclass(slots=True)
class Step:
    """One operation.

    Attributes:
        index: Its place; step 0 is the images.
        op: Bare name, in its functional form.
        target: Full name.
        args: Arguments; a :class:`NodeRef` holds the index of a step.
        kwargs: Keyword arguments.
        inputs: Indices of the steps whose tensors it reads.
        shape: Shape of its value at :data:`BATCH` images, that of its input for a split.
        axes: What the axes of its value stand for.
        kind: ``map``: features with positions; ``pooled``: one vector an image; ``flat``: one value a position;
            ``param``: nothing of the images.
    """

    index: int
    op: str
    target: str
    args: tuple[Argument, ...]
    kwargs: dict[str, Argument]
    inputs: tuple[int, ...] = ()
    shape: Shape = ()
    axes: Axes = ()
    kind: str = "param"

    def argument(self, position: int, name: str, default: Any = None) -> Any:  # noqa: ANN401
        """An argument by position or name."""
        return self.args[position] if position < len(self.args) else self.kwargs.get(name, default)

    @property
    def positions(self) -> int:
        """Number of positions of its value."""
        return ax.positions(self.axes)


@dataclass(slots=True)
class Flow:
    """The steps of one mode that lead to the logits, in order, and who reads each."""

    graph: BackboneGraph
    steps: dict[int, Step]
    output: int
    readers: dict[int, list[int]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps.values())

    def __getitem__(self, index: int) -> Step:
        return self.steps[index]

    def of(self, argument: Argument) -> Step | None:
        """The step an argument names, if any."""
        return self.steps.get(argument.index) if isinstance(argument, NodeRef) else None

    def is_param(self, argument: Argument) -> bool:
        """Whether a tensor argument owes nothing to the images."""
        step = self.of(argument)
        return isinstance(argument, TensorRef) or (step is not None and step.kind == "param")

    def is_trained(self, argument: Argument) -> bool:
        """Whether a tensor argument is made from trained parameters alone."""
        if isinstance(argument, TensorRef):
            return self.graph.tensors[argument.index].kind == "parameter"
        step = self.of(argument)
        return step is not None and step.kind == "param" and any(self.is_trained(a) for a in step.args)

    def tensor_shape(self, argument: Argument) -> Shape:
        """Shape of a tensor argument."""
        if isinstance(argument, TensorRef):
            return self.graph.tensors[argument.index].shape
        step = self.of(argument)
        return step.shape if step is not None else ()
