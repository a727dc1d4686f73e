"""The Pareto front without numpy or pymoo, for programs that only look on.

Latency is an axis where a candidate has one: a run whose ``latency_objective`` asks for it stores it with each.

It agrees with :func:`fairnad_engine.search.selection.pareto_front`, which the search itself uses; a test holds both
together.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Protocol, TypeVar


class Scored(Protocol):
    """What is compared: accuracy in percent (up), parameters, MACs and, where a run asks for it, latency (down)."""

    @property
    def status(self) -> str:
        """``trained`` where there is a score."""

    @property
    def accuracy(self) -> float | None:
        """Validation accuracy in percent."""

    @property
    def params(self) -> int:
        """Number of parameters."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""

    @property
    def latency(self) -> float | None:
        """Milliseconds of a pass; None where latency is no objective, or was not measured."""

    @property
    def position(self) -> int:
        """Place in the order of the run."""


class Placed(Scored, Protocol):
    """What has its place in a generation as well; the seed's is generation 0."""

    @property
    def generation(self) -> int:
        """The generation it is of."""

    @property
    def slot(self) -> int:
        """The slot of that."""

    @property
    def step(self) -> int:
        """The step of a chain, else 1."""


_Candidate = TypeVar("_Candidate", bound=Scored)


def latencies(candidates: Sequence[Scored]) -> list[float] | None:
    """Latency of each, milliseconds; None where latency is no objective.

    One that was not measured, because its score came from another run, counts as slow as the slowest.
    """
    known = [c.latency for c in candidates if c.latency is not None]
    if not known:
        return None
    return [max(known) if c.latency is None else c.latency for c in candidates]


def front_of(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """The non-dominated candidates, best accuracy first; of equals the earliest stays.

    In order of falling accuracy a candidate is dominated exactly when one before it costs no more on both other
    axes; the cheapest costs so far form a staircase, so that each candidate takes one binary search.
    """
    pool = [c for c in candidates if c.status == "trained" and c.accuracy is not None and math.isfinite(c.accuracy)]
    if (slow := latencies(pool)) is not None:
        return _front_with_latency(pool, slow)
    # The sort is stable: of equals the one that stands first in the sequence is met first and dominates the others.
    pool.sort(key=lambda c: (-(c.accuracy or 0.0), c.params, c.macs))
    params: list[int] = []  # rising
    macs: list[int] = []  # falling along with it
    front = []
    for one in pool:
        place = bisect_right(params, one.params)
        if place and macs[place - 1] <= one.macs:
            continue
        front.append(one)
        end = place
        while end < len(macs) and macs[end] >= one.macs:
            end += 1
        start = place - 1 if place and params[place - 1] == one.params else place
        params[start:end] = [one.params]
        macs[start:end] = [one.macs]
    return sorted(front, key=lambda c: (-(c.accuracy or 0.0), c.params, c.position))


def _front_with_latency(pool: Sequence[_Candidate], slow: Sequence[float]) -> list[_Candidate]:
    """The same on four axes: what is not dominated by one that stands before it in falling accuracy."""
    costs = [(c.params, c.macs, latency) for c, latency in zip(pool, slow, strict=True)]
    order = sorted(range(len(pool)), key=lambda i: (-(pool[i].accuracy or 0.0), costs[i]))
    front: list[int] = []
    for i in order:
        if not any(all(a <= b for a, b in zip(costs[j], costs[i], strict=True)) for j in front):
            front.append(i)
    return sorted((pool[i] for i in front), key=lambda c: (-(c.accuracy or 0.0), c.params, c.position))
