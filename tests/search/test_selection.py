"""Pareto selection and hypervolume."""

import math
from dataclasses import fields

import numpy as np
import pytest
from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from fairnad_engine.search.selection import (
    Ranking,
    best_accuracy,
    hypervolume,
    objectives,
    pareto_front,
    top_by_accuracy,
    trained,
)
from fairnad_engine.store.records import CandidateRow


def candidate(position, accuracy, params, macs, status="trained"):
    values = {field.name: "" for field in fields(CandidateRow)}
    values.update(
        id=f"c{position}", position=position, accuracy=accuracy, params=params, macs=macs, status=status, generation=1
    )
    return CandidateRow(**{**values, "latency": None})


def dominates(a, b):
    better = (a.accuracy >= b.accuracy, a.params <= b.params, a.macs <= b.macs)
    strictly = (a.accuracy > b.accuracy, a.params < b.params, a.macs < b.macs)
    return all(better) and any(strictly)


@pytest.mark.parametrize("seed", range(10))
def test_the_front_is_what_nothing_dominates(seed):
    rng = np.random.default_rng(seed)
    pool = [candidate(i, float(a), int(p), int(m)) for i, (a, p, m) in enumerate(rng.integers(1, 12, (40, 3)))]
    front = {c.id for c in pareto_front(pool)}
    seen = set()
    for c in pool:
        key = (c.accuracy, c.params, c.macs)
        expected = not any(dominates(o, c) for o in pool) and key not in seen
        seen.add(key)
        assert (c.id in front) == expected


def test_failed_and_nan_never_enter():
    pool = [
        candidate(0, 90.0, 10, 10),
        candidate(1, math.nan, 1, 1),
        candidate(2, None, 1, 1),
        candidate(3, 99.0, 1, 1, "failed"),
    ]
    assert [c.id for c in trained(pool)] == ["c0"]
    assert [c.id for c in pareto_front(pool)] == ["c0"]
    assert best_accuracy(pool) == 90.0
    assert pareto_front([]) == []
    assert best_accuracy([]) is None


def test_ranks_and_crowding():
    pool = [candidate(0, 90, 10, 10), candidate(1, 80, 5, 5), candidate(2, 70, 20, 20), candidate(3, 85, 7, 7)]
    found = Ranking(pool)
    assert [found.rank(place) for place in range(4)] == [0, 0, 1, 0]
    assert math.isinf(found.crowding(0))
    assert math.isfinite(found.crowding(3))


def test_the_tournament_prefers_the_better_rank():
    pool = [candidate(0, 90, 10, 10), candidate(1, 70, 20, 20)]
    assert {Ranking(pool).tournament(np.random.default_rng(k)).id for k in range(20)} == {"c0"}
    assert Ranking(pool[:1]).tournament(np.random.default_rng(0)).id == "c0"


def by_the_book(pool):
    """Rank and crowding distance of everyone, front by front, as pymoo gives them."""
    values, found = objectives(pool), {}
    for rank, front in enumerate(NonDominatedSorting().do(values)):
        for index, distance in zip(front, calc_crowding_distance(values[front]), strict=True):
            found[int(index)] = (rank, -float(distance), int(index))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_a_pool_that_is_ranked_once_draws_as_one_that_is_ranked_for_each_draw(seed):
    rng = np.random.default_rng(seed)
    pool = [candidate(i, float(a), int(p), int(m)) for i, (a, p, m) in enumerate(rng.integers(1, 9, (60, 3)))]
    ranking, order = Ranking(pool[::-1]), by_the_book(pool)
    for k in range(60):
        pair = np.random.default_rng(k).choice(len(pool), size=2, replace=False)
        assert ranking.tournament(np.random.default_rng(k)) is pool[min(pair, key=lambda i: order[int(i)])]
    assert ranking.best(20) == [pool[i] for i in sorted(order, key=order.__getitem__)[:20]]


def test_hypervolume_is_the_method_s_definition():
    # One point: the box between it and the worst corner.
    one = candidate(0, 95.0, 1_000, 10_000)
    accuracy = (95.0 - 85.0) / (100 - 85.0)
    cost = [math.log(1.1 * b / c) / math.log(110) for b, c in ((60_000, 1_000), (3_000_000, 10_000))]
    expected = accuracy * min(cost[0], 1) * min(cost[1], 1)
    assert hypervolume([one], 90.0, 60_000, 3_000_000) == pytest.approx(expected, rel=1e-12)


def test_hypervolume_grows_with_a_new_front_member_only():
    base = [candidate(0, 95.0, 1_000, 10_000)]
    dominated = [*base, candidate(1, 94.0, 2_000, 20_000)]
    better = [*base, candidate(1, 97.0, 2_000, 20_000)]
    volumes = [hypervolume(pool, 90.0, 60_000, 3_000_000) for pool in (base, dominated, better)]
    assert volumes[0] == volumes[1] < volumes[2]


def test_top_by_accuracy_breaks_ties_by_cost_then_age():
    pool = [candidate(0, 90, 1, 20), candidate(1, 90, 1, 10), candidate(2, 90, 1, 10), candidate(3, 95, 1, 99)]
    assert [c.id for c in top_by_accuracy(pool, 3)] == ["c3", "c1", "c2"]
