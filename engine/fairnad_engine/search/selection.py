"""Pareto selection over accuracy (up), parameters and MACs (down), by pymoo (method, section 3, Stage II).

Measured latency (down) is a fourth objective where the run asks for it.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from fairnad_engine.search.front import Placed, Scored, latencies

_Scored = TypeVar("_Scored", bound=Scored)
_Placed = TypeVar("_Placed", bound=Placed)
_COST_RANGE = 110.0  # costs from 1.1 budgets down to a hundredth of a budget span the unit axis
_ACCURACY_BELOW_SEED = 5.0


def trained(candidates: Sequence[_Scored]) -> list[_Scored]:
    """Candidates with a finite accuracy; failed and diverged ones never enter selection."""
    return [c for c in candidates if c.status == "trained" and c.accuracy is not None and math.isfinite(c.accuracy)]


def counted(candidates: Sequence[_Placed], chains: str = "both") -> list[_Placed]:
    """Candidates that the budget counts: trained in full, or stopped after the short schedule; never the seed.

    Of a chain's models ``chains`` counts ``both``, or the ``last``.
    """
    stopped = [c for c in candidates if c.status == "screened"]
    found = [c for c in (*trained(candidates), *stopped) if c.generation > 0]
    if chains == "both":
        return found
    ended = {(c.generation, c.slot) for c in found if c.step > 1}
    return [c for c in found if c.step > 1 or (c.generation, c.slot) not in ended]


def objectives(candidates: Sequence[Scored]) -> NDArray[np.float64]:
    """(N, 3) matrix to minimise: error, parameters, MACs; (N, 4) where latency in milliseconds is one more."""
    slow = latencies(candidates)
    values = np.empty((len(candidates), 3 if slow is None else 4), dtype=np.float64)
    values[:, 0] = [100.0 - (c.accuracy or 0.0) for c in candidates]
    values[:, 1] = [c.params for c in candidates]
    values[:, 2] = [c.macs for c in candidates]
    if slow is not None:
        values[:, 3] = slow
    return values


def pareto_front(candidates: Sequence[_Scored]) -> list[_Scored]:
    """The non-dominated candidates, best accuracy first; of equals the earliest stays."""
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    pool = trained(candidates)
    if not pool:
        return []
    values = objectives(pool)
    _, first = np.unique(values, axis=0, return_index=True)
    unique = np.sort(first)
    chosen = unique[NonDominatedSorting().do(values[unique], only_non_dominated_front=True)]
    return sorted((pool[i] for i in chosen), key=lambda c: (-(c.accuracy or 0.0), c.params, c.position))


class Ranking(Generic[_Scored]):
    """NSGA-II's order of a pool, found once for all tournaments in it."""

    def __init__(self, candidates: Sequence[_Scored]) -> None:
        """Take the pool, in any order; its places are those in the order of the run."""
        self._pool = sorted(candidates, key=lambda c: c.position)
        self._values = objectives(self._pool)
        self._crowding: dict[int, dict[int, float]] = {}

    @cached_property
    def _sorted(self) -> tuple[list[NDArray[np.intp]], NDArray[np.intp]]:
        """The fronts, and each candidate's."""
        from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

        fronts, ranks = NonDominatedSorting().do(self._values, return_rank=True)
        return fronts, ranks

    def rank(self, place: int) -> int:
        """Non-dominated rank of the candidate at a place, from 0."""
        return int(self._sorted[1][place])

    def crowding(self, place: int) -> float:
        """Its crowding distance; those of a front are found when one of them is asked for."""
        from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance

        rank = self.rank(place)
        if rank not in self._crowding:
            front = self._sorted[0][rank]
            distances = calc_crowding_distance(self._values[front])
            self._crowding[rank] = dict(zip(front.tolist(), distances.tolist(), strict=True))
        return self._crowding[rank][place]

    def best(self, count: int) -> list[_Scored]:
        """The first by rank, then by crowding distance, then by age."""
        order = sorted(range(len(self._pool)), key=lambda i: (self.rank(i), -self.crowding(i), i))
        return [self._pool[i] for i in order[:count]]

    def tournament(self, rng: np.random.Generator) -> _Scored:
        """NSGA-II's binary tournament: lower rank wins, then larger crowding distance, then the earlier one."""
        size = len(self._pool)
        pair = [int(i) for i in rng.choice(size, size=min(2, size), replace=False)]
        lowest = min(self.rank(i) for i in pair)
        tied = [i for i in pair if self.rank(i) == lowest]
        # Crowding is looked up where it decides: most pairs are of two fronts.
        return self._pool[tied[0] if len(tied) == 1 else min(tied, key=lambda i: (-self.crowding(i), i))]


def hypervolume(candidates: Sequence[Scored], seed_accuracy: float, max_params: int, max_macs: int) -> float:
    """Hypervolume in the unit cube, worst corner as reference (method, section 3).

    The accuracy axis runs from five points below the seed to 100 %; a cost c under budget B counts
    ``log(1.1 B / c) / log(110)``, clipped to [0, 1]. Latency is no axis of it: it has no budget.
    """
    from pymoo.indicators.hv import HV

    front = pareto_front(candidates)
    if not front:
        return 0.0
    low = seed_accuracy - _ACCURACY_BELOW_SEED
    gains = [
        [
            (min(c.accuracy or 0.0, 100.0) - low) / (100.0 - low),
            math.log(1.1 * max_params / c.params) / math.log(_COST_RANGE),
            math.log(1.1 * max_macs / c.macs) / math.log(_COST_RANGE),
        ]
        for c in front
    ]
    losses = 1.0 - np.clip(np.array(gains), 0.0, 1.0)
    return float(HV(ref_point=np.ones(3))(losses))


def best_accuracy(candidates: Sequence[Scored]) -> float | None:
    """Best validation accuracy within budget, in percent."""
    return max((c.accuracy for c in trained(candidates) if c.accuracy is not None), default=None)


def top_by_accuracy(candidates: Sequence[_Scored], count: int) -> list[_Scored]:
    """The best by validation accuracy; of equals the cheaper, then the earlier."""
    pool = trained(candidates)
    # Only what may be among them is sorted: keys of ten thousand cost more than all else of a draw but the ranking.
    least = min(heapq.nlargest(count, [c.accuracy or 0.0 for c in pool]), default=0.0)
    able = [c for c in pool if (c.accuracy or 0.0) >= least]
    return sorted(able, key=lambda c: (-(c.accuracy or 0.0), c.macs, c.position))[:count]
