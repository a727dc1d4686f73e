"""Whether a child shows its idea: verdicts by signature, and the transformations of the rules designer as examples."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest

from fairnad_engine.backbone.export import export_backbone
from fairnad_engine.backbone.features import graph_features
from fairnad_engine.backbone.graph import parse_graph
from fairnad_engine.backbone.realisation import judge_features, judge_realised
from fairnad_engine.knowledge.template import FEATURES, Condition, Sub, Template
from fairnad_engine.llm.rules.catalogue import TRANSFORMATIONS
from fairnad_engine.llm.rules.catalogue.draw import Draw
from fairnad_engine.llm.rules.render import render
from fairnad_engine.llm.rules.seeds import SEEDS

SHAPE = (1, 8, 8)
TEMPLATE = Template.load()
NOTHING = dict.fromkeys(FEATURES, 0.0)


def sub(*alternatives: tuple[Condition, ...]) -> Sub:
    return Sub("a.b", "a", "B", "b", (), (), alternatives, None, "Use b")


UP, DOWN = Condition("norm.layer", "up"), Condition("norm.batch", "down")
CHANGED = Condition("tail.pool", "changed")


@pytest.mark.parametrize(
    ("alternatives", "child", "verdict"),
    [
        (((UP,),), {"norm.layer": 1}, "yes"),
        (((UP,),), {"norm.layer": -1}, "no"),
        (((UP,),), {}, "no"),
        (((DOWN,),), {"norm.batch": -2}, "yes"),
        (((CHANGED,),), {"tail.pool": -1}, "yes"),
        (((UP, DOWN),), {"norm.layer": 1}, "no"),
        (((UP, DOWN),), {"norm.layer": 1, "norm.batch": -1}, "yes"),
        (((DOWN,), (UP,)), {"norm.layer": 1}, "yes"),
        ((), {"norm.layer": 1}, "unknown"),
        (((),), {"norm.layer": 1}, "unknown"),
        (((Condition("no.such", "up"),),), {"norm.layer": 1}, "unknown"),
        (((Condition("no.such", "up"),), (UP,)), {"norm.layer": 1}, "yes"),
    ],
)
def test_a_signature_is_alternatives_of_conditions(
    alternatives: tuple[tuple[Condition, ...], ...], child: dict[str, float], verdict: str
) -> None:
    assert judge_features(NOTHING, {**NOTHING, **child}, sub(*alternatives)) == verdict


@functools.cache
def features_of(source: str) -> dict[str, float]:
    document, _ = export_backbone(source, {"shape": SHAPE, "classes": 10, "width": 1.0, "seed": 0})
    return graph_features(parse_graph(json.loads(json.dumps(document))))


def child_of(name: str) -> str | None:
    """The source that a transformation makes of the small seed, None where it has nothing to change there."""
    rng = np.random.default_rng(7)
    for attempt in range(20):
        change = TRANSFORMATIONS[name].apply(SEEDS["digits-small"], Draw(rng, SHAPE, "", attempt))
        if change is not None:
            return render(change.blueprint)
    return None


# One layer of the seed is like the next, so there is nothing to swap.
NOT_ON_THE_SEED = {"layer-order"}

FEW = (
    "depthwise-separable",
    "window-attention",
    "response-norm",
    "blur-pooling",
    "pre-activation",
    "stochastic-depth",
    "pooled-branch",
    "channel-split",
    "squeeze-excitation",
    "norm-order",
    "deep-stem",
    "stage-count",
    "separate-downsampling",
    "skip-link",
    "attention-pooling",
    "final-expansion",
)


def verdicts(name: str) -> tuple[list[str], float]:
    """Verdicts for the transformation's own sub-categories, and the share of others that say yes as well."""
    source = child_of(name)
    assert source is not None
    parent, child = features_of(render(SEEDS["digits-small"])), features_of(source)
    own = TRANSFORMATIONS[name].subs
    others = [judge_features(parent, child, one) for one in TEMPLATE.subs if one.id not in own]
    return [judge_features(parent, child, TEMPLATE.sub(id)) for id in own], others.count("yes") / len(others)


@pytest.mark.parametrize("name", FEW)
def test_a_transformation_realises_its_own_sub_category(name: str) -> None:
    own, others = verdicts(name)
    assert set(own) == {"yes"}
    assert others < 0.2


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(TRANSFORMATIONS) - set(FEW) - NOT_ON_THE_SEED))
def test_every_transformation_realises_its_own_sub_category(name: str) -> None:
    own, others = verdicts(name)
    assert set(own) == {"yes"}
    assert others < 0.25


def test_nothing_is_realised_by_an_unchanged_child() -> None:
    document, _ = export_backbone(
        render(SEEDS["digits-small"]), {"shape": SHAPE, "classes": 10, "width": 1.0, "seed": 0}
    )
    graph = parse_graph(json.loads(json.dumps(document)))
    assert {judge_realised(graph, graph, one) for one in TEMPLATE.subs} == {"no"}
