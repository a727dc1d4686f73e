"""The front for those who look on agrees with the front that the search uses."""

import math
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairnad_engine.search.front import front_of
from fairnad_engine.search.selection import pareto_front
from fairnad_engine.store.records import CandidateRow


def candidate(position, accuracy, params, macs, status="trained"):
    values = {field.name: "" for field in fields(CandidateRow)}
    values.update(id=f"c{position}", position=position, accuracy=accuracy, params=params, macs=macs, status=status)
    return CandidateRow(**values)


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
