"""Leases: who holds one writes, and nobody else."""

import os
import signal
import subprocess
import sys
import time

import pytest

from fairnad_engine import clock
from fairnad_engine.errors import LeaseLostError, StoreError
from fairnad_engine.processes import ProcessIdentity, current_identity
from fairnad_engine.store import Store, jobs
from fairnad_engine.taking_over import take_over
from fairnad_engine.workspace import start_worker
from tests.conftest import environment
from tests.store.test_store import FROZEN


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "fairnad.db") as opened:
        yield opened


def as_another(monkeypatch, pid=1):
    """Make this process look like another one of this host."""
    me = current_identity()
    other = ProcessIdentity(me.host, me.boot_id, pid, 1)
    monkeypatch.setattr(jobs, "current_identity", lambda: other)
    return other


def results(store, run_id):
    """Write one row in each way that a search does: alone, ignored where known, put over, in one transaction."""
    yield lambda: store.runs.save_candidate(run_id, "g01-s01", {"position": 1, "derived": None})
    yield lambda: store.runs.save_attempt((run_id, 1, 1, 1, 0), {"purpose": "idea"})
    yield lambda: store.runs.start_training(run_id, "seed")
    values = {"purpose": "search", "seed": 0, "status": "done", "accuracy": 80.0}
    yield lambda: store.runs.save_evaluation(run_id, "seed", values, [{"epoch": 1}])
    yield lambda: store.runs.record_event(run_id, 1, "ideas", [])
    yield lambda: store.jobs.set_state("job-1", "failed", "by one who lost it")
    yield lambda: store.jobs.take_requests("job-1")


@pytest.mark.fault("lease-lost")
def test_who_lost_a_lease_writes_nothing_more(store, tmp_path, monkeypatch):
    run = store.runs.create("x", FROZEN)
    job = store.jobs.create("search", {}, run.id)
    store.runs.save_candidate(run.id, "seed", {"position": 0, "derived": None, "status": "verified"})
    store.jobs.act_under(job.id, store.jobs.acquire(job.id))
    for write in results(store, run.id):
        write()
    store.jobs.beat(job.id)
    as_another(monkeypatch)
    monkeypatch.setattr(jobs.JobTable, "is_held", lambda *_: False)  # it stood still for too long
    with Store(tmp_path / "fairnad.db") as successor:
        successor.jobs.acquire(job.id)
        successor.jobs.request(job.id, "pause")
        before = list(successor._db.conn.iterdump())
        for write in results(store, run.id):
            with pytest.raises(LeaseLostError, match="lease lost"):
                write()
        with pytest.raises(LeaseLostError, match="lease lost"):
            store.jobs.beat(job.id)
        store.jobs.release(job.id)
        assert list(successor._db.conn.iterdump()) == before
        successor.jobs.beat(job.id)
        assert successor.jobs.take_requests(job.id) == ["pause"]
        successor.jobs.release(job.id)
        assert successor.jobs.holder(job.id) is None


_BEATS = """
import sys, time
from pathlib import Path
from fairnad_engine import heartbeat
from fairnad_engine.store import Store
heartbeat.BEAT_SECONDS = 0.05
store = Store(Path(sys.argv[1]))
token = store.jobs.acquire(sys.argv[2])
store.jobs.set_state(sys.argv[2], "running")
heartbeat.Heartbeat(store.path, sys.argv[2], token, lambda _: None, lambda: None).start()
print("held", flush=True)
time.sleep(120)
"""


@pytest.fixture
def holder(store):
    """A process that holds the lease of job-1, and beats."""
    job = store.jobs.create("search", {}, store.runs.create("x", FROZEN).id)
    process = subprocess.Popen(
        [sys.executable, "-c", _BEATS, str(store.path), job.id], stdout=subprocess.PIPE, text=True, env=environment()
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.fault("worker-frozen")
def test_a_worker_that_stands_still_is_told_and_taken_over(store, holder, monkeypatch):
    monkeypatch.setattr(jobs, "STALE_SECONDS", 2.0)
    job, told = store.jobs.get("job-1"), []
    with pytest.raises(StoreError, match=r"not taken over.*beats.*stop-now run-1"):
        take_over(store, job, told.append)
    assert f"process {holder.pid}" in told[0]
    assert holder.poll() is None
    os.kill(holder.pid, signal.SIGSTOP)
    wait_until(lambda: store.jobs.living_state(job) == "stalled")
    assert store.jobs.is_held(job.id)  # nobody takes over unasked what may yet go on
    with pytest.raises(StoreError, match=rf"process {holder.pid} on .*, last heartbeat \d+ s ago.*run-1 --take-over"):
        start_worker(store, job)
    take_over(store, job, told.append)
    assert len(told) == 1
    assert holder.wait(60) == -signal.SIGKILL
    assert store.jobs.holder(job.id) is None
    store.jobs.acquire(job.id)


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
def test_a_jump_of_the_clock_neither_fakes_nor_hides_a_death(store, holder, monkeypatch, jump):
    monkeypatch.setattr(jobs, "STALE_SECONDS", 2.0)
    # The lease of another host, so that nothing but its beats speaks for it.
    monkeypatch.setattr(ProcessIdentity, "is_alive", lambda _: None)
    job, plain = store.jobs.get("job-1"), clock.now
    assert store.jobs.is_held(job.id)
    monkeypatch.setattr(clock, "now", lambda: plain() + jump)
    assert store.jobs.living_state(job) == "running"
    with pytest.raises(StoreError, match="already worked on"):
        store.jobs.acquire(job.id)
    os.kill(holder.pid, signal.SIGSTOP)
    assert store.jobs.is_held(job.id)
    wait_until(lambda: not store.jobs.is_held(job.id))
    os.kill(holder.pid, signal.SIGCONT)
    wait_until(lambda: store.jobs.is_held(job.id))  # it was only slow
    os.kill(holder.pid, signal.SIGSTOP)
    wait_until(lambda: not store.jobs.is_held(job.id))
    store.jobs.dispossess(job.id)
    assert store.jobs.holder(job.id) is None


def test_only_the_very_same_process_is_ended(holder):
    me = current_identity()
    ProcessIdentity(me.host, me.boot_id, holder.pid, 1).kill()  # an earlier one of the same number
    ProcessIdentity("elsewhere", me.boot_id, holder.pid, 1).kill()
    assert holder.poll() is None
    ProcessIdentity(me.host, me.boot_id, 2**22 - 1, 1).kill()  # nobody
