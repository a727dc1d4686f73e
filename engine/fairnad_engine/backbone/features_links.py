"""Links between stages and layers: which features reach how far, and over which resolutions."""

from __future__ import annotations

from collections import Counter

from fairnad_engine.backbone.features_blocks import Branching
from fairnad_engine.backbone.features_flow import Flow, Step
from fairnad_engine.backbone.features_layers import ELEMENTWISE
from fairnad_engine.backbone.features_network import Network

_POINTWISE_OPS = ELEMENTWISE | {"pow"}


def link_forms(network: Network) -> dict[str, float]:
    """Return ``links.skip``, ``links.dense`` and ``links.scales``.

    A merge that one link leads to has a skip; one where several meet, or a row of layers that each join what all
    earlier ones gave, is dense. Features of several resolutions meet where a link leads around a lower resolution and
    back up, or where pooled features of several maps join.
    """
    scales = [one for one in network.links if _comes_back_up(network, one)]
    meeting = Counter(one.merge for one in network.links if one not in scales)
    return {
        "links.skip": sum(count == 1 for count in meeting.values()),
        "links.dense": sum(count for count in meeting.values() if count > 1) + _grown(network),
        "links.scales": len(scales) + sum(levels(network.flow, step) for step in network.flow),
    }


def _comes_back_up(network: Network, one: Branching) -> bool:
    inside = [network.flow[i] for way in one.branches for i in way.steps]
    lowest = min((step.positions for step in inside if step.kind == "map"), default=0)
    return lowest < network.flow[one.merge].positions


def _grown(network: Network) -> int:
    """Layers whose new features join a row of features that an earlier layer's joined."""
    flow = network.flow
    return sum(
        flow[one.merge].op == flow[one.fork].op == "cat" and any(not way.steps for way in one.shortcuts)
        for one in network.structure.branchings
    )


def levels(flow: Flow, step: Step) -> int:
    """How many further maps join in a concatenation or sum of pooled features; whole and in parts are two."""
    inputs = [flow[i] for i in step.inputs if flow[i].kind != "param"]
    if step.op not in ("cat", "add") or len(inputs) < 2 or all(one.kind != "pooled" for one in inputs):
        return 0
    sources = set()
    for one in inputs:
        in_parts = one.kind == "map"
        while one.kind == "pooled" or one.op in _POINTWISE_OPS:
            one = max((flow[i] for i in one.inputs if flow[i].kind != "param"), key=lambda source: source.positions)
        sources.add((one.index, in_parts))
    return len(sources) - 1
