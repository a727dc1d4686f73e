"""Files that a disk damaged: found out, mended by the program where it can, else by a backup; nothing is lost."""

import pytest

from fairnad_engine.backup import backup
from fairnad_engine.errors import InputError, StoreError
from fairnad_engine.restoring import newest_backup, note_backup, restore
from fairnad_engine.search.remaking import Remaking
from fairnad_engine.store import Store, filesystem, soundness
from fairnad_engine.store.runs import RunTable
from fairnad_engine.store.soundness import check_sound
from tests.faults.played_worker import RUN, Verifier, played_workspace, trained, wait_until


def damage(path, *tables):
    """Write over the first page of tables, as a bad sector would."""
    with Store(path) as store:
        store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = store._db.execute("PRAGMA page_size").fetchone()[0]
        pages = [
            store._db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [one]).fetchone()[0]
            for one in tables
        ]
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * size)
            file.write(b"\xa5" * size)


def half_done(path, start):
    """Let a run stop in its middle, and back its workspace up."""
    worker = start(path, prepare=lambda played: setattr(played.trainers, "seconds", 0.1))
    with Store(path) as store:
        wait_until(lambda: trained(store) >= 3)
        store.jobs.request("job-1", "stop")
    assert worker.wait() == 7
    copy = path.parent / "backups" / "copy.db"
    backup(path, copy)
    note_backup(path, copy)
    return copy


@pytest.mark.fault("store-damaged")
def test_a_damaged_store_is_seen_at_the_start_and_a_backup_restored(tmp_path, start, check_whole):
    path = played_workspace(tmp_path)
    copy = half_done(path, start)
    damage(path, "papers")  # the search reads none
    assert start(path).wait() == 4
    with Store(path) as store:
        job = store.jobs.get("job-1")
    assert (job.state, job.fault) == ("failed", "store-damaged")
    assert "is damaged" in job.message and job.message.endswith(f"fairnad-tui restore {copy} --db {path}")
    for file in (path.parent / "w-files").glob("??/*.json"):
        file.write_bytes(b"\0" * file.stat().st_size)
    restore(copy, path)
    assert check_sound(path)
    with pytest.raises(StoreError, match="damaged"):
        check_sound(path.with_name("w.db.damaged-1"))  # kept
    assert start(path).wait() == 0
    check_whole(path)
    with Store(path) as store:
        assert all(store.files.is_whole(one.graph) for one in store.runs.candidates(RUN))


@pytest.mark.fault("store-damaged-in-use")
def test_a_store_that_is_damaged_in_the_middle_of_a_run(tmp_path, start, check_whole):
    path = played_workspace(tmp_path)
    copy = half_done(path, start)

    def prepare(_played):
        plain, calls = RunTable.save_evaluation, []

        def save_evaluation(table, *arguments, **named):
            calls.append(1)
            if len(calls) == 2:
                damage(path, "candidates", "evaluations", "attempts")
            return plain(table, *arguments, **named)

        RunTable.save_evaluation = save_evaluation

    worker = start(path, prepare=prepare)
    assert worker.wait() == 4
    with Store(path) as store:
        job = store.jobs.get("job-1")
    assert (job.state, job.fault) == ("failed", "store-damaged")
    assert f"fairnad-tui restore {copy}" in job.message and "Traceback" not in worker.log.read_text()
    restore(copy, path)
    restore(copy, path)  # again, over a whole one
    assert path.with_name("w.db.damaged-2").exists()
    assert start(path).wait() == 0
    check_whole(path)


def test_what_restore_refuses(tmp_path, start):
    path = played_workspace(tmp_path)
    with pytest.raises(InputError, match=r"no backup.*no backup of it is known"):
        restore(tmp_path / "none.db", path)
    with pytest.raises(InputError, match="is the workspace itself"):
        restore(path, path)
    copy = tmp_path / "copy.db"
    backup(path, copy)
    note_backup(path, copy)
    with Store(path) as store:
        store.jobs.acquire("job-1")
        with pytest.raises(StoreError, match=r"job-1 is worked on; stop it first"):
            restore(copy, path)
        store.jobs.release("job-1")
    damage(copy, "candidates")
    with pytest.raises(StoreError, match="damaged"):
        restore(copy, path)
    assert check_sound(path) and not list(tmp_path.glob("*.damaged-*"))
    assert newest_backup(path) == copy
    copy.unlink()
    assert newest_backup(path) is None


def test_a_look_through_a_store_ends_when_its_time_is_over(tmp_path):
    path = played_workspace(tmp_path)
    with Store(path) as store:
        store._db.execute("CREATE TABLE much AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                          "LIMIT 60000) SELECT i, hex(randomblob(20)) t FROM n")  # fmt: skip
    assert check_sound(path)
    assert not check_sound(path, seconds=-1.0)


def test_a_large_store_is_not_read_whole_over_a_network(tmp_path, monkeypatch):
    path = played_workspace(tmp_path)
    damage(path, "papers")
    monkeypatch.setattr(filesystem, "magic_of", lambda path: 0x6969)
    with pytest.raises(StoreError, match="damaged"):
        check_sound(path)
    with path.open("r+b") as file:
        file.truncate(soundness.OVER_NETWORK + 1)  # a hole, which takes no room
    assert not check_sound(path)


def spoil(files, name, how):
    path = files.path(name)
    if how == "gone":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)


@pytest.mark.parametrize("how", ["gone", "one bit"])
@pytest.mark.parametrize(
    "which",
    [
        pytest.param("graph", marks=pytest.mark.fault("graph-damaged")),
        pytest.param("weights", marks=pytest.mark.fault("weights-damaged")),
    ],
)
def test_a_candidates_files_are_made_again(tmp_path, start, check_whole, which, how):
    path = played_workspace(tmp_path)
    worker = start(path, prepare=lambda played: setattr(played.trainers, "seconds", 5.0))
    with Store(path) as store:
        wait_until(lambda: any(one.status == "training" for one in store.runs.candidates(RUN)))
        worker.end()
        name = next(getattr(one, which) for one in store.runs.candidates(RUN) if one.status == "training")
        spoil(store.files, name, how)
        again = start(path)
        assert again.wait() == 0
        assert store.files.is_whole(name)
    assert "is made again" in again.log.read_text()
    check_whole(path)


async def test_other_files_are_not_taken_for_them(tmp_path, start):
    path = played_workspace(tmp_path)
    assert start(path).wait() == 0
    with Store(path) as store:
        run, candidate = store.runs.get(RUN), store.runs.candidates(RUN)[3]
        spoil(store.files, candidate.graph, "gone")
        other = Verifier(store.files)
        other.verify = lambda *_: None
        with pytest.raises(StoreError, match=rf"{candidate.id}, is damaged and could not be made again"):
            await Remaking(store, run, "place", other).mend(candidate)
