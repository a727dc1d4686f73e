"""The trusted description of a backbone: two straight-line graphs over one table of tensors.

:func:`parse_graph` is the gate of the trust boundary. It takes what a jail child claims, refuses everything that is
not on the allow-list or beyond a bound, and returns frozen data in which every name is checked and every reference
points backwards. Nothing is executed or unpickled.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairnad_engine.backbone.effects import effect_problem, is_einsum, precision_problem
from fairnad_engine.backbone.nodes import (
    Argument,
    DtypeRef,
    GraphRefusedError,
    ImageRef,
    ModeGraph,
    Node,
    NodeRef,
    TensorEntry,
    TensorKind,
    TensorRef,
)
from fairnad_engine.backbone.ops import ALLOWED_DTYPES, ALLOWED_OPS, ALLOWED_STRINGS, FACTORY_OPS

__all__ = [
    "GRAPH_VERSION",
    "Argument",
    "BackboneGraph",
    "DtypeRef",
    "GraphRefusedError",
    "ImageRef",
    "ModeGraph",
    "Node",
    "NodeRef",
    "TensorEntry",
    "TensorKind",
    "TensorRef",
    "parse_graph",
]

GRAPH_VERSION = 1
MAX_NODES = 20_000
MAX_TENSORS = 8_000
MAX_ELEMENTS = 200_000_000
MAX_CONSTANT_ELEMENTS = 1_000_000
MAX_NESTING = 6
MAX_INTEGER = 2**63 - 1  # an open-ended slice ends there
_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,40}")  # as ModuleDict keys are; it never becomes code
_KWARG = re.compile(r"[a-z][a-z_]{0,40}")
# Their device comes from the trace; the rebuild places them beside the images.
_LAYOUT_KWARGS = frozenset({"device", "pin_memory", "layout", "memory_format", "generator"})


@dataclass(frozen=True, slots=True)
class BackboneGraph:
    """A whole backbone; images are (N, C, H, W) with symbolic N, logits (N, classes)."""

    input_shape: tuple[int, int, int]
    num_classes: int
    tensors: tuple[TensorEntry, ...]
    train: ModeGraph
    eval: ModeGraph

    def to_json(self) -> str:
        """The description as canonical JSON; :func:`parse_graph` reads it back."""
        document = {
            "version": GRAPH_VERSION,
            "input": list(self.input_shape),
            "classes": self.num_classes,
            "tensors": [
                {
                    "name": t.name,
                    "aliases": list(t.aliases),
                    "kind": t.kind,
                    "shape": list(t.shape),
                    "dtype": t.dtype,
                    "requires_grad": t.requires_grad,
                }
                for t in self.tensors
            ],
            "train": _mode_document(self.train),
            "eval": _mode_document(self.eval),
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":"))


def parse_graph(document: object) -> BackboneGraph:
    """Check a description and return it as frozen data.

    Raises:
        GraphRefusedError: The description is malformed, too large, or uses what is not allowed.
    """
    doc = _mapping(document, "graph")
    if doc.get("version") != GRAPH_VERSION:
        raise GraphRefusedError(f"graph version {doc.get('version')!r} is not {GRAPH_VERSION}")
    shape = tuple(_integer(n, "input size", 1, 4096) for n in _list(doc.get("input"), "input", 3))
    if len(shape) != 3:
        raise GraphRefusedError("input must be [channels, height, width]")
    tensors = tuple(_tensor(entry) for entry in _list(doc.get("tensors"), "tensors", MAX_TENSORS))
    names = [name for tensor in tensors for name in (tensor.name, *tensor.aliases)]
    if len(set(names)) != len(names):
        raise GraphRefusedError("two tensors have the same name")
    if sum(tensor.elements for tensor in tensors) > MAX_ELEMENTS:
        raise GraphRefusedError(f"more than {MAX_ELEMENTS} tensor elements")
    return BackboneGraph(
        input_shape=(shape[0], shape[1], shape[2]),
        num_classes=_integer(doc.get("classes"), "classes", 1, 100_000),
        tensors=tensors,
        train=_mode(doc.get("train"), tensors, "train"),
        eval=_mode(doc.get("eval"), tensors, "eval"),
    )


def _mode_document(graph: ModeGraph) -> dict[str, Any]:
    return {
        "nodes": [
            {"op": n.op, "args": [_plain(a) for a in n.args], "kwargs": {k: _plain(v) for k, v in n.kwargs}}
            for n in graph.nodes
        ],
        "output": _plain(graph.output),
    }


def _plain(argument: Argument) -> Any:  # noqa: ANN401
    match argument:
        case NodeRef(index):
            return {"n": index}
        case TensorRef(index):
            return {"t": index}
        case ImageRef():
            return {"x": 0}
        case DtypeRef(name):
            return {"d": name}
        case tuple():
            return [_plain(item) for item in argument]
        case float() if not math.isfinite(argument):
            return {"f": str(argument)}
        case _:
            return argument


def _mode(document: object, tensors: tuple[TensorEntry, ...], mode: str) -> ModeGraph:
    doc = _mapping(document, mode)
    nodes: list[Node] = []
    for entry in _list(doc.get("nodes"), f"{mode} nodes", MAX_NODES):
        nodes.append(_node(_mapping(entry, "node"), len(nodes), len(tensors)))
    output = _argument(doc.get("output"), len(nodes), len(tensors), 0)
    if not isinstance(output, NodeRef):
        raise GraphRefusedError(f"{mode}: the output is not computed by the graph")
    problem = effect_problem(nodes, tensors) or precision_problem(nodes)
    if problem is not None:
        raise GraphRefusedError(f"{mode}: {problem}")
    return ModeGraph(tuple(nodes), output)


def _node(entry: Mapping[str, Any], index: int, tensors: int) -> Node:
    op = entry.get("op")
    if not isinstance(op, str) or op not in ALLOWED_OPS:
        raise GraphRefusedError(f"operation {str(op)[:80]!r} is not allowed", "op-not-allowed")
    given = _list(entry.get("args"), "args", 64)
    equation: tuple[Argument, ...] = ()
    if op == "aten.einsum.default":
        if not given or not is_einsum(given[0]):
            raise GraphRefusedError("einsum takes an equation of letters, commas and one arrow")
        equation, given = (given[0],), given[1:]
    args = equation + tuple(_argument(a, index, tensors, 0) for a in given)
    kwargs = []
    for name, value in sorted(_mapping(entry.get("kwargs"), "kwargs").items()):
        if not isinstance(name, str) or not _KWARG.fullmatch(name):
            raise GraphRefusedError(f"bad keyword in {op}")
        if name not in _LAYOUT_KWARGS:
            kwargs.append((name, _argument(value, index, tensors, 0)))
    node = Node(op, args, tuple(kwargs))
    if op in FACTORY_OPS:
        _bound_factory(node)
    return node


def _bound_factory(node: Node) -> None:
    for argument in node.args:
        sizes = argument if isinstance(argument, tuple) else (argument,)
        plain = [abs(n) for n in sizes if isinstance(n, int) and not isinstance(n, bool)]
        if math.prod(n for n in plain if n) > MAX_CONSTANT_ELEMENTS:
            raise GraphRefusedError(f"{node.op} makes more than {MAX_CONSTANT_ELEMENTS} elements")


def _tensor(entry: object) -> TensorEntry:
    doc = _mapping(entry, "tensor")
    kind = doc.get("kind")
    if kind not in ("parameter", "buffer", "constant"):
        raise GraphRefusedError(f"tensor of kind {str(kind)[:40]!r}")
    dtype = doc.get("dtype")
    if dtype not in ALLOWED_DTYPES:
        raise GraphRefusedError(f"tensor of dtype {str(dtype)[:40]!r}")
    if dtype in ("float64", "float16", "bfloat16") or (kind == "parameter" and dtype != "float32"):
        raise GraphRefusedError(f"{kind} of dtype {dtype}; weights are float32 and the protocol decides the precision")
    requires_grad = doc.get("requires_grad")
    if not isinstance(requires_grad, bool) or (requires_grad and kind != "parameter"):
        raise GraphRefusedError("requires_grad is for parameters")
    tensor = TensorEntry(
        name=_name(doc.get("name")),
        aliases=tuple(_name(alias) for alias in _list(doc.get("aliases"), "aliases", 64)),
        kind=kind,
        shape=tuple(_integer(n, "size", 0, 2**31) for n in _list(doc.get("shape"), "shape", 8)),
        dtype=str(dtype),
        requires_grad=requires_grad,
    )
    if math.prod(size for size in tensor.shape if size) > MAX_ELEMENTS:  # one size of 0 hides the others
        raise GraphRefusedError(f"{tensor.name}: more than {MAX_ELEMENTS} elements but for a size of 0")
    if kind == "constant" and tensor.elements > MAX_CONSTANT_ELEMENTS:
        raise GraphRefusedError(f"{tensor.name}: a constant of {tensor.elements} elements")
    return tensor


def _argument(value: object, nodes: int, tensors: int, depth: int) -> Argument:
    if depth > MAX_NESTING:
        raise GraphRefusedError("arguments are nested too deeply")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _integer(value, "integer", -MAX_INTEGER, MAX_INTEGER)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise GraphRefusedError("a non-finite number outside its own notation")
        return value
    if isinstance(value, str):
        if value not in ALLOWED_STRINGS:
            raise GraphRefusedError(f"string argument {value[:40]!r} is not allowed")
        return value
    if isinstance(value, list):
        if len(value) > 4096:
            raise GraphRefusedError("an argument list is too long")
        return tuple(_argument(item, nodes, tensors, depth + 1) for item in value)
    return _reference(_mapping(value, "argument"), nodes, tensors)


def _reference(value: Mapping[str, Any], nodes: int, tensors: int) -> Argument:
    if len(value) != 1:
        raise GraphRefusedError("malformed argument")
    ((tag, payload),) = value.items()
    if tag == "n":
        return NodeRef(_integer(payload, "node reference", 0, nodes - 1))
    if tag == "t":
        return TensorRef(_integer(payload, "tensor reference", 0, tensors - 1))
    if tag == "x" and payload == 0:
        return ImageRef()
    if tag == "d" and payload in ALLOWED_DTYPES:
        return DtypeRef(payload)
    if tag == "f" and payload in ("inf", "-inf"):
        return float(payload)
    raise GraphRefusedError("malformed argument")


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise GraphRefusedError(f"{what}: expected an object")
    return value


def _list(value: object, what: str, longest: int) -> list[Any]:
    if not isinstance(value, list):
        raise GraphRefusedError(f"{what}: expected a list")
    if len(value) > longest:
        raise GraphRefusedError(f"{what}: more than {longest}")
    return value


def _integer(value: object, what: str, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise GraphRefusedError(f"{what}: {str(value)[:40]} is not a whole number in [{low}, {high}]")
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or len(value) > 300 or not _NAME.fullmatch(value):
        raise GraphRefusedError(f"tensor name {str(value)[:60]!r} is not a plain dotted name")
    return value
