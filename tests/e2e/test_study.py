"""``fairnad-tui study`` with real runs: killed and taken up again, compared, its scores shared."""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from fairnad_engine.resources import data_folder
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.control import Control
from fairnad_engine.search.scoring import Scorer, job_settings
from fairnad_engine.search.shared_scores import SharedScores
from fairnad_engine.store import Store
from fairnad_engine.training.devices import Device
from fairnad_engine.training.executor import LocalExecutor
from fairnad_engine.training.protocol import Protocol
from fairnad_engine.workspace import create_run
from tests.e2e.test_pipeline import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pipeline"), pytest.mark.timeout(600)]

STUDY = """
name = "small"
methods = ["fairnad", "again"]
seeds = [1, 2]
[run.papers]
sources = ["papers"]
[run.model]
llm = "rules"
[run.data]
protocol = "smoke"
[run.budget]
trained = 2
max_params = 60_000
max_macs = 3_000_000
[run.search]
seed_backbone = "digits-small"
[variants.again.machine]
workers = 1
"""


def kill(store, job):
    holder = store.jobs.holder(job.id)
    if holder is not None and store.jobs.is_held(job.id):
        os.killpg(os.getpgid(holder[0].pid), signal.SIGKILL)
        wait_until(lambda: not store.jobs.is_held(job.id))


def dates(db):
    rows = sqlite3.connect(db).execute("SELECT run_id, candidate_id, at FROM evaluations").fetchall()
    return {row[:2]: row[2] for row in rows}


def test_a_study_is_killed_taken_up_again_compared_and_its_scores_are_those_of_fresh_trainings(fairnad, tmp_path):
    (tmp_path / "papers").mkdir()
    shutil.copy(data_folder("sample_papers") / "2016-resnet.md", tmp_path / "papers")
    (tmp_path / "study.toml").write_text(STUDY)
    db = tmp_path / "fairnad.db"
    started = fairnad("study", "--config", "study.toml", "--detach")
    assert started.code == 0, started.err
    with Store(db) as store:
        study = next(job for job in store.jobs.all() if job.kind == "study")
        wait_until(lambda: len(store.studies.runs("small")) == 2, 240)
        second = store.studies.runs("small")[1].run_id
        wait_until(lambda: any(c.status == "trained" for c in store.runs.candidates(second)), 240)
        kill(store, study)
        kill(store, store.jobs.of_run(second))
        before = dates(db)
        first = store.runs.get("run-1").digest
        assert first is not None
    shown = json.loads(fairnad("study", "show", "--json").out)
    states = [run["status"] for run in shown["runs"]]
    assert (states[0], states[2:]) == ("done", ["waiting", "waiting"])

    ended = fairnad("study", "--config", "study.toml", "--json", timeout=500)
    assert ended.code == 0, ended.err
    assert before.items() <= dates(db).items()  # what was done is kept
    found = json.loads(ended.out)
    assert [run["status"] for run in found["runs"]] == ["done"] * 4
    assert [run["trained"] for run in found["runs"]] == [2] * 4
    (versus,) = found["compared"]["versus"]
    assert versus["seeds"] == [1, 2]
    assert [(one["seed"], one["run_id"]) for one in found["controls"]] == [(1, "run-1"), (2, "run-3")]
    assert versus["hypervolume"] == versus["best"] == {"mean": 0.0, "low": 0.0, "high": 0.0}  # the same twice

    with Store(db) as store:
        assert [run.id for run in store.runs.all()] == ["run-1", "run-2", "run-3", "run-4"]
        assert store.runs.get("run-1").digest == store.runs.get("run-2").digest == first
        copied = store.runs.evaluations("run-2", "search")
        assert {one.message.partition("/")[0] for one in copied} == {"shared by run-1"}
        assert {one.seconds for one in copied} == {0.0}
        assert [len(store.runs.epochs("run-2", one.candidate_id)) for one in copied] == [2] * 3
        check_fresh_training(store)

    assert fairnad("study", "show", "small", "--output", "out").code == 0
    for name in ("hypervolume.svg", "accuracy.svg"):
        assert len(ElementTree.parse(tmp_path / "out" / name).getroot().findall(".//*[@id='curves']/*")) == 2
    lines = (tmp_path / "out" / "study.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 * 3
    assert lines[1].startswith("fairnad,0,2,")
    assert "fairnad minus another" in (tmp_path / "out" / "study.md").read_text()
    listed = fairnad("study")
    assert listed.out.splitlines()[1].split("\t") == ["small", "digits", "4", "4"]


def check_fresh_training(store):
    """A candidate at another place of another run, trained without sharing, comes to the same score and weights."""
    run = store.runs.get("run-1")
    settings = RunConfig.model_validate(run.config)
    other, _ = create_run(store, settings)
    candidate = store.runs.candidates("run-1")[1]
    moved = replace(candidate, run_id=other.id, id="g09-s07", position=9407, generation=9, slot=7)
    values = {name: value for name, value in vars(moved).items() if name not in ("run_id", "id", "created_at")}
    store.runs.save_candidate(other.id, moved.id, {**values, "status": "verified", "accuracy": None})

    def scorer(shared):
        return Scorer(
            store,
            other.id,
            other.seed,
            executor,
            dataset="digits",
            protocol=Protocol.model_validate(run.environment["protocol"]),
            deadline=300,
            control=Control(),
            activity=lambda _name, _text: None,
            settings=job_settings(settings, run.dataset_digest),
            seeds_by="structure",
            shared=shared,
        )

    async def train():
        try:
            return await scorer(None).train(moved)
        finally:
            await executor.close()

    executor = LocalExecutor(1, (Device("cpu", 1),))
    trained = asyncio.run(train())
    assert trained.accuracy == candidate.accuracy
    (fresh,) = store.runs.evaluations(other.id, "search")
    source = next(one for one in store.runs.evaluations("run-1", "search") if one.candidate_id == candidate.id)
    assert (fresh.seed, fresh.weights, fresh.message) == (source.seed, source.weights, "")

    shared = SharedScores.of_run(store, other.id, latency_rounds=0)
    protocol = Protocol.model_validate(run.environment["protocol"])
    keys = {
        shared.key(moved, protocol, 1),
        shared.key(moved, protocol, 2),
        shared.key(replace(moved, weights="other"), protocol, 1),
        shared.key(replace(moved, graph="other"), protocol, 1),
        shared.key(moved, protocol.model_copy(update={"epochs": 9}), 1),
        replace(shared, dataset_digest="other").key(moved, protocol, 1),
        SharedScores.of_run(store, other.id, latency_rounds=3).key(moved, protocol, 1),
    }
    assert len(keys) == 7


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("study", "--config", "none.toml"), "none.toml"),
        (("study", "--detach"), "--config"),
        (("study", "show"), "no workspace"),
    ],
)
def test_what_is_wrong_is_one_line(fairnad, tmp_path, arguments, told):
    ended = fairnad(*arguments)
    assert ended.code == 2
    assert told in ended.err
    assert len(ended.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
