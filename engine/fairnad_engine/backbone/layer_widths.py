"""How deep and how wide a backbone is: the channels that each of its layers gives, in the order in which they run.

What belongs to an operator rather than to the network's size is no layer here: convolutions and linear layers inside
gates, those that make queries, keys and values, and those that cut a map into patches.
"""

from __future__ import annotations

from fairnad_engine.backbone.features_flow import Flow, Step
from fairnad_engine.backbone.features_layers import conv, feeds_contraction, linear
from fairnad_engine.backbone.features_network import Network
from fairnad_engine.backbone.features_trace import trace
from fairnad_engine.backbone.graph import BackboneGraph


def layer_widths(graph: BackboneGraph) -> tuple[int, ...] | None:
    """Output channels of every layer of the eval graph; None where it cannot be followed."""
    try:
        flow = trace(graph, graph.eval)
        end = Network(flow).end
        widths = [width for step in flow if (width := _width(flow, step, end)) is not None]
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
        return None  # a stranger's graph may hold what nobody thought of
    return tuple(widths)


def _width(flow: Flow, step: Step, end: int) -> int | None:
    if step.kind == "map" and feeds_contraction(flow, step):
        return None
    if (found := conv(flow, step)) is not None:
        patch = found.stride > 1 and max(found.kernel) <= found.stride
        return None if patch else found.outputs
    if (sizes := linear(flow, step)) is not None:
        return sizes[1]
    # Behind the last merge a layer of pooled features is the tail's; before it, a gate's.
    if step.index > end and step.index != flow.output and step.op in ("linear", "addmm") and step.kind == "pooled":
        return step.shape[-1]
    return None
