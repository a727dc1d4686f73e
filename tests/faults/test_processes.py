"""What is done to a worker's process from outside: at most what was in flight is repeated."""

import asyncio
import os
import resource
import signal
import socket
import time

import pytest

from fairnad_engine import clock
from fairnad_engine.errors import LeaseLostError, StoreError
from fairnad_engine.processes import current_identity
from fairnad_engine.store import Store, jobs
from fairnad_engine.taking_over import take_over
from fairnad_engine.workspace import start_worker
from tests.faults.played_worker import RUN, job_of, played_workspace, trained, wait_until


def held(path):
    """What makes a worker's sixth training wait, so that it is in the middle whenever the test gets to it."""

    def prepare(played):
        plain, calls = played.trainers.run, []

        async def run(*arguments):
            calls.append(1)
            while len(calls) > 5 and not go_on_file(path).exists():  # noqa: ASYNC110 - another process makes the file
                await asyncio.sleep(0.02)
            return await plain(*arguments)

        played.trainers.run = run

    return prepare


def go_on_file(path):
    return path.with_name("go-on")


@pytest.fixture
def path(tmp_path):
    return played_workspace(tmp_path)


@pytest.fixture
def store(path):
    with Store(path) as opened:
        yield opened


def in_the_middle(store):
    wait_until(lambda: trained(store) >= 3)
    assert store.jobs.get("job-1").state == "running"


@pytest.mark.fault("worker-killed")
def test_a_worker_that_is_killed_is_dead_and_resumed(path, store, start, check_whole):
    worker = start(path, prepare=held(path))
    in_the_middle(store)
    done = {(one.candidate_id, one.accuracy) for one in store.runs.evaluations(RUN, "search")}
    os.kill(worker.pid, signal.SIGKILL)
    assert worker.wait() == -9
    assert store.jobs.living_state(store.jobs.get("job-1")) == "dead"
    assert start(path).wait() == 0
    assert done <= {(one.candidate_id, one.accuracy) for one in store.runs.evaluations(RUN, "search")}
    check_whole(path)


@pytest.mark.parametrize(
    ("number", "code", "state"),
    [
        pytest.param(signal.SIGTERM, 7, "stopped", marks=pytest.mark.fault("sigterm")),
        pytest.param(signal.SIGINT, 7, "stopped", marks=pytest.mark.fault("sigint")),
        pytest.param(signal.SIGHUP, 0, "done", marks=pytest.mark.fault("terminal-lost")),
    ],
)
def test_signals(path, store, start, check_whole, number, code, state):
    worker = start(path, prepare=held(path))
    in_the_middle(store)
    os.kill(worker.pid, number)
    if state == "done":
        go_on_file(path).touch()
    assert worker.wait() == code
    assert store.jobs.get("job-1").state == state
    assert store.jobs.holder("job-1") is None
    if state == "stopped":
        assert start(path).wait() == 0
    check_whole(path)


@pytest.mark.fault("worker-frozen")
def test_a_worker_that_was_stopped_goes_on_when_it_is_continued(path, store, start, check_whole, monkeypatch):
    monkeypatch.setattr(jobs, "STALE_SECONDS", 1.5)
    worker = start(path, prepare=held(path))
    in_the_middle(store)
    os.kill(worker.pid, signal.SIGSTOP)
    wait_until(lambda: store.jobs.living_state(store.jobs.get("job-1")) == "stalled")
    os.kill(worker.pid, signal.SIGCONT)
    wait_until(lambda: store.jobs.living_state(store.jobs.get("job-1")) in ("running", "done"))
    go_on_file(path).touch()
    assert worker.wait() == 0
    check_whole(path)


def taken_elsewhere(worker, store):
    """Stop a worker that writes nothing at this moment, and let its lease be of a host where it cannot be killed."""
    store._db.execute("PRAGMA busy_timeout = 100")
    while True:
        os.kill(worker.pid, signal.SIGSTOP)
        try:
            store._db.execute("UPDATE leases SET host = 'elsewhere'")
        except StoreError:  # it holds a lock
            os.kill(worker.pid, signal.SIGCONT)
            time.sleep(0.01)
        else:
            return


@pytest.mark.fault("lease-lost")
def test_one_that_was_taken_over_while_it_stood_writes_nothing_more(path, store, start, check_whole, monkeypatch):
    worker = start(path, prepare=held(path))
    in_the_middle(store)
    taken_elsewhere(worker, store)
    monkeypatch.setattr(jobs, "STALE_SECONDS", 1.5)
    take_over(store, store.jobs.get("job-1"), lambda _: None)
    successor = start(path)
    assert successor.wait() == 0
    before = list(store._db.conn.iterdump())
    go_on_file(path).touch()
    os.kill(worker.pid, signal.SIGCONT)
    assert worker.wait() == LeaseLostError.exit_code
    assert list(store._db.conn.iterdump()) == before
    assert "lease lost" in worker.log.read_text()
    check_whole(path)


@pytest.mark.fault("second-worker")
def test_a_second_worker_is_refused_and_the_first_goes_on(path, store, start, check_whole):
    worker = start(path, prepare=held(path))
    in_the_middle(store)
    with pytest.raises(StoreError, match=rf"already worked on by process {worker.pid} on {socket.gethostname()}"):
        start_worker(store, store.jobs.get("job-1"))
    assert start(path).wait() == 4
    go_on_file(path).touch()
    assert worker.wait() == 0
    check_whole(path)


def held_by(store, **identity):
    """Leave a lease behind, as another worker would."""
    me = current_identity()
    row = {"job_id": "job-1", "host": me.host, "boot_id": me.boot_id, "pid": me.pid, "start_time": me.start_time}
    row |= {"heartbeat": clock.now(), "token": "t", "beats": 7} | identity
    store._db.table("leases").upsert(row, pk="job_id")
    store.jobs.set_state("job-1", "running")


@pytest.mark.fault("lease-of-another-boot")
def test_the_lease_of_an_earlier_boot_is_nobodys(path, store, start, check_whole):
    held_by(store, boot_id="another")  # its number and start may be somebody's now
    assert store.jobs.living_state(store.jobs.get("job-1")) == "dead"
    assert start(path).wait() == 0
    check_whole(path)


@pytest.mark.fault("lease-elsewhere")
def test_the_lease_of_a_host_that_is_gone_is_given_up_when_it_was_quiet(path, store, start, check_whole, monkeypatch):
    monkeypatch.setattr(jobs, "STALE_SECONDS", 0.5)
    held_by(store, host="elsewhere")
    assert store.jobs.living_state(store.jobs.get("job-1")) == "running"
    assert start(path).wait() == 4  # it may beat
    wait_until(lambda: store.jobs.living_state(store.jobs.get("job-1")) == "dead")
    store.jobs.dispossess("job-1")
    assert start(path).wait() == 0
    check_whole(path)


@pytest.mark.fault("clock-jump")
@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
def test_a_jump_of_the_clock_in_the_middle_of_a_run(path, store, start, check_whole, jump):
    def prepare(played):
        held(path)(played)
        plain, began = clock.now, time.monotonic()
        clock.now = lambda: plain() + (jump if time.monotonic() > began + 0.5 else 0.0)

    worker = start(path, prepare=prepare)
    in_the_middle(store)
    # A worker's heartbeat says what its clock says.
    wait_until(lambda: abs(store._db.execute("SELECT heartbeat FROM leases").fetchone()[0] - clock.now()) > 40_000)
    go_on_file(path).touch()
    assert worker.wait() == 0
    check_whole(path)


@pytest.mark.fault("no-descriptors")
def test_a_worker_without_descriptors_fails_and_is_resumed(path, start, check_whole):
    def prepare(played):
        plain, calls = played.trainers.run, []

        async def run(*arguments):
            calls.append(1)
            if len(calls) == 4:
                resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
            return await plain(*arguments)

        played.trainers.run = run

    worker = start(path, prepare=prepare)
    code = worker.wait()
    assert code in (4, 6), worker.log.read_text()
    assert "Too many open files" in worker.log.read_text() and "defect" not in worker.log.read_text()
    job = job_of(path)
    assert job.state == "failed" and "Too many open files" in job.message
    assert start(path).wait() == 0
    check_whole(path)
