"""Shapes and axes of the values of a graph.

A shape costs no kernel here: most operations keep their input's, convolutions have a formula, and only the rest runs
on the ``meta`` device.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fairnad_engine.backbone import features_axes as ax
from fairnad_engine.backbone.features_axes import Axes, Shape
from fairnad_engine.backbone.features_flow import BATCH, CONTRACTIONS, CONVS, POOLS, SPLITS, Flow, Step
from fairnad_engine.backbone.graph import Argument, BackboneGraph, DtypeRef, NodeRef, TensorRef
from fairnad_engine.backbone.ops import PLACED_OPS, resolve

if TYPE_CHECKING:
    import torch

_KEEPING = frozenset(
    [
        "abs",
        "neg",
        "exp",
        "log",
        "log1p",
        "sqrt",
        "rsqrt",
        "square",
        "reciprocal",
        "sin",
        "cos",
        "tanh",
        "sigmoid",
        "relu",
        "relu6",
        "gelu",
        "silu",
        "mish",
        "elu",
        "selu",
        "celu",
        "leaky_relu",
        "prelu",
        "hardtanh",
        "hardswish",
        "hardsigmoid",
        "softplus",
        "erf",
        "log_sigmoid",
        "clamp_min",
        "clamp_max",
        "softmax",
        "batch_norm",
        "layer_norm",
        "group_norm",
        "instance_norm",
        "rms_norm",
        "dropout",
        "feature_dropout",
        "sign",
        "floor",
        "round",
    ]
)
_BINARY = frozenset(["add", "sub", "mul", "div", "rsub"])
_MAPS = CONVS | POOLS | frozenset(["pixel_shuffle", "upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d"])


def shapes(graph: BackboneGraph, steps: dict[int, Step]) -> Iterator[Shape]:
    """Yield the shape of each step's value at :data:`BATCH` images; for a split, that of its input."""
    import torch

    table = [torch.empty(t.shape, dtype=getattr(torch, t.dtype), device="meta") for t in graph.tensors]
    values: dict[int, Any] = {}

    def value(argument: Argument) -> Any:  # noqa: ANN401
        match argument:
            case NodeRef(index):
                return values[index]
            case TensorRef(index):
                return table[index]
            case DtypeRef(name):
                return getattr(torch, name)
            case tuple():
                return [value(item) for item in argument]
            case _:
                return argument

    with torch.no_grad():
        for step in steps.values():
            if step.op == "image":
                result: Any = torch.empty(BATCH, *graph.input_shape, device="meta")
            else:
                result = _run(step, [value(a) for a in step.args], {k: value(v) for k, v in step.kwargs.items()})
            values[step.index] = result
            shown = value(step.args[0]) if isinstance(result, (list, tuple)) else result
            yield tuple(shown.shape) if isinstance(shown, torch.Tensor) else ()


def _run(step: Step, args: list[Any], named: dict[str, Any]) -> Any:  # noqa: ANN401
    import torch

    first = args[0] if args else None
    if isinstance(first, torch.Tensor):
        if step.op in _KEEPING:
            return first
        if step.op in _BINARY and (not isinstance(args[1], torch.Tensor) or args[1].shape == first.shape):
            return first
        if step.target == "aten.conv2d.default":
            return _conv(first, *args[1:], **named)
        if step.target == "aten.view.default":
            return first.reshape(args[1])
    function = resolve(step.target)
    if function is None:
        raise KeyError(step.target)
    if step.target in PLACED_OPS:
        named["device"] = "meta"
    return function(*args, **named)


def _conv(
    images: torch.Tensor,
    weight: torch.Tensor,
    bias: Any = None,  # noqa: ANN401
    stride: Any = 1,  # noqa: ANN401
    padding: Any = 0,  # noqa: ANN401
    dilation: Any = 1,  # noqa: ANN401
    groups: int = 1,
) -> torch.Tensor:
    sizes = []
    for i, (side, kernel) in enumerate(zip(images.shape[-2:], weight.shape[-2:], strict=True)):
        step, pad, gap = (_pair(n)[i] for n in (stride, padding, dilation))
        sizes.append((side + 2 * pad - gap * (kernel - 1) - 1) // step + 1)
    return images.new_empty((*images.shape[:-3], weight.shape[0], *sizes))


def _pair(number: Any) -> tuple[int, int]:  # noqa: ANN401
    """Both sizes of an argument that may be given once."""
    if isinstance(number, int):
        return number, number
    return int(number[0]), int(number[-1])


def axes_of(flow: Flow, step: Step) -> Axes:
    """Axes of a step's value, from those of its inputs."""
    if step.op == "image":
        return ax.standard(step.shape)
    rows = [flow[i].axes for i in step.inputs if flow[i].kind != "param"]
    if not rows:
        return tuple(ax.axis("U", size) for size in step.shape)
    row, op = rows[0], step.op
    if op == "linear":
        mixes = ax.is_space(row[-1])
        return (*row[:-1], ax.axis("S" if mixes else "C", step.shape[-1]))
    if op in CONTRACTIONS or op == "scaled_dot_product_attention":
        return _contracted(flow, step)
    if op in _MAPS or op == "pixel_unshuffle":
        if len(step.shape) == 4 and not ax.is_space(row[1]):
            return ax.standard(step.shape)
        return ax.resized(row, step.shape) if len(row) == len(step.shape) else ax.standard(step.shape)
    if op in SPLITS:
        return row
    if op == "getitem":
        return _part(flow[step.inputs[0]], step)
    moved = _moved(step, row)
    if moved is not None:
        return moved
    if op in ("stack", "cat"):
        return _joined(step, rows)
    if len(rows) > 1 or op in _BINARY:
        return ax.broadcast(rows, step.shape)
    return ax.resized(row, step.shape) if len(row) == len(step.shape) else _dropped(step, row)


def _part(whole: Step, step: Step) -> Axes:
    """Axes of one part of a split; the parts of an ``unbind`` lose the axis."""
    row = whole.axes
    if len(row) == len(step.shape):
        return ax.resized(row, step.shape)
    dim = whole.argument(1, "dim", 0) if whole.op == "unbind" else 0
    left = tuple(one for place, one in enumerate(row) if place != dim % len(row))
    return left if len(left) == len(step.shape) else ax.standard(step.shape)


def _contracted(flow: Flow, step: Step) -> Axes:
    pair = (step.args[0], step.args[2 if step.op.startswith("scaled") else 1])
    left, right = ((one.axes if one is not None and one.kind != "param" else None) for one in map(flow.of, pair))
    known = left or right or ax.standard(step.shape)
    if len(step.shape) != len(known) or len(step.shape) < 2:
        return ax.standard(step.shape)
    rows = left[-2] if left is not None else ax.axis("U", step.shape[-2])
    columns = right[-1] if right is not None else ax.axis("C", step.shape[-1])
    return ax.resized((*known[:-2], rows, columns), step.shape)


def _moved(step: Step, row: Axes) -> Axes | None:
    """Axes behind an operation that only rearranges."""
    op, rank = step.op, len(row)
    if op in ("view", "reshape", "flatten", "unflatten", "view_as"):
        return ax.reshaped(row, step.shape)
    if op == "permute":
        dims = step.args[1] if isinstance(step.args[1], tuple) else step.args[1:]
        return tuple(row[d % rank] for d in dims if isinstance(d, int))
    if op in ("transpose", "swapaxes", "t", "mT", "adjoint", "numpy_T", "matrix_H"):
        a, b = (
            (step.argument(1, "dim0", -2), step.argument(2, "dim1", -1))
            if op in ("transpose", "swapaxes")
            else (-2, -1)
        )
        order = list(row)
        order[a], order[b] = order[b], order[a]
        return tuple(order)
    if op == "movedim" and isinstance(step.args[1], int) and isinstance(step.args[2], int):
        order = list(row)
        order.insert(step.args[2] % rank, order.pop(step.args[1] % rank))
        return tuple(order)
    if op == "unsqueeze":
        order = list(row)
        order.insert(int(step.args[1]) % (rank + 1), ())  # type: ignore[arg-type]
        return tuple(order)
    if op in ("expand", "expand_as", "broadcast_to"):
        return ax.broadcast([row], step.shape)
    return None


def _joined(step: Step, rows: list[Axes]) -> Axes:
    dim = step.argument(1, "dim", 0)
    if step.op == "cat":
        widest = max(rows, key=lambda row: sum(map(len, row)))
        return ax.resized(widest, step.shape) if len(widest) == len(step.shape) else ax.standard(step.shape)
    order = list(rows[0])
    # Stacked parts are the outer factor of the channels, wherever the new axis stands.
    order.insert(dim % len(step.shape), (ax.Factor("C", len(rows), ax.channels(rows[0])),))
    return tuple(order)


def _dropped(step: Step, row: Axes) -> Axes:
    """Axes behind a reduction, a selection or a squeeze, which take axes away."""
    dims = step.argument(1, "dim")
    gone = {d % len(row) for d in (dims if isinstance(dims, tuple) else (dims,)) if isinstance(d, int)}
    left = tuple(one for place, one in enumerate(row) if place not in gone)
    if len(left) == len(step.shape):
        return ax.resized(left, step.shape)
    left = tuple(one for one, size in zip(row, _sizes(row), strict=True) if size > 1)
    return left if len(left) == len(step.shape) else ax.standard(step.shape)


def _sizes(row: Axes) -> list[int]:
    return [ax.size((one,), frozenset("NCHWSU")) for one in row]
