"""What a graph may write, and in which precision it may compute.

A network may change its running statistics and step counters, as BatchNorm does, and its own intermediate values.
Anything else that is written outlives the step: a memory for what was seen, or a way to change the images of others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fairnad_engine.backbone.nodes import Argument, DtypeRef, ImageRef, Node, NodeRef, TensorEntry, TensorRef
from fairnad_engine.backbone.ops import INPLACE_OPS

INDEX_OPS = frozenset({"aten.index.Tensor", "aten.index_select.default", "aten.gather.default"})
STATISTICS_OPS = frozenset({"aten.batch_norm.default", "aten.instance_norm.default"})
STATISTICS = (3, 4)  # positions of running mean and variance in those
_EINSUM = re.compile(r"[A-Za-z]{1,12}(,[A-Za-z]{1,12}){0,5}->[A-Za-z]{0,12}")
_PRECISIONS = frozenset({"float64", "float16", "bfloat16"})

# What they return may share memory with what they are given.
_VIEWS = frozenset(
    f"aten.{name}"
    for name in [
        "view",
        "reshape",
        "flatten",
        "unflatten",
        "permute",
        "transpose",
        "t",
        "movedim",
        "swapaxes",
        "squeeze",
        "unsqueeze",
        "expand",
        "expand_as",
        "view_as",
        "chunk",
        "split",
        "split_with_sizes",
        "unbind",
        "slice",
        "select",
        "narrow",
        "contiguous",
        "alias",
        "broadcast_to",
        "adjoint",
        "mT",
        "diagonal",
        "numpy_T",
        "matrix_H",
        "detach",
        "detach_",
        "to",
        "type_as",
        "float",
        "lift_fresh_copy",
        "dropout",
        "feature_dropout",
        "alpha_dropout",
        "unfold",
        "meshgrid",
    ]
) | {"py.getitem"}

Root = int | str | None


def is_einsum(equation: object) -> bool:
    """Whether an ``einsum`` equation is of letters, commas and one arrow, with every output letter an input's."""
    if not isinstance(equation, str) or len(equation) > 100:
        return False
    plain = equation.replace(" ", "")
    inputs, _, output = plain.partition("->")
    return bool(_EINSUM.fullmatch(plain)) and set(output) <= set(inputs) and len(set(output)) == len(output)


def effect_problem(nodes: Sequence[Node], tensors: Sequence[TensorEntry]) -> str | None:
    """Return what a graph writes that it must not, or None.

    Args:
        nodes: In order of execution.
        tensors: The table they refer to.
    """
    roots: list[Root] = []

    def root(argument: Argument) -> Root:
        if isinstance(argument, TensorRef):
            return argument.index
        if isinstance(argument, NodeRef):
            return roots[argument.index]
        return "images" if isinstance(argument, ImageRef) else None

    for node in nodes:
        first = root(node.args[0]) if node.args else None
        name = node.op if node.op.startswith("py.") else node.op.rsplit(".", 1)[0]
        if node.op in INPLACE_OPS:
            if first == "images":
                return f"{node.op} writes into the images"
            if isinstance(first, int) and not _is_counter(tensors[first]):
                return f"{node.op} writes into {tensors[first].name}; only a step counter may be written"
        if node.op in STATISTICS_OPS:
            problem = _statistics_problem(node, tensors)
            if problem is not None:
                return problem
        keeps = node.op in INPLACE_OPS or name in _VIEWS
        roots.append(first if keeps else None)
    return None


def _is_counter(entry: TensorEntry) -> bool:
    return entry.kind == "buffer" and entry.dtype == "int64" and entry.elements == 1


def _statistics_problem(node: Node, tensors: Sequence[TensorEntry]) -> str | None:
    for position in STATISTICS:
        argument = node.args[position] if position < len(node.args) else None
        if argument is None:
            continue
        if not isinstance(argument, TensorRef) or tensors[argument.index].kind != "buffer":
            return f"{node.op} keeps its statistics in something that is no buffer"
    if any(name.startswith("running") for name, _ in node.kwargs):
        return f"{node.op} names its statistics by keyword"
    return None


def precision_problem(nodes: Sequence[Node]) -> str | None:
    """Return the cast that would override the protocol's precision, or None; float32 is neutral (see ``rebuild``)."""
    for node in nodes:
        for argument in (*node.args, *(value for _, value in node.kwargs)):
            if isinstance(argument, DtypeRef) and argument.name in _PRECISIONS:
                return f"{node.op} asks for {argument.name}; the protocol decides the precision, leave dtypes out"
    return None
