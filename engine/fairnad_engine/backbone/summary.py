"""A backbone's graph in a few lines: how many of which operation, and what a child has more or fewer of.

Reads the trusted graph alone and imports no torch. It counts operations as they stand in the training graph, where
dropout and stochastic depth are too; steps that compute nothing (reshaping, sizes, step counters) are counted together.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from fairnad_engine.backbone.graph import BackboneGraph, Node, TensorRef
from fairnad_engine.backbone.ops import FACTORY_OPS

_CONVS = {"conv1d": "conv", "conv2d": "conv", "conv3d": "conv", "convolution": "conv", "conv_transpose2d": "conv up"}
_RESHAPING = frozenset(
    {"view", "reshape", "flatten", "unflatten", "permute", "transpose", "t", "movedim", "swapaxes", "squeeze",
     "unsqueeze", "expand", "expand_as", "view_as", "repeat", "repeat_interleave", "tile", "slice", "select", "narrow",
     "getitem", "contiguous", "clone", "alias", "broadcast_to", "adjoint", "mT", "diagonal", "numpy_T", "matrix_H",
     "to", "type_as", "float", "_to_copy", "lift_fresh_copy", "detach", "unbind"}
)  # fmt: skip
_READABLE = {
    "scaled_dot_product_attention": "attention",
    "adaptive_avg_pool2d": "average pooling, adaptive",
    "adaptive_max_pool2d": "max pooling, adaptive",
    "avg_pool2d": "average pooling",
    "avg_pool1d": "average pooling",
    "max_pool2d": "max pooling",
    "max_pool2d_with_indices": "max pooling",
    "max_pool1d": "max pooling",
    "cat": "concatenation",
    "concat": "concatenation",
    "split_with_sizes": "split",
    "chunk": "split",
    "mm": "matmul",
    "bmm": "matmul",
    "baddbmm": "matmul",
    "einsum": "matmul",
    "addmm": "linear",
    "sub": "subtract",
    "rsub": "subtract",
    "feature_dropout": "dropout",
    "native_dropout": "dropout",
    "alpha_dropout": "dropout",
    "roll": "shift",
    "constant_pad_nd": "pad",
}


@dataclass(frozen=True)
class GraphSummary:
    """What a backbone is made of.

    Attributes:
        operations: Times each operation occurs, most frequent first.
        parameters: Elements of all trained tensors.
        tensors: Number of trained tensors.
        constants: Elements of tensors that are not trained.
        input_shape: Channels, height, width of one image.
        num_classes: Logits.
    """

    operations: dict[str, int]
    parameters: int
    tensors: int
    constants: int
    input_shape: tuple[int, int, int]
    num_classes: int


@dataclass(frozen=True)
class CountChange:
    """One line of a comparison."""

    name: str
    before: int
    after: int

    @property
    def change(self) -> int:
        """By how many the child has more."""
        return self.after - self.before


def summarise_graph(graph: BackboneGraph) -> GraphSummary:
    """Count a backbone's operations and weights."""
    counts = Counter(_name(node, graph) for node in graph.train.nodes)
    counts.pop("", None)
    trained = [tensor for tensor in graph.tensors if tensor.requires_grad]
    return GraphSummary(
        operations=dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))),
        parameters=sum(tensor.elements for tensor in trained),
        tensors=len(trained),
        constants=sum(tensor.elements for tensor in graph.tensors if not tensor.requires_grad),
        input_shape=graph.input_shape,
        num_classes=graph.num_classes,
    )


def compare_graphs(parent: GraphSummary, child: GraphSummary) -> tuple[CountChange, ...]:
    """Every operation and size of either, those that differ first and the largest change foremost."""
    rows = [
        CountChange(name, parent.operations.get(name, 0), child.operations.get(name, 0))
        for name in {**parent.operations, **child.operations}
    ]
    sizes = [
        CountChange("trained elements", parent.parameters, child.parameters),
        CountChange("trained tensors", parent.tensors, child.tensors),
    ]
    # Stable: what does not differ keeps the parent's order.
    return (*sizes, *sorted(rows, key=lambda row: -abs(row.change)))


def _name(node: Node, graph: BackboneGraph) -> str:
    """What people call an operation; empty for what is no part of the network."""
    _, _, rest = node.op.partition(".")
    op = rest.partition(".")[0].rstrip("_")
    if node.op.startswith("py.") and op != "getitem":
        return ""
    if op == "sym_size" or _counts_steps(node, graph):
        return ""
    if op in _CONVS:
        return _convolution(op, node, graph)
    if op in _RESHAPING:
        return "reshaping"
    if node.op in FACTORY_OPS:
        return "made tensor"
    return _READABLE.get(op, op.replace("_", " "))


def _counts_steps(node: Node, graph: BackboneGraph) -> bool:
    """Whether it is batch norm's count of the batches seen."""
    first = node.args[0] if node.args else None
    return isinstance(first, TensorRef) and graph.tensors[first.index].dtype == "int64" and "add" in node.op


def _convolution(op: str, node: Node, graph: BackboneGraph) -> str:
    weight = node.args[1] if len(node.args) > 1 else None
    if not isinstance(weight, TensorRef):
        return f"{_CONVS[op]} by a computed kernel"
    shape = graph.tensors[weight.index].shape
    kernel = "x".join(map(str, shape[2:]))
    groups = _argument(node, 8 if op == "convolution" else 6, "groups")
    stride = _largest(_argument(node, 3, "stride"))
    dilation = _largest(_argument(node, 7 if op == "conv_transpose2d" else 5, "dilation"))
    words = [_CONVS[op], kernel]
    if isinstance(groups, int) and groups > 1:
        words.insert(0, "depthwise" if shape[1] == 1 else "grouped")
    if stride > 1:
        words.append(f"stride {stride}")
    if dilation > 1:
        words.append(f"dilation {dilation}")
    return " ".join(words)


def _argument(node: Node, place: int, name: str) -> object:
    return dict(node.kwargs).get(name, node.args[place] if len(node.args) > place else 1)


def _largest(sizes: object) -> int:
    found = sizes if isinstance(sizes, tuple) else (sizes,)
    return max((n for n in found if isinstance(n, int)), default=1)
