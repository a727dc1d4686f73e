"""Fair sampling: exact at every step, whatever joins, empties and comes back."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairnad_engine.search.fairness import FairIdea, FairSampler, largest_difference
from fairnad_engine.search.posterior import Posterior
from fairnad_engine.store.records import FORGIVEN, CountRow

LEVELS = ("operation", "block", "network")


def library(tree):
    """Ideas for a tree given as {main: {sub: count}}."""
    return [
        FairIdea(f"{main}.{sub}-{n}", LEVELS[main % 3], f"m{main}", f"m{main}.s{sub}")
        for main, subs in tree.items()
        for sub, count in subs.items()
        for n in range(count)
    ]


trees = st.dictionaries(
    st.integers(0, 6),
    st.dictionaries(st.integers(0, 4), st.integers(1, 4), min_size=1, max_size=4),
    min_size=1,
    max_size=6,
)


def spread(counts, kind, parent_of=None):
    groups = {}
    for count in counts.values():
        if count.kind == kind and count.active:
            groups.setdefault(parent_of(count.node) if parent_of else "", []).append(count.effective)
    return max(max(g) - min(g) for g in groups.values())


def of_level(node):
    return LEVELS[int(node[1:]) % 3]


# What each setting keeps equal: nodes of a kind, among those of one parent.
KEPT = {
    "main+sub": [("main", None), ("sub", lambda node: node.split(".")[0])],
    "level+main+sub": [("level", None), ("main", of_level), ("sub", lambda node: node.split(".")[0])],
    "main": [("main", None)],
    "sub": [("sub", None)],
}


@pytest.mark.parametrize("fairness", KEPT)
@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(trees, st.integers(1, 12)), min_size=1, max_size=8), st.integers(0, 2**31))
def test_effective_turns_differ_by_at_most_one_at_every_step(fairness, history, seed):
    rng = np.random.default_rng(seed)
    counts, uses = {}, {}
    for tree, turns in history:
        ideas = library(tree)
        sampler = FairSampler(ideas, counts, uses, fairness)
        for _ in range(turns):
            (turn,) = sampler.draw(1, rng)
            assert all(spread(sampler.counts, kind, among) <= 1 for kind, among in KEPT[fairness])
            chosen = {i.id: i for i in ideas}
            assert all(chosen[one].sub == turn.sub for one in turn.ideas)
            assert len(set(turn.ideas)) == len(turn.ideas) <= 3
        counts, uses = sampler.counts, sampler.uses
    assert sum(c.turns for c in counts.values() if c.kind == "main") == sum(turns for _, turns in history)


@settings(max_examples=50, deadline=None)
@given(trees, st.integers(1, 60), st.integers(0, 2**31))
def test_ideas_of_a_sub_category_take_turns(tree, turns, seed):
    sampler = FairSampler(library(tree), {}, {}, "main+sub")
    sampler.draw(turns, np.random.default_rng(seed))
    for main, subs in tree.items():
        for sub, count in subs.items():
            used = [sampler.uses.get(f"{main}.{sub}-{n}", 0) for n in range(count)]
            assert max(used) - min(used) <= 1


def test_a_category_that_joins_enters_at_the_minimum_and_is_not_caught_up():
    rng = np.random.default_rng(0)
    first = FairSampler(library({0: {0: 1}, 1: {0: 1}}), {}, {}, "main+sub")
    first.draw(41, rng)
    second = FairSampler(library({0: {0: 1}, 1: {0: 1}, 2: {0: 1}}), first.counts, first.uses, "main+sub")
    assert second.counts["m2"].effective == 20
    turns = second.draw(9, rng)
    assert 2 <= sum(t.main == "m2" for t in turns) <= 4
    assert second.counts["m2"].turns == sum(t.main == "m2" for t in turns)


def test_a_category_that_empties_and_comes_back_enters_at_the_minimum():
    rng = np.random.default_rng(0)
    both, one = library({0: {0: 1}, 1: {0: 1}}), library({0: {0: 1}})
    a = FairSampler(both, {}, {}, "main+sub")
    a.draw(10, rng)
    b = FairSampler(one, a.counts, a.uses, "main+sub")
    assert b.counts["m1"].active is False
    b.draw(20, rng)
    c = FairSampler(both, b.counts, b.uses, "main+sub")
    assert c.counts["m0"].effective == c.counts["m1"].effective == 25
    assert c.counts["m1"].turns == 5


def test_no_ideas_no_turns():
    assert FairSampler([], {}, {}, "main+sub").draw(8, np.random.default_rng(0)) == []


def test_equal_draws_from_equal_seeds():
    tree = {0: {0: 3, 1: 1}, 1: {0: 2}, 2: {0: 5}}
    draws = [FairSampler(library(tree), {}, {}, "main+sub").draw(30, np.random.default_rng(7)) for _ in range(2)]
    assert draws[0] == draws[1]
    assert draws[0] != FairSampler(library(tree), {}, {}, "main+sub").draw(30, np.random.default_rng(8))


@pytest.mark.parametrize("fairness", ["main+sub", "level+main+sub", "main", "sub", "none"])
def test_each_setting_equalises_what_it_names(fairness):
    # One level with many mains, one main with many subs, one sub with many ideas.
    tree = {0: {0: 1}, 3: {0: 1}, 6: {0: 1}, 1: {0: 1, 1: 1, 2: 1, 3: 1}, 2: {0: 60}}
    ideas = library(tree)
    sampler = FairSampler(ideas, {}, {}, fairness)
    turns = sampler.draw(3000, np.random.default_rng(1))
    mains = {m: sum(t.main == f"m{m}" for t in turns) for m in tree}
    subs = {s: sum(t.sub == f"m1.s{s}" for t in turns) for s in range(4)}
    if fairness in ("main+sub", "main"):
        assert set(mains.values()) == {600}
    if fairness == "level+main+sub":
        assert mains[1] == mains[2] == 1000
        assert mains[0] + mains[3] + mains[6] == 1000
    if fairness == "sub":
        assert mains[1] == 4 * mains[2] == 4 * mains[0]
    if fairness in ("main+sub", "sub", "level+main+sub"):
        assert max(subs.values()) - min(subs.values()) <= 1
    if fairness == "none":
        expected = np.array([3000 * sum(tree[m].values()) / len(ideas) for m in tree])
        observed = np.array(list(mains.values()))
        # Chi-square with 4 degrees of freedom: 18.5 is the 0.999 quantile.
        assert ((observed - expected) ** 2 / expected).sum() < 18.5


def test_largest_difference_ignores_inactive_categories():
    a = FairSampler(library({0: {0: 1}, 1: {0: 1}}), {}, {}, "main+sub")
    a.draw(9, np.random.default_rng(0))
    b = FairSampler(library({0: {0: 1}}), a.counts, a.uses, "main+sub")
    b.draw(30, np.random.default_rng(0))
    assert largest_difference(a.counts.values()) == 1
    assert largest_difference(b.counts.values()) == 0


def p_value(observed, expected):
    """Of Pearson's chi-square test."""
    from scipy.stats import chisquare

    return chisquare(observed, expected).pvalue


def test_none_is_the_multinomial_over_ideas_and_no_other():
    tree = {0: {0: 1, 1: 5}, 1: {0: 12}, 2: {0: 2, 1: 2, 2: 30}, 5: {0: 8}}
    ideas = library(tree)
    subs = sorted({idea.sub for idea in ideas})
    turns = FairSampler(ideas, {}, {}, "none").draw(3000, np.random.default_rng(11))
    observed = [sum(turn.sub == sub for turn in turns) for sub in subs]
    by_ideas = [3000 * sum(idea.sub == sub for idea in ideas) / len(ideas) for sub in subs]
    assert p_value(observed, by_ideas) > 1e-3
    assert p_value(observed, [3000 / len(subs)] * len(subs)) < 1e-6
    fair = FairSampler(ideas, {}, {}, "main+sub").draw(3000, np.random.default_rng(11))
    assert p_value([sum(turn.sub == sub for turn in fair) for sub in subs], by_ideas) < 1e-6


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(trees, st.lists(st.booleans(), min_size=1, max_size=10)), min_size=1, max_size=8),
    st.integers(0, 2**31),
)
def test_with_trained_models_a_least_one_is_drawn_and_failures_are_made_up_for(history, seed):
    rng = np.random.default_rng(seed)
    counts, uses = {}, {}
    for tree, ends in history:
        sampler = FairSampler(library(tree), counts, uses, "main+sub", unit="trained")
        drawn = []
        for _ in ends:
            before = dict(sampler.counts)
            (turn,) = sampler.draw(1, rng)
            drawn.append(turn)
            active = [count.effective for count in before.values() if count.kind == "main" and count.active]
            assert before[turn.main].effective == min(active)
        counts, uses = sampler.counts, sampler.uses
        # The generation ends: what was open came to a model, or failed.
        level = {idea.main: idea.level for idea in library(tree)}
        came = [
            n for turn, end in zip(drawn, ends, strict=True) if end for n in (turn.main, turn.sub, level[turn.main])
        ]
        counts = {n: replace(c, open=0, trained=c.trained + came.count(n)) for n, c in counts.items()}
        for count in counts.values():
            settled = count.effective - count.join_offset
            assert count.trained <= settled <= count.turns <= 2 * settled + FORGIVEN


@settings(max_examples=40, deadline=None)
@given(trees, st.lists(st.integers(1, 6), min_size=2, max_size=6), st.integers(0, 2**31))
def test_a_sampler_made_anew_from_its_counts_goes_on_as_if_it_had_not_ended(tree, pieces, seed):
    whole = FairSampler(library(tree), {}, {}, "main+sub").draw(sum(pieces), np.random.default_rng(seed))
    rng, counts, uses, turns = np.random.default_rng(seed), {}, {}, []
    for piece in pieces:
        sampler = FairSampler(library(tree), counts, uses, "main+sub")
        turns += sampler.draw(piece, rng)
        # Only what the store keeps.
        counts = {n: CountRow(n, c.kind, c.turns, c.join_offset, c.active) for n, c in sampler.counts.items()}
        uses = dict(sampler.uses)
    assert turns == whole


def test_the_record_draws_what_helped_and_only_where_it_is_mixed_in():
    ideas = library({0: {0: 2}, 1: {0: 2}, 2: {0: 2}})
    record = {"m1": (40, 1), "m0": (1, 40)}
    shares = {}
    for epsilon in (0.0, 0.5, 1.0):
        sampler = FairSampler(ideas, {}, {}, "main+sub", posterior=Posterior(epsilon, record))
        turns = sampler.draw(600, np.random.default_rng(2))
        shares[epsilon] = sum(turn.main == "m1" for turn in turns) / 600
    plain = FairSampler(ideas, {}, {}, "main+sub").draw(600, np.random.default_rng(2))
    assert shares[0.0] == sum(turn.main == "m1" for turn in plain) / 600 == 1 / 3
    assert 1 / 3 < shares[0.5] < shares[1.0]
    assert shares[1.0] > 0.85
