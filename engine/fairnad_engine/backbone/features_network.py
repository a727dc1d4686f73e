"""A traced network's stem, stages, links and tail, and the features that describe them."""

from __future__ import annotations

import math
from collections import Counter

from fairnad_engine.backbone import features_axes as ax
from fairnad_engine.backbone.features_blocks import Branching, Structure, has_weights, kernel_of, stride_of
from fairnad_engine.backbone.features_flow import REDUCTIONS, SPLITS, Flow, Step
from fairnad_engine.backbone.features_layers import conv
from fairnad_engine.backbone.features_moves import space_to_depth, split

_POOL_KINDS = {"mean": 1, "adaptive_avg_pool2d": 1, "avg_pool2d": 1, "amax": 2, "max": 2, "adaptive_max_pool2d": 2}


class Network:
    """Where a network's stem ends, its tail begins and its links run.

    Attributes:
        flow: Its values.
        structure: Its forks and merges.
        fork: The step behind the stem, where the first block begins.
        end: Index of the last merge; what follows is the tail.
        blocks: Residual blocks that links do not span.
        links: Branchings whose shortcut leads past whole blocks.
        outside: Layers of the stem, the links and the tail.
        body: All other steps.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.structure = Structure(flow)
        trunk = [flow[i] for i in self.structure.trunk]
        forks = {one.fork for one in self.structure.branchings}
        fork = next((step.index for step in trunk if step.index in forks), None)
        weights = [step.index for step in trunk if has_weights(flow, step)]
        if fork is None:  # no branching: the first layer opens the network
            fork = weights[0] if weights else 0
        self._stem = {i for i in weights if i <= fork}
        self.fork = flow[fork]
        merges = [one.merge for one in self.structure.branchings]
        self.end = max(merges, default=max(weights, default=0))
        tail = {step.index for step in flow if step.index > self.end and has_weights(flow, step)}
        self.links = [one for one in self.structure.branchings if self._crosses(one)]
        self.blocks = [one for one in self.structure.blocks if one not in self.links and not self._is_inner(one)]
        linking = {i for one in self.links for way in one.shortcuts for i in way.steps}
        self.outside = self._stem | tail | linking
        self.body = [step for step in flow if step.index not in self.outside]

    def _crosses(self, one: Branching) -> bool:
        # A shortcut past whole blocks is a link between stages, or a dense one.
        return bool(one.shortcuts) and not self._splits(one) and self._holds_block(one)

    def _splits(self, one: Branching) -> bool:
        """Whether a shortcut carries a part of the channels, the branch the rest."""
        if self.flow[one.fork].op in SPLITS:
            return True
        return any(split(self.flow, self.flow[i]) for way in one.shortcuts for i in way.steps)

    def _holds_block(self, one: Branching) -> bool:
        return any(block.merge in way.steps for way in one.branches for block in self.structure.blocks)

    def _is_inner(self, one: Branching) -> bool:
        """Whether a block works on a part of the channels of another."""
        return any(
            one.merge in other.inside and self._splits(other) for other in self.structure.blocks if other is not one
        )

    def stem(self) -> dict[str, float]:
        """Features of the stem."""
        unit, kernel, patch, large = 1.0, 1, 0, 0
        for step in (self.flow[i] for i in self.structure.trunk if i <= self.fork.index):
            if space_to_depth(self.flow, step):
                unit *= math.sqrt(self.flow[step.inputs[0]].positions / max(1, step.positions))
                kernel, patch = max(kernel, round(unit)), max(patch, round(unit))
            elif step.index in self._stem:
                own = kernel_of(self.flow, step)
                kernel = max(kernel, round(unit * own))
                if own > 1 and own == stride_of(self.flow, step):
                    patch = max(patch, own)
                elif own >= 5:
                    large = max(large, own)
        side = math.sqrt(self.flow[0].positions)
        return {
            "stem.convs": len(self._stem),
            "stem.kernel": kernel,
            "stem.patch": patch,
            "stem.large": large,
            "stem.stride": round(side / math.sqrt(max(1, self.fork.positions))),
        }

    def layout(self) -> dict[str, float]:
        """Features of the stages, where a stage is what has one resolution and one width."""
        units = self._units()
        stages = Counter((step.positions, ax.channels(step.axes)) for step in units)
        sides = [math.sqrt(step.positions) for step in units]
        return {
            "resolutions": len({positions for positions, _ in stages}),
            "blocks.shares": _code(list(stages.values())),
            "width.shares": _code([width for _, width in stages]),
            "resolution.mean": sum(sides) / max(1, len(sides)),
            "downsample.separate": self._separate(),
        }

    def _units(self) -> list[Step]:
        """What a stage consists of: residual blocks, or spatial convolutions where there are none."""
        blocks = [self.flow[one.merge] for one in self.blocks]
        if blocks:
            return blocks
        return [step for step in self.body if (one := conv(self.flow, step)) is not None and not one.pointwise]

    def _separate(self) -> int:
        """How often the resolution drops between two blocks, with a layer of its own that has weights."""
        merges = {one.merge for one in self.structure.branchings}
        count = 0
        for fork in sorted({one.fork for one in self.blocks}):
            between = [fork]
            while between[-1] not in merges and between[-1] > self.fork.index:
                between.append(self.structure.above(between[-1]))
            lowered = self.flow[between[-1]].positions > self.flow[fork].positions
            count += lowered and any(has_weights(self.flow, self.flow[i]) for i in between[:-1])
        return count

    def tail(self) -> dict[str, float]:
        """Features of what follows the last block."""
        flow = self.flow
        behind = [step for step in flow if step.index > self.end and step.index != flow.output]
        wider = [0]
        for step in behind:
            if step.op in ("linear", "addmm", "conv2d") and step.inputs:
                before = ax.channels(flow[step.inputs[0]].axes)
                after = ax.channels(step.axes)
                wider += [after] if after > before else []
        kinds = {_POOL_KINDS.get(step.op, 4) for step in behind if pools_globally(flow, step)}
        kinds |= {8 for step in behind if step.op == "pow"} | {16 for step in behind if step.op == "softmax"}
        kinds |= {32 for step in behind if step.op.startswith("adaptive_") and step.positions > 1}
        # Positions weighed by a softmax are another idea than a mean of another power.
        mean = 1 if 16 in kinds else sum(kinds)
        return {"tail.channels": max(wider), "tail.pool": sum(kinds), "tail.mean": mean}


def pools_globally(flow: Flow, step: Step) -> bool:
    """Whether a step reduces a map to one value a channel or less."""
    reduces = step.op in REDUCTIONS or step.op.startswith("adaptive_") or step.op in ("avg_pool2d", "max_pool2d")
    return reduces and step.kind == "pooled" and any(flow[i].kind in ("map", "flat") for i in step.inputs)


def _code(counts: list[int]) -> float:
    """A number that differs where the shares of stages, in their order, differ."""
    total = sum(counts) or 1
    return round(sum(count / total * math.sqrt(2 + 3 * n) ** (n + 1) for n, count in enumerate(counts)), 6)
