"""The front for those who look on agrees with the front that the search uses."""

import math
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairnad_engine.search.front import front_of
from fairnad_engine.search.selection import pareto_front
from fairnad_engine.store.records import CandidateRow


def candidate(position, accuracy, params, macs, status="trained", latency=None):
    values = {field.name: "" for field in fields(CandidateRow)}
    values.update(id=f"c{position}", position=position, accuracy=accuracy, params=params, macs=macs, status=status)
    return CandidateRow(**{**values, "latency": latency})


# Few values on each axis: ties are what the two could disagree about.
numbers = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6)), max_size=60)


@given(numbers)
def test_it_agrees_with_the_search(points):
    pool = [candidate(i, float(a), p, m) for i, (a, p, m) in enumerate(points)]
    assert [c.id for c in front_of(pool)] == [c.id for c in pareto_front(pool)]


@pytest.mark.parametrize("accuracy", [None, math.nan, math.inf])
def test_what_has_no_score_never_enters(accuracy):
    pool = [candidate(0, 90.0, 10, 10), candidate(1, accuracy, 1, 1), candidate(2, 99.0, 1, 1, "failed")]
    assert [c.id for c in front_of(pool)] == [c.id for c in pareto_front(pool)] == ["c0"]
    assert front_of([]) == []


@given(st.lists(st.tuples(*[st.integers(1, 4)] * 3, st.none() | st.integers(1, 4)), max_size=60))
def test_it_agrees_with_the_search_where_latency_counts(points):
    pool = [candidate(i, float(a), p, m, latency=t) for i, (a, p, m, t) in enumerate(points)]
    front = [c.id for c in front_of(pool)]
    assert front == [c.id for c in pareto_front(pool)]
    slowest = max((t for *_, t in points if t is not None), default=0)
    points = [(a, p, m, slowest if t is None else t) for a, p, m, t in points]

    def beats(one, other):
        return one != other and one[0] >= other[0] and all(x <= y for x, y in zip(one[1:], other[1:], strict=True))

    best = [i for i, own in enumerate(points) if not any(beats(one, own) for one in points) and own not in points[:i]]
    assert {f"c{i}" for i in best} == set(front)


def test_what_is_fast_stays_on_the_front_only_where_latency_counts():
    best, fast = (90.0, 10, 10), (85.0, 12, 12)
    assert [c.id for c in pareto_front([candidate(0, *best), candidate(1, *fast)])] == ["c0"]
    timed = [candidate(0, *best, latency=3.0), candidate(1, *fast, latency=1.0)]
    assert [c.id for c in pareto_front(timed)] == ["c0", "c1"]
