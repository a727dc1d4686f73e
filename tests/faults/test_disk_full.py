"""A disk that fills up in the middle of a search: the job waits, says so, and goes on by itself with nothing lost."""

import hashlib
import os
import signal
from contextlib import suppress

import pytest

from fairnad_engine.artifacts import ArtifactFolder
from fairnad_engine.report.summary import run_state
from fairnad_engine.store import Store, jobs
from fairnad_engine.store.reserve import Reserve
from fairnad_engine.store.runs import RunTable
from fairnad_engine.taking_over import take_over
from fairnad_engine.training.jobs import DISK_FULL, TrainingOutcome
from fairnad_tui.commands.running import workspace_status
from tests.faults.played_worker import RUN, job_of, played_workspace, reserve_of, trained, wait_until

BALLAST = "ballast"


def fill(folder):
    """Take every block that is left."""
    with suppress(OSError), (folder / BALLAST).open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))


def at_call(owner, name, number, then):
    """Let something happen before a method is called for the so manieth time."""
    plain, calls = getattr(owner, name), []

    def method(*arguments, **keywords):
        calls.append(1)
        if len(calls) == number:
            then()
        return plain(*arguments, **keywords)

    setattr(owner, name, method)


def while_an_artifact_is_written(folder, _played):
    at_call(ArtifactFolder, "put", 12, lambda: fill(folder))


def write_no_artifacts():
    """Only their names, so that something else meets the full disk."""

    def put(_folder, data, suffix):
        digest = hashlib.sha256(data).hexdigest()
        return f"{digest[:2]}/{digest}{suffix}"

    ArtifactFolder.put, ArtifactFolder.is_whole = put, lambda *_: True


def while_sqlite_commits(folder, _played):
    write_no_artifacts()
    plain, calls = RunTable.save_evaluation, []

    def save_evaluation(table, *arguments, **named):
        calls.append(1)
        if len(calls) == 3:
            table._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # else it may have room from before
            fill(folder)
        return plain(table, *arguments, **named)

    RunTable.save_evaluation = save_evaluation


def while_a_trainer_writes(folder, played):
    """The real trainer's outcome on a full disk is tried in tests/unit/test_machine_faults.py."""
    write_no_artifacts()
    plain, calls = played.trainers.run, []

    async def run(job, progress, deadline):
        calls.append(1)
        if len(calls) == 4:
            fill(folder)
            return TrainingOutcome(DISK_FULL, message="OSError: [Errno 28] No space left on device")
        return await plain(job, progress, deadline)

    played.trainers.run = run


@pytest.mark.parametrize(
    ("when", "met"),
    [
        pytest.param(while_sqlite_commits, "w.db: the disk is full", marks=pytest.mark.fault("disk-full")),
        pytest.param(while_an_artifact_is_written, "w-files/", marks=pytest.mark.fault("disk-full-artifact")),
        pytest.param(while_a_trainer_writes, "interrupted: ", marks=pytest.mark.fault("disk-full-trainer")),
    ],
)
def test_the_run_waits_and_goes_on_by_itself(disk, start, check_whole, when, met):
    path = played_workspace(disk)
    worker = start(path, prepare=lambda played: when(disk, played))
    with Store(path) as store:
        wait_until(lambda: store.jobs.get("job-1").state == "waiting")
        assert not reserve_of(path).exists()  # what it is for
        (run,) = workspace_status(store)["runs"]
        assert (run["state"], run["fault"]) == ("waiting", "disk-full")
        assert run["message"].startswith("disk full: free some space in") and str(disk) in run["message"]
        wait_until(lambda: met in worker.log.read_text(), more=lambda: worker.log.read_text())
        beats = store._db.execute("SELECT beats FROM leases").fetchone()[0]
        wait_until(lambda: store._db.execute("SELECT beats FROM leases").fetchone()[0] > beats)
        assert store.jobs.get("job-1").state == "waiting"
        assert store.jobs.is_held("job-1")
        (disk / BALLAST).unlink()
        wait_until(lambda: store.jobs.get("job-1").state in ("running", "done"))
    assert worker.wait() == 0
    check_whole(path)
    assert not reserve_of(path).exists()
    assert "defect" not in worker.log.read_text()


@pytest.mark.fault("disk-full")
def test_a_stop_is_heard_while_it_waits_and_it_goes_on_when_resumed(disk, start, check_whole):
    path = played_workspace(disk)
    worker = start(path, prepare=lambda played: while_sqlite_commits(disk, played))
    with Store(path) as store:
        wait_until(lambda: store.jobs.get("job-1").state == "waiting")
        store.jobs.request("job-1", "stop")
        assert worker.wait() == 7
        assert store.jobs.get("job-1").state == "stopped"
        assert 0 < trained(store) < 12
    (disk / BALLAST).unlink()
    assert start(path).wait() == 0
    check_whole(path)


@pytest.mark.fault("disk-full")
def test_stop_now_ends_one_that_waits(disk, start):
    path = played_workspace(disk)
    worker = start(path, prepare=lambda played: while_sqlite_commits(disk, played))
    with Store(path) as store:
        wait_until(lambda: store.jobs.get("job-1").state == "waiting")
        store.jobs.request("job-1", "stop-now")
        assert worker.wait() == -9
        assert store.jobs.get("job-1").state == "stopped"
        assert store.jobs.holder("job-1") is None


def test_the_reserve_takes_its_room_and_gives_it_back(disk):
    path = played_workspace(disk)
    free = os.statvfs(disk).f_bavail
    reserve = Reserve(path, 1 << 20)
    assert reserve.hold() and reserve.hold(1 << 20)
    taken = (free - os.statvfs(disk).f_bavail) * os.statvfs(disk).f_frsize
    assert taken == 1 << 20
    assert not reserve.hold(1 << 30)
    assert os.statvfs(disk).f_bavail == free  # nothing is left of a try that failed
    assert job_of(path).id == "job-1" and RUN == "run-1"


@pytest.mark.fault("disk-full")
@pytest.mark.parametrize("taken_over", [False, True])
def test_one_that_waits_may_be_killed_or_taken_over(disk, start, check_whole, monkeypatch, taken_over):
    path = played_workspace(disk)
    worker = start(path, prepare=lambda played: while_sqlite_commits(disk, played))
    with Store(path) as store:
        wait_until(lambda: store.jobs.get("job-1").state == "waiting")
        if taken_over:
            monkeypatch.setattr(jobs, "STALE_SECONDS", 1.0)
            os.kill(worker.pid, signal.SIGSTOP)
            wait_until(lambda: store.jobs.living_state(store.jobs.get("job-1")) == "stalled")
            (disk / BALLAST).unlink()
            take_over(store, store.jobs.get("job-1"), lambda _: None)
        else:
            os.kill(worker.pid, signal.SIGKILL)
            (disk / BALLAST).unlink()
        assert worker.wait() == -9
        assert store.jobs.living_state(store.jobs.get("job-1")) == "dead"
        assert run_state(store, store.runs.get(RUN)) == "interrupted"
    assert start(path).wait() == 0
    check_whole(path)
