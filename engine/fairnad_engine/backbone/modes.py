"""Train mode and eval mode must be one network.

They may differ in what regularises (dropout, stochastic depth, noise), not in what computes: a network that is cheap
when it is counted and another when it is used is refused, also where the two cost the same.
"""

from __future__ import annotations

from collections import Counter

from fairnad_engine.backbone.graph import BackboneGraph, GraphRefusedError, ModeGraph, Node, NodeRef, TensorRef
from fairnad_engine.backbone.ops import COMPUTING_OPS, INPLACE_OPS


def check_modes(graph: BackboneGraph) -> None:
    """Refuse a graph whose modes use other parameters or other layers.

    Raises:
        GraphRefusedError: ``train-eval-mismatch``.
    """
    train, evaluation = live_nodes(graph.train), live_nodes(graph.eval)
    only = parameters_used(graph, train) ^ parameters_used(graph, evaluation)
    if only:
        name = graph.tensors[min(only)].name
        raise GraphRefusedError(f"{name} is used in one of train and eval mode only", "train-eval-mismatch")
    counts = Counter(map(_layer, train)), Counter(map(_layer, evaluation))
    for layer in sorted({*counts[0], *counts[1]} - {""}):
        if counts[0][layer] != counts[1][layer]:
            raise GraphRefusedError(
                f"train mode has {counts[0][layer]} {layer}, eval mode {counts[1][layer]}; they must be one network",
                "train-eval-mismatch",
            )


def live_nodes(mode: ModeGraph) -> list[Node]:
    """The nodes that the logits depend on, in order; what is written in place counts for who reads it later."""
    needed = {mode.output.index}
    for index in range(len(mode.nodes) - 1, -1, -1):
        node = mode.nodes[index]
        if index in needed or node.op in INPLACE_OPS:
            needed.add(index)
            needed.update(r.index for r in node.references() if isinstance(r, NodeRef))
    return [node for index, node in enumerate(mode.nodes) if index in needed]


def parameters_used(graph: BackboneGraph, nodes: list[Node]) -> set[int]:
    """Indices of the parameters that some of the nodes read."""
    read = {r.index for node in nodes for r in node.references() if isinstance(r, TensorRef)}
    return {index for index in read if graph.tensors[index].kind == "parameter"}


def _layer(node: Node) -> str:
    """The operation's name without its in-place and overload spelling, or nothing for what only regularises."""
    name = node.op.split(".")[1].rstrip("_") if node.op.startswith("aten.") else ""
    return name if name in COMPUTING_OPS else ""
