"""A process that outlives its worker is ended by the next one: by its identity, whatever else has its name."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest

from fairnad_engine.children import Children, end_survivors
from fairnad_engine.processes import identity_of
from fairnad_engine.search.config import parse_config
from fairnad_engine.store import Store
from fairnad_engine.workspace import children_file
from tests.conftest import environment

# A trainer that the kernel's death signal does not reach, and which does not read its standard input.
STUBBORN = """
import ctypes, json, sys, time
from fairnad_engine.processes import die_with_parent
die_with_parent()
ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
print(json.dumps({"type": "ready", "device": "cpu", "memory": 0}), flush=True)
time.sleep(300)
"""
WORKER = """
import asyncio, sys
from fairnad_engine import worker
from fairnad_engine.children import Children
from fairnad_engine.training.executor import LocalExecutor
from fairnad_engine.training.jobs import TrainingJob
from fairnad_engine.workspace import children_file
async def work(store, job, control, activity):
    if sys.argv[3] == "ends":
        return "nothing to do"
    executor = LocalExecutor(1, module="stubborn", on_start=Children(children_file(store.path, job.id)).note)
    training = asyncio.create_task(executor.run(TrainingJob("", "train", "", "", "", {}, 0, ""), print, 300))
    while not executor._pools[0].trainers or not executor._pools[0].trainers[0]._ready:
        await asyncio.sleep(0.01)
    print(executor._pools[0].trainers[0].pid, flush=True)
    await training
worker._WORK["search"] = work
worker.main()
"""


@pytest.fixture
def processes():
    """Processes that are ended after the test."""
    started = []
    yield started
    for one in started:
        one.kill()
        one.wait()


def sleeper(processes):
    processes.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True))
    return identity_of(processes[-1].pid)


def gone(identity, seconds=60):
    end = time.monotonic() + seconds
    while identity.is_alive() and time.monotonic() < end:
        time.sleep(0.01)
    return not identity.is_alive()


def test_a_trainer_that_ignored_its_workers_death_is_ended_by_the_next_worker(tmp_path, processes):
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    variables = environment(PYTHONPATH=f"{os.environ.get('PYTHONPATH', '')}{os.pathsep}{tmp_path}")

    def worker(job, how):
        command = [sys.executable, "-c", WORKER, str(tmp_path / "fairnad.db"), job.id, how]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": variables}
        processes.append(subprocess.Popen(command, start_new_session=True, **pipes))
        return processes[-1]

    with Store(tmp_path / "fairnad.db") as store:
        job = store.jobs.create("search", parse_config({}, "test").model_dump(mode="json"), None)
        first = worker(job, "trains")
        survivor = identity_of(int(first.stdout.readline()))
        first.kill()
        first.wait()
        time.sleep(0.2)
        assert survivor.is_alive()  # the kernel did not end it, nor did the closed pipe
        second = worker(job, "ends")
        assert second.wait(60) == 0
        assert gone(survivor)
        assert f"process {survivor.pid} outlived the worker" in second.stderr.read()
        assert not children_file(store.path, job.id).exists()


def test_survivors_are_known_by_identity_alone(tmp_path, processes):
    path = tmp_path / "job" / "children.json"
    mine, later, elsewhere, unknown = (sleeper(processes) for _ in range(4))
    children = Children(path)
    for one in (mine, later, elsewhere):
        children.note(one.pid)
    assert json.loads(path.read_text()) == [asdict(one) for one in (mine, later, elsewhere)]
    # The number was given to another process since; the other ones are of another host, of another boot.
    noted = [mine, replace(later, start_time=later.start_time - 1), replace(elsewhere, host="another")]
    path.write_text(json.dumps([asdict(one) for one in (*noted, replace(elsewhere, boot_id="before"))]))
    assert end_survivors(path) == 1
    assert gone(mine)
    assert [one.is_alive() for one in (later, elsewhere, unknown)] == [True, True, True]
    assert not path.exists()


def test_those_that_ended_are_forgotten(tmp_path, processes):
    path = tmp_path / "children.json"
    children = Children(path)
    first = sleeper(processes)
    children.note(first.pid)
    first.kill()
    second = sleeper(processes)
    children.note(second.pid)
    assert json.loads(path.read_text()) == [asdict(second)]


@pytest.mark.parametrize("text", [None, "", "{", "[1]", '[{"pid": 1}]', "{}"])
def test_a_file_that_says_nothing_ends_nothing(tmp_path, text):
    path = tmp_path / "children.json"
    if text is not None:
        path.write_text(text)
    assert end_survivors(path) == 0
