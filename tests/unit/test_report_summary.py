"""What a summary says of a run, finished, going, or not begun."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from report_workspace import NASTY, RUN, workspace

from fairnad_engine.errors import InputError
from fairnad_engine.report.markdown import report_markdown
from fairnad_engine.report.summary import summarise
from fairnad_engine.store import Store
from fairnad_tui.commands.running import workspace_status


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with workspace(tmp_path) as opened:
        yield opened


def test_run_protocol_and_budget(store: Store) -> None:
    s = summarise(store, RUN)
    assert (s.run.id, s.run.state, s.run.digest) == (RUN, "done", "0123456789abcdef")
    assert s.protocol.label == "protocol smoke, 2 epochs, digits, own-split"
    assert (s.budget.trained, s.budget.trained_so_far) == (2, 2)
    assert s.settings["search"]["seed"] == 7
    assert s.seed is not None and s.seed.validation_accuracy is not None


def test_front_is_ordered_and_carries_its_ideas(store: Store) -> None:
    s = summarise(store, RUN)
    accuracies = [m.validation_accuracy or 0.0 for m in s.front]
    assert accuracies == sorted(accuracies, reverse=True)
    assert {m.id for m in s.front} == {m.id for m in s.models if m.on_front}
    model = next(m for m in s.models if m.id == "g01-s03")
    assert model.idea is not None and (model.idea.sub, model.idea.name) == ("pool.strided-conv", NASTY)
    assert model.realised == "yes" and model.width == 0.5


def test_counts(store: Store) -> None:
    c = summarise(store, RUN).counts
    assert (c.slots, c.slots_trained, c.slots_failed, c.slots_cut, c.slots_open) == (4, 2, 1, 1, 0)
    assert (c.proposals, c.valid, c.trained, c.distinct_structures) == (4, 2, 2, 2)
    assert c.rejected == {"build": 1, "over-budget": 1}
    assert c.pass_rate == pytest.approx(2 / 3) and c.proposal_pass_rate == 0.5


def test_edits_by_type_and_what_they_brought(store: Store) -> None:
    store.runs._db.table("candidates").update((RUN, "g01-s03"), {"edit_type": "capacity"})
    s = summarise(store, RUN)
    score = {m.id: m.validation_accuracy or 0.0 for m in s.models}
    structural, capacity, hyper = s.edits
    gain = pytest.approx(score["g01-s01"] - score["seed"])
    assert (structural.edit_type, structural.made, structural.trained) == ("structural", 1, 1)
    assert (structural.gain, structural.best_gain, structural.by_generation) == (gain, gain, (1,))
    assert (capacity.edit_type, capacity.by_generation) == ("capacity", (1,))
    assert (hyper.edit_type, hyper.made, hyper.gain) == ("hyper-parameter", 0, None)
    text = report_markdown(s)
    assert f"| capacity | 1 | 1 | {score['g01-s03'] - score['seed']:+.2f} |" in text
    assert "| hyper-parameter | 0 | 0 | – | – |" in text
    (run,) = workspace_status(store)["runs"]
    assert run["edits"] == {"capacity": 1, "structural": 1}


def test_sampling_and_what_turns_became(store: Store) -> None:
    s = summarise(store, RUN)
    assert (len(s.sampling.mains), len(s.sampling.subs)) == (15, 55)
    assert s.sampling.largest_difference == 1  # 2 turns against 2 turns with a join offset of 1
    assert (s.sampling.subs_active, s.sampling.subs_with_turns) == (2, 2)
    assert (s.sampling.ideas_approved, s.sampling.ideas_used) == (2, 1)
    by_main = {t.main: t for t in s.turns}
    pool, act = by_main["pool"], by_main["act"]
    assert (pool.turns, pool.tried, pool.valid, pool.realised, pool.trained) == (2, 2, 1, 1, 1)
    assert (act.turns, act.tried, act.valid, act.realised, act.trained) == (2, 1, 1, 0, 1)
    assert set(by_main) == {"pool", "act"}


def test_time_and_tokens(store: Store) -> None:
    s = summarise(store, RUN)
    seed, first = s.stages
    assert (seed.stage, seed.proposals, seed.training_seconds) == (0, 0, 1.5)
    assert (first.stage, first.proposals, first.design_seconds, first.verify_seconds) == (1, 4, 4.0, 8.0)
    assert first.training_seconds == 3.0
    assert {c.purpose: (c.calls, c.prompt_tokens) for c in s.calls} == {"idea": (1, 100), "debug": (1, 10)}
    assert [(m.model, m.calls, m.completion_tokens) for m in s.language_models] == [("rules", 2, 25)]


def test_no_test_result_before_finish(store: Store) -> None:
    s = summarise(store, RUN)
    assert s.tests == () and s.finish_command == "fairnad-tui finish run-1"


def test_dictionary_is_json_and_complete(store: Store) -> None:
    s = summarise(store, RUN)
    document = json.loads(json.dumps(s.as_dict()))
    assert set(document) == set(s.__dataclass_fields__)
    assert document["front"][0]["validation_accuracy"] == s.front[0].validation_accuracy


@pytest.mark.parametrize("left_behind", ["running", "paused", "stopping"])
def test_a_run_whose_process_is_gone_is_interrupted(store: Store, left_behind: str) -> None:
    store.jobs.set_state("job-1", left_behind)
    assert summarise(store, RUN).run.state == "interrupted"


def test_a_run_that_goes_on(store: Store) -> None:
    store.jobs.set_state("job-1", "running")
    store.jobs.acquire("job-1")
    slot = {"slot": 1, "stage": 2, "kind": "scale-up", "main": None, "sub": None, "ideas": [], "parent_id": "seed"}
    store.runs.open_generation(RUN, 2, [slot])
    s = summarise(store, RUN)
    assert s.run.state == "running"
    assert s.counts.slots_open == 1
    assert (s.generations[-1].state, s.generations[-1].hypervolume) == ("running", None)


def test_a_run_that_has_only_begun(store: Store) -> None:
    run = store.runs.get(RUN)
    frozen = {key: getattr(run, key) for key in run.__dataclass_fields__}
    for key in ("id", "name", "digest", "created_at", "ended_at"):
        frozen.pop(key)
    fresh = store.runs.create("fresh", frozen)
    store.jobs.create("search", run.config, fresh.id)
    s = summarise(store, fresh.id)
    assert s.run.state == "queued" and s.seed is None and s.best is None
    assert (s.front, s.generations, s.turns) == ((), (), ())
    assert s.counts.pass_rate is None


def test_unknown_run(store: Store) -> None:
    with pytest.raises(InputError, match=r"run-9.*run-1"):
        summarise(store, "run-9")
