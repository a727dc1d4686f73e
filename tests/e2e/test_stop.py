"""A stop ends every process of a run within seconds, whatever the run is at, and costs only what was in flight."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fairnad_engine import heartbeat, worker
from fairnad_engine.search.config import parse_config
from fairnad_engine.store import Store
from fairnad_engine.workspace import create_run, start_worker, template_of
from tests.conftest import environment

SECONDS = 5.0  # that a stop is promised to take
SETTINGS = {
    "model": {"llm": "rules"},
    "data": {"dataset": "digits", "protocol": "smoke"},
    "budget": {"trained": 40, "max_params": 60_000, "max_macs": 3_000_000},
    "search": {"seed_backbone": "digits-small", "stages": [2, 2, 1]},
    "machine": {"workers": 2},
}


def wait_until(condition, seconds=55.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)


def identity(pid):
    """A process as nobody else can be; None where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else (pid, fields[19])


def tree(pid):
    """A process and all below it."""
    found, left = set(), [pid]
    while left:
        one = left.pop()
        if (found_one := identity(one)) is not None:
            found.add(found_one)
            try:
                for children in list(Path(f"/proc/{one}/task").glob("*/children")):
                    left += map(int, children.read_text().split())
            except OSError:  # it ended while it was looked at
                continue
    return found


def ends_in_time(noted):
    """Whether processes end within what a stop is promised to take."""
    deadline = time.monotonic() + SECONDS
    while left := [pid for pid, start in noted if identity(pid) == (pid, start)]:
        assert time.monotonic() < deadline, f"left: {left}"
        time.sleep(0.02)
    return True


def test_a_stop_that_takes_its_course_is_given_seconds():
    # A request is read with a beat, and what holds on is killed with another one.
    assert worker._STOP_SECONDS + 2 * heartbeat.BEAT_SECONDS < SECONDS


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "fairnad.db") as store:
        template, _ = template_of(store)
        store.ideas.add_imported(template, [(s.id, s.name, f"Use {s.id}.") for s in template.subs], approve=True)
        yield store


@pytest.mark.slow
def test_stop_ends_the_whole_tree_of_a_run_that_trains(store):
    run, job = create_run(store, parse_config(SETTINGS, "test"))
    start_worker(store, job)
    worker = store.jobs.holder(job.id)[0].pid
    wait_until(lambda: (seed := store.runs.candidate(run.id, "seed")) is not None and seed.status == "training")
    wait_until(lambda: len(tree(worker)) > 2)
    noted = tree(worker)
    assert len(noted) > 2  # itself, the jail's, a trainer
    store.jobs.request(job.id, "stop")
    assert ends_in_time(noted)
    assert store.jobs.get(job.id).state == "stopped"
    assert store.jobs.holder(job.id) is None


_HOLDS_ON = """
import asyncio, subprocess, sys, time
from fairnad_engine import processes, worker
async def work(store, job, control, activity):
    subprocess.Popen([sys.executable, "-c", "import time; print('child', flush=True); time.sleep(300)"])
    if sys.argv[3] == "thread":  # a model that does not answer
        await asyncio.to_thread(time.sleep, 300)
    if sys.argv[3] == "loop":
        time.sleep(300)
    await asyncio.sleep(300)
worker._WORK["search"] = work
worker.main()
"""


@pytest.mark.parametrize("held_by", ["nothing", "thread", "loop"])
@pytest.mark.fault("worker-hung")
def test_whatever_holds_on_is_let_go_or_killed(store, held_by):
    job = store.jobs.create("search", parse_config(SETTINGS, "test").model_dump(mode="json"), None)
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDS_ON, str(store.path), job.id, held_by],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(), start_new_session=True,
    )  # fmt: skip
    assert process.stdout.readline() == "child\n"
    store.jobs.request(job.id, "stop")
    code = process.wait(SECONDS)  # what holds on would for five minutes
    assert code == (-signal.SIGKILL if held_by == "loop" else 7)
    assert store.jobs.get(job.id).state == "stopped"
    assert store.jobs.holder(job.id) is None
    if code == 7:
        os.killpg(process.pid, signal.SIGKILL)  # this child is not made to die with its parent


def test_stop_now_of_a_study_ends_the_worker_of_its_run(store):
    run, job = create_run(store, parse_config(SETTINGS, "test"))
    store.studies.save("s", {})
    store.studies.add_run("s", "fairnad", 0, run.id)
    study = store.jobs.create("study", {"study": "s"}, None)
    waits = _HOLDS_ON.replace('_WORK["search"]', "_WORK[sys.argv[3]]")
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", waits, str(store.path), one.id, one.kind],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(), start_new_session=True,
        )
        for one in (job, study)
    ]  # fmt: skip
    for one in workers:
        assert one.stdout.readline() == "child\n"
    noted = set().union(*(tree(one.pid) for one in workers))
    assert len(noted) == 4
    store.jobs.request(study.id, "stop-now")
    for one in workers:
        assert one.wait(60) == -signal.SIGKILL
    assert ends_in_time(noted)
    assert [store.jobs.get(one.id).state for one in (job, study)] == ["stopped", "stopped"]
