"""Where a network forks and merges: blocks, shortcuts, branches and links, read off the flow of values.

A merge is a sum or concatenation of maps; sums of sums are one merge. Its fork is the last value that all of its
inputs come through. A merge of some inputs that fork later than the others is a branching of its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from fairnad_engine.backbone.features_flow import Flow, Step
from fairnad_engine.backbone.features_layers import any_conv, attention, contraction, conv, linear, token_mlp
from fairnad_engine.backbone.features_moves import pooling, space_to_depth
from fairnad_engine.backbone.features_units import gate, scale


@dataclass(frozen=True, slots=True)
class Branch:
    """One way from a fork to its merge.

    Attributes:
        steps: Indices of the steps on this way alone.
        weights: Its layers with weights that act on a map.
        spatial: Whether positions exchange information on the way.
        nonlinear: Whether something on the way is no linear map, normalisation aside.
    """

    steps: frozenset[int]
    weights: int
    spatial: bool
    nonlinear: bool

    @property
    def works(self) -> bool:
        """Whether it computes anything beyond a change of shape."""
        return self.weights > 0 or self.spatial


@dataclass(frozen=True, slots=True)
class Branching:
    """A fork, its merge, and the ways between them.

    Attributes:
        fork: Index of the step where the ways part.
        merge: Index of the step where they meet.
        shortcuts: Ways that only change the shape: at most one has a layer with weights.
        branches: The other ways.
    """

    fork: int
    merge: int
    shortcuts: tuple[Branch, ...]
    branches: tuple[Branch, ...]

    @property
    def is_block(self) -> bool:
        """Whether it is a residual block that lets positions exchange information."""
        return bool(self.shortcuts) and any(branch.spatial for branch in self.branches)

    @property
    def inside(self) -> frozenset[int]:
        """The steps between fork and merge."""
        return frozenset().union(*(branch.steps for branch in (*self.shortcuts, *self.branches)))


class Structure:
    """Dominators and branchings of a flow.

    Attributes:
        branchings: In the order of their merges, the innermost of a merge first.
        trunk: Steps that every way from the images to the logits takes, in order.
    """

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._above: dict[int, int] = {0: 0}
        self._depth: dict[int, int] = {0: 0}
        for step in flow:
            if step.index and step.kind != "param":
                above = self._common([i for i in step.inputs if flow[i].kind != "param"])
                self._above[step.index] = above
                self._depth[step.index] = self._depth[above] + 1
        self.trunk = self._dominators(flow.output)
        self._absorbed: set[int] = set()
        found = []
        for step in reversed(list(flow)):
            if step.index not in self._absorbed and self._is_merge(step):
                found.append(self._branchings(step.index, [(i,) for i in self._ends(step)]))
        self.branchings = [one for group in reversed(found) for one in group]
        self.blocks = [one for one in self.branchings if one.is_block]

    def above(self, index: int) -> int:
        """The last step that every way to ``index`` takes before it."""
        return self._above[index]

    def dominates(self, one: int, other: int) -> bool:
        """Whether every way to ``other`` takes ``one``."""
        while self._depth[other] > self._depth[one]:
            other = self._above[other]
        return one == other

    def _dominators(self, index: int) -> tuple[int, ...]:
        chain = [index]
        while chain[-1]:
            chain.append(self._above[chain[-1]])
        return tuple(reversed(chain))

    def _common(self, indices: list[int]) -> int:
        first, *others = indices
        for other in others:
            while first != other:
                if self._depth[first] >= self._depth[other]:
                    first = self._above[first]
                else:
                    other = self._above[other]
        return first

    def _is_merge(self, step: Step) -> bool:
        inputs = [self._flow[i] for i in step.inputs]
        if step.op not in ("add", "cat") or len(inputs) < 2 or step.kind != "map" or space_to_depth(self._flow, step):
            return False
        return all(one.kind == "map" for one in inputs) and len({one.positions for one in inputs}) == 1

    def _ends(self, step: Step) -> list[int]:
        """The inputs of a merge; for a sum also those of sums that go nowhere else."""
        ends = []
        for index in step.inputs:
            inner = self._unscaled(self._flow[index])
            alone = len(self._flow.readers[inner.index]) == 1
            if step.op == "add" and inner.op == "add" and alone and self._is_merge(inner):
                self._absorbed.add(inner.index)
                ends += self._ends(inner)
            else:
                ends.append(index)
        return ends

    def _unscaled(self, step: Step) -> Step:
        while step.op == "mul" and len(self._flow.readers[step.index]) == 1 and scale(self._flow, step):
            step = next(one for i in step.inputs if (one := self._flow[i]).kind != "param")
        return step

    def _branchings(self, merge: int, members: list[tuple[int, ...]]) -> list[Branching]:
        found = []
        while len(members) > 1:
            fork = max(
                (self._common([*a, *b]) for n, a in enumerate(members) for b in members[n + 1 :]),
                key=self._depth.__getitem__,
            )
            together = [m for m in members if all(self.dominates(fork, end) for end in m)]
            found.append(self._branching(fork, merge, together))
            members = [m for m in members if m not in together]
            members.append(tuple(end for m in together for end in m))
        return found

    def _branching(self, fork: int, merge: int, members: list[tuple[int, ...]]) -> Branching:
        # What two ways share, such as the blocks before a link's source, tells nothing about either.
        taken = [self._way(fork, member) for member in members]
        shared = Counter(index for steps in taken for index in steps)
        ways = [self._branch(frozenset(i for i in steps if shared[i] == 1)) for steps in taken]
        shortcuts = [way for way in ways if not way.works]
        working = [way for way in ways if way.works]
        if not shortcuts and self._flow[merge].op == "add" and any(way.nonlinear for way in working):
            projections = [way for way in working if way.weights == 1 and not way.nonlinear]
            shortcuts = sorted(projections, key=lambda way: way.spatial)[:1]
            working = [way for way in working if way not in shortcuts]
        return Branching(fork, merge, tuple(shortcuts), tuple(working))

    def _way(self, fork: int, ends: tuple[int, ...]) -> set[int]:
        flow, steps = self._flow, set[int]()
        waiting = [end for end in ends if end != fork]
        while waiting:
            index = waiting.pop()
            if index not in steps:
                steps.add(index)
                waiting += [i for i in flow[index].inputs if i != fork and flow[i].kind != "param"]
        return steps

    def _branch(self, steps: frozenset[int]) -> Branch:
        flow = self._flow
        own = [flow[i] for i in steps]
        return Branch(
            steps,
            sum(has_weights(flow, step) for step in own),
            any(mixes_space(flow, step) for step in own),
            any(_bends(flow, step) for step in own),
        )


def has_weights(flow: Flow, step: Step) -> bool:
    """Whether a step is a trained layer on a map."""
    return conv(flow, step) is not None or linear(flow, step) is not None or token_mlp(flow, step)


def mixes_space(flow: Flow, step: Step) -> bool:
    """Whether a step lets positions exchange information while it keeps their number."""
    found = conv(flow, step)
    if found is not None:
        return not found.pointwise
    if pooling(flow, step) in ("avg", "max"):
        return flow[step.inputs[0]].positions == step.positions
    return attention(flow, step) or token_mlp(flow, step)


def _bends(flow: Flow, step: Step) -> bool:
    if step.kind != "map":
        return False
    bent = step.op in (
        "relu",
        "gelu",
        "silu",
        "hardswish",
        "hardtanh",
        "relu6",
        "mish",
        "elu",
        "leaky_relu",
        "softplus",
    )
    return bent or contraction(flow, step) or gate(flow, step) is not None


def kernel_of(flow: Flow, step: Step) -> int:
    """Side of a convolution's kernel, 1 for anything else."""
    found = any_conv(flow, step)
    return max(found.kernel) if found is not None else 1


def stride_of(flow: Flow, step: Step) -> int:
    """Larger stride of a convolution, 1 for anything else."""
    found = any_conv(flow, step)
    return found.stride if found is not None else 1
