"""What a single step is: convolution, normalisation, activation, gate, scale, pooling, attention."""

from __future__ import annotations

from dataclasses import dataclass

from fairnad_engine.backbone import features_axes as ax
from fairnad_engine.backbone.features_flow import CONTRACTIONS, CONVS, POOLS, REDUCTIONS, SPLITS, Flow, Step
from fairnad_engine.backbone.graph import Argument

SHAPE_OPS = frozenset(
    """view reshape flatten unflatten permute transpose t unsqueeze squeeze expand expand_as select getitem chunk split
    split_with_sizes unbind slice movedim repeat roll pad""".split()
)
_NORMS = {
    "batch_norm": "batch",
    "layer_norm": "layer",
    "rms_norm": "layer",
    "group_norm": "group",
    "instance_norm": "group",
    "local_response_norm": "response",
}
_RELU = frozenset({"relu"})
_SMOOTH = frozenset("gelu silu mish elu selu celu softplus log_sigmoid tanh".split())
_HARD = frozenset("relu6 hardtanh hardswish leaky_relu prelu".split())
_ELEMENTWISE = (
    _SMOOTH | _HARD | frozenset("relu sigmoid hardsigmoid clamp exp erf add sub div mul neg rsub softmax".split())
)
_TO_DIVISOR = frozenset("sqrt rsqrt add clamp clamp_min pow reciprocal expand expand_as unsqueeze square abs".split())


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution with trained weights over a feature map.

    Attributes:
        kernel: Height and width of its kernel.
        stride: Its larger stride.
        dilation: Its larger dilation.
        groups: Groups.
        inputs: Input channels.
        outputs: Output channels.
    """

    kernel: tuple[int, int]
    stride: int
    dilation: int
    groups: int
    inputs: int
    outputs: int

    @property
    def pointwise(self) -> bool:
        """Whether it looks at one position."""
        return max(self.kernel) == 1

    @property
    def depthwise(self) -> bool:
        """Whether each channel has its own spatial filter."""
        return self.groups == self.inputs > 1 and not self.pointwise

    @property
    def dense(self) -> bool:
        """Whether it mixes all channels and looks at neighbours."""
        return self.groups == 1 and not self.pointwise


def conv(flow: Flow, step: Step) -> Conv | None:
    """The convolution a step is: over a map, trained, and no part of a gate (whose maps have one channel)."""
    if step.op not in CONVS or step.kind != "map" or flow[step.inputs[0]].kind != "map":
        return None
    found = any_conv(flow, step)
    return found if found is not None and flow.is_trained(step.args[1]) and not token_mlp(flow, step) else None


def any_conv(flow: Flow, step: Step) -> Conv | None:
    """The convolution a step is, fixed filters and gates included."""
    if step.op not in CONVS:
        return None
    shape, groups = flow.tensor_shape(step.args[1]), step.argument(6, "groups", 1)
    if step.op == "convolution":
        groups = step.argument(8, "groups", 1)
    elif step.op == "conv_transpose2d":
        shape = (shape[1] * groups, shape[0] // groups, *shape[2:])
        groups = step.argument(6, "groups", 1)
    dilation = step.argument(7 if step.op == "conv_transpose2d" else 5, "dilation", 1)
    kernel = (shape[2], shape[3]) if len(shape) > 3 else (shape[2], shape[2])
    stride = largest(step.argument(3, "stride", 1))
    return Conv(kernel, stride, largest(dilation), int(groups), shape[1] * int(groups), shape[0])


def largest(number: object) -> int:
    """The largest of sizes that may be given once."""
    sizes = number if isinstance(number, tuple) else (number,)
    return max((n for n in sizes if isinstance(n, int)), default=1)


def linear(flow: Flow, step: Step) -> tuple[int, int] | None:
    """Input and output channels of a linear layer at every position."""
    if step.op not in CONTRACTIONS | {"linear", "addmm"} or step.kind != "map" or token_mlp(flow, step):
        return None
    weight = step.args[2 if step.op == "addmm" else 1]
    if not flow.is_trained(weight) or flow[step.inputs[0]].kind != "map":
        return None
    source = flow[step.inputs[0]]
    return source.shape[-1], step.shape[-1]


def token_mlp(flow: Flow, step: Step) -> bool:
    """Whether a step mixes positions by trained weights that all channels share."""
    if not step.inputs or flow[step.inputs[0]].kind not in ("map", "flat"):
        return False
    axes = flow[step.inputs[0]].axes
    if step.op == "linear":
        return ax.is_space(axes[-1])
    if step.op in CONVS:
        return len(axes) > 1 and ax.is_space(axes[1]) and flow.is_trained(step.args[1])
    if step.op in CONTRACTIONS:
        left, right = step.args[0], step.args[1]
        if flow.is_trained(right):
            return ax.is_space(axes[-1])
        return flow.is_trained(left) and len(axes) > 1 and ax.is_space(axes[-2])
    return False


def contraction(flow: Flow, step: Step) -> bool:
    """Whether a step multiplies two matrices that both depend on the images."""
    if step.op == "scaled_dot_product_attention":
        return True
    return step.op in CONTRACTIONS and not any(flow.is_param(a) for a in step.args[:2])


def attention(flow: Flow, step: Step) -> bool:
    """Whether a step gathers values by weights computed from the images, for each position."""
    if step.kind == "pooled":
        return False
    if step.op == "scaled_dot_product_attention":
        return True
    if not contraction(flow, step):
        return False
    return any(
        source.op == "softmax" or contraction(flow, source)
        for index in step.inputs
        for source in ancestry(flow, flow[index], SHAPE_OPS | _ELEMENTWISE, 12)
    )


def windowed(step: Step) -> bool:
    """Whether the positions that an attention step sees are a part of the map."""
    return any(factor.tag in ax.SPACE for one in step.axes[:-2] for factor in one)


def ancestry(flow: Flow, step: Step, through: frozenset[str], most: int) -> list[Step]:
    """A step and its first inputs, as long as their operations are in ``through``; the last may be another."""
    found = [step]
    while len(found) < most and found[-1].op in through and found[-1].inputs:
        own = [i for i in found[-1].inputs if flow[i].kind != "param"]
        if not own:
            break
        found.append(flow[own[0]])
    return found


def feeds_contraction(flow: Flow, step: Step) -> bool:
    """Whether a step's value goes straight into attention, as query, key or value."""
    waiting, seen = [step.index], set()
    while waiting:
        for index in flow.readers.get(waiting.pop(), ()):
            reader = flow[index]
            if contraction(flow, reader):
                return True
            known = reader.op in SHAPE_OPS or reader.op in _NORMS or reader.op in ("mul", "div", "linalg_vector_norm")
            if known and index not in seen:
                seen.add(index)
                waiting.append(index)
    return False


def leaves_contraction(flow: Flow, step: Step) -> bool:
    """Whether a layer projects what attention gathered."""
    return any(contraction(flow, one) for one in ancestry(flow, flow[step.inputs[0]], SHAPE_OPS, 8))


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
    if step.op in _RELU:
        return "relu"
    if step.op in _SMOOTH:
        return "smooth"
    if step.op in _HARD:
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
            chain = ancestry(flow, other, _ELEMENTWISE, 6)
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


def _unexpanded(flow: Flow, argument: Argument) -> Step | None:
    step = flow.of(argument)
    while step is not None and step.op in ("expand", "expand_as", "broadcast_to", "repeat") and step.inputs:
        step = flow[step.inputs[0]]
    return step


def _responds(flow: Flow, step: Step) -> bool:
    return any(norm(flow, one) == "response" for one in ancestry(flow, step, _ELEMENTWISE, 4))


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


def pooling(flow: Flow, step: Step) -> str | None:
    """``max``, ``avg`` (which keeps the resolution) or ``blur`` (a low-pass filter that lowers it) on a map."""
    if step.kind != "map" or not step.inputs:
        return None
    if step.op in POOLS:
        kept = largest(step.argument(2, "stride") or step.argument(1, "kernel_size")) == 1
        return "max" if step.op.startswith("max") else "avg" if kept else "blur"
    found = any_conv(flow, step)
    fixed = found is not None and found.depthwise and not flow.is_trained(step.args[1])
    return "blur" if fixed else None


def space_to_depth(flow: Flow, step: Step) -> bool:
    """Whether a step moves neighbouring positions into the channels."""
    if step.op in ("pixel_unshuffle", "im2col"):
        return True
    if step.kind != "map" or not step.inputs or len(step.shape) < 3:
        return False
    if step.op == "cat":
        return len(step.inputs) >= 4 and all(_is_subsampled(flow[i]) for i in step.inputs)
    before = any(ax.takes_in_space(one) for i in step.inputs for one in flow[i].axes)
    return any(ax.takes_in_space(one) for one in step.axes) and not before


def _is_subsampled(step: Step) -> bool:
    return step.op == "slice" and largest(step.argument(4, "step", 1)) > 1


def shuffle(flow: Flow, step: Step) -> bool:
    """Whether a step puts channels into another order."""
    if step.op == "channel_shuffle":
        return True
    if step.op == "index_select" and flow.is_param(step.args[2]):
        return ax.tag(step.axes[int(step.args[1])]) == "C"  # type: ignore[arg-type]
    before = any(ax.out_of_order(one) for i in step.inputs for one in flow[i].axes)
    return any(ax.out_of_order(one) for one in step.axes) and not before


def split(flow: Flow, step: Step) -> bool:
    """Whether a step divides a map's channels into parts that go different ways and meet in a sum or row."""
    if step.kind != "map" or step.op not in SPLITS | {"slice", "narrow"}:
        return False
    dim = step.argument(1 if step.op in ("slice", "narrow", "unbind") else 2, "dim", 0)
    source = flow[step.inputs[0]]
    row = source.axes[dim % len(source.axes)]
    if ax.tag(row) != "C" or ax.size((row,), frozenset("C")) != ax.channels(source.axes):
        return False
    if step.op in ("slice", "narrow"):
        return step.shape != source.shape and step.argument(2, "start", 0) in (0, None)
    return not feeds_contraction(flow, step) and not _is_multiplied(flow, step)


def _is_multiplied(flow: Flow, step: Step) -> bool:
    """Whether the parts of a split are multiplied with each other."""
    parts = [_ahead(flow, index) for index in flow.readers.get(step.index, ())]
    common = set.intersection(*parts) if len(parts) > 1 else set()
    return bool(common) and flow[min(common)].op == "mul"


def _ahead(flow: Flow, index: int) -> set[int]:
    found, waiting = {index}, [index]
    while waiting:
        for reader in flow.readers.get(waiting.pop(), ()):
            if reader not in found:
                found.add(reader)
                waiting.append(reader)
    return found
