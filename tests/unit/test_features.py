"""Features of a graph, on small networks that spell things in several ways."""

from __future__ import annotations

import functools
import json

import pytest

from fairnad_engine.backbone.export import export_backbone
from fairnad_engine.backbone.features import graph_features
from fairnad_engine.backbone.graph import BackboneGraph, parse_graph
from fairnad_engine.knowledge.template import FEATURES
from tests.unit import feature_networks as networks


@functools.cache
def graph_of(body: str) -> BackboneGraph:
    request = {"shape": [3, 16, 16], "classes": 5, "width": 1.0, "seed": 0}
    document, _ = export_backbone(networks.HEAD + body, request)
    return parse_graph(json.loads(json.dumps(document)))


EXPECTED = {
    "BASIC": {
        "conv.total": 7, "conv.dense": 6, "conv.pointwise": 1, "conv.strided": 2, "add": 3, "parallel": 0, "depth": 6,
        "width": 8 * 2 + 16 * 5, "resolutions": 2, "norm.batch": 8, "act.relu": 7, "preact": 0, "stem.convs": 1,
        "stem.kernel": 3, "stem.stride": 1, "tail.channels": 0, "tail.pool": 1, "links.cross": 0, "pool.global": 1,
        "downsample.separate": 0, "gate.channel": 0, "concat": 0, "linear": 0, "resolution.mean": (16 + 8 + 8) / 3,
        "shortcut.conv": 1, "shortcut.padded": 0, "shortcut.pooled": 0, "shortcut.spatial": 0, "shortcut.same": 0,
        "bottleneck": 0, "inverted": 0, "feed_forward": 0, "blocks.kinds": 1, "tail.mean": 1, "stem.patch": 0,
    },
    "CONVNEXT": {
        "conv.depthwise": 3, "conv.large": 3, "conv.dense": 1, "linear": 6, "norm.layer": 5, "norm.response": 3,
        "act.smooth": 3, "scale.param": 3, "gate.channel": 0, "gate.multiplicative": 0, "stem.kernel": 4,
        "stem.stride": 4, "downsample.separate": 1, "resolutions": 2, "token_mlp": 0, "norm.batch": 0,
        "conv.strided": 1, "mul": 0, "gate.spatial": 0, "links.cross": 0, "shuffle": 0, "space_to_depth": 0,
        "stem.patch": 4, "stem.large": 0, "scale.residual": 3, "preact.first": 0, "order": 3e6, "blocks.kinds": 1,
    },
    "GATES": {
        "gate.squeeze": 1, "gate.efficient": 0,
        "gate.channel": 1, "gate.spatial": 1, "gate.multiplicative": 2, "mul": 1, "act.smooth": 2, "act.hard": 1,
        "conv.large": 0, "conv.total": 5, "linear": 0, "pool.global": 2, "concat": 0, "split": 0, "scale.param": 0,
        "act.relu": 3,
    },
    "ATTENTION": {
        "attention": 3, "softmax": 3, "matmul": 6, "window": 1, "token_mlp": 2, "linear": 0, "shuffle": 0, "split": 0,
        "norm.layer": 3, "mul": 0, "act.smooth": 1, "gate.multiplicative": 0, "space_to_depth": 0, "parallel": 0,
        "attention.global": 2, "pool.mixer": 0,
    },
    "DOWNSAMPLING": {
        "pool.lowering": 1, "space_to_depth": 2, "blur": 1, "pool.max": 1, "conv.depthwise": 0,
        "downsample.separate": 2, "resolutions": 5, "conv.strided": 0, "concat": 0, "shuffle": 0,
    },
    "SHUFFLE": {
        "split": 2, "concat": 2, "shuffle": 3, "conv.grouped": 2, "conv.depthwise": 2, "act.hard": 2,
        "conv.pointwise": 2, "parallel": 0,
    },
    "INCEPTION": {
        "parallel.kernels": 2, "parallel.same": 0,
        "parallel": 3, "concat": 1, "conv.asymmetric": 2, "conv.large": 2, "conv.dilated": 1, "pool.avg": 1,
        "norm.group": 1, "act.hard": 1, "add": 2, "blur": 0, "space_to_depth": 0,
    },
    "PREACT": {
        "preact.first": 3, "order": 3,
        "preact": 3, "drop_path": 3.1, "dropout": 3.3, "stem.convs": 3, "stem.stride": 4, "stem.kernel": 3, "add": 3,
        "parallel": 0, "act.relu": 8, "pool.max": 1, "links.cross": 0,
    },
    "LINKS": {
        "links.skip": 1, "links.scales": 1, "links.dense": 0, "stem.large": 7, "tail.mean": 1 + 8,
        "links.cross": 2, "tail.channels": 64, "tail.pool": 1 + 8, "stem.kernel": 7, "stem.stride": 2,
        "conv.large": 0, "conv.pointwise": 1, "parallel": 0, "resolutions": 2,
    },
    "PLAIN": {
        "conv.dense": 4, "stem.convs": 1, "resolutions": 2, "add": 0, "tail.channels": 0, "softmax": 1,
        "gate.spatial": 0, "attention": 0, "conv.strided": 1, "depth": 4,
    },
}  # fmt: skip


@pytest.mark.parametrize("network", EXPECTED)
def test_features_of_a_network(network: str) -> None:
    features = graph_features(graph_of(getattr(networks, network)))
    wrong = {
        name: features[name] for name, value in EXPECTED[network].items() if features[name] != pytest.approx(value)
    }
    assert not wrong


def test_every_feature_of_the_vocabulary_is_computed_and_checked_here() -> None:
    assert set(graph_features(graph_of(networks.BASIC))) == FEATURES
    checked = {name for expected in EXPECTED.values() for name in expected}
    assert FEATURES - checked <= {"norm.total", "act.total", "blocks.shares", "width.shares"}


def test_totals_add_up() -> None:
    features = graph_features(graph_of(networks.CONVNEXT))
    kinds = ("batch", "layer", "group", "response")
    assert features["norm.total"] == sum(features[f"norm.{kind}"] for kind in kinds)
    assert features["act.total"] == sum(features[f"act.{kind}"] for kind in ("relu", "smooth", "hard"))


def test_shares_tell_where_blocks_and_channels_are() -> None:
    moved = networks.BASIC.replace("Basic(8, 16, 2), Basic(16, 16)", "Basic(8, 8), Basic(8, 16, 2)")
    wider = networks.BASIC.replace("16", "24")
    basic, moved_on, widened = (graph_features(graph_of(body)) for body in (networks.BASIC, moved, wider))
    assert basic["blocks.shares"] != moved_on["blocks.shares"]
    assert basic["width.shares"] == moved_on["width.shares"]
    assert basic["blocks.shares"] == widened["blocks.shares"]
    assert basic["width.shares"] != widened["width.shares"]
    assert moved_on["resolution.mean"] > basic["resolution.mean"]
