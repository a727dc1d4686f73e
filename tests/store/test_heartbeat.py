"""The heartbeat goes on whatever the job's own thread does, and whatever the store answers."""

import subprocess
import sys
import time

import pytest

from fairnad_engine import heartbeat
from fairnad_engine.errors import LeaseLostError, StoreError
from fairnad_engine.heartbeat import Heartbeat
from fairnad_engine.store import Store
from fairnad_engine.store.jobs import JobTable
from tests.conftest import environment


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "fairnad.db") as opened:
        yield opened


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def beats(store):
    return store._db.execute("SELECT beats FROM leases").fetchone()[0]


@pytest.fixture
def beating(store, monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.02)
    job, looks, losses = store.jobs.create("search", {}, None), [], []
    beat = Heartbeat(store.path, job.id, store.jobs.acquire(job.id), looks.append, lambda: losses.append(1))
    beat.looks, beat.losses = looks, losses
    beat.start()
    yield beat
    beat.end()


def test_it_survives_errors_of_the_store(store, beating, monkeypatch):
    wait_until(lambda: beats(store) > 2)
    plain = JobTable.beat

    def fails(*_):
        raise StoreError("the disk does not answer")

    monkeypatch.setattr(JobTable, "beat", fails)
    time.sleep(0.2)
    stood = beats(store)
    monkeypatch.setattr(JobTable, "beat", plain)
    wait_until(lambda: beats(store) > stood + 2)
    assert beating.losses == []


def test_it_goes_on_while_the_stores_own_connection_is_in_a_transaction_and_after(store, beating):
    with store.snapshot():
        before = len(beating.looks)
        wait_until(lambda: len(beating.looks) > before + 2)
    beating.end()
    ended = beats(store)
    time.sleep(0.1)
    assert beats(store) == ended


def test_a_lost_lease_is_told_once_and_ends_it(store, beating):
    store.jobs.acquire("job-1")  # a token of its own
    wait_until(lambda: beating.losses)
    time.sleep(0.1)
    assert beating.losses == [1]


_HANGS = """
import sys, time
from fairnad_engine import worker
async def work(store, job, control, activity):
    print("at work", flush=True)
    time.sleep(60)  # the event loop stands still
worker._WORK["structure"] = work
worker.main()
"""


@pytest.mark.fault("lease-lost")
def test_a_worker_whose_loop_hangs_beats_and_leaves_when_its_lease_is_lost(store):
    job = store.jobs.create("structure", {}, None)
    process = subprocess.Popen(
        [sys.executable, "-c", _HANGS, str(store.path), job.id],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    assert process.stdout.readline() == "at work\n"
    before = beats(store)
    wait_until(lambda: beats(store) > before + 1)
    store._db.execute("UPDATE leases SET token = 'of another'")
    told = process.communicate(timeout=50)[1]
    assert process.returncode == LeaseLostError.exit_code
    assert "lease lost" in told
    assert store.jobs.get(job.id).state == "running"
    assert store._db.execute("SELECT token FROM leases").fetchone()[0] == "of another"
