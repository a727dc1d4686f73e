"""What happens at random while training: stochastic depth and dropout, read off the train graph."""

from __future__ import annotations

import math

from fairnad_engine.backbone.features_flow import Flow, Step
from fairnad_engine.backbone.features_trace import trace
from fairnad_engine.backbone.graph import BackboneGraph

_DROPOUTS = frozenset(["dropout", "feature_dropout", "alpha_dropout", "native_dropout"])
_DRAWS = frozenset(["bernoulli", "rand", "rand_like"])


def random_features(graph: BackboneGraph) -> dict[str, float]:
    """Return ``drop_path`` (one draw for a whole sample) and ``dropout`` (one for each value or channel).

    Each is a count plus the mean rate, so that a higher rate of as many is more.
    """
    rates: dict[str, list[float]] = {"drop_path": [], "dropout": []}
    if any(node.op.split(".")[1].rstrip("_") in _DROPOUTS | _DRAWS for node in graph.train.nodes if "." in node.op):
        flow = trace(graph, graph.train)
        for step in flow:
            rate = _rate(flow, step)
            if rate > 0:
                rates["drop_path" if math.prod(step.shape[1:]) == 1 else "dropout"].append(rate)
    return {kind: len(found) + sum(found) / len(found) if found else 0.0 for kind, found in rates.items()}


def _rate(flow: Flow, step: Step) -> float:
    """Share of values dropped; a draw compared with a number has no rate of its own and counts as one in a hundred."""
    if step.op in _DROPOUTS:
        given = step.argument(1, "p", 0.5)
        return float(given) if isinstance(given, (int, float)) else 0.0
    if step.op == "bernoulli":
        keep = step.argument(1, "p", None)
        return 1.0 - keep if isinstance(keep, (int, float)) else 0.01
    return 0.01 if step.op in _DRAWS else 0.0
