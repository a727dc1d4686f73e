"""What a graph summary counts, on networks whose layers are known, and without torch."""

import json

import pytest

from fairnad_engine.backbone.graph import parse_graph
from fairnad_engine.backbone.summary import compare_graphs, summarise_graph
from tests.unit.report_workspace import SOURCES, exported
from tests.unit.test_imports import loaded_after


def summary(name):
    text, _ = exported(*SOURCES[name])
    return summarise_graph(parse_graph(json.loads(text)))


def test_layers_are_counted_under_their_names():
    found = summary("seed")
    assert found.operations == {
        "batch norm": 2,
        "relu": 2,
        "conv 3x3": 1,
        "conv 3x3 stride 2": 1,
        "linear": 1,
        "mean": 1,
    }
    # Two convolutions, two batch norms, a linear layer of 6 channels.
    assert found.parameters == 6 * 9 + 6 * 6 * 9 + 4 * 6 + 6 * 10 + 10
    assert (found.input_shape, found.num_classes) == ((1, 8, 8), 10)


def test_a_comparison_shows_what_differs_first():
    rows = compare_graphs(summary("seed"), summary("g01-s01"))
    changed = {row.name: row.change for row in rows if row.change}
    assert changed["silu"] == 1
    assert changed["relu"] == -1
    assert changed["trained elements"] > 0
    assert not any(row.change for row in compare_graphs(summary("seed"), summary("seed")))
    places = [bool(row.change) for row in rows[2:]]
    assert places == sorted(places, reverse=True)


@pytest.mark.parametrize("module", ["backbone.summary", "training.datasets", "search.presets", "search.config"])
def test_a_form_can_use_it_without_torch(module):
    assert not loaded_after(f"import fairnad_engine.{module}") & {"torch", "sklearn", "pymoo"}
