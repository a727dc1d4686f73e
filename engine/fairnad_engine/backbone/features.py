"""What a checked graph contains, as numbers: the features that realisation signatures compare.

Counts describe the part that a search designs. Layers inside a gate count as the gate alone; convolutions of the stem,
of links and behind the last block have features of their own and are left out of ``conv.*``. Features that describe a
distribution (``blocks.shares``, ``width.shares``) or a kind (``tail.pool``) are codes: only whether they differ means
something.
"""

from __future__ import annotations

import functools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable

from fairnad_engine.backbone import features_axes as ax
from fairnad_engine.backbone.features_blocks import (
    Branching,
    Structure,
    has_weights,
    kernel_of,
)
from fairnad_engine.backbone.features_flow import CONTRACTIONS, REDUCTIONS, Flow, Step
from fairnad_engine.backbone.features_layers import (
    activation,
    attention,
    conv,
    feeds_contraction,
    gate,
    leaves_contraction,
    linear,
    norm,
    pooling,
    scale,
    shuffle,
    space_to_depth,
    split,
    token_mlp,
    windowed,
)
from fairnad_engine.backbone.features_random import random_features
from fairnad_engine.backbone.features_trace import trace
from fairnad_engine.backbone.graph import BackboneGraph

_LAYOUT_OPS = frozenset({"permute", "transpose", "view", "reshape", "flatten"})
_POOL_KINDS = {"mean": 1, "adaptive_avg_pool2d": 1, "avg_pool2d": 1, "amax": 2, "max": 2, "adaptive_max_pool2d": 2}


def graph_features(graph: BackboneGraph) -> dict[str, float]:
    """Return every feature that a realisation signature may name (``knowledge.template.FEATURES``).

    All but ``drop_path`` and ``dropout`` come from the eval graph. Sizes are those of the images the graph was made
    for; no kernel runs.
    """
    return dict(_features(graph))


@functools.lru_cache(maxsize=64)
def _features(graph: BackboneGraph) -> dict[str, float]:
    network = _Network(trace(graph, graph.eval))
    return {
        **network.convolutions(),
        **network.layers(),
        **network.merges(),
        **network.stem(),
        **network.layout(),
        **network.tail(),
        **random_features(graph),
    }


class _Network:
    """A traced graph, its structure, and where its stem ends and its tail begins."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.structure = Structure(flow)
        trunk = [flow[i] for i in self.structure.trunk]
        forks = {one.fork for one in self.structure.branchings}
        fork = next((step.index for step in trunk if step.index in forks), None)
        weights = [step.index for step in trunk if has_weights(flow, step)]
        if fork is None:  # no branching: the first layer opens the network
            fork = weights[0] if weights else 0
        self.stem_steps = {i for i in weights if i <= fork}
        self.fork = flow[fork]
        merges = [one.merge for one in self.structure.branchings]
        self.end = max(merges, default=max(weights, default=0))
        tail = {step.index for step in flow if step.index > self.end and has_weights(flow, step)}
        self.links = [one for one in self.structure.branchings if self._crossed(one)]
        linking = {i for one in self.links for way in one.shortcuts for i in way.steps}
        self.outside = self.stem_steps | tail | linking
        self.body = [step for step in flow if step.index not in self.outside]

    def _crossed(self, one: Branching) -> bool:
        # A shortcut past whole blocks is a link between stages, or a dense one.
        within = frozenset().union(*(way.steps for way in one.branches))
        return bool(one.shortcuts) and any(block.merge in within for block in self.structure.blocks)

    def convolutions(self) -> dict[str, float]:
        flow = self.flow
        found = [one for step in self.body if (one := conv(flow, step)) is not None]
        linears = [
            one
            for step in self.body
            if (one := linear(flow, step)) and not feeds_contraction(flow, step) and not leaves_contraction(flow, step)
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
            "depth": self._depth(),
        }

    def _depth(self) -> int:
        deepest: dict[int, int] = {}
        for step in self.flow:
            before = max((deepest[i] for i in step.inputs), default=0)
            own = has_weights(self.flow, step) or attention(self.flow, step)
            deepest[step.index] = before + (own and step.index not in self.outside)
        return deepest[self.flow.output]

    def layers(self) -> dict[str, float]:
        flow, steps = self.flow, list(self.flow)
        gates = Counter(gate(flow, step) for step in steps)
        scales = Counter(scale(flow, step) for step in steps)
        pools = Counter(pooling(flow, step) for step in self.body)
        attentions = [step for step in steps if attention(flow, step)]
        return {
            **_norms(norm(flow, step) for step in steps if step.kind == "map" or norm(flow, step) == "response"),
            **_activations(activation(flow, step) for step in steps),
            **{f"gate.{kind}": gates[kind] for kind in ("channel", "spatial", "multiplicative")},
            **{f"pool.{kind}": pools[kind] for kind in ("max", "avg")},
            "blur": pools["blur"],
            "pool.global": sum(_pools_globally(flow, step) for step in steps),
            "scale.param": scales["param"],
            "mul": scales["number"],
            "matmul": sum(_multiplies(flow, step) for step in steps),
            "softmax": sum(step.op in ("softmax", "scaled_dot_product_attention") for step in steps),
            "attention": len(attentions),
            "window": sum(windowed(step) for step in attentions),
            "token_mlp": sum(token_mlp(flow, step) for step in steps),
            "space_to_depth": sum(space_to_depth(flow, step) for step in steps),
            "split": sum(split(flow, step) for step in steps),
            "shuffle": sum(shuffle(flow, step) for step in steps),
            "preact": self._preactivated(),
        }

    def _preactivated(self) -> int:
        """Blocks' ways that begin with a norm or activation, and norms between an activation and a convolution."""
        begins = [
            step
            for one in self.structure.blocks
            if one not in self.links
            for way in one.branches
            if way.spatial
            for step in self._first_steps(one.fork, way.steps)
            if self._is_norm(step) or activation(self.flow, step)
        ]
        between = [
            step
            for step in self.flow
            if self._is_norm(step) and self._is_inner(self.flow[step.inputs[0]]) and self._meets_conv(step)
        ]
        return len({step.index for step in (*begins, *between)})

    def _first_steps(self, fork: int, way: frozenset[int]) -> list[Step]:
        found = [self.flow[i] for i in self.flow.readers.get(fork, ()) if i in way]
        while found and all(step.op in _LAYOUT_OPS for step in found):
            found = [self.flow[i] for step in found for i in self.flow.readers[step.index] if i in way]
        return found

    def _is_norm(self, step: Step) -> bool:
        return step.kind == "map" and norm(self.flow, step) not in (None, "response")

    def _is_inner(self, step: Step) -> bool:
        # An activation behind a layer, not behind a block's sum.
        if activation(self.flow, step) is None:
            return False
        before = self.flow[step.inputs[0]]
        return has_weights(self.flow, before) or self._is_norm(before)

    def _meets_conv(self, step: Step) -> bool:
        return any(conv(self.flow, self.flow[i]) is not None for i in self.flow.readers.get(step.index, ()))

    def merges(self) -> dict[str, float]:
        flow = self.flow
        # Sums inside a hand-written gate or norm are no merges of features.
        sums = {one.merge for one in self.structure.branchings if any(way.works for way in one.branches)}
        return {
            "add": sum(flow[i].op == "add" for i in sums),
            "concat": sum(flow[i].op == "cat" for i in sums),
            "parallel": sum(max(0, len(one.branches) - 1) for one in self.structure.branchings),
            "links.cross": len(self.links) + sum(_levels(flow, step) for step in flow),
        }

    def stem(self) -> dict[str, float]:
        unit, kernel = 1.0, 1
        for step in (self.flow[i] for i in self.structure.trunk if i <= self.fork.index):
            if space_to_depth(self.flow, step):
                unit *= math.sqrt(self.flow[step.inputs[0]].positions / max(1, step.positions))
                kernel = max(kernel, round(unit))
            elif step.index in self.stem_steps:
                kernel = max(kernel, round(unit * kernel_of(self.flow, step)))
        side = math.sqrt(self.flow[0].positions)
        return {
            "stem.convs": len(self.stem_steps),
            "stem.kernel": kernel,
            "stem.stride": round(side / math.sqrt(max(1, self.fork.positions))),
        }

    def layout(self) -> dict[str, float]:
        blocks: Counter[int] = Counter()
        widths: dict[int, list[int]] = defaultdict(list)
        for step in self._units():
            blocks[step.positions] += 1
            widths[step.positions].append(ax.channels(step.axes))
        wide = {size: max(found) for size, found in widths.items()}
        total = sum(blocks.values()) or 1
        return {
            "resolutions": len(blocks),
            "blocks.shares": _code(blocks),
            "width.shares": _code(wide),
            "resolution.mean": sum(math.sqrt(size) * count for size, count in blocks.items()) / total,
            "downsample.separate": self._separate(),
        }

    def _units(self) -> list[Step]:
        """What a stage consists of: residual blocks, or spatial convolutions where there are none."""
        blocks = [self.flow[one.merge] for one in self.structure.blocks if one not in self.links]
        if blocks:
            return blocks
        return [step for step in self.body if (one := conv(self.flow, step)) is not None and not one.pointwise]

    def _separate(self) -> int:
        """How often the resolution drops between two blocks, with a layer of its own that has weights."""
        merges = {one.merge for one in self.structure.branchings}
        count = 0
        for fork in sorted({one.fork for one in self.structure.blocks if one not in self.links}):
            between = [fork]
            while between[-1] not in merges and between[-1] > self.fork.index:
                between.append(self.structure.above(between[-1]))
            lowered = self.flow[between[-1]].positions > self.flow[fork].positions
            count += lowered and any(has_weights(self.flow, self.flow[i]) for i in between[:-1])
        return count

    def tail(self) -> dict[str, float]:
        flow = self.flow
        behind = [step for step in flow if step.index > self.end and step.index != flow.output]
        wider = [0]
        for step in behind:
            if step.op in ("linear", "addmm", "conv2d") and step.inputs:
                before = ax.channels(flow[step.inputs[0]].axes)
                after = ax.channels(step.axes)
                wider += [after] if after > before else []
        kinds = {_POOL_KINDS.get(step.op, 4) for step in behind if _pools_globally(flow, step)}
        kinds |= {8 for step in behind if step.op == "pow"} | {16 for step in behind if step.op == "softmax"}
        kinds |= {32 for step in behind if step.op.startswith("adaptive_") and step.positions > 1}
        return {"tail.channels": max(wider), "tail.pool": sum(kinds)}


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


def _pools_globally(flow: Flow, step: Step) -> bool:
    reduces = step.op in REDUCTIONS or step.op.startswith("adaptive_") or step.op in ("avg_pool2d", "max_pool2d")
    return reduces and step.kind == "pooled" and any(flow[i].kind in ("map", "flat") for i in step.inputs)


def _levels(flow: Flow, step: Step) -> int:
    """How many earlier resolutions join in a concatenation or sum of pooled features."""
    if step.op not in ("cat", "add") or not any(flow[i].kind == "pooled" for i in step.inputs) or len(step.inputs) < 2:
        return 0
    sizes = set()
    for index in step.inputs:
        one = flow[index]
        while one.kind == "pooled" and one.inputs:
            one = max((flow[i] for i in one.inputs), key=lambda source: source.positions)
        sizes.add(one.positions)
    return len(sizes) - 1


def _code(counts: dict[int, int] | Counter[int]) -> float:
    """A number that differs where shares differ, resolutions counted from the highest."""
    total = sum(counts.values()) or 1
    ordered = sorted(counts.items(), reverse=True)
    return round(sum(count / total * math.sqrt(2 + 3 * n) ** (n + 1) for n, (_, count) in enumerate(ordered)), 6)
