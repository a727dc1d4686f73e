"""Inside the jail: build a candidate, try one step, and describe it as a graph.

Runs beside untrusted code, so nothing it returns is believed: the trusted side checks every field
(:mod:`fairnad_engine.backbone.graph`) and rebuilds the network from the description alone.
"""

from __future__ import annotations

import io
import math
import operator
import traceback
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fairnad_engine.backbone.ops import DROPPED_OPS

GRAPH_VERSION = 1
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


class CandidateError(Exception):
    """The candidate failed; ``kind`` is its machine-readable failure class."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def build(source: str, in_channels: int, num_classes: int, width: float, seed: int) -> nn.Module:
    """Execute the source and construct its ``Backbone`` under a seed."""
    module = types.ModuleType("candidate")
    try:
        code = compile(source, "candidate.py", "exec")
        exec(code, module.__dict__)  # noqa: S102 - this is the jail's one job
    except SyntaxError as error:
        raise CandidateError("syntax", f"line {error.lineno}: {error.msg}") from error
    except Exception as error:
        raise CandidateError("import", _describe(error)) from error
    factory = getattr(module, "Backbone", None)
    if not isinstance(factory, type) or not issubclass(factory, nn.Module):
        raise CandidateError("contract", "the module defines no class Backbone(nn.Module)")
    torch.manual_seed(seed)
    try:
        return factory(in_channels, num_classes, width=width)
    except Exception as error:
        raise CandidateError("build", _describe(error)) from error


def try_step(model: nn.Module, shape: tuple[int, int, int], num_classes: int) -> None:
    """Run forward and backward once in train mode and forward once in eval mode, on random images.

    Raises:
        CandidateError: ``forward``, ``output-shape`` or ``backward``.
    """
    images = torch.randn(4, *shape)
    labels = torch.arange(4) % num_classes
    for mode in (True, False):
        model.train(mode)
        try:
            logits = model(images.clone())
        except Exception as error:
            raise CandidateError("forward", _describe(error)) from error
        if not isinstance(logits, torch.Tensor) or tuple(logits.shape) != (4, num_classes):
            got = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
            raise CandidateError("output-shape", f"forward returns {got}, wanted (4, {num_classes})")
        if mode:
            try:
                nn.functional.cross_entropy(logits, labels).backward()  # type: ignore[no-untyped-call]
            except Exception as error:
                raise CandidateError("backward", _describe(error)) from error
            if not any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.parameters()):
                raise CandidateError("backward", "no parameter receives a gradient")
    model.zero_grad(set_to_none=True)


def export_backbone(source: str, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return the graph description (train and eval) and the initial weights as safetensors bytes.

    Args:
        source: The candidate's module.
        request: ``shape`` [C, H, W], ``classes``, ``width``, ``seed``.

    Raises:
        CandidateError: With the class of the first step that failed.
    """
    shape = (int(request["shape"][0]), int(request["shape"][1]), int(request["shape"][2]))
    classes, width, seed = int(request["classes"]), float(request["width"]), int(request["seed"])
    model = build(source, shape[0], classes, width, seed)
    initial = {name: tensor.detach().clone() for name, tensor in _named_tensors(model).items()}
    torch.manual_seed(seed)
    try_step(model, shape, classes)
    with torch.no_grad():
        for name, tensor in _named_tensors(model).items():
            tensor.copy_(initial[name])
    table = _TensorTable(model)
    graphs = {}
    for key, mode in (("train", True), ("eval", False)):
        model.train(mode)
        torch.manual_seed(seed)
        graphs[key] = _export_mode(model, shape, table)
    document = {
        "version": GRAPH_VERSION,
        "input": list(shape),
        "classes": classes,
        "tensors": table.entries,
        "train": graphs["train"],
        "eval": graphs["eval"],
    }
    return document, table.weights()


def _named_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


class _TensorTable:
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
        return self._index.get(name)

    def constant(self, tensor: torch.Tensor) -> int:
        for index, (entry, value) in enumerate(zip(self.entries, self._values, strict=True)):
            same_form = entry["kind"] == "constant" and value.dtype == tensor.dtype and value.shape == tensor.shape
            if same_form and torch.equal(value, tensor):
                return index
        return self._add(f"constant.{len(self.entries)}", tensor, "constant")

    def weights(self) -> bytes:
        from safetensors.torch import save

        return save({e["name"]: v.contiguous() for e, v in zip(self.entries, self._values, strict=True)})


def _export_mode(model: nn.Module, shape: tuple[int, int, int], table: _TensorTable) -> dict[str, Any]:
    from torch.export import Dim, export
    from torch.export.graph_signature import InputKind

    batch = Dim("batch", min=2, max=65536)
    try:
        program = export(model, (torch.randn(4, *shape),), dynamic_shapes=({0: batch},), strict=False)
    except Exception as error:
        raise CandidateError("not-exportable", _describe(error)) from error
    references: dict[str, dict[str, int]] = {}
    for spec in program.graph_signature.input_specs:
        if spec.kind == InputKind.USER_INPUT:
            references[spec.arg.name] = {"x": 0}
            continue
        index = table.lookup(spec.target or "") if spec.kind != InputKind.CONSTANT_TENSOR else None
        if index is None:
            value = program.constants.get(spec.target or "")
            if not isinstance(value, torch.Tensor):
                raise CandidateError("not-exportable", f"the graph reads {spec.target!r}, which is no tensor")
            index = table.lookup(spec.target or "")
            index = table.constant(value) if index is None else index
        references[spec.arg.name] = {"t": index}
    return _describe_graph(program.graph, references)


def _describe_graph(graph: Any, references: dict[str, dict[str, int]]) -> dict[str, Any]:  # noqa: ANN401
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


def _describe(error: BaseException) -> str:
    """One line: the error's text and the candidate's own last line that led to it."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "candidate.py"]
    where = f" (line {own[-1].lineno} in {own[-1].name})" if own else ""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:600]}{where}"


def read_tensors(data: bytes) -> dict[str, torch.Tensor]:
    """Read safetensors bytes."""
    from safetensors.torch import load

    return dict(load(io.BytesIO(data).getvalue()))
