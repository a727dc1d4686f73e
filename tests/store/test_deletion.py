"""Deleting runs: all or nothing, nothing of others, and no number given twice."""

import pytest

from fairnad_engine.errors import InputError, StoreError
from fairnad_engine.llm.protocol import ModelCall
from fairnad_engine.store import Store
from tests.unit.report_workspace import RUN, workspace


def rows(store):
    tables = [name for name in store._db.table_names() if name != "deleted"]
    return {name: store._db.table(name).count for name in tables}


def test_nothing_of_the_run_is_left_and_everything_else_is(tmp_path):
    with workspace(tmp_path) as store:
        other = store.jobs.create("structure", {}, None)
        log = store.files.root / "jobs" / "job-1" / "log.txt"
        log.parent.mkdir(parents=True)
        log.write_text("x")
        before = rows(store)
        store.deletion.delete(RUN)
        after = rows(store)
        mine = {name for name in after if after[name] == 0 and before[name]}
        assert {"runs", "candidates", "attempts", "evaluations", "epochs", "slots", "model_calls"} <= mine
        assert after["ideas"] == before["ideas"] > 0
        assert store.jobs.get(other.id)
        assert not log.parent.exists()
        assert not [one for one in store.files.root.rglob("*") if one.is_file()]


def test_files_that_another_run_names_stay(tmp_path):
    with workspace(tmp_path) as store:
        seed = store.runs.candidate(RUN, "seed")
        twin = store.runs.create("twin", {"config": {}, "environment": {}, "seed": 0})
        values = {**vars(seed)}
        for name in ("run_id", "id", "created_at"):
            values.pop(name)
        store.runs.save_candidate(twin.id, "seed", values)
        store.deletion.delete(RUN)
        assert store.files.get(seed.graph)
        store.deletion.delete(twin.id)
        assert not store.files.path(seed.graph).exists()


def test_beside_a_worker_files_are_left_alone(tmp_path):
    with workspace(tmp_path) as store:
        graph = store.runs.candidate(RUN, "seed").graph
        store.jobs.acquire(store.jobs.create("structure", {}, None).id)
        store.deletion.delete(RUN)
        assert store.files.get(graph)


def test_a_run_that_is_worked_on_is_refused_and_untouched(tmp_path):
    with workspace(tmp_path) as store:
        store.jobs.acquire("job-1")
        before = rows(store)
        with pytest.raises(StoreError, match="stop it first"):
            store.deletion.delete(RUN)
        assert rows(store) == before


def test_what_is_not_there_is_refused(tmp_path):
    with Store(tmp_path / "w.db") as store, pytest.raises(InputError, match="run-9"):
        store.deletion.delete("run-9")


def test_no_number_is_given_twice(tmp_path):
    with Store(tmp_path / "w.db") as store:
        frozen = {"config": {}, "environment": {}, "seed": 0}
        ids = [store.runs.create("x", frozen).id for _ in range(3)]
        jobs = [store.jobs.create("search", {}, one).id for one in ids]
        assert (ids, jobs) == (["run-1", "run-2", "run-3"], ["job-1", "job-2", "job-3"])
        store.deletion.delete("run-3")
        store.deletion.delete("run-1")
        assert store.runs.create("x", frozen).id == "run-4"
        assert store.jobs.create("search", {}, None).id == "job-4"


def test_prompts_are_kept_once_and_go_with_their_last_call(tmp_path):
    with workspace(tmp_path) as store:
        for number, (digest, run) in enumerate((("a", RUN), ("a", None), ("b", RUN), ("c", None))):
            call = ModelCall("idea", "m", digest, 1, 2, 3.0, f"reply {number}", f"prompt é {digest}")
            store.calls.record(f"step-{number}", [call], job_id="j", run_id=run)
        store.calls.record("old", [ModelCall("idea", "m", "d", 1, 2, 3.0, "reply")], job_id="j", run_id=None)
        lines = store.calls.newest(10)
        texts = {line.key.partition("/")[0]: store.calls.text(line.id) for line in lines}
        assert texts["step-1"] == ("prompt é a", "reply 1") and texts["old"] == (None, "reply")
        assert [line.key for line in store.calls.newest(1, run_id=RUN)] == ["step-2/0"]
        assert store.calls.newest(9, purpose="screen") == []
        with pytest.raises(InputError, match="llm calls"):
            store.calls.text(99)
        store.deletion.delete(RUN)
        left = {row["hash"] for row in store._db.query("SELECT hash FROM model_prompts")}
        assert left == {"a", "c"}


def test_calls_of_a_step_are_those_below_its_key(tmp_path):
    with Store(tmp_path / "w.db") as store:
        for key in ("run-1/1/1/1/0", "run-1/1/1/1/1", "run-1/1/1/1/10", "run-1/1/10/1/1"):
            store.calls.record(key, [ModelCall("idea", "m", "0", 1, 2, 3.0, f"é {key}")], job_id="j", run_id="run-1")
        assert [one.reply for one in store.calls.of_step("run-1/1/1/1/1")] == ["é run-1/1/1/1/1"]
        assert len(store.calls.of_step("run-1/1/1")) == 3
