"""The allow-list of operations a candidate's graph may use.

Pure tensor computation only: nothing here reads a file, opens a device, calls back into Python or keeps state
beyond the tensors it is given. Names are ``namespace.op.overload`` as ``torch.export`` spells them; ``py.*`` are
integer arithmetic on the symbolic batch size.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

_ELEMENTWISE = """
abs.default add.Tensor add.Scalar sub.Tensor sub.Scalar rsub.Scalar rsub.Tensor mul.Tensor mul.Scalar
div.Tensor div.Scalar div.Tensor_mode neg.default exp.default log.default log1p.default sqrt.default
rsqrt.default square.default pow.Tensor_Scalar pow.Tensor_Tensor pow.Scalar reciprocal.default sin.default
cos.default tanh.default sigmoid.default relu.default relu6.default gelu.default silu.default mish.default
elu.default selu.default celu.default leaky_relu.default prelu.default hardtanh.default hardswish.default
hardsigmoid.default softplus.default erf.default log_sigmoid.default glu.default clamp.default clamp.Tensor
clamp_min.default clamp_max.default maximum.default minimum.default where.self where.ScalarOther
where.ScalarSelf where.Scalar lerp.Tensor lerp.Scalar sign.default floor.default round.default addcmul.default
masked_fill.Scalar masked_fill.Tensor eq.Scalar eq.Tensor ne.Scalar ne.Tensor lt.Scalar lt.Tensor le.Scalar
le.Tensor gt.Scalar gt.Tensor ge.Scalar ge.Tensor logical_not.default logical_and.default logical_or.default
bitwise_not.default atan2.default
"""

_INPLACE = """
add_.Tensor add_.Scalar sub_.Tensor mul_.Tensor mul_.Scalar div_.Tensor div_.Scalar relu_.default
relu6_.default silu_.default mish_.default elu_.default selu_.default celu_.default leaky_relu_.default
hardtanh_.default hardswish_.default hardsigmoid_.default sigmoid_.default tanh_.default clamp_.default
clamp_min_.default clamp_max_.default bernoulli_.float dropout_.default neg_.default exp_.default
sqrt_.default fill_.Scalar fill_.Tensor zero_.default floor_.default masked_fill_.Scalar square_.default
floor_divide_.Scalar feature_dropout_.default
"""

_CONTRACTION = """
conv1d.default conv2d.default conv2d.padding conv3d.default conv_transpose2d.input linear.default
matmul.default mm.default bmm.default baddbmm.default addmm.default einsum.default
scaled_dot_product_attention.default convolution.default
"""

_NORM_POOL = """
batch_norm.default instance_norm.default layer_norm.default group_norm.default rms_norm.default
local_response_norm.default linalg_vector_norm.default norm.ScalarOpt_dim norm.Scalar frobenius_norm.dim
max_pool2d.default avg_pool2d.default adaptive_avg_pool2d.default adaptive_max_pool2d.default
max_pool2d_with_indices.default avg_pool1d.default max_pool1d.default adaptive_avg_pool1d.default
lp_pool2d.default upsample_nearest2d.default upsample_nearest2d.vec upsample_bilinear2d.default
upsample_bilinear2d.vec upsample_bicubic2d.vec pixel_shuffle.default pixel_unshuffle.default
channel_shuffle.default softmax.int log_softmax.int mean.default mean.dim sum.default sum.dim_IntList
amax.default amin.default max.dim min.dim max.default min.default max.other min.other var.correction var.dim
var_mean.correction std.correction std.dim prod.dim_int cumsum.default logsumexp.default argmax.default
topk.default sort.default dropout.default feature_dropout.default alpha_dropout.default native_dropout.default
cosine_similarity.default normalize.default
"""

_SHAPE = """
view.default reshape.default flatten.using_ints unflatten.int permute.default transpose.int t.default
movedim.int movedim.intlist swapaxes.default squeeze.dim squeeze.dims squeeze.default unsqueeze.default
expand.default expand_as.default view_as.default repeat.default repeat_interleave.self_int tile.default
cat.default concat.default stack.default chunk.default split.Tensor split.sizes split_with_sizes.default
unbind.int slice.Tensor select.int narrow.default index_select.default index.Tensor gather.default
roll.default flip.default rot90.default pad.default constant_pad_nd.default reflection_pad2d.default
replication_pad2d.default unfold.default im2col.default col2im.default tril.default triu.default
meshgrid.indexing meshgrid.default contiguous.default clone.default alias.default broadcast_to.default
adjoint.default mT.default diagonal.default numpy_T.default matrix_H.default
"""

_FACTORY = """
arange.default arange.start arange.start_step zeros.default ones.default full.default empty.memory_format
rand.default randn.default linspace.default eye.default zeros_like.default ones_like.default full_like.default
empty_like.default rand_like.default randn_like.default new_zeros.default new_ones.default new_full.default
new_empty.default scalar_tensor.default bernoulli.default bernoulli.p
"""

_CAST = """
to.dtype to.other type_as.default float.default _to_copy.default to.dtype_layout lift_fresh_copy.default
detach.default detach_.default
"""

_SYMBOLIC: dict[str, Callable[..., Any]] = {
    "py.add": operator.add,
    "py.sub": operator.sub,
    "py.mul": operator.mul,
    "py.floordiv": operator.floordiv,
    "py.mod": operator.mod,
    "py.neg": operator.neg,
    "py.getitem": operator.getitem,
}

FACTORY_OPS = frozenset(f"aten.{name}" for name in _FACTORY.split())
# Those that are told where to make their tensor; the others make it where the one stands that they are given.
PLACED_OPS = frozenset(op for op in FACTORY_OPS if "bernoulli" not in op and not op.split(".")[1].endswith("_like"))
# What noise is drawn into, or from; ones and zeros are the same in every precision.
NOISE_OPS = frozenset(
    {
        "aten.empty.memory_format",
        "aten.rand.default",
        "aten.randn.default",
        "aten.bernoulli.p",
        "aten.ones.default",
        "aten.zeros.default",
    }
)
INPLACE_OPS = frozenset(f"aten.{name}" for name in _INPLACE.split()) | {"aten.detach_.default"}
ALLOWED_OPS = (
    frozenset(
        f"aten.{name}" for group in (_ELEMENTWISE, _CONTRACTION, _NORM_POOL, _SHAPE, _CAST) for name in group.split()
    )
    | FACTORY_OPS
    | INPLACE_OPS
    | frozenset(_SYMBOLIC)
    | {"aten.sym_size.int"}
)

# Names of what makes up a network; the rest moves, regularises or joins values.
COMPUTING_OPS = frozenset(
    name.split(".")[0].rstrip("_") for group in (_CONTRACTION, _NORM_POOL) for name in group.split()
) - {"dropout", "feature_dropout", "alpha_dropout", "native_dropout", "mean", "sum"} | frozenset(
    [
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
        "tanh",
        "sigmoid",
        "log_sigmoid",
        "glu",
        "erf",
        "sin",
        "cos",
        "cat",
        "concat",
        "roll",
    ]
)

# Traces leave these behind; they compute nothing.
DROPPED_OPS = frozenset(
    {
        "aten._assert_tensor_metadata.default",
        "aten._assert_scalar.default",
        "aten._assert_async.msg",
        "aten.sym_constrain_range_for_size.default",
        "aten.sym_constrain_range.default",
    }
)

ALLOWED_DTYPES = frozenset({"float32", "float16", "bfloat16", "float64", "int64", "int32", "bool", "uint8"})

# The only strings an operation may be given.
ALLOWED_STRINGS = frozenset(
    {"none", "tanh", "floor", "trunc", "constant", "reflect", "replicate", "circular", "same", "valid", "ij", "xy"}
)


@functools.cache
def resolve(name: str) -> Callable[..., Any] | None:
    """Return the callable of an allowed operation, or None where this torch does not have it.

    Raises:
        KeyError: The name is not on the allow-list.
    """
    if name not in ALLOWED_OPS:
        raise KeyError(name)
    if name in _SYMBOLIC:
        return _SYMBOLIC[name]
    import torch

    _, op, overload = name.split(".")
    packet = getattr(torch.ops.aten, op, None)
    if packet is None or overload not in packet.overloads():
        return None
    found: Callable[..., Any] = getattr(packet, overload)
    return found
