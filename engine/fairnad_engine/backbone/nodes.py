"""What a checked graph is made of: operations in order, and the tensors that they share.

Data alone; :mod:`fairnad_engine.backbone.graph` makes it from a description and refuses what is not allowed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

TensorKind = Literal["parameter", "buffer", "constant"]


class GraphRefusedError(Exception):
    """The description is not acceptable; ``kind`` is the failure class."""

    def __init__(self, message: str, kind: str = "graph-refused") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class NodeRef:
    """The value of an earlier node."""

    index: int


@dataclass(frozen=True, slots=True)
class TensorRef:
    """An entry of the tensor table."""

    index: int


@dataclass(frozen=True, slots=True)
class ImageRef:
    """The batch of images."""


@dataclass(frozen=True, slots=True)
class DtypeRef:
    """A dtype by name."""

    name: str


Argument = None | bool | int | float | str | NodeRef | TensorRef | ImageRef | DtypeRef | tuple["Argument", ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One operation; ``kwargs`` are sorted by name."""

    op: str
    args: tuple[Argument, ...]
    kwargs: tuple[tuple[str, Argument], ...]

    def references(self) -> Iterator[NodeRef | TensorRef | ImageRef]:
        """Yield every value the node reads, in argument order."""
        for argument in (*self.args, *(value for _, value in self.kwargs)):
            yield from references_of(argument)


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """A parameter, buffer or constant.

    Attributes:
        name: Its state-dict name in the candidate's own source.
        aliases: Further state-dict names of the same (tied) tensor.
        kind: Parameter, buffer or constant.
        shape: Sizes.
        dtype: Name such as ``float32``.
        requires_grad: Whether training updates it.
    """

    name: str
    aliases: tuple[str, ...]
    kind: TensorKind
    shape: tuple[int, ...]
    dtype: str
    requires_grad: bool

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class ModeGraph:
    """The graph of one mode (train or eval)."""

    nodes: tuple[Node, ...]
    output: NodeRef


def references_of(argument: Argument) -> Iterator[NodeRef | TensorRef | ImageRef]:
    """Yield every value that an argument names, in order."""
    if isinstance(argument, (NodeRef, TensorRef, ImageRef)):
        yield argument
    elif isinstance(argument, tuple):
        for item in argument:
            yield from references_of(item)
