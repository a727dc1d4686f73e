"""What a checked graph costs: parameters and multiply-accumulates, counted by the trusted side alone.

MACs are half of what ``torch.utils.flop_counter.FlopCounterMode`` counts at dispatch level, so attention written with
``matmul`` is counted like a convolution (method, section 2). A product that is larger than both its factors, summed
afterwards, is a matmul in disguise and is counted where it is a real share.

Not counted, by ``FlopCounterMode`` neither: additions, activations, norms, pooling, and products of like shapes. A
matmul spelt as a loop of these goes uncounted; each of its products takes the memory of its result, so that the bound
on activations bounds it too: at four bytes a product, ``MAX_ACTIVATION_BYTES / 4`` for one image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from fairnad_engine.backbone.effects import INDEX_OPS, STATISTICS, STATISTICS_OPS
from fairnad_engine.backbone.graph import (
    Argument,
    BackboneGraph,
    DtypeRef,
    GraphRefusedError,
    ImageRef,
    ModeGraph,
    Node,
    NodeRef,
    TensorEntry,
    TensorRef,
)
from fairnad_engine.backbone.modes import check_modes
from fairnad_engine.backbone.nodes import references_of
from fairnad_engine.backbone.operands import check_operands
from fairnad_engine.backbone.ops import PLACED_OPS, resolve

_PRODUCTS = frozenset({"aten.mul.Tensor", "aten.addcmul.default"})
_RESHAPING = frozenset(f"aten.{name}" for name in ("view", "reshape", "flatten", "expand", "unsqueeze", "squeeze"))

Shape = tuple[int, ...]
MAX_ACTIVATION_BYTES = 2 << 30
MAX_ALL_PIECES = 100_000  # of a graph
# The batch is symbolic, so the graph must run at any; two sizes fix the cost of an image, the third confirms it.
_TRAIN_BATCHES = (2, 3, 8)
_EVAL_BATCHES = (2, 3, 17)
_COUNTERS = ("int64", "int32")


@dataclass(frozen=True)
class Cost:
    """What a backbone costs.

    Attributes:
        params: Trainable parameters, plus every other tensor that could stand in for one (:func:`count_params`).
        macs: Multiply-accumulates for one image, the dearer of the two modes.
        eval_shapes: Shape of each eval node's value at a batch of 2 (empty for integers and tuples).
        activation_bytes: Bytes that the values of the train graph take for one image, all kept.
    """

    params: int
    macs: int
    eval_shapes: tuple[Shape, ...]
    activation_bytes: int


@dataclass(frozen=True)
class _Run:
    flops: int
    outer: int
    bytes: int
    shapes: tuple[Shape, ...]


def measure(graph: BackboneGraph) -> Cost:
    """Count a backbone on the ``meta`` device, at several batch sizes.

    Raises:
        GraphRefusedError: The graph does not run at every batch size, gives no logits, takes absurd memory, or its
            modes are not one network.
    """
    check_modes(graph)
    train = [_run(graph, graph.train, batch) for batch in _TRAIN_BATCHES]
    activations = _per_image([run.bytes for run in train], _TRAIN_BATCHES)[1]
    if activations > MAX_ACTIVATION_BYTES:
        raise GraphRefusedError(
            f"activations of {activations / 2**30:.1f} GiB an image; at most {MAX_ACTIVATION_BYTES >> 30} GiB",
            "activations-too-large",
        )
    evaluation = [_run(graph, graph.eval, batch) for batch in _EVAL_BATCHES]
    macs = [_macs(train, _TRAIN_BATCHES), _macs(evaluation, _EVAL_BATCHES)]
    if abs(macs[0] - macs[1]) > 0.01 * max(macs):
        raise GraphRefusedError(
            f"train mode costs {macs[0]} MACs and eval mode {macs[1]}; they must be one network",
            "train-eval-mismatch",
        )
    return Cost(count_params(graph), max(macs), evaluation[0].shapes, activations)


def _macs(runs: list[_Run], batches: tuple[int, ...]) -> int:
    """MACs of one image; products that dispatch-level counting does not see are added where they are a real share.

    A linear layer written as a broadcast product and a sum is one. Raises where the cost is no matter of images alone.
    """
    affine, one = _per_image([run.flops for run in runs], batches)
    if not affine:
        raise GraphRefusedError("the cost of an image depends on its batch", "batch-dependent")
    outer = _per_image([run.outer for run in runs], batches)[1]
    return one // 2 + (outer if outer > 0.01 * (one // 2) else 0)


def _per_image(counts: list[int], batches: tuple[int, ...]) -> tuple[bool, int]:
    """Whether counts grow evenly with the batch, and the count for one image with what a batch costs but once."""
    slope = (counts[1] - counts[0]) // (batches[1] - batches[0])
    once = counts[0] - slope * batches[0]
    affine = all(count == once + slope * batch for count, batch in zip(counts, batches, strict=True))
    return affine and once >= 0, once + slope


def count_params(graph: BackboneGraph) -> int:
    """Trainable parameters, plus tensors in buffers and constants that could hold hidden ones.

    Left out are running statistics, step counters and index tables, each only where it is used as that and nothing
    else: a buffer that also weighs a convolution counts, and so does a table of integers that is cast to floats.
    """
    innocent: dict[int, bool] = {}
    for mode in (graph.train, graph.eval):
        indexing = _indexing_nodes(mode)
        for place, node in enumerate(mode.nodes):
            for position, argument in enumerate((*node.args, *(value for _, value in node.kwargs))):
                for reference in references_of(argument):
                    if isinstance(reference, TensorRef):
                        fine = _harmless(node.op, position, place in indexing)
                        innocent[reference.index] = innocent.get(reference.index, True) and fine
    return sum(
        entry.elements
        for index, entry in enumerate(graph.tensors)
        if entry.kind == "parameter" or not (innocent.get(index, False) or _is_counter(entry))
    )


def _harmless(op: str, position: int, indexing: bool) -> bool:
    if op in STATISTICS_OPS:
        return position in STATISTICS
    return indexing or (op in INDEX_OPS and position > 0)


def _indexing_nodes(mode: ModeGraph) -> set[int]:
    """Nodes that only reshape what is then used as nothing but an index."""
    users: dict[int, list[tuple[Node, int, int]]] = {}
    for place, node in enumerate(mode.nodes):
        for position, argument in enumerate(node.args):
            for reference in references_of(argument):
                if isinstance(reference, NodeRef):
                    users.setdefault(reference.index, []).append((node, position, place))
    found: set[int] = set()
    for place in range(len(mode.nodes) - 1, -1, -1):
        used = users.get(place, [])
        reshapes = mode.nodes[place].op.rsplit(".", 1)[0] in _RESHAPING and place != mode.output.index
        if (
            reshapes
            and used
            and all((node.op in INDEX_OPS and position > 0) or where in found for node, position, where in used)
        ):
            found.add(place)
    return found


def _is_counter(entry: TensorEntry) -> bool:
    return entry.dtype in _COUNTERS and entry.elements == 1


def _run(graph: BackboneGraph, mode: ModeGraph, batch: int) -> _Run:
    images = torch.empty(batch, *graph.input_shape, device="meta")
    table = [torch.empty(entry.shape, dtype=getattr(torch, entry.dtype), device="meta") for entry in graph.tensors]
    values: list[Any] = []
    outer = pieces = 0
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            for node in mode.nodes:
                values.append(_apply(node.op, node.args, dict(node.kwargs), images, table, values))
                pieces += len(values[-1]) if isinstance(values[-1], (list, tuple)) else 0
                if pieces > MAX_ALL_PIECES:
                    raise GraphRefusedError(f"the graph takes its values into more than {MAX_ALL_PIECES} pieces")
                if node.op in _PRODUCTS:
                    outer += _outer_product(node, values, images, table)
    except GraphRefusedError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        raise GraphRefusedError(
            f"the graph does not run on {batch} images: {mode.nodes[len(values)].op}: {text}"
        ) from error
    logits = values[mode.output.index]
    if not isinstance(logits, torch.Tensor) or tuple(logits.shape) != (batch, graph.num_classes):
        raise GraphRefusedError("the graph does not end in logits (N, classes)", "output-shape")
    shapes = tuple(tuple(v.shape) if isinstance(v, torch.Tensor) else () for v in values)
    return _Run(counter.get_total_flops(), outer, _activation_bytes(values, [images, *table]), shapes)


def _outer_product(node: Node, values: list[Any], images: torch.Tensor, table: list[torch.Tensor]) -> int:
    """Elements of a product that is larger than both its factors, 0 for one that is not."""
    sizes = [0]
    for reference in node.references():
        factor = (
            values[reference.index]
            if isinstance(reference, NodeRef)
            else table[reference.index]
            if isinstance(reference, TensorRef)
            else images
        )
        sizes.append(factor.numel() if isinstance(factor, torch.Tensor) else 1)
    made: int = values[-1].numel()
    return made if made > 1.5 * max(sizes) else 0


def _activation_bytes(values: list[Any], given: list[torch.Tensor]) -> int:
    """Bytes of all memory that the values take, views counted once."""
    storages: dict[int, int] = {}
    flat = [v for value in values for v in (value if isinstance(value, (list, tuple)) else [value])]
    for tensor in flat:
        if isinstance(tensor, torch.Tensor):
            storage = tensor.untyped_storage()
            storages[storage._cdata] = storage.nbytes()
    for tensor in given:
        storages.pop(tensor.untyped_storage()._cdata, None)
    return sum(storages.values())


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
    if op in PLACED_OPS:
        named["device"] = images.device
    given = [value(argument) for argument in args]
    check_operands(op, given, named)
    return function(*given, **named)
