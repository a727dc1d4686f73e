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


def agrees(pair: Pair) -> bool:
    return judge_features(features_of(pair.parent), features_of(pair.child), TEMPLATE.sub(pair.sub)) == pair.label


def test_pairs_cover_every_sub_category_both_ways() -> None:
    subs = {sub.id for sub in TEMPLATE.subs}
    assert len(PAIRS) == len(set(PAIRS)) >= 110
    assert {pair.sub for pair in PAIRS if pair.label == "yes"} == subs
    assert {pair.sub for pair in PAIRS if pair.label == "no"} == subs
    assert sum(pair.label == "no" for pair in PAIRS) >= len(PAIRS) / 3


@pytest.mark.slow
def test_verdicts_agree_with_judgements_by_hand() -> None:
    wrong = [pair for pair in PAIRS if not agrees(pair)]
    asked, missed = Counter(pair.sub for pair in PAIRS), Counter((pair.sub, pair.label) for pair in wrong)
    for (sub, label), times in sorted(missed.items()):
        print(f"{sub}: {times} of {asked[sub]} judged {label} by hand and not by its signature")
    for label in ("yes", "no"):
        these = [pair for pair in PAIRS if pair.label == label]
        assert sum(pair in wrong for pair in these) <= 0.1 * len(these), wrong
    assert len(wrong) <= 0.1 * len(PAIRS), wrong
