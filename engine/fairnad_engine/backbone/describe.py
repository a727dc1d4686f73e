"""Spell a traced network as data: its tensors once, its operations in order.

Runs in the jail; :func:`fairnad_engine.backbone.graph.parse_graph` reads what is written here and trusts none of it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fairnad_engine.backbone.failures import CandidateError
from fairnad_engine.backbone.ops import DROPPED_OPS

_SYMBOLIC = {
    operator.add: "py.add",
    operator.sub: "py.sub",
    operator.mul: "py.mul",
    operator.floordiv: "py.floordiv",
    operator.mod: "py.mod",
    operator.neg: "py.neg",
    operator.getitem: "py.getitem",
}
_STRIPPED_KWARGS = frozenset({"device", "pin_memory", "layout", "memory_format", "generator"})


class TensorTable:
    """Parameters, buffers and constants shared by the train and eval graphs; tied tensors are one entry."""

    def __init__(self, model: nn.Module) -> None:
        self.entries: list[dict[str, Any]] = []
        self._values: list[torch.Tensor] = []
        self._index: dict[str, int] = {}
        seen: dict[int, int] = {}
        named: list[tuple[str, torch.Tensor, str]] = [
            (name, p, "parameter") for name, p in model.named_parameters(remove_duplicate=False)
        ]
        named.extend((name, b, "buffer") for name, b in model.named_buffers(remove_duplicate=False))
        for name, tensor, kind in named:
            if id(tensor) in seen:
                self._index[name] = seen[id(tensor)]
                self.entries[seen[id(tensor)]]["aliases"].append(name)
            else:
                seen[id(tensor)] = self._add(name, tensor, kind)

    def _add(self, name: str, tensor: torch.Tensor, kind: str) -> int:
        index = len(self.entries)
        self.entries.append(
            {
                "name": name,
                "aliases": [],
                "kind": kind,
                "shape": list(tensor.shape),
                "dtype": str(tensor.dtype).removeprefix("torch."),
                "requires_grad": bool(tensor.requires_grad),
            }
        )
        self._values.append(tensor.detach().clone())
        self._index[name] = index
        return index

    def lookup(self, name: str) -> int | None:
        """The entry of a state-dict name."""
        return self._index.get(name)

    def constant(self, tensor: torch.Tensor) -> int:
        """The entry of a tensor that the trace met outside parameters and buffers."""
        for index, (entry, value) in enumerate(zip(self.entries, self._values, strict=True)):
            same_form = entry["kind"] == "constant" and value.dtype == tensor.dtype and value.shape == tensor.shape
            if same_form and torch.equal(value, tensor):
                return index
        return self._add(f"constant.{len(self.entries)}", tensor, "constant")

    def weights(self) -> bytes:
        """Every tensor, as safetensors."""
        from safetensors.torch import save

        return save({e["name"]: v.contiguous() for e, v in zip(self.entries, self._values, strict=True)})


def describe_graph(graph: Any, references: dict[str, dict[str, int]]) -> dict[str, Any]:  # noqa: ANN401
    """The nodes of a traced ``fx`` graph; ``references`` holds its inputs and receives its nodes.

    Raises:
        CandidateError: ``not-exportable``: something of it is no operation on tensors.
    """
    nodes: list[dict[str, Any]] = []
    output: Any = None
    for node in graph.nodes:
        if node.op == "placeholder":
            continue
        if node.op == "output":
            output = node.args[0][0]
            continue
        if node.op != "call_function":
            raise CandidateError("not-exportable", f"the graph contains a {node.op} of {node.target}")
        name = _op_name(node.target)
        if name in DROPPED_OPS:
            continue
        entry = {
            "op": name,
            "args": [_encode(a, references) for a in node.args],
            "kwargs": {k: _encode(v, references) for k, v in node.kwargs.items() if k not in _STRIPPED_KWARGS},
        }
        references[node.name] = {"n": len(nodes)}
        nodes.append(entry)
    return {"nodes": nodes, "output": _encode(output, references)}


def _op_name(target: Callable[..., Any]) -> str:
    if target in _SYMBOLIC:
        return _SYMBOLIC[target]
    if isinstance(target, torch._ops.OpOverload):
        return f"{target.namespace}.{target._schema.name.split('::')[1]}.{target._overloadname}"
    raise CandidateError("not-exportable", f"the graph calls {getattr(target, '__name__', target)!s}")


def _encode(value: Any, references: dict[str, dict[str, int]]) -> Any:  # noqa: ANN401
    if isinstance(value, torch.fx.Node):
        if value.name not in references:
            raise CandidateError("not-exportable", f"the graph uses {value.name} before it is computed")
        return references[value.name]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"f": str(value)}
    if isinstance(value, torch.dtype):
        return {"d": str(value).removeprefix("torch.")}
    if isinstance(value, (list, tuple)):
        return [_encode(item, references) for item in value]
    if isinstance(value, (torch.device, torch.layout, torch.memory_format)):
        return None
    raise CandidateError("not-exportable", f"the graph holds a constant of type {type(value).__name__}")
