"""What a checked graph contains, as numbers: the features that realisation signatures compare.

Counts describe the part that a search designs. Layers inside a gate count as the gate alone; convolutions of the stem,
of links and behind the last block have features of their own and are left out of ``conv.*``. Features that describe a
distribution (``blocks.shares``, ``width.shares``) or a kind (``tail.pool``) are codes: only whether they differ means
something.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable

from fairnad_engine.backbone.features_blocks import has_weights
from fairnad_engine.backbone.features_flow import CONTRACTIONS, Flow, Step
from fairnad_engine.backbone.features_forms import block_forms
from fairnad_engine.backbone.features_layers import (
    attention,
    conv,
    feeds_contraction,
    leaves_contraction,
    linear,
    token_mlp,
    windowed,
)
from fairnad_engine.backbone.features_links import levels, link_forms
from fairnad_engine.backbone.features_moves import pooling, shuffle, space_to_depth, split
from fairnad_engine.backbone.features_network import Network, pools_globally
from fairnad_engine.backbone.features_random import random_features
from fairnad_engine.backbone.features_trace import trace
from fairnad_engine.backbone.features_units import activation, channel_gate, gate, norm, scale
from fairnad_engine.backbone.graph import BackboneGraph

_LAYOUT_OPS = frozenset({"permute", "transpose", "view", "reshape", "flatten"})


def graph_features(graph: BackboneGraph) -> dict[str, float]:
    """Return every feature that a realisation signature may name (``knowledge.template.FEATURES``).

    All but ``drop_path`` and ``dropout`` come from the eval graph. Sizes are those of the images the graph was made
    for; no kernel runs.
    """
    return dict(_features(graph))


@functools.lru_cache(maxsize=64)
def _features(graph: BackboneGraph) -> dict[str, float]:
    network = Network(trace(graph, graph.eval))
    return {
        **_convolutions(network),
        **_layers(network),
        **_merges(network),
        **network.stem(),
        **network.layout(),
        **network.tail(),
        **block_forms(network),
        **link_forms(network),
        **random_features(graph),
    }


def _convolutions(network: Network) -> dict[str, float]:
    flow = network.flow
    found = [one for step in network.body if (one := conv(flow, step)) is not None]
    linears = [
        sizes
        for step in network.body
        if (sizes := linear(flow, step)) and not feeds_contraction(flow, step) and not leaves_contraction(flow, step)
    ]
    return {
        "conv.total": len(found),
        "conv.dense": sum(c.dense for c in found),
        "conv.depthwise": sum(c.depthwise for c in found),
        "conv.grouped": sum(1 < c.groups < c.inputs for c in found),
        "conv.pointwise": sum(c.pointwise and c.groups == 1 for c in found),
        "conv.dilated": sum(c.dilation > 1 and not c.pointwise for c in found),
        "conv.large": sum(max(c.kernel) >= 5 for c in found),
        "conv.asymmetric": sum(c.kernel[0] != c.kernel[1] for c in found),
        "conv.strided": sum(c.stride > 1 for c in found),
        "linear": len(linears),
        "width": sum(c.outputs for c in found) + sum(outputs for _, outputs in linears),
        "depth": _depth(network),
    }


def _depth(network: Network) -> int:
    deepest: dict[int, int] = {}
    for step in network.flow:
        before = max((deepest[i] for i in step.inputs), default=0)
        own = has_weights(network.flow, step) or attention(network.flow, step)
        deepest[step.index] = before + (own and step.index not in network.outside)
    return deepest[network.flow.output]


def _layers(network: Network) -> dict[str, float]:
    flow, steps = network.flow, list(network.flow)
    gates = Counter(gate(flow, step) for step in steps)
    channel_gates = Counter(channel_gate(flow, step) for step in steps)
    scales = Counter(scale(flow, step) for step in steps)
    pools = Counter(pooling(flow, step) for step in network.body)
    attentions = [step for step in steps if attention(flow, step)]
    return {
        **_norms(norm(flow, step) for step in steps if step.kind == "map" or norm(flow, step) == "response"),
        **_activations(activation(flow, step) for step in steps),
        **{f"gate.{kind}": gates[kind] for kind in ("channel", "spatial", "multiplicative")},
        **{f"gate.{kind}": channel_gates[kind] for kind in ("squeeze", "efficient")},
        **{f"pool.{kind}": pools[kind] for kind in ("max", "avg")},
        "blur": pools["blur"],
        "pool.lowering": sum(
            pooling(flow, step) == "max" and step.positions < flow[step.inputs[0]].positions for step in network.body
        ),
        "pool.global": sum(pools_globally(flow, step) for step in steps),
        "scale.param": scales["param"],
        "mul": scales["number"],
        "matmul": sum(_multiplies(flow, step) for step in steps),
        "softmax": sum(step.op in ("softmax", "scaled_dot_product_attention") for step in steps),
        "attention": len(attentions),
        "window": sum(windowed(step) for step in attentions),
        "attention.global": sum(not windowed(step) for step in attentions),
        "token_mlp": sum(token_mlp(flow, step) for step in steps),
        "space_to_depth": sum(space_to_depth(flow, step) for step in steps),
        "split": sum(split(flow, step) for step in steps),
        "shuffle": sum(shuffle(flow, step) for step in steps),
        "preact": _preactivated(network),
    }


def _preactivated(network: Network) -> int:
    """Blocks' ways that begin with a norm or activation, and norms behind an activation, so before the next layer."""
    begins = [
        step
        for one in network.blocks
        for way in one.branches
        if way.spatial
        for step in _first_steps(network, one.fork, way.steps)
        if _is_norm(network.flow, step) or activation(network.flow, step)
    ]
    between = [
        step
        for step in network.flow
        if _is_norm(network.flow, step) and _is_inner(network.flow, network.flow[step.inputs[0]])
    ]
    return len({step.index for step in (*begins, *between)})


def _first_steps(network: Network, fork: int, way: frozenset[int]) -> list[Step]:
    found = [network.flow[i] for i in network.flow.readers.get(fork, ()) if i in way]
    while found and all(step.op in _LAYOUT_OPS for step in found):
        found = [network.flow[i] for step in found for i in network.flow.readers[step.index] if i in way]
    return found


def _is_norm(flow: Flow, step: Step) -> bool:
    return step.kind == "map" and norm(flow, step) not in (None, "response")


def _is_inner(flow: Flow, step: Step) -> bool:
    # An activation behind a layer, not behind a block's sum.
    if activation(flow, step) is None:
        return False
    before = flow[step.inputs[0]]
    return has_weights(flow, before) or _is_norm(flow, before)


def _merges(network: Network) -> dict[str, float]:
    flow = network.flow
    # Sums inside a hand-written gate or norm are no merges of features.
    sums = {one.merge for one in network.structure.branchings if any(way.works for way in one.branches)}
    return {
        "add": sum(flow[i].op == "add" for i in sums),
        "concat": sum(flow[i].op == "cat" for i in sums),
        "parallel": sum(
            max(0, len(one.branches) - 1) for one in network.structure.branchings if one not in network.links
        ),
        "links.cross": len(network.links) + sum(levels(flow, step) for step in flow),
    }


def _norms(found: Iterable[str | None]) -> dict[str, float]:
    counts = Counter(found)
    kinds = ("batch", "layer", "group", "response")
    return {**{f"norm.{kind}": counts[kind] for kind in kinds}, "norm.total": sum(counts[kind] for kind in kinds)}


def _activations(found: Iterable[str | None]) -> dict[str, float]:
    counts = Counter(found)
    kinds = ("relu", "smooth", "hard")
    return {**{f"act.{kind}": counts[kind] for kind in kinds}, "act.total": sum(counts[kind] for kind in kinds)}


def _multiplies(flow: Flow, step: Step) -> int:
    if step.op == "scaled_dot_product_attention":
        return 2
    return step.op in CONTRACTIONS and not flow.is_trained(step.args[1]) and not flow.is_trained(step.args[0])
