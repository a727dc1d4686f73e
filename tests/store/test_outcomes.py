"""What ideas brought, and progress as the budget counts it: the store's sums against sums over the rows."""

import pytest

from fairnad_engine.report.markdown import report_markdown
from fairnad_engine.report.summary import summarise
from fairnad_engine.search.selection import counted
from fairnad_engine.store.outcomes import IdeaOutcome
from tests.search.playing import RUN, play, workspace


def test_outcomes_of_ideas_are_the_sums_over_their_models(tmp_path):
    with workspace(tmp_path / "w", {"stages": (8, 2, 2)}, {"trained": 30}) as store:
        assert store.outcomes.of_ideas() == {}
        before = store.outcomes.version()
        play(store)
        assert store.outcomes.version() != before
        found = store.outcomes.of_ideas()
        candidates = {c.id: c for c in store.runs.candidates(RUN)}
        front = set(store.runs.generations(RUN)[-1].front)
        tried = {(a.idea_id, a.generation, a.slot) for a in store.runs.attempts(RUN) if a.idea_id}
        derived = {c.derived["id"] for c in candidates.values() if c.derived}
        assert derived
        assert found.keys() == {idea for idea, *_ in tried} | derived
        for idea, got in found.items():
            mine = [c for c in candidates.values() if idea in (c.idea_id, (c.derived or {}).get("id"))]
            scored = [c for c in mine if c.accuracy is not None]
            gains = [c.accuracy - candidates[c.parent_id].accuracy for c in scored]
            # Of a derived one, what came to a backbone.
            assert got.tried == (len(mine) if idea in derived else sum(one[0] == idea for one in tried))
            assert (got.valid, got.trained) == (len(mine), len(scored))
            assert got.realised == sum(c.realised == "yes" for c in mine)
            assert got.on_front == sum(c.id in front for c in mine)
            assert got.best == max((c.accuracy for c in scored), default=None)
            assert got.gain == (pytest.approx(sum(gains) / len(gains)) if gains else None)
            assert got.best_gain == max(gains, default=None)
            assert got.runs == (RUN,)
            assert got.best_run == (RUN if scored else "")
        assert any(one.on_front for one in found.values())
        assert any(one.tried > one.valid for one in found.values())
        some = next(iter(found))
        assert store.outcomes.of_idea(some) == found[some]
        assert store.outcomes.of_idea("nothing") == IdeaOutcome()


def test_ideas_stand_under_the_sub_category_of_their_turn(tmp_path):
    with workspace(tmp_path / "w", {"stages": (8, 2, 0)}, {"trained": 30}) as store:
        play(store)
        last = store.runs.generations(RUN)[-1].number
        under = store.outcomes.ideas_under(RUN, last)
        ideas = {one.id: one.sub for one in store.ideas.all()}
        assert {ideas[idea] for inside in under.values() for idea in inside} == under.keys()
        assert all(ideas[idea] == sub for sub, inside in under.items() for idea in inside)
        outcomes = store.sampling.turn_outcomes(RUN)
        assert {idea for inside in under.values() for idea in inside} == outcomes.keys() & ideas.keys()
        first = store.outcomes.ideas_under(RUN, 1)
        assert 0 < sum(map(len, first.values())) < sum(map(len, under.values()))


def test_outcomes_of_turns_as_of_a_generation(tmp_path):
    with workspace(tmp_path / "w", {"stages": (8, 2, 0)}, {"trained": 30}) as store:
        play(store)
        generations = store.runs.generations(RUN)
        mains = {slot.main for slot in store.runs.slots(RUN) if slot.main}
        early = store.sampling.turn_outcomes(RUN, 1)
        assert sum(early[main].turns for main in mains & early.keys()) == 8
        assert store.sampling.turn_outcomes(RUN, generations[-1].number) == store.sampling.turn_outcomes(RUN)
        front = set(generations[0].front)
        on = sum(early[main].on_front for main in mains & early.keys())
        assert on == sum(c.id in front and c.stage == 1 for c in store.runs.candidates(RUN, 1))
        assert store.sampling.turn_outcomes(RUN, 0) == {}


@pytest.mark.parametrize("chains", ["both", "last"])
def test_progress_counts_models_as_the_budget_does(tmp_path, chains):
    with workspace(tmp_path / "w", {"stages": (2, 2, 4), "stage3_counts": chains}, {"trained": 20}) as store:
        play(store)
        progress = store.runs.progress(RUN)
        candidates = store.runs.candidates(RUN)
        assert progress.counted == len(counted(candidates, chains)) == progress.budget == 20
        assert progress.trained == len(counted(candidates, "both"))
        assert (progress.trained > progress.counted) == (chains == "last")


@pytest.mark.parametrize("unit", ["turn", "trained"])
def test_a_report_says_what_is_kept_equal(tmp_path, unit):
    with workspace(tmp_path / "w", {"stages": (6, 0, 0), "fair_unit": unit}, {"trained": 20}) as store:
        play(store)
        facts = summarise(store, RUN)
        compared = store.sampling.counts_of_trained(RUN) if unit == "trained" else store.sampling.counts(RUN)
        for line in (*facts.sampling.mains, *facts.sampling.subs):
            if line.id in compared:
                assert line.effective == compared[line.id].effective
                assert line.trained == compared[line.id].trained
        told = report_markdown(facts)
        assert ("of trained models. Effective counts of trained models" in told) == (unit == "trained")
        assert ("| Turns | Trained | Effective |" in told) == (unit == "trained")
