"""Verdicts against judgements by hand: at least nine of ten agree (method, section 1.1)."""

from __future__ import annotations

import functools
import json
from collections import Counter

import pytest

from fairnad_engine.backbone.export import export_backbone
from fairnad_engine.backbone.features import graph_features
from fairnad_engine.backbone.graph import parse_graph
from fairnad_engine.backbone.realisation import judge_features
from fairnad_engine.knowledge.template import Template
from tests.unit.realisation_networks import NETWORKS
from tests.unit.realisation_pairs import PAIRS, Pair

TEMPLATE = Template.load()


@functools.cache
def features_of(name: str) -> dict[str, float]:
    request = {"shape": [3, 16, 16], "classes": 5, "width": 1.0, "seed": 0}
    document, _ = export_backbone(NETWORKS[name], request)
    return graph_features(parse_graph(json.loads(json.dumps(document))))


def verdict(pair: Pair) -> str:
    return judge_features(features_of(pair.parent), features_of(pair.child), TEMPLATE.sub(pair.sub))


def test_pairs_cover_every_sub_category_both_ways() -> None:
    subs = {sub.id for sub in TEMPLATE.subs}
    assert len(PAIRS) == len(set(PAIRS)) >= 110
    assert {pair.sub for pair in PAIRS if pair.label == "yes"} == subs
    assert {pair.sub for pair in PAIRS if pair.label == "no"} == subs
    assert sum(pair.label == "no" for pair in PAIRS) >= len(PAIRS) / 3


@pytest.mark.slow
@pytest.mark.parametrize("held_out", [pytest.param(False, marks=pytest.mark.soak), True])
def test_verdicts_agree_with_judgements_by_hand(held_out: bool) -> None:
    judged = [(pair, verdict(pair)) for pair in PAIRS if pair.held_out is held_out]
    wrong = [(*pair, found) for pair, found in judged if found != pair.label]
    confusion = Counter((pair.label, found) for pair, found in judged)
    print(f"{len(judged)} pairs, {len(wrong)} judged otherwise: {dict(confusion)}")
    for main, asked in sorted(Counter(pair.sub.split(".")[0] for pair, _ in judged).items()):
        agreed = sum(found == pair.label for pair, found in judged if pair.sub.split(".")[0] == main)
        print(f"{main}: {agreed} of {asked}")
    assert len(judged) >= 100
    for label in ("yes", "no"):
        assert confusion[label, label] >= 0.9 * sum(pair.label == label for pair, _ in judged), wrong
