"""Structure hashes: the same network written differently has the same hash.

The exact hash covers both modes, with every argument bound to its schema and defaults filled in, in-place operations
read as their functional form, operands of commutative operations in a canonical order, and dead code left out. The
width-normalised hash ignores how many channels there are, so that widened copies of a network are recognised.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from fairnad_engine.backbone.graph import (
    Argument,
    BackboneGraph,
    DtypeRef,
    ImageRef,
    ModeGraph,
    Node,
    NodeRef,
    TensorRef,
)
from fairnad_engine.backbone.ops import resolve

_COMMUTATIVE = frozenset({"aten.add.Tensor", "aten.mul.Tensor", "aten.maximum.default", "aten.minimum.default"})
# They hand their input on unchanged.
_TRANSPARENT = frozenset(
    {"aten.contiguous.default", "aten.alias.default", "aten.clone.default", "aten.lift_fresh_copy.default"}
)
# ``x.view(x.shape[0], -1)`` is ``x.flatten(1)``.
_RESHAPES = {"aten.view.default": "size", "aten.reshape.default": "shape"}
_FLATTEN = "aten.flatten.using_ints"
_LAYOUT = frozenset({"device", "pin_memory", "layout", "memory_format", "generator", "non_blocking"})
# Arguments that spell channel counts: replaced by a mark in the width-normalised form.
_CHANNEL_ARGUMENTS = frozenset({"normalized_shape", "shape", "size", "split_sizes", "sizes", "split_size"})


@dataclass(frozen=True)
class StructureHashes:
    """Hexadecimal digests, 32 characters each."""

    exact: str
    width_normalised: str


def structure_hashes(graph: BackboneGraph) -> StructureHashes:
    """Hash a backbone's structure; weights play no part."""
    forms = []
    for exact in (True, False):
        payload = json.dumps(
            [
                [list(graph.input_shape), graph.num_classes],
                _Canonical(graph, graph.train, exact).form(),
                _Canonical(graph, graph.eval, exact).form(),
            ],
            sort_keys=True,
            separators=(",", ":"),
        )
        forms.append(hashlib.sha256(payload.encode()).hexdigest()[:32])
    return StructureHashes(exact=forms[0], width_normalised=forms[1])


@dataclass(frozen=True)
class Operation:
    """An operation that reaches the output.

    Attributes:
        target: Full functional name, such as ``aten.conv2d.default``.
        arguments: By schema name, defaults filled in; a :class:`NodeRef` holds a place among these operations.
    """

    target: str
    arguments: dict[str, Argument]

    @property
    def name(self) -> str:
        """Bare name, such as ``conv2d``."""
        return self.target.split(".")[1]


def live_operations(graph: BackboneGraph, mode: ModeGraph, *, exact: bool = True) -> tuple[Operation, ...]:
    """The operations of a mode that reach its output, in the order in which they run, the output's own the last.

    Args:
        graph: The backbone.
        mode: Its train or eval graph.
        exact: Without it, what spells a number of channels is replaced by a mark, as in the width-normalised hash.
    """
    return _Canonical(graph, mode, exact).live()


class _Canonical:
    """One mode's graph as a numbered list of the operations that reach the output."""

    def __init__(self, graph: BackboneGraph, mode: ModeGraph, exact: bool) -> None:
        self._graph = graph
        self._exact = exact
        self._nodes: list[tuple[str, dict[str, Any]]] = []
        self._resolved: list[NodeRef | TensorRef | ImageRef] = []
        self._merkle: list[str] = []
        self._current: dict[int, int] = {}
        for index, node in enumerate(mode.nodes):
            self._add(index, node)
        self._output = self._follow(mode.output)

    def form(self) -> list[Any]:
        """Depth-first from the output, in argument order; nodes and tensors are numbered as they are met."""
        number: dict[tuple[str, int], int] = {}
        lines: list[Any] = []
        stack: list[tuple[Any, bool]] = [(self._output, False)]
        while stack:
            reference, done = stack.pop()
            key = self._key(reference)
            if key in number:
                continue
            if not isinstance(reference, NodeRef):
                number[key] = len(number)
                lines.append(self._leaf(reference))
                continue
            op, arguments = self._nodes[reference.index]
            children = [child for value in arguments.values() for child in _refs(value)]
            if done:
                spelled = {name: self._spell(value, number) for name, value in arguments.items()}
                number[key] = len(number)
                lines.append([op, spelled])
            else:
                stack.append((reference, True))
                stack.extend((child, False) for child in reversed(children))
        return lines

    def live(self) -> tuple[Operation, ...]:
        """See :func:`live_operations`."""
        read, waiting = set[int](), [self._output]
        while waiting:
            reference = waiting.pop()
            if isinstance(reference, NodeRef) and reference.index not in read:
                read.add(reference.index)
                waiting += [one for value in self._nodes[reference.index][1].values() for one in _refs(value)]
        place = {index: NodeRef(n) for n, index in enumerate(sorted(read))}
        return tuple(
            Operation(op, {name: _placed(value, place) for name, value in arguments.items()})
            for op, arguments in (self._nodes[index] for index in place)
        )

    def _add(self, index: int, node: Node) -> None:
        op, bound = _bind(node)
        arguments = {name: self._redirect(value) for name, value in bound.items()}
        first = next(iter(arguments.values()), None)
        self._current[index] = index
        if op in _TRANSPARENT and isinstance(first, (NodeRef, TensorRef, ImageRef)):
            self._resolved.append(first)
            self._nodes.append((op, {}))
            self._merkle.append(self._digest(first))
            return
        original = node.args[0] if node.args else None
        in_place = node.op != op
        if op in _RESHAPES and self._keeps_batch_alone(arguments.get(_RESHAPES[op])):
            op, arguments = _FLATTEN, {"self": first, "start_dim": 1, "end_dim": -1}
        if in_place and isinstance(original, NodeRef):
            # An in-place operation: whoever reads its operand later reads its result.
            self._current[original.index] = index
        if op in _COMMUTATIVE and arguments.get("alpha", 1) == 1:
            names = list(arguments)[:2]
            pair = sorted((arguments[n] for n in names), key=self._digest)
            arguments.update(zip(names, pair, strict=True))
        if not self._exact:
            arguments = {name: self._normalise(op, name, value) for name, value in arguments.items()}
        self._resolved.append(NodeRef(index))
        self._nodes.append((op, arguments))
        text = json.dumps([op, {n: self._digest(v) for n, v in arguments.items()}], sort_keys=True)
        self._merkle.append(hashlib.sha256(text.encode()).hexdigest())

    def _keeps_batch_alone(self, sizes: Argument) -> bool:
        """Whether sizes are the batch and -1."""
        if not isinstance(sizes, tuple) or len(sizes) != 2 or sizes[1] != -1 or not isinstance(sizes[0], NodeRef):
            return False
        op, arguments = self._nodes[sizes[0].index]
        return op == "aten.sym_size.int" and arguments.get("dim") == 0

    def _follow(self, reference: NodeRef) -> NodeRef | TensorRef | ImageRef:
        index = reference.index
        while self._current[index] != index:
            index = self._current[index]
        return self._resolved[index]

    def _redirect(self, value: Argument) -> Argument:
        if isinstance(value, NodeRef):
            return self._follow(value)
        if isinstance(value, tuple):
            return tuple(self._redirect(item) for item in value)
        return value

    def _normalise(self, op: str, name: str, value: Argument) -> Argument:
        if name == "groups" and isinstance(value, int) and value > 1:
            return "grouped"
        if name == "pad" and isinstance(value, tuple):
            # Entries from the fifth on pad channels (option A shortcuts).
            return tuple("*" if place >= 4 and n else n for place, n in enumerate(value))
        if name in _CHANNEL_ARGUMENTS and not op.startswith(("aten.zeros", "aten.ones", "aten.arange")):
            if isinstance(value, tuple):
                return tuple("*" if isinstance(n, int) and n > 1 else n for n in value)
            return "*" if isinstance(value, int) else value
        return value

    def _leaf(self, reference: TensorRef | ImageRef) -> Any:  # noqa: ANN401
        if isinstance(reference, ImageRef):
            return "images"
        entry = self._graph.tensors[reference.index]
        shape: list[Any] = list(entry.shape)
        if not self._exact:
            # Kernel sizes stay; channel counts go.
            shape = ["*" if position < 2 or len(shape) < 4 else n for position, n in enumerate(shape)]
        return [entry.kind, shape, entry.dtype, entry.requires_grad]

    def _digest(self, value: Argument) -> str:
        if isinstance(value, NodeRef):
            return self._merkle[value.index]
        if isinstance(value, (TensorRef, ImageRef)):
            return json.dumps(self._leaf(value))
        if isinstance(value, tuple):
            return "[" + ",".join(self._digest(item) for item in value) + "]"
        return repr(value)

    def _key(self, reference: NodeRef | TensorRef | ImageRef) -> tuple[str, int]:
        if isinstance(reference, ImageRef):
            return ("x", 0)
        return ("n" if isinstance(reference, NodeRef) else "t", reference.index)

    def _spell(self, value: Argument, number: dict[tuple[str, int], int]) -> Any:  # noqa: ANN401
        if isinstance(value, (NodeRef, TensorRef, ImageRef)):
            return {"#": number[self._key(value)]}
        if isinstance(value, tuple):
            return [self._spell(item, number) for item in value]
        if isinstance(value, DtypeRef):
            return value.name
        return str(value) if isinstance(value, float) else value


def _refs(value: Argument) -> list[NodeRef | TensorRef | ImageRef]:
    if isinstance(value, (NodeRef, TensorRef, ImageRef)):
        return [value]
    if isinstance(value, tuple):
        return [reference for item in value for reference in _refs(item)]
    return []


def _placed(value: Argument, place: dict[int, NodeRef]) -> Argument:
    if isinstance(value, NodeRef):
        return place[value.index]
    return tuple(_placed(item, place) for item in value) if isinstance(value, tuple) else value


def _bind(node: Node) -> tuple[str, dict[str, Argument]]:
    """The functional name of the operation and its arguments by schema name, defaults filled in."""
    names, defaults = _schema(node.op)
    arguments: dict[str, Argument] = dict(defaults)
    for position, value in enumerate(node.args):
        name = names[position] if position < len(names) else f"arg{position}"
        arguments[name] = value
    arguments.update(node.kwargs)
    ordered = {name: arguments[name] for name in names if name in arguments}
    ordered.update((name, value) for name, value in arguments.items() if name not in ordered)
    return _functional(node.op), {n: _number(v) for n, v in ordered.items() if n not in _LAYOUT}


def _number(value: Argument) -> Argument:
    """1 and 1.0 are the same argument; a boolean is not a number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _functional(op: str) -> str:
    namespace, _, rest = op.partition(".")
    name, _, overload = rest.partition(".")
    if name.endswith("_") and not name.startswith("_"):
        candidate = f"{namespace}.{name.removesuffix('_')}.{overload}"
        return "aten.bernoulli.p" if op == "aten.bernoulli_.float" else candidate
    return op


@cache
def _schema(op: str) -> tuple[tuple[str, ...], tuple[tuple[str, Argument], ...]]:
    function = resolve(op)
    schema = getattr(function, "_schema", None)
    if schema is None:
        return ((), ())
    names = tuple(argument.name for argument in schema.arguments)
    defaults = tuple((a.name, _plain(a.default_value)) for a in schema.arguments if a.has_default_value())
    return names, defaults


def _plain(value: Any) -> Argument:  # noqa: ANN401
    if isinstance(value, (list, tuple)):
        return tuple(_plain(item) for item in value)
    if isinstance(value, torch.dtype):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
