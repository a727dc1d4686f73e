"""What a checked graph costs: parameters and multiply-accumulates, counted by the trusted side alone.

MACs are half of what ``torch.utils.flop_counter.FlopCounterMode`` counts at dispatch level, so attention written with
``matmul`` is counted like a convolution (method, section 2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from fairnad_engine.backbone.graph import (
    Argument,
    BackboneGraph,
    DtypeRef,
    GraphRefusedError,
    ImageRef,
    ModeGraph,
    NodeRef,
    TensorRef,
)
from fairnad_engine.backbone.ops import FACTORY_OPS, resolve

Shape = tuple[int, ...]
_BATCH_NORM_STATISTICS = (3, 4)  # positions of running mean and variance in aten.batch_norm


@dataclass(frozen=True)
class Cost:
    """What a backbone costs.

    Attributes:
        params: Trainable parameters, plus every other float tensor that is not a running statistic.
        macs: Multiply-accumulates for one image, the dearer of the two modes.
        eval_shapes: Shape of each eval node's value at a batch of 2 (empty for integers and tuples).
    """

    params: int
    macs: int
    eval_shapes: tuple[Shape, ...]


def measure(graph: BackboneGraph) -> Cost:
    """Count a backbone on the ``meta`` device.

    Raises:
        GraphRefusedError: The graph does not run, gives no logits, or its modes differ in cost.
    """
    train_flops, _ = _run(graph, graph.train, 2)
    eval_flops, shapes = _run(graph, graph.eval, 2)
    double, _ = _run(graph, graph.eval, 4)
    if double != eval_flops:
        raise GraphRefusedError("the cost of an image depends on its batch", "batch-dependent")
    if abs(train_flops - eval_flops) > 0.01 * max(train_flops, eval_flops):
        raise GraphRefusedError(
            f"train mode costs {train_flops // 2} MACs and eval mode {eval_flops // 2}; they must be one network",
            "train-eval-mismatch",
        )
    return Cost(count_params(graph), max(train_flops, eval_flops) // 2, tuple(shapes))


def count_params(graph: BackboneGraph) -> int:
    """Trainable parameters, plus float tensors in buffers and constants other than running statistics."""
    statistics = {
        argument.index
        for mode in (graph.train, graph.eval)
        for node in mode.nodes
        if node.op == "aten.batch_norm.default"
        for position in _BATCH_NORM_STATISTICS
        if isinstance(argument := node.args[position], TensorRef)
    }
    return sum(
        entry.elements
        for index, entry in enumerate(graph.tensors)
        if entry.kind == "parameter" or (entry.dtype.startswith(("float", "bfloat")) and index not in statistics)
    )


def _run(graph: BackboneGraph, mode: ModeGraph, batch: int) -> tuple[int, list[Shape]]:
    # FLOPs of one image; shapes at this batch size.
    images = torch.empty(batch, *graph.input_shape, device="meta")
    table = [torch.empty(entry.shape, dtype=getattr(torch, entry.dtype), device="meta") for entry in graph.tensors]
    values: list[Any] = []
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            for node in mode.nodes:
                values.append(_apply(node.op, node.args, dict(node.kwargs), images, table, values))
    except GraphRefusedError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        raise GraphRefusedError(f"the graph does not run: {mode.nodes[len(values)].op}: {text}") from error
    logits = values[mode.output.index]
    if not isinstance(logits, torch.Tensor) or tuple(logits.shape) != (batch, graph.num_classes):
        raise GraphRefusedError("the graph does not end in logits (N, classes)", "output-shape")
    shapes = [tuple(v.shape) if isinstance(v, torch.Tensor) else () for v in values]
    return counter.get_total_flops() // batch, shapes


def _apply(
    op: str,
    args: tuple[Argument, ...],
    kwargs: dict[str, Argument],
    images: torch.Tensor,
    table: list[torch.Tensor],
    values: list[Any],
) -> Any:  # noqa: ANN401
    function: Callable[..., Any] | None = resolve(op)
    if function is None:
        raise GraphRefusedError(f"this torch has no {op}", "op-not-allowed")

    def value(argument: Argument) -> Any:  # noqa: ANN401
        match argument:
            case NodeRef(index):
                return values[index]
            case TensorRef(index):
                return table[index]
            case ImageRef():
                return images
            case DtypeRef(name):
                return getattr(torch, name)
            case tuple():
                return [value(item) for item in argument]
            case _:
                return argument

    named = {name: value(argument) for name, argument in kwargs.items()}
    if op in FACTORY_OPS and not op.split(".")[1].endswith("_like"):
        named["device"] = images.device
    return function(*(value(argument) for argument in args), **named)
