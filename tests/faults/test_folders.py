"""Folders that vanish or cannot be written in the middle of a search, and what is of another kind than it should be."""

import sqlite3
import subprocess

import pytest

from fairnad_engine.artifacts import ArtifactFolder
from fairnad_engine.errors import StoreError
from fairnad_engine.store import Store
from fairnad_engine.training.jobs import MACHINE_FAULT, TrainingOutcome
from tests.faults.played_worker import job_of, played_workspace, trained, wait_until


def mounted(folder, how):
    if subprocess.run(["mount", "-o", f"remount,{how}", folder], capture_output=True).returncode:
        pytest.skip("no disk can be mounted anew here: only root may")


@pytest.mark.fault("store-read-only")
def test_a_disk_that_becomes_read_only_fails_the_job_which_is_resumed(disk, start, check_whole, tmp_path):
    """As a disk does on which the kernel found an error."""
    path = played_workspace(disk)
    (disk / "w-files").mkdir(exist_ok=True)
    logs = tmp_path / "logs"
    logs.mkdir()
    (disk / "w-files" / "jobs").symlink_to(logs)  # so that the disk is not busy with a log

    def prepare(played):
        calls, plain = [], ArtifactFolder.put

        def put(folder, data, suffix):
            calls.append(1)
            if len(calls) == 12:
                # Lazily: the store's own descriptors are open to write.
                subprocess.run(["mount", "-o", "bind,ro", disk, disk], check=True)
                subprocess.run(["mount", "-o", "remount,bind,ro", disk], check=True)
            return plain(folder, data, suffix)

        ArtifactFolder.put = put

    worker = start(path, prepare=prepare)
    code = worker.wait()
    subprocess.run(["umount", "-l", disk], check=True)
    assert code == 4, worker.log.read_text()
    job = job_of(path)
    assert (job.state, job.fault) == ("failed", "folder-gone")
    assert "Read-only file system" in job.message
    assert start(path).wait() == 0
    check_whole(path)


@pytest.mark.fault("folder-gone")
def test_a_folder_that_vanishes_fails_the_job_which_is_resumed_when_it_is_back(tmp_path, start, check_whole):
    path = played_workspace(tmp_path)
    files, away = tmp_path / "w-files", tmp_path / "away"

    def prepare(_played):
        calls, plain = [], ArtifactFolder.put

        def put(folder, data, suffix):
            calls.append(1)
            if len(calls) == 12:
                files.rename(away)
                files.write_text("no folder")
            return plain(folder, data, suffix)

        ArtifactFolder.put = put

    worker = start(path, prepare=prepare)
    assert worker.wait() == 4
    job = job_of(path)
    assert (job.state, job.fault) == ("failed", "folder-gone")
    assert str(files) in job.message
    files.unlink()
    away.rename(files)
    assert start(path).wait() == 0
    check_whole(path)


@pytest.mark.fault("activity-unwritable")
def test_a_run_goes_on_where_its_activity_cannot_be_shown(tmp_path, start, check_whole):
    path = played_workspace(tmp_path)
    (tmp_path / "w-files" / "jobs" / "job-1" / "activity.json").mkdir(parents=True)  # no file can take its place
    worker = start(path, prepare=lambda played: setattr(played.trainers, "seconds", 0.15))
    with Store(path) as store:
        wait_until(lambda: trained(store) >= 3)
        beats = store._db.execute("SELECT beats FROM leases").fetchone()[0]
        wait_until(lambda: store._db.execute("SELECT beats FROM leases").fetchone()[0] > beats + 1)
    assert worker.wait() == 0
    assert worker.log.read_text().count("cannot be shown") == 1
    check_whole(path)


@pytest.mark.fault("machine-fault")
@pytest.mark.fault("data-gone")
def test_a_data_set_that_is_gone_fails_the_job_which_is_resumed_when_it_is_back(tmp_path, start, check_whole):
    """What the trainer says then is tried with the real one in tests/unit/test_machine_faults.py."""
    path, data = played_workspace(tmp_path), tmp_path / "data"
    data.write_text("images")

    def prepare(played):
        plain, calls = played.trainers.run, []

        async def run(job, progress, deadline):
            calls.append(1)
            if len(calls) == 4:
                data.unlink()
            try:
                data.read_bytes()
            except OSError as error:
                return TrainingOutcome(MACHINE_FAULT, message=str(error))
            return await plain(job, progress, deadline)

        played.trainers.run = run

    assert start(path, prepare=prepare).wait() == 6
    job = job_of(path)
    assert (job.state, job.fault) == ("failed", "machine-fault")
    assert "No such file" in job.message and "not the candidate's doing" in job.message
    data.write_text("images")
    assert start(path).wait() == 0
    check_whole(path)


@pytest.mark.fault("store-newer")
def test_a_store_of_a_newer_program_is_refused_and_left_as_it_is(tmp_path, start):
    path = played_workspace(tmp_path)
    with Store(path) as store:
        store._db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "SELECT migration_set, 'm999_future', applied_at FROM _sqlite_migrations LIMIT 1"
        )
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"newer fairnad-tui \(it has m999_future\); upgrade the program"):
        Store(path)
    worker = start(path)
    assert worker.wait() == 4
    assert "upgrade the program" in worker.log.read_text() and "Traceback" not in worker.log.read_text()
    assert path.read_bytes() == before


@pytest.mark.fault("store-foreign")
@pytest.mark.parametrize("content", ["another program's", "no database"])
def test_a_file_of_another_kind_is_refused_and_left_as_it_is(tmp_path, start, content):
    path = tmp_path / "w.db"
    if content == "no database":
        path.write_bytes(b"letters to nobody\n" * 200)
    else:
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE addresses (name TEXT)")
        other.close()
    before = path.read_bytes()
    assert start(path).wait() == 4
    assert path.read_bytes() == before


@pytest.mark.fault("store-locked")
def test_a_lock_that_is_held_too_long_fails_the_job_which_is_resumed(tmp_path, start, check_whole):
    path = played_workspace(tmp_path)

    def prepare(played):
        from fairnad_engine.store import connection

        connection._BUSY_MILLISECONDS = 200
        played.trainers.seconds = 0.1

    worker = start(path, prepare=prepare)
    with Store(path) as store:
        wait_until(lambda: trained(store) >= 3)
        store._db.execute("BEGIN IMMEDIATE")  # another program takes its time
        wait_until(lambda: "is locked by another program" in worker.log.read_text())
        wait_until(lambda: "no heartbeat" in worker.log.read_text())
        time_over = worker.wait()
        store._db.execute("ROLLBACK")
    assert time_over == 4
    with Store(path) as store:
        assert store.jobs.living_state(store.jobs.get("job-1")) in ("failed", "dead")  # that too may be locked out
    assert start(path).wait() == 0
    check_whole(path)
