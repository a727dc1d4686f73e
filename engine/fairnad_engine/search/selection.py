"""Pareto selection over accuracy (up), parameters and MACs (down), by pymoo (method, section 3, Stage II)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fairnad_engine.store.records import CandidateRow

_COST_RANGE = 110.0  # costs from 1.1 budgets down to a hundredth of a budget span the unit axis
_ACCURACY_BELOW_SEED = 5.0


def trained(candidates: Sequence[CandidateRow]) -> list[CandidateRow]:
    """Candidates with a finite accuracy; failed and diverged ones never enter selection."""
    return [c for c in candidates if c.status == "trained" and c.accuracy is not None and math.isfinite(c.accuracy)]


def counted(candidates: Sequence[CandidateRow], chains: str = "both") -> list[CandidateRow]:
    """Candidates that the budget counts: trained in full, or stopped after the short schedule; never the seed.

    Of a chain's models ``chains`` counts ``both``, or the ``last``.
    """
    stopped = [c for c in candidates if c.status == "screened"]
    found = [c for c in (*trained(candidates), *stopped) if c.generation > 0]
    if chains == "both":
        return found
    ended = {(c.generation, c.slot) for c in found if c.step > 1}
    return [c for c in found if c.step > 1 or (c.generation, c.slot) not in ended]


def objectives(candidates: Sequence[CandidateRow]) -> NDArray[np.float64]:
    """(N, 3) matrix to minimise: error, parameters, MACs."""
    rows = [[100.0 - (c.accuracy or 0.0), float(c.params), float(c.macs)] for c in candidates]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 3)


def pareto_front(candidates: Sequence[CandidateRow]) -> list[CandidateRow]:
    """The non-dominated candidates, best accuracy first; of equals the earliest stays."""
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    pool = trained(candidates)
    if not pool:
        return []
    values = objectives(pool)
    _, first = np.unique(values, axis=0, return_index=True)
    unique = [pool[i] for i in sorted(first)]
    chosen = NonDominatedSorting().do(objectives(unique), only_non_dominated_front=True)
    return sorted((unique[i] for i in chosen), key=lambda c: (-(c.accuracy or 0.0), c.params, c.position))


def rank_and_crowding(candidates: Sequence[CandidateRow]) -> list[tuple[int, float]]:
    """NSGA-II's non-dominated rank (from 0) and crowding distance of each candidate."""
    from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    values = objectives(candidates)
    found: list[tuple[int, float]] = [(0, 0.0)] * len(candidates)
    for rank, front in enumerate(NonDominatedSorting().do(values)):
        for index, distance in zip(front, calc_crowding_distance(values[front]), strict=True):
            found[index] = (rank, float(distance))
    return found


def tournament(candidates: Sequence[CandidateRow], rng: np.random.Generator) -> CandidateRow:
    """NSGA-II's binary tournament: lower rank wins, then larger crowding distance, then the earlier one."""
    pool = sorted(candidates, key=lambda c: c.position)
    fitness = rank_and_crowding(pool)
    pair = rng.choice(len(pool), size=min(2, len(pool)), replace=False)
    return pool[min(pair, key=lambda i: (fitness[i][0], -fitness[i][1], i))]


def hypervolume(candidates: Sequence[CandidateRow], seed_accuracy: float, max_params: int, max_macs: int) -> float:
    """Hypervolume in the unit cube, worst corner as reference (method, section 3).

    The accuracy axis runs from five points below the seed to 100 %; a cost c under budget B counts
    ``log(1.1 B / c) / log(110)``, clipped to [0, 1].
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


def best_accuracy(candidates: Sequence[CandidateRow]) -> float | None:
    """Best validation accuracy within budget, in percent."""
    return max((c.accuracy for c in trained(candidates) if c.accuracy is not None), default=None)


def top_by_accuracy(candidates: Sequence[CandidateRow], count: int) -> list[CandidateRow]:
    """The best by validation accuracy; of equals the cheaper, then the earlier."""
    return sorted(trained(candidates), key=lambda c: (-(c.accuracy or 0.0), c.macs, c.position))[:count]
