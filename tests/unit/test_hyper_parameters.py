"""Every hyper-parameter change of the built-in rules leaves depth and width as they are, by the graphs."""

from __future__ import annotations

import functools
import json

import pytest
import torch

from fairnad_engine.backbone.export import export_backbone
from fairnad_engine.backbone.graph import BackboneGraph, parse_graph
from fairnad_engine.llm.protocol import EditType
from fairnad_engine.llm.rules import TRANSFORMATIONS
from fairnad_engine.llm.rules.blueprint import Blueprint
from fairnad_engine.llm.rules.catalogue import HYPERPARAMETERS
from fairnad_engine.llm.rules.render import render
from fairnad_engine.search.edit_types import judge_edit
from tests.unit.test_rules_catalogue import PREPARED, SEED, apply

torch.set_num_threads(1)

# Another operator in an old one's place, or a map that needs padding now, is a change of structure by the graph.
OPERATORS = {"activation-kind", "attention-window", "downsampling-operator", "norm-kind"}


@functools.cache
def graph_of(blueprint: Blueprint) -> BackboneGraph:
    request = {"shape": [1, 8, 8], "classes": 10, "width": 1.0, "seed": 0}
    document, _ = export_backbone(render(blueprint), request)
    return parse_graph(json.loads(json.dumps(document)))


@pytest.mark.parametrize("name", sorted(HYPERPARAMETERS))
def test_the_rules_change_neither_depth_nor_width(name: str) -> None:
    parent = apply(TRANSFORMATIONS[PREPARED[name]], SEED, 3) if name in PREPARED else SEED
    changed = 0
    for k in range(3):
        child = apply(HYPERPARAMETERS[name], parent, 0, k)
        if child is None:
            continue
        edit = judge_edit(graph_of(parent), graph_of(child))
        assert edit.resized() == "", k
        assert edit.edit_type is EditType.HYPERPARAMETER or name in OPERATORS
        changed += 1
    assert changed
