"""What kind of edit a child is: pairs of networks written by hand, at least three for each answer."""

from __future__ import annotations

import functools
import json

import pytest

from fairnad_engine.backbone.export import export_backbone
from fairnad_engine.backbone.graph import BackboneGraph, parse_graph
from fairnad_engine.llm.protocol import EditType
from fairnad_engine.search.edit_types import Edit, judge_edit
from tests.unit.realisation_networks import NETWORKS, STAGES, every, net

CHAIN = "cbr(8, 8), cbr(8, 16, 3, 2), cbr(16, 16), cbr(16, 16)"
SKIP = """
class Skip(nn.Module):
    def forward(self, x):
        return x + x.roll(1, 3)
"""
MORE = {
    "wider": net(STAGES.replace("24", "32"), 32),
    "wider-stage": net(STAGES.replace("16", "20")),
    "wider-inside": every("cbr(a, 2 * b, 3, s), cb(2 * b, b)"),
    "deeper": net(STAGES.replace("basic(24, 24)", "basic(24, 24), basic(24, 24)")),
    "shallower": net(STAGES.replace("basic(8, 8), basic(8, 8)", "basic(8, 8)")),
    "deeper-and-wider": net(STAGES.replace("basic(24, 24)", "basic(24, 24), basic(24, 24)").replace("24", "32"), 32),
    "deeper-and-larger": net(STAGES.replace("basic(24, 24)", "basic(24, 24), block(cbr(24, 24, 5), cb(24, 24, 5))")),
    "deeper-blocks": every("cbr(a, b, 3, s), cbr(b, b), cb(b, b)"),
    "moved-block": net("basic(8, 8), basic(8, 16, 2), basic(16, 16), basic(16, 16), basic(16, 24, 2), basic(24, 24)"),
    "dense-bias": every("nn.Conv2d(a, b, 3, s, 1), nn.BatchNorm2d(b), nn.ReLU(), cb(b, b)"),
    "dropped-out": net(STAGES, tail="nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1))"),
    "dropped-more": net(STAGES, tail="nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2))"),
    "larger-and-wider": every("cbr(a, 2 * b, 3, s), cb(2 * b, b, 5)"),
    "chain": net(CHAIN, 16),
    "longer-chain": net(f"{CHAIN}, cbr(16, 16), cbr(16, 16)", 16),
    "chain-with-norm": net(f"{CHAIN}, nn.BatchNorm2d(16)", 16),
    "skipping": net(f"Skip(), {STAGES}", define=SKIP),
}  # fmt: skip
CAPACITY, HYPER, STRUCTURAL = EditType.CAPACITY, EditType.HYPERPARAMETER, EditType.STRUCTURAL
PAIRS = [
    # Width alone, everywhere, in one stage, inside blocks.
    ("base", "wider", CAPACITY),
    ("wider", "base", CAPACITY),
    ("base", "wider-stage", CAPACITY),
    ("base", "wider-inside", CAPACITY),
    # Depth alone: blocks that are there already, more often or less.
    ("base", "deeper", CAPACITY),
    ("deeper", "base", CAPACITY),
    ("base", "shallower", CAPACITY),
    ("base", "deeper-and-wider", CAPACITY),
    ("chain", "longer-chain", CAPACITY),
    # Parameters of operators.
    ("base", "large", HYPER),
    ("base", "dilated", HYPER),
    ("base", "grouped", HYPER),
    ("base", "dense-bias", HYPER),
    ("base", "dropped-out", HYPER),
    ("dropped-out", "dropped-more", HYPER),
    ("wider-inside", "larger-and-wider", HYPER),
    ("base", "larger-and-wider", HYPER),
    # Operators and connections.
    ("base", "separable", STRUCTURAL),
    ("base", "gelu", STRUCTURAL),
    ("base", "group-norm", STRUCTURAL),
    ("base", "attention", STRUCTURAL),
    ("base", "skipping", STRUCTURAL),
    ("base", "fewer-acts", STRUCTURAL),
    ("chain", "chain-with-norm", STRUCTURAL),
    ("base", "deeper-and-larger", STRUCTURAL),
    ("base", "deeper-blocks", STRUCTURAL),
]


@functools.cache
def graph_of(name: str) -> BackboneGraph:
    request = {"shape": [3, 16, 16], "classes": 5, "width": 1.0, "seed": 0}
    document, _ = export_backbone({**NETWORKS, **MORE}[name], request)
    return parse_graph(json.loads(json.dumps(document)))


@pytest.mark.parametrize(("parent", "child", "kind"), PAIRS)
def test_pairs_by_hand(parent: str, child: str, kind: EditType) -> None:
    assert judge_edit(graph_of(parent), graph_of(child)).edit_type is kind


def test_every_answer_has_its_pairs() -> None:
    assert all(sum(kind is one for *_, kind in PAIRS) >= 8 for one in EditType)


@pytest.mark.parametrize(
    ("child", "words"),
    [
        ("large", ""),
        ("grouped", ""),
        ("gelu", ""),
        ("dropped-out", ""),
        ("deeper", "15 layers where the parent has 13"),
        ("shallower", "11 layers where the parent has 13"),
        ("wider", "32 channels in layer 10 where the parent has 24"),
        ("wider-inside", "16 channels in layer 2 where the parent has 8"),
    ],
)
def test_depth_and_widths_are_told_from_the_graphs(child: str, words: str) -> None:
    assert judge_edit(graph_of("base"), graph_of(child)).resized() == words


def test_what_the_budgets_ask_for_is_no_edit_of_its_own() -> None:
    wider, deeper = Edit(HYPER, (8, 8), (8, 6)), Edit(HYPER, (8, 8), (8, 8, 8))
    shallower = Edit(HYPER, (8, 8), (8,))
    assert wider.resized()
    assert not wider.resized(fitted=True)
    assert not wider.resized(downscaled=True)
    assert deeper.resized(fitted=True)
    assert deeper.resized(downscaled=True)
    assert shallower.resized(fitted=True)
    assert not shallower.resized(downscaled=True)


def test_a_graph_that_cannot_be_followed_is_not_refused_for_its_size() -> None:
    assert Edit(HYPER, None, (8,)).resized() == ""
