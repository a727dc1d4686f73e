"""The simulated trainer: the real one's lines and files, and a run that used it never passes for a real one."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from safetensors.torch import load_file

from fairnad_engine.errors import InputError
from fairnad_engine.report.summary import protocol_facts
from fairnad_engine.search.config import parse_config
from fairnad_engine.search.shared_scores import SharedScores
from fairnad_engine.store import Store
from fairnad_engine.training import simulated
from fairnad_engine.training.checkpoints import checkpoint_path
from fairnad_engine.training.executor import LocalExecutor
from fairnad_engine.training.jobs import TrainingJob
from fairnad_engine.training.process import _work
from fairnad_engine.training.protocol import load_protocol
from fairnad_engine.training.remote import TRAINER, check_trainer
from fairnad_engine.workspace import create_run, template_of
from fairnad_tui.commands.running import workspace_status
from tests.unit.test_training import job  # noqa: F401 - a fixture

PROTOCOL = load_protocol("smoke").model_copy(update={"epochs": 5})
SETTINGS = {
    "model": {"llm": "rules"},
    "data": {"dataset": "digits", "protocol": "smoke"},
    "budget": {"trained": 2, "max_params": 60_000, "max_macs": 3_000_000},
    "search": {"seed_backbone": "digits-small"},
}


def changed(job, **changes):  # noqa: F811
    return TrainingJob(**{**job.as_dict(), "protocol": PROTOCOL.model_dump(mode="json"), **changes})


def test_it_speaks_as_the_real_one_does(job):  # noqa: F811
    job = changed(job, checkpoint_seconds=0.0, latency_rounds=2)
    said = {}
    for name, work in (("real", _work), ("simulated", lambda *a: simulated._work(TrainingJob(**a[0]), *a[1:]))):
        messages = []
        outcome = work(job.as_dict(), lambda one: messages.append(one), "cpu")  # noqa: B023 - called at once
        weights = load_file(Path(job.artifacts) / outcome["weights"])
        said[name] = (
            {key: type(value) for key, value in outcome.items()},
            [{key: type(value) for key, value in one.items()} for one in messages],
            {key: tensor.shape for key, tensor in weights.items()},
            checkpoint_path(job).exists(),  # until the outcome is stored
        )
        checkpoint_path(job).unlink()
    assert said["simulated"] == said["real"]


def run_in_processes(job, kill_at=None, number=signal.SIGKILL, deadline=60.0):  # noqa: F811
    told = []

    async def go():
        executor = LocalExecutor(1, module=simulated.__name__)

        def progress(message):
            told.append((message["epoch"], message["restored"]))
            if len(told) == kill_at:
                os.kill(executor._pools[0].trainers[0].pid, number)

        try:
            return await executor.run(job, progress, deadline)
        finally:
            await executor.close()

    return asyncio.run(go()), told


def test_killed_mid_training_it_goes_on_from_its_checkpoint_to_the_same_end(job, monkeypatch):  # noqa: F811
    job = changed(job, checkpoint_seconds=0.0)
    monkeypatch.setenv("FAIRNAD_SIMULATED_SECONDS", "0.05")
    plain, _ = run_in_processes(job)
    checkpoint_path(job).unlink()
    monkeypatch.setenv("FAIRNAD_SIMULATED_SECONDS", "0.5")  # it is not to be done before it is killed
    killed, told = run_in_processes(job, kill_at=3)
    assert (killed.status, killed.accuracy, killed.weights) == ("done", plain.accuracy, plain.weights)
    again = told.index((1, True))  # before it come three epochs, or more where the kill came late
    assert again >= 3 and told[:again] == [(epoch, False) for epoch in range(1, again + 1)]
    assert told[-1] == (5, False)
    assert Path(job.weights).read_bytes() != (Path(job.artifacts) / plain.weights).read_bytes()


def test_a_trainer_that_is_stopped_is_ended_at_the_deadline(job, monkeypatch):  # noqa: F811
    monkeypatch.setenv("FAIRNAD_SIMULATED_SECONDS", "1")
    # The deadline is that of a whole training and of its process's start; the third epoch is far when it is stopped.
    ended, told = run_in_processes(changed(job), kill_at=2, number=signal.SIGSTOP, deadline=12.0)
    assert ended.status == "timeout"
    assert len(told) == 2


def test_its_score_hangs_on_all_that_decides_and_on_nothing_else(job, tmp_path):  # noqa: F811
    def score(**changes):
        return simulated._work(changed(job, **changes), lambda _: None, "cpu")

    same = score()
    assert score(id="other/place", rank=3, artifacts=str(tmp_path / "elsewhere")) == same
    for other in ({"seed": 99}, {"train_split": "full"}, {"dataset_digest": "x"}, {"dataset": "fashion-mnist"}):
        assert score(**other)["weights"] != same["weights"], other
    assert 10 <= same["accuracy"] <= 100


def test_files_that_cannot_be_used_are_the_machines_fault(job):  # noqa: F811
    outcome, _ = run_in_processes(changed(job, weights=str(Path(job.artifacts) / "gone")))
    assert outcome.status == "machine-fault"


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "fairnad.db") as store:
        template, _ = template_of(store)
        store.ideas.add_imported(template, [(s.id, s.name, f"Use {s.id}.") for s in template.subs], approve=True)
        yield store


def simulated_run(store, monkeypatch, **changes):
    monkeypatch.setenv("FAIRNAD_TRAINER_MODULE", simulated.__name__)
    return create_run(store, parse_config(SETTINGS, "test"), **changes)[0]


def test_a_simulated_run_says_so_beside_its_numbers(store, monkeypatch):
    real, _ = create_run(store, parse_config(SETTINGS, "test"))
    run = simulated_run(store, monkeypatch)
    assert "SIMULATED" in protocol_facts(run).label
    assert "SIMULATED" not in protocol_facts(real).label
    assert [one["simulated"] for one in workspace_status(store)["runs"]] == [False, True]
    assert "trainer" not in real.environment
    assert SharedScores.of_run(store, run.id, 0).machine != SharedScores.of_run(store, real.id, 0).machine


def test_real_and_simulated_scores_never_mix(store, monkeypatch):
    real, _ = create_run(store, parse_config(SETTINGS, "test"))
    run = simulated_run(store, monkeypatch)
    assert check_trainer(run.environment, run.id) == simulated.__name__
    with pytest.raises(InputError, match="run-1 was trained by .*process, not by .*unset FAIRNAD_TRAINER_MODULE"):
        check_trainer(real.environment, real.id)
    with pytest.raises(InputError, match="do not mix"):
        simulated_run(store, monkeypatch, ancestry={"run": real.id})
    monkeypatch.delenv("FAIRNAD_TRAINER_MODULE")
    assert check_trainer(real.environment, real.id) == TRAINER
    with pytest.raises(InputError, match=f"set FAIRNAD_TRAINER_MODULE={simulated.__name__}"):
        check_trainer(run.environment, run.id)
    with pytest.raises(InputError, match="do not mix"):
        create_run(store, parse_config(SETTINGS, "test"), ancestry={"run": run.id})
