"""Inside the jail: build a candidate, try one step, and describe it as a graph.

Runs beside untrusted code, so nothing it returns is believed: the trusted side checks every field
(:mod:`fairnad_engine.backbone.graph`) and rebuilds the network from the description alone.
"""

from __future__ import annotations

import ast
import io
import random
import traceback
import types
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from fairnad_engine.backbone.agreement import StepError, observe, probe
from fairnad_engine.backbone.describe import TensorTable, describe_graph
from fairnad_engine.backbone.failures import CandidateError
from fairnad_engine.backbone.graph import GRAPH_VERSION
from fairnad_engine.backbone.steadiness import first_difference

__all__ = ["CandidateError", "build", "export_backbone", "export_with_witness", "named_tensors", "read_tensors"]


def build(
    source: str, in_channels: int, num_classes: int, width: float, seed: int, entry: dict[str, str] | None = None
) -> nn.Module:
    """Execute the source and construct its ``Backbone`` under a seed.

    Args:
        source: The candidate's module.
        in_channels: Channels of an image.
        num_classes: Number of logits.
        width: Multiplies the channels inside.
        seed: Of the initial weights.
        entry: ``name`` and ``keywords`` (text of a dict of literals) of another class or function of the module,
            which is called with these keywords alone (:class:`fairnad_engine.backbone.contract.Entry`).

    Raises:
        CandidateError: ``syntax``, ``import``, ``contract`` or ``build``.
    """
    module = types.ModuleType("candidate")
    try:
        code = compile(source, "candidate.py", "exec")
        exec(code, module.__dict__)  # noqa: S102 - this is the jail's one job
    except SyntaxError as error:
        raise CandidateError("syntax", f"line {error.lineno}: {error.msg}") from error
    except Exception as error:
        raise CandidateError("import", _describe(error)) from error
    if entry is not None:
        return _build_other(module, entry["name"], ast.literal_eval(entry["keywords"]), seed)
    factory = getattr(module, "Backbone", None)
    if not isinstance(factory, type) or not issubclass(factory, nn.Module):
        raise CandidateError("contract", "the module defines no class Backbone(nn.Module)")
    torch.manual_seed(seed)
    try:
        return factory(in_channels, num_classes, width=width)
    except Exception as error:
        raise CandidateError("build", _describe(error)) from error


def _build_other(module: types.ModuleType, name: str, keywords: dict[str, Any], seed: int) -> nn.Module:
    factory = getattr(module, name, None)
    if not callable(factory):
        raise CandidateError("contract", f"the module defines no class or function {name}")
    torch.manual_seed(seed)
    try:
        model = factory(**keywords)
    except Exception as error:
        raise CandidateError("build", _describe(error)) from error
    if not isinstance(model, nn.Module):
        raise CandidateError("contract", f"{name}() returns {type(model).__name__}, wanted a nn.Module")
    return model


def try_step(model: nn.Module, shape: tuple[int, int, int], num_classes: int, seed: int) -> dict[str, Any]:
    """Run forward and backward once in train mode and forward once in eval mode, on random images.

    Returns:
        What was seen, for the graph to be held against (:mod:`fairnad_engine.backbone.agreement`).

    Raises:
        CandidateError: ``forward``, ``output-shape`` or ``backward``.
    """
    try:
        return observe(model, named_tensors(model), *probe(shape, num_classes, seed), num_classes)
    except StepError as failed:
        raise CandidateError(failed.phase, _describe(failed.__cause__) if failed.__cause__ else str(failed)) from failed


def export_backbone(source: str, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return the graph description (train and eval) and the initial weights as safetensors bytes.

    Args:
        source: The candidate's module.
        request: ``shape`` [C, H, W], ``classes``, ``width``, ``seed``.

    Raises:
        CandidateError: With the class of the first step that failed.
    """
    document, weights, _ = export_with_witness(source, request)
    return document, weights


def export_with_witness(source: str, request: dict[str, Any]) -> tuple[dict[str, Any], bytes, list[dict[str, Any]]]:
    """Like :func:`export_backbone`, and what the candidate itself was seen to do before and after it was exported.

    Raises:
        CandidateError: With the class of the first step that failed.
    """
    # Taken before a line of the candidate runs, which may replace what is looked up later.
    from torch.export import Dim, export

    shape = (int(request["shape"][0]), int(request["shape"][1]), int(request["shape"][2]))
    classes, width, seed = int(request["classes"]), float(request["width"]), int(request["seed"])
    batch = Dim("batch", min=2, max=65536)
    trace = partial(export, dynamic_shapes=({0: batch},), strict=False)
    model = build(source, shape[0], classes, width, seed, request.get("entry"))
    initial = {name: tensor.detach().clone() for name, tensor in named_tensors(model).items()}
    before = try_step(model, shape, classes, seed)
    _restore(model, initial)
    table = TensorTable(model)
    graphs = [
        _export_mode(trace, model.train(mode), shape, table, seed + turn) for turn, mode in enumerate((True, False))
    ]
    _restore(model, initial)
    _check_steady(model, shape, classes, seed)
    _restore(model, initial)
    after = _look_again(model, shape, classes, seed)
    document = {
        "version": GRAPH_VERSION,
        "input": list(shape),
        "classes": classes,
        "tensors": table.entries,
        "train": graphs[0],
        "eval": graphs[1],
    }
    return document, table.weights(), [before, after]


def _check_steady(model: nn.Module, shape: tuple[int, int, int], num_classes: int, seed: int) -> None:
    try:
        parted = first_difference(model, named_tensors(model), probe(shape, num_classes, seed)[0], seed)
    except Exception as error:
        raise CandidateError("graph-disagrees", f"after it was traced, its forward fails: {error}") from error
    if parted is not None:
        raise CandidateError(
            "baked-randomness",
            "two passes in train mode under different seeds do different things: draw random numbers with torch, from "
            f"tensors' own sizes, and keep no state between calls; the first that differs: {parted[:200]}",
        )


def _look_again(model: nn.Module, shape: tuple[int, int, int], num_classes: int, seed: int) -> dict[str, Any]:
    try:
        return observe(model, named_tensors(model), *probe(shape, num_classes, seed), num_classes, backward=False)
    except StepError as failed:
        raise CandidateError("graph-disagrees", f"after it was traced, its {failed.phase} fails: {failed}") from failed


def named_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers by name, each once."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _restore(model: nn.Module, initial: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, tensor in named_tensors(model).items():
            if name not in initial or tensor.shape != initial[name].shape:
                raise CandidateError("graph-disagrees", f"{name} was made or changed its shape while it ran")
            tensor.copy_(initial[name])


def _export_mode(
    trace: Callable[..., Any], model: nn.Module, shape: tuple[int, int, int], table: TensorTable, seed: int
) -> dict[str, Any]:
    from torch.export.graph_signature import InputKind

    torch.manual_seed(seed)
    random.seed(seed)
    try:
        program = trace(model, (torch.randn(4, *shape),))
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
    return describe_graph(program.graph, references)


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
