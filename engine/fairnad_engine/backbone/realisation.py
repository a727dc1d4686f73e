"""Whether a child shows what its idea asked for: its graph beside its parent's, by the sub-category's signature.

Without this an outcome is credited to ideas that a model was given and did not apply (method, section 1.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from fairnad_engine.backbone.features import graph_features
from fairnad_engine.backbone.graph import BackboneGraph
from fairnad_engine.knowledge.template import FEATURES, Condition, Sub

Verdict = Literal["yes", "no", "unknown"]
_SAME = 1e-9


def judge_realised(parent: BackboneGraph, child: BackboneGraph, sub: Sub) -> Verdict:
    """Say whether an idea of ``sub`` was applied.

    Args:
        parent: The graph that was to be changed.
        child: What came of it.
        sub: The idea's sub-category; its signature is a list of alternatives, each a list of conditions.

    Returns:
        ``yes`` where one alternative holds, ``no`` where none does, ``unknown`` without a usable signature, or where
            a graph cannot be followed.
    """
    try:
        before, after = graph_features(parent), graph_features(child)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
        return "unknown"  # a stranger's graph may hold what nobody thought of; a search goes on without the verdict
    return judge_features(before, after, sub)


def judge_features(parent: Mapping[str, float], child: Mapping[str, float], sub: Sub) -> Verdict:
    """Say the same from features that were computed before."""
    usable = [
        alternative
        for alternative in sub.signature
        if alternative and all(condition.feature in FEATURES for condition in alternative)
    ]
    if not usable:
        return "unknown"
    met = any(all(_holds(condition, parent, child) for condition in alternative) for alternative in usable)
    return "yes" if met else "no"


def _holds(condition: Condition, parent: Mapping[str, float], child: Mapping[str, float]) -> bool:
    difference = child[condition.feature] - parent[condition.feature]
    if abs(difference) <= _SAME:
        return False
    return {"up": difference > 0, "down": difference < 0, "changed": True}[condition.change]
