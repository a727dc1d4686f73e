"""What a summary says of a run, finished, going, or not begun."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from report_workspace import NASTY, RUN, workspace

from fairnad_engine.errors import InputError
from fairnad_engine.report.markdown import report_markdown
from fairnad_engine.report.summary import summarise
from fairnad_engine.report.tables import candidates_csv, sampling_csv
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


def _more(store: Store, name: str, slot: int, **more: object) -> None:
    """A further verified backbone of the run."""
    first = store.runs.candidate(RUN, "g01-s01")
    assert first is not None
    values = {key: value for key, value in vars(first).items() if key not in ("run_id", "id", "created_at")}
    store.runs.save_candidate(RUN, name, {**values, "slot": slot, "position": 1000 + slot, **more})


def test_realisation_is_a_rate_by_category_and_counts_derived_ideas_too(store: Store) -> None:
    derived = {"id": "d", "main": "act", "sub": "act.smooth", "name": "n", "instruction": "i"}
    for slot, realised in ((5, "yes"), (6, "no"), (7, "no"), (8, "unknown")):
        _more(store, f"g01-s{slot:02}", slot, stage=3, idea_id=None, derived=derived, realised=realised)
    s = summarise(store, RUN)
    found = {one.id: (one.yes, one.no, one.unknown, one.rate) for one in s.realisation}
    assert found == {
        "act": (1, 2, 2, pytest.approx(1 / 3)),
        "pool": (1, 0, 0, 1.0),
        "act.smooth": (1, 2, 2, pytest.approx(1 / 3)),
        "pool.strided-conv": (1, 0, 0, 1.0),
    }
    assert [one.main for one in s.realisation if one.main] == ["act", "pool"]
    text = report_markdown(s)
    assert "| act.smooth | 1 | 2 | 2 | 0.33 |" in text and "| pool.strided-conv | 1 | 0 | 0 | 1.00 |" in text
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(sampling_csv(s)))}
    told = [rows["act.smooth"][f"realised_{key}"] for key in ("yes", "no", "unknown", "rate")]
    assert told[:3] == ["1", "2", "2"] and float(told[3]) == pytest.approx(1 / 3)
    assert rows["act"]["realised"] == "0"  # of its turns, Stage I alone
    untold = next(row for row in rows.values() if row["turns"] == "0")
    assert untold["realised_yes"] == untold["realised_rate"] == ""


def test_a_category_of_which_nothing_can_be_told_has_no_rate(store: Store) -> None:
    found = {one.id: one for one in summarise(store, RUN).realisation}
    assert (found["act"].unknown, found["act"].rate) == (1, None)


def test_what_each_backbone_took(store: Store) -> None:
    s = summarise(store, RUN)
    assert s.ledger is not None
    found = {one.id: one for one in s.ledger.candidates}
    assert set(found) == {"seed", "g01-s01", "g01-s03", "none", "other requests"}
    first = found["g01-s01"]
    assert (first.proposals, first.design_seconds, first.verify_seconds, first.training_seconds) == (1, 1.0, 2.0, 1.5)
    assert found["none"].proposals == 2  # the failed slot's
    for key in ("design_seconds", "verify_seconds", "training_seconds", "prompt_tokens", "completion_tokens"):
        assert sum(getattr(one, key) for one in found.values()) == pytest.approx(getattr(s.ledger.total, key)), key
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(candidates_csv(s)))}
    assert set(rows) == {"seed", "g01-s01", "g01-s03"}
    assert (rows["g01-s01"]["verify_seconds"], rows["g01-s01"]["training_seconds"]) == ("2.0", "1.5")
    assert (rows["seed"]["proposals"], rows["seed"]["training_seconds"]) == ("0", "1.5")
    assert {"prompt_tokens", "completion_tokens"} <= set(rows["seed"])


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
