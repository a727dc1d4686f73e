"""Normalisations, activations, gates and scales, whether they have a name or are written out."""

from __future__ import annotations

from fairnad_engine.backbone import features_axes as ax
from fairnad_engine.backbone.features_flow import CONTRACTIONS, CONVS, REDUCTIONS, Flow, Step
from fairnad_engine.backbone.features_layers import ELEMENTWISE, HARD, SMOOTH, ancestry, feeds_contraction
from fairnad_engine.backbone.graph import Argument

_NORMS = {
    "batch_norm": "batch",
    "layer_norm": "layer",
    "rms_norm": "layer",
    "group_norm": "group",
    "instance_norm": "group",
    "local_response_norm": "response",
}
_TO_DIVISOR = frozenset(
    {
        "sqrt",
        "rsqrt",
        "add",
        "clamp",
        "clamp_min",
        "pow",
        "reciprocal",
        "expand",
        "expand_as",
        "unsqueeze",
        "square",
        "abs",
    }
)


def norm(flow: Flow, step: Step) -> str | None:
    """``batch``, ``layer``, ``group`` or ``response`` where a step normalises; written out or by name."""
    if step.op in _NORMS:
        # One group over channels and space is group normalisation however it is called.
        return "group" if step.op == "layer_norm" and len(_sizes(step)) > 1 else _NORMS[step.op]
    pair = _quotient(flow, step)
    if pair is None:
        return None
    above, below = pair
    source = ancestry(flow, below, _TO_DIVISOR, 8)[-1]
    if source.op not in REDUCTIONS or ax.channels(below.axes) > 1 or ax.channels(above.axes) < 2:
        return None
    if above.kind == below.kind == "pooled":
        return "response"
    if above.kind != "map":
        return None
    if below.kind == "pooled":
        return "group"
    return "response" if source.op in ("linalg_vector_norm", "norm", "sum", "frobenius_norm") else "layer"


def _sizes(step: Step) -> tuple[int, ...]:
    sizes = step.args[1] if len(step.args) > 1 else ()
    return sizes if isinstance(sizes, tuple) else ()  # type: ignore[return-value]


def _quotient(flow: Flow, step: Step) -> tuple[Step, Step] | None:
    if step.op not in ("div", "mul"):
        return None
    first, second = flow.of(step.args[0]), flow.of(step.args[1])
    if first is None or second is None or "param" in (first.kind, second.kind):
        return None
    if step.op == "div":
        return first, second
    for above, below in ((first, second), (second, first)):
        chain = ancestry(flow, below, frozenset({"expand", "expand_as", "unsqueeze"}), 4)[-1]
        negative = chain.op == "pow" and isinstance(chain.args[1], (int, float)) and chain.args[1] < 0
        if chain.op in ("rsqrt", "reciprocal") or negative:
            return above, below
    return None


def activation(flow: Flow, step: Step) -> str | None:
    """``relu``, ``smooth`` or ``hard`` where a step is a non-linearity on a map."""
    if step.kind != "map":
        return None
    if step.op == "relu":
        return "relu"
    if step.op in SMOOTH:
        return "smooth"
    if step.op in HARD:
        return "hard"
    if step.op in ("clamp", "clamp_min"):
        low, high = step.argument(1, "min"), step.argument(2, "max")
        return "hard" if high is not None else "relu" if low == 0 else None
    return _self_gate(flow, step) if step.op == "mul" else None


def _self_gate(flow: Flow, step: Step) -> str | None:
    # x * sigmoid(x) is an activation, not a gate.
    chain = _own_function(flow, step)
    for one in chain:
        if one.op in ("sigmoid", "tanh", "erf"):
            return "smooth"
        if one.op == "hardsigmoid":
            return "hard"
    return None


def _own_function(flow: Flow, step: Step) -> list[Step]:
    """The element-wise steps by which one factor of a product is computed from the other alone."""
    pair = [flow.of(argument) for argument in step.args[:2]]
    for one, other in (pair, pair[::-1]):
        if one is not None and other is not None:
            chain = ancestry(flow, other, ELEMENTWISE, 6)
            if one in chain:
                return chain[: chain.index(one)] or [one]
    return []


def gate(flow: Flow, step: Step) -> str | None:
    """``channel``, ``spatial`` or ``multiplicative`` where a step multiplies a map by something computed from it."""
    if step.op == "glu":
        return "multiplicative"
    if step.op != "mul" or norm(flow, step) is not None:
        return None
    pair = [_unexpanded(flow, argument) for argument in step.args[:2]]
    if pair[0] is None or pair[1] is None or _own_function(flow, step):
        return None
    kinds = {pair[0].kind, pair[1].kind}
    if "param" in kinds or "map" not in kinds or any(_responds(flow, one) for one in pair if one is not None):
        return None
    if "pooled" in kinds:
        return "channel"
    if "flat" in kinds or pair[0].positions != pair[1].positions:
        return None if _is_summed(flow, step) else "spatial"
    return "multiplicative"


def channel_gate(flow: Flow, step: Step) -> str | None:
    """``squeeze`` or ``efficient`` where a step is a channel gate: layers of all channels, or one of a channel's next.

    Such a gate's weights come from pooled features; one without layers of its own is neither.
    """
    if gate(flow, step) != "channel":
        return None
    waiting = [
        i for argument in step.args[:2] if (one := flow.of(argument)) and one.kind == "pooled" for i in [one.index]
    ]
    kinds = set()
    while waiting:
        one = flow[waiting.pop()]
        if one.kind != "pooled":
            continue
        waiting += one.inputs
        if one.op in CONVS:
            shape = flow.tensor_shape(one.args[1])
            kinds.add("efficient" if shape[:2] == (1, 1) and max(shape[2:]) > 1 else "squeeze")
        elif one.op in CONTRACTIONS | {"linear", "addmm"}:
            kinds.add("squeeze")
    return "squeeze" if "squeeze" in kinds else next(iter(kinds), None)


def _unexpanded(flow: Flow, argument: Argument) -> Step | None:
    step = flow.of(argument)
    while step is not None and step.op in ("expand", "expand_as", "broadcast_to", "repeat") and step.inputs:
        step = flow[step.inputs[0]]
    return step


def _responds(flow: Flow, step: Step) -> bool:
    return any(norm(flow, one) == "response" for one in ancestry(flow, step, ELEMENTWISE, 4))


def _is_summed(flow: Flow, step: Step) -> bool:
    # Positions weighed and summed are a pooling.
    return all(flow[i].kind == "pooled" for i in flow.readers.get(step.index, ()))


def scale(flow: Flow, step: Step) -> str | None:
    """``param`` or ``number`` where a step multiplies a map by a trained tensor or a fixed number."""
    if step.op not in ("mul", "div") or step.kind != "map" or _is_scores(step) or feeds_contraction(flow, step):
        return None
    first, second = step.args[:2]
    features = flow.of(first)
    if features is None or features.kind == "param":
        first, second = second, first
        features = flow.of(first)
    if features is None:
        return None
    if isinstance(second, (int, float)):
        return "number"
    written_out = features.op in ("div", "mul") and norm(flow, features) is not None
    if not flow.is_param(second) or written_out or _is_response(flow, features):
        return None  # the affine part of a normalisation
    return "param" if flow.is_trained(second) else "number"


def _is_response(flow: Flow, step: Step) -> bool:
    return step.op == "mul" and any(_responds(flow, flow[i]) for i in step.inputs)


def _is_scores(step: Step) -> bool:
    return len(step.axes) > 2 and len({f.tag for f in step.axes[-1]} & ax.SPACE) > 1
