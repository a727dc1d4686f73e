"""Layers: what convolution, linear layer, token mixer or attention a step is."""

from __future__ import annotations

from dataclasses import dataclass

from fairnad_engine.backbone import features_axes as ax
from fairnad_engine.backbone.features_flow import CONTRACTIONS, CONVS, Flow, Step

SHAPE_OPS = frozenset(
    {"view", "reshape", "flatten", "unflatten", "permute", "transpose", "t", "unsqueeze", "squeeze", "expand",
     "expand_as", "select", "getitem", "chunk", "split", "split_with_sizes", "unbind", "slice", "movedim",
     "repeat", "roll", "pad"}
)  # fmt: skip
SMOOTH = frozenset({"gelu", "silu", "mish", "elu", "selu", "celu", "softplus", "log_sigmoid", "tanh"})
HARD = frozenset({"relu6", "hardtanh", "hardswish", "leaky_relu", "prelu"})
ELEMENTWISE = SMOOTH | HARD | frozenset(
    {"relu", "sigmoid", "hardsigmoid", "clamp", "exp", "erf", "add", "sub", "div", "mul", "neg", "rsub", "softmax"}
)  # fmt: skip
_TO_CONTRACTION = SHAPE_OPS | frozenset(
    {"mul", "div", "layer_norm", "rms_norm", "batch_norm", "group_norm", "linalg_vector_norm"}
)


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
    raises = step.op == "conv_transpose2d"
    stride = 1 if raises else largest(step.argument(3, "stride", 1))  # one that raises the resolution is no stride here
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
        for source in ancestry(flow, flow[index], SHAPE_OPS | ELEMENTWISE, 12)
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
            if reader.op in _TO_CONTRACTION and index not in seen:
                seen.add(index)
                waiting.append(index)
    return False


def leaves_contraction(flow: Flow, step: Step) -> bool:
    """Whether a layer projects what attention gathered."""
    return any(contraction(flow, one) for one in ancestry(flow, flow[step.inputs[0]], SHAPE_OPS, 8))
