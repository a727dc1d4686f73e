"""A store worked on in a local copy: snapshots at home, kills in between, other hosts, and nothing written over."""

import os
import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fairnad_engine.errors import DiskFullError, InputError, StoreError
from fairnad_engine.store import Store, choosing, filesystem, local_copy, snapshots
from fairnad_engine.store.choosing import choose
from fairnad_engine.store.local_copy import DivergedStoreError, named_copy, note_file, read_note, working_file
from fairnad_engine.store.snapshots import Snapshots, bring_home, end_local_work, leave_all, told_of
from fairnad_tui.cli import main


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """No copy of another test's."""
    monkeypatch.setattr(local_copy, "_open", {})
    monkeypatch.setattr(choosing, "said", [])


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A workspace with one job, whose store is to be worked on elsewhere."""
    folder = tmp_path / "home"
    folder.mkdir()
    path = folder / "w.db"
    with Store(path) as store:
        store.jobs.create("search", {}, None)
    local_copy.forget(path)
    monkeypatch.setenv("FAIRNAD_LOCAL_STORE", str(tmp_path / "scratch"))
    return path


def jobs(path):
    """How many jobs a file holds, asked past the program."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as opened:
        return opened.execute("SELECT count(*) FROM jobs").fetchone()[0]


def work(home):
    """Another job, in whichever file is worked on."""
    with Store(home) as store:
        store.jobs.create("search", {}, None)


def leave(home, *, clean=True):
    """This process ends: as it should, or killed."""
    problems = leave_all() if clean else []
    local_copy.forget(home)
    return problems


def on_host(patch, name):
    patch.setattr(socket, "gethostname", lambda: name)


def another_host(patch, tmp_path, name="other", folder="elsewhere"):
    """From now on this process is on a host that sees the home and not the first one's disk."""
    on_host(patch, name)
    patch.setenv("FAIRNAD_LOCAL_STORE", str(tmp_path / folder))


def grow_old(home):
    """Nobody has written the note for an hour."""
    then = note_file(home).stat().st_mtime - 3600
    os.utime(note_file(home), (then, then))


def test_the_store_works_elsewhere_and_comes_home_at_the_end(home, tmp_path):
    work(home)
    copy = named_copy(home)
    assert (jobs(home), jobs(copy.file)) == (1, 2)
    assert copy.folder.parent == tmp_path / "scratch"
    with Store(home) as store:
        assert store.path == home
        name = store.files.put(b"weights", ".bin")
        assert store.files.path(name).is_relative_to(home.parent), "files stay beside the home"
    assert read_note(home).ahead
    assert leave(home) == []
    assert jobs(home) == 2
    assert not read_note(home).ahead
    assert sorted(one.name for one in home.parent.iterdir()) == ["w-files", "w.db", "w.db.local"]


def test_it_is_found_again_without_the_option(home, monkeypatch):
    work(home)
    leave(home, clean=False)
    monkeypatch.delenv("FAIRNAD_LOCAL_STORE")
    with Store(home) as store:
        assert len(store.jobs.all()) == 2


def test_a_new_workspace_begins_in_the_copy(tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRNAD_LOCAL_STORE", str(tmp_path / "scratch"))
    path = tmp_path / "home" / "new.db"
    work(path)
    assert not path.exists()
    assert local_copy.there_is(path)
    leave(path, clean=False)
    work(path)
    leave(path)
    assert jobs(path) == 2


def test_snapshots_come_at_intervals_and_are_numbered(home, monkeypatch):
    monkeypatch.setenv("FAIRNAD_SNAPSHOT_MINUTES", "0.0005")
    thread = Snapshots(home)
    thread.start()
    work(home)
    while jobs(home) < 2:
        thread._over.wait(0.02)
    thread.end()
    assert read_note(home).generation >= 1
    bring_home(named_copy(home))
    first = read_note(home).generation
    assert not bring_home(named_copy(home)), "nothing was written since"
    work(home)
    assert bring_home(named_copy(home))
    assert read_note(home).generation == first + 1
    assert f"snapshot {first + 1} of" in told_of(home)


@pytest.mark.parametrize("minutes", ["0", "-1", "soon", "nan"])
def test_an_interval_that_is_none_is_refused(home, monkeypatch, minutes):
    monkeypatch.setenv("FAIRNAD_SNAPSHOT_MINUTES", minutes)
    with pytest.raises(InputError, match="write minutes"):
        Store(home)


# Where a snapshot is cut off: before the n-th call. Put in place are the record, the home, the record, the note.
STEPS = [(snapshots, "_count", 1), (snapshots, "_flush", 1), (Path, "replace", 1), (Path, "replace", 2),
         (snapshots, "_flush", 2), (Path, "replace", 3), (Path, "replace", 4)]  # fmt: skip


@pytest.mark.parametrize(("owner", "name", "call"), STEPS)
def test_killed_at_any_step_nothing_is_lost(home, tmp_path, monkeypatch, owner, name, call):
    work(home)
    leave(home)
    work(home)
    copy = named_copy(home)
    child = os.fork()
    if not child:
        real, calls = getattr(owner, name), []

        def deadly(*args, **more):
            calls.append(1)
            if len(calls) == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **more)

        setattr(owner, name, deadly)
        bring_home(copy)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    leave(home, clean=False)
    assert jobs(home) in (2, 3), "a whole snapshot, this one or the last"
    with Store(home) as store:  # the same host goes on with everything
        assert len(store.jobs.all()) == 3
        store.jobs.create("search", {}, None)
    assert leave(home) == []
    assert jobs(home) == 4
    with monkeypatch.context() as patch:
        another_host(patch, tmp_path)
        with Store(home) as store:
            assert len(store.jobs.all()) == 4
        leave(home)


def test_another_host_waits_for_one_that_may_be_at_work(home, tmp_path, monkeypatch):
    work(home)
    bring_home(named_copy(home))
    work(home)
    leave(home, clean=False)
    first = socket.gethostname()
    another_host(monkeypatch, tmp_path)
    with pytest.raises(StoreError, match=f"on {first}, which wrote here .* --keep home --db") as refused:
        Store(home)
    assert "\n" not in str(refused.value)
    grow_old(home)
    with Store(home) as store:
        assert len(store.jobs.all()) == 2, "what came after the last snapshot is not here"
    assert "at most 10 min of work" in choosing.said[0]
    assert read_note(home).host == "other"


def test_a_copy_that_was_left_behind_takes_the_newer_home(home, tmp_path, monkeypatch):
    work(home)
    leave(home)
    with monkeypatch.context() as patch:
        another_host(patch, tmp_path)
        work(home)
        leave(home)
    with Store(home) as store:
        assert len(store.jobs.all()) == 3
    assert "newer one" in choosing.said[0]
    assert [jobs(one) for one in named_copy(home).folder.glob("store-aside-*.db")] == [2]


def test_a_home_that_was_written_without_the_option_is_newer_too(home, monkeypatch):
    work(home)
    leave(home)
    with monkeypatch.context() as patch:
        on_host(patch, "other")
        patch.delenv("FAIRNAD_LOCAL_STORE")
        work(home)
        leave(home)
    with Store(home) as store:
        assert len(store.jobs.all()) == 3


@pytest.fixture
def both(home, tmp_path, monkeypatch):
    """Home and copy with a job each that the other lacks."""
    work(home)
    leave(home)
    work(home)
    leave(home, clean=False)
    with monkeypatch.context() as patch:
        another_host(patch, tmp_path)
        grow_old(home)
        work(home)
        work(home)
        leave(home)
    assert (jobs(home), jobs(named_copy(home).file)) == (4, 3)
    return home


def test_two_that_diverged_are_refused_with_both_and_the_commands(both):
    with pytest.raises(DivergedStoreError) as refused:
        Store(both)
    told = str(refused.value)
    copy = named_copy(both)
    for words in (str(both), str(copy.file), "--keep home", "--keep local", "snapshot 1", "snapshot 2"):
        assert words in told
    assert "\n" not in told
    assert (jobs(both), jobs(copy.file)) == (4, 3)


@pytest.mark.parametrize(("keep", "kept", "other"), [("home", 4, 3), ("local", 3, 4)])
def test_the_one_that_is_kept_leaves_the_other_aside(both, tmp_path, capsys, keep, kept, other):
    main(["local-store", "--keep", keep, "--db", str(both), "--local-store", str(tmp_path / "scratch")])
    assert f"goes on with its {keep} file; the other is" in capsys.readouterr().out
    leave(both, clean=False)
    assert jobs(both) == kept
    with Store(both) as store:
        assert len(store.jobs.all()) == kept
    aside = [*both.parent.glob("w-aside-*.db"), *named_copy(both).folder.glob("store-aside-*.db")]
    assert [jobs(one) for one in aside] == [other]


def test_a_snapshot_never_covers_a_newer_one(home, tmp_path, monkeypatch):
    """The first host's process stands still for longer than two intervals while another goes on, then wakes."""
    work(home)
    copy = named_copy(home)
    bring_home(copy)
    work(home)
    opened = local_copy._open
    with monkeypatch.context() as patch:
        patch.setattr(local_copy, "_open", {})
        another_host(patch, tmp_path)
        grow_old(home)
        work(home)
        assert leave(home) == []
    before = home.read_bytes()
    with pytest.raises(DivergedStoreError, match="both written"):
        bring_home(copy)
    assert home.read_bytes() == before
    assert opened


def test_a_lost_record_is_no_permission(home):
    work(home)
    copy = named_copy(home)
    leave(home)
    work(home)
    leave(home, clean=False)
    copy.record_file.unlink()
    with pytest.raises(DivergedStoreError):
        Store(home)


def test_a_home_put_back_from_an_old_backup_is_asked_about(home, tmp_path):
    old = home.read_bytes()
    work(home)
    leave(home)
    home.write_bytes(old)
    with pytest.raises(DivergedStoreError, match="snapshot 0.*snapshot 1"):
        Store(home)


def test_a_home_that_is_gone_comes_back(home):
    work(home)
    leave(home)
    home.unlink()
    work(home)
    leave(home)
    assert jobs(home) == 3


def test_a_log_beside_the_home_is_taken_in(tmp_path, monkeypatch):
    path = tmp_path / "w.db"
    with Store(path) as store:
        store.jobs.create("search", {}, None)
        child = os.fork()
        if not child:
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
        (tmp_path / "home").mkdir()
        for name in ("w.db", "w.db-wal"):
            (tmp_path / "home" / name).write_bytes((tmp_path / name).read_bytes())
    monkeypatch.setenv("FAIRNAD_LOCAL_STORE", str(tmp_path / "scratch"))
    work(tmp_path / "home" / "w.db")
    leave(tmp_path / "home" / "w.db")
    assert jobs(tmp_path / "home" / "w.db") == 2
    assert not list((tmp_path / "home").glob("w.db-*"))


def test_a_worker_at_home_is_not_left_behind(home, monkeypatch):
    with monkeypatch.context() as patch:
        patch.delenv("FAIRNAD_LOCAL_STORE")
        with Store(home) as store:
            store.jobs.acquire("job-1")
        local_copy.forget(home)
    with pytest.raises(StoreError, match="stop it first"):
        Store(home)


def test_no_room_at_home_is_told_and_the_next_one_follows(home, monkeypatch):
    work(home)

    def full(path):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "_flush", full)
        with pytest.raises(StoreError, match="make room"):
            bring_home(named_copy(home))
    assert not list(home.parent.glob(".backup-*"))
    assert bring_home(named_copy(home))
    assert jobs(home) == 2
    assert not isinstance(StoreError, DiskFullError)


def test_ending_it_brings_everything_home(home, monkeypatch):
    work(home)
    copy = named_copy(home)
    assert end_local_work(home)
    assert not copy.file.exists()
    assert not note_file(home).exists()
    monkeypatch.delenv("FAIRNAD_LOCAL_STORE")
    with Store(home) as store:
        assert len(store.jobs.all()) == 2


def test_backup_takes_what_the_copy_holds(home, tmp_path):
    from fairnad_engine.backup import backup

    work(home)
    backup(home, tmp_path / "backup.db")
    assert jobs(tmp_path / "backup.db") == 2


@pytest.mark.parametrize("is_damaged", [True, False], ids=["damaged", "unwanted"])
def test_a_backup_that_is_restored_takes_the_place_of_the_copy_too(home, tmp_path, is_damaged):
    from fairnad_engine.backup import backup
    from fairnad_engine.restoring import restore

    backup(home, tmp_path / "backup.db")
    leave(home)
    work(home)
    copy = named_copy(home)
    leave(home, clean=False)
    if is_damaged:
        copy.file.with_name("store.db-wal").unlink(missing_ok=True)
        copy.file.write_bytes(b"SQLite format 3\0" + bytes(4080))
    restore(tmp_path / "backup.db", home)
    aside = copy.folder / "store.db.damaged-1"
    assert aside.exists() and any(str(aside) in one for one in choosing.said)
    assert (jobs(home), jobs(copy.file)) == (1, 1)
    assert leave(home) == []
    work(home)
    assert leave(home) == []
    assert jobs(home) == 2


def test_a_network_home_lets_the_copy_have_its_log(home, monkeypatch):
    monkeypatch.setattr(filesystem, "magic_of", lambda path: 0x6969 if "home" in Path(path).parts else 0xEF53)
    with Store(home) as store:
        assert store._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert working_file(home).parent.parent.name == "scratch"


def test_choosing_needs_a_copy(tmp_path):
    with pytest.raises(InputError, match="no copy on this machine"):
        choose(None, tmp_path / "w.db", "local")


def test_a_folder_on_a_network_file_system_is_no_local_one(home, monkeypatch):
    monkeypatch.setattr(filesystem, "magic_of", lambda path: 0x0BD00BD0)
    with pytest.raises(InputError, match="network file system too"):
        Store(home)


def test_others_on_the_scratch_disk_do_not_read_it(home):
    work(home)
    assert named_copy(home).folder.stat().st_mode & 0o077 == 0
