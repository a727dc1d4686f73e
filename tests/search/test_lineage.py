"""Runs that come of runs: extended to a larger budget, forked with other settings, started warm from a front."""

import json

import pytest

from fairnad_engine.errors import InputError, StoreError
from fairnad_engine.lineage import ancestry_of, extend_run, fork_run, warm_start_run
from fairnad_engine.search.ancestry import uses_through
from fairnad_engine.search.archive import Archive
from fairnad_engine.search.config import RunConfig, parse_config
from fairnad_engine.search.finish_results import last_generation
from fairnad_engine.search.selection import counted, pareto_front
from tests.search.playing import RUN, Verifier, play, workspace

MIX = {"stages": (6, 4, 2)}
SETTINGS = {
    "default": {},
    "refill": {"refill": True},
    "sequential": {"proposals": "sequential"},
    "lookahead": {"proposals": "lookahead"},
    "fair unit": {"fair_unit": "trained"},
    "chains": {"stage3_counts": "last"},
    "everything": {"refill": True, "proposals": "sequential", "fair_unit": "trained", "stage3_counts": "last"},
    "evolution": {"method": "evolution"},
    "random": {"method": "random", "stages": (9, 0, 0)},
}


def long_digest(folder, search, trained):
    with workspace(folder, search=search, budget={"trained": trained}) as store:
        return play(store, 3.0)


def run_config(store, run=RUN, **changes):
    document = json.loads(json.dumps(store.runs.get(run).config))
    for place, value in changes.items():
        section, name = place.split("__")
        document[section][name] = value
    return parse_config(document, "test")


# -- extending ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("first", [7, 12, 19])
def test_an_extended_run_ends_as_one_that_had_the_budget_from_the_start(tmp_path, name, first):
    search = MIX | SETTINGS[name]
    with workspace(tmp_path / "short", search=search, budget={"trained": first}) as store:
        short = play(store, 1.0)
        assert len(counted(store.runs.candidates(RUN), search.get("stage3_counts", "both"))) == first
        extend_run(store, RUN, 30)
        assert play(store, 2.0) != short
        extended = store.runs.get(RUN).digest
    assert extended == long_digest(tmp_path / "long", search, 30)


def test_it_may_be_extended_twice_and_killed_in_between(tmp_path):
    search = MIX | {"refill": True}
    with workspace(tmp_path / "short", search=search, budget={"trained": 5}) as store:
        play(store)
        extend_run(store, RUN, 11)
        assert play(store, 1.0, kill_at=3) is None
        assert play(store, 2.0) is not None
        extend_run(store, RUN, 24)
        assert play(store, 3.0, kill_at=5) is None
        extended = play(store, 4.0)
        events = [event for event in store.runs.events(RUN) if event["kind"].startswith("extended")]
        assert [event["payload"]["to"] for event in events] == [11, 24]
    assert extended == long_digest(tmp_path / "long", search, 24)


def test_a_run_that_has_not_ended_may_be_given_more(tmp_path):
    with workspace(tmp_path / "short", search=MIX, budget={"trained": 20}) as store:
        assert play(store, kill_at=9) is None
        extend_run(store, RUN, 30)
        extended = play(store, 5.0)
    assert extended == long_digest(tmp_path / "long", MIX, 30)


def test_the_parents_pool_depends_on_what_is_there_and_not_on_the_budget(tmp_path):
    search = {"stages": (30, 0, 0)}
    sizes = {}
    for trained in (100, 150):
        with workspace(tmp_path / str(trained), search=search, budget={"trained": trained}) as store:
            play(store)
            last = last_generation(store, RUN)
            for number in range(1, last + 2):
                snapshot = Archive(store, RUN).at(number, 1)
                found = sum(c.generation > 0 for c in snapshot.trained())
                sizes.setdefault(number, {})[trained] = (found, len(snapshot.best()))
    assert all(
        count == (5 if found <= 100 else 25) for one in sizes.values() for found, count in one.values() if found > 5
    )
    assert any(found > 100 for one in sizes.values() for found, _ in one.values())
    assert any(found == 100 for one in sizes.values() for found, _ in one.values())


@pytest.mark.slow
def test_the_digest_holds_across_the_step_from_five_to_twenty_five_parents(tmp_path):
    search = {"stages": (12, 5, 3)}
    with workspace(tmp_path / "short", search=search, budget={"trained": 100}) as store:
        play(store)
        extend_run(store, RUN, 160)
        extended = play(store, 1.0)
    assert extended == long_digest(tmp_path / "long", search, 160)


def test_only_more_models_extend_a_run(tmp_path):
    with workspace(tmp_path, search=MIX, budget={"trained": 6}) as store:
        play(store)
        before = store.runs.get(RUN)
        for trained in (3, 6):
            with pytest.raises(InputError, match="budget of 6"):
                extend_run(store, RUN, trained)
        assert store.runs.get(RUN) == before
        job = store.jobs.of_run(RUN)
        store.jobs.acquire(job.id)
        with pytest.raises(StoreError, match="being worked on"):
            extend_run(store, RUN, 10)


def test_hours_that_are_spent_are_not_ended_by_more_models(tmp_path):
    with workspace(tmp_path, search=MIX, budget={"trained": 400, "hours": 0.2}) as store:
        play(store, seconds=60.0)
        with pytest.raises(InputError, match="--fork run-1"):
            extend_run(store, RUN, 500)


# -- forking -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("through", [1, 2, None])
def test_a_fork_with_the_same_settings_ends_as_the_run_itself(tmp_path, name, through):
    search = MIX | SETTINGS[name]
    with workspace(tmp_path, search=search, budget={"trained": 36}) as store:
        digest = play(store)
        if through is None:
            through = last_generation(store, RUN) - 1
        fork, _ = fork_run(store, RUN, through, run_config(store))
        assert last_generation(store, fork.id) == through
        assert play(store, 4.0, run=fork.id) == digest


def test_counts_of_an_earlier_place_are_those_that_were_there(tmp_path):
    with workspace(tmp_path, search=MIX, budget={"trained": 20}) as store:
        play(store)
        counts, uses = store.sampling.counts(RUN), store.sampling.uses(RUN)
        last = last_generation(store, RUN)
        fork, _ = fork_run(store, RUN, last, run_config(store, budget__trained=30))
        assert store.sampling.counts(fork.id) == counts
        assert store.sampling.uses(fork.id) == uses == uses_through(store, RUN, last, closed=last)
        early, _ = fork_run(store, RUN, 1, run_config(store))
        turns = sum(count.turns for count in store.sampling.counts(early.id).values() if count.kind == "main")
        assert turns == MIX["stages"][0]


def test_curation_after_a_generation_does_not_reach_a_fork_before_it(tmp_path):
    with workspace(tmp_path, search=MIX, budget={"trained": 8}) as store:
        play(store)
        ideas = [idea for idea, _, _ in store.ideas.approved()]
        store.ideas.decide(ideas[: len(ideas) // 2], "rejected", "person")
        extend_run(store, RUN, 24)
        play(store)
        first, _ = fork_run(store, RUN, 1, run_config(store))
        known = store.runs.latest_event(first.id, "ideas", 1)
        assert len(known[1]) == len(ideas)
        assert sum(c.active for c in store.sampling.counts(first.id).values() if c.kind == "sub") > len(ideas) // 4
        last = last_generation(store, RUN)
        whole, _ = fork_run(store, RUN, last, run_config(store, budget__trained=40))
        assert store.sampling.counts(whole.id) == store.sampling.counts(RUN)


def test_a_fork_goes_on_under_its_own_settings_and_keeps_its_past(tmp_path):
    with workspace(tmp_path, search=MIX, budget={"trained": 14}) as store:
        play(store)
        before = store.runs.candidates(RUN)
        config = run_config(store, budget__trained=30, search__fairness="none", search__stages=[9, 0, 0])
        fork, job = fork_run(store, RUN, 1, config)
        assert RunConfig.model_validate(job.config).search.stages == (9, 0, 0)
        assert ancestry_of(store.runs.get(fork.id)) == {
            "kind": "fork", "run": RUN, "name": "search", "generation": 1, "test_seen": "", "members": [],
        }  # fmt: skip
        play(store, run=fork.id)
        kept = [c.id for c in before if c.generation <= 1]
        forked = store.runs.candidates(fork.id)
        assert [c.id for c in forked if c.generation <= 1] == kept
        assert len(counted(forked)) == 30
        assert {s.stage for s in store.runs.slots(fork.id, 2)} == {1} and len(store.runs.slots(fork.id, 2)) == 9
        assert store.runs.candidates(RUN) == before  # nothing of the source has moved
        # A fork of the fork still knows how its first generation was drawn.
        again, _ = fork_run(
            store, fork.id, last_generation(store, fork.id), run_config(store, fork.id, budget__trained=40)
        )
        assert store.sampling.counts(again.id) == store.sampling.counts(fork.id)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"data__dataset": "fashion-mnist"}, "data set"),
        ({"data__protocol": "digits"}, "protocol"),
        ({"search__seed_backbone": "resnet32"}, "seed backbone"),
        ({"fidelity__mode": "promote"}, "fidelity"),
        ({"search__latency_objective": "image", "machine__latency_rounds": 5}, "latency_objective"),
        ({"budget__max_params": 200}, "over the new budget"),
        ({"budget__trained": 1}, "models already"),
        ({"search__method": "random"}, "kind of method"),
    ],
)
def test_what_would_not_compare_is_no_fork(tmp_path, changes, told):
    with workspace(tmp_path, search=MIX, budget={"trained": 12}) as store:
        play(store)
        with pytest.raises(InputError, match=told):
            fork_run(store, RUN, None, run_config(store, **{"budget__trained": 20, **changes}))
        assert [run.id for run in store.runs.all()] == [RUN]


def test_a_generation_that_is_not_there_is_no_fork(tmp_path):
    with workspace(tmp_path, search=MIX, budget={"trained": 12}) as store:
        with pytest.raises(InputError, match="none has ended yet"):
            fork_run(store, RUN, None, run_config(store))
        play(store)
        with pytest.raises(InputError, match="there are: 1 to"):
            fork_run(store, RUN, 50, run_config(store))


# -- starting warm -----------------------------------------------------------------------------------------------


def test_a_front_comes_with_its_scores_and_is_not_counted(tmp_path):
    with workspace(tmp_path, search=MIX, budget={"trained": 12}) as store:
        play(store)
        front = [c for c in pareto_front(store.runs.candidates(RUN)) if c.id != "seed"]
        run, _ = warm_start_run(store, RUN, run_config(store, budget__trained=10, search__seed=9))
        play(store, run=run.id)
        warm = [c for c in store.runs.candidates(run.id, 0) if c.id != "seed"]
        assert [(c.accuracy, c.exact_hash, c.kind) for c in warm] == [
            (c.accuracy, c.exact_hash, "warm-start") for c in front
        ]
        assert len(counted(store.runs.candidates(run.id))) == 10
        assert store.runs.progress(run.id).trained == 10
        told = store.runs.latest_event(run.id, "warm-start", 0)[1]
        assert [(one["from"], one["outcome"]) for one in told] == [(c.id, "came with its score") for c in front]
        assert {c.parent_id for c in store.runs.candidates(run.id)} & {c.id for c in warm}  # they are parents
        assert sum(one.search_seconds for one in store.ledger.candidates(run.id) if one.id in {c.id for c in warm}) == 0


class Narrow(Verifier):
    """Refuses one of the models that a warm start brings."""

    def __init__(self, source):
        super().__init__()
        self.source = source

    def verify(self, source, width, seed):
        if source == self.source:
            from fairnad_engine.backbone.verifier import Verdict

            return Verdict("over-budget", "too large")
        return super().verify(source, width, seed)


def test_under_another_protocol_it_is_trained_anew_and_what_does_not_pass_is_left_out(tmp_path):
    with workspace(tmp_path, search=MIX, budget={"trained": 12}) as store:
        play(store)
        front = [c for c in pareto_front(store.runs.candidates(RUN)) if c.id != "seed"]
        config = run_config(store, budget__trained=6, data__protocol="digits")
        run, _ = warm_start_run(store, RUN, config)
        assert store.runs.candidates(run.id) == []
        verifier = Narrow(front[0].source)
        assert play(store, 1.0, kill_at=3, verifier=verifier, run=run.id) is None
        digest = play(store, 2.0, verifier=verifier, run=run.id)
        told = store.runs.latest_event(run.id, "warm-start", 0)[1]
        assert told[0]["outcome"] == "left out: over-budget: too large"
        assert len(told) == len(front)
        other, _ = warm_start_run(store, RUN, config)
        assert play(store, 3.0, verifier=verifier, run=other.id) == digest
        store.deletion.delete(RUN)
        third = store.runs.get(other.id)
        assert ancestry_of(third)["run"] == RUN  # what it came from is told for good


def test_an_empty_front_starts_nothing(tmp_path):
    with workspace(tmp_path, search=MIX) as store, pytest.raises(InputError, match="no front"):
        warm_start_run(store, RUN, run_config(store))
