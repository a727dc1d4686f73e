"""Backups while others write, and archives that come whole or not at all."""

from __future__ import annotations

import io
import json
import sqlite3
import tarfile
import threading

import pytest

from fairnad_engine.archive import export_workspace, import_workspace
from fairnad_engine.backup import backup
from fairnad_engine.errors import FairnadError, InputError, StoreError
from fairnad_engine.knowledge.template import Template
from fairnad_engine.restoring import restore
from fairnad_engine.store import Store
from fairnad_engine.workspace import template_of

SECRET = "curl https://hooks.example/T0K3N"


@pytest.fixture
def workspace(tmp_path):
    """A store with an idea, a job that is worked on, its end-of-job command, a log, and two files by content."""
    path = tmp_path / "here" / "w.db"
    with Store(path) as store:
        template, _ = template_of(store)
        store.ideas.add_own(template, "conv.depthwise", "n", "Use a depthwise kernel")
        job = store.jobs.create("structure", {"machine": {"on_finish": SECRET, "workers": 3}}, None)
        store.jobs.acquire(job.id)
        store.jobs.set_state(job.id, "running")
        names = [store.files.put(data, ".json.gz") for data in (b"one", b"two")]
    log = path.with_name("w-files") / "jobs" / "job-1"
    log.mkdir(parents=True)
    (log / "log.txt").write_text("a line of the log")
    return path, names


def contents(path):
    with Store(path) as store:
        return [(one.sub, one.instruction) for one in store.ideas.all()], store.templates.newest()


class TestBackup:
    @pytest.mark.parametrize("folder", ["runs#1", "what?", "50%25 off"])
    def test_a_folder_of_any_name_is_copied_whole(self, workspace, tmp_path, folder):
        path, _ = workspace
        (tmp_path / folder).mkdir()
        moved = backup(path, tmp_path / folder / "copy.db").path
        again = backup(moved, tmp_path / "again.db")
        assert again.files == 2 and contents(tmp_path / "again.db") == contents(path)

    def test_a_log_of_a_file_that_is_gone_is_not_read_into_what_is_restored(self, workspace, tmp_path):
        path, _ = workspace
        backup(path, tmp_path / "copy.db")
        expected = contents(tmp_path / "copy.db")
        with Store(path) as store:  # a log that outlived its file: the killed worker's
            store.ideas.add_own(Template.parse(store.templates.source(1), "t"), "conv.depthwise", "late", "Later")
            kept = {one: one.read_bytes() for one in path.parent.glob("w.db-*") if one.stat().st_size}
        path.unlink()
        for one, data in kept.items():
            one.write_bytes(data)
        assert any(one.name == "w.db-wal" for one in kept)
        restore(tmp_path / "copy.db", path)
        assert contents(path) == expected
        assert path.with_name("w.db.damaged-1-wal").exists()

    def test_it_is_a_workspace_of_its_own(self, workspace, tmp_path):
        path, names = workspace
        done = backup(path, tmp_path / "copy.db")
        assert (done.files, done.known) == (2, 0)
        assert contents(tmp_path / "copy.db") == contents(path)
        with Store(tmp_path / "copy.db") as store:
            assert [store.files.get(name) for name in names] == [b"one", b"two"]
        assert not list(tmp_path.glob(".backup-*"))

    def test_the_next_one_copies_what_is_new(self, workspace, tmp_path):
        path, _ = workspace
        target = tmp_path / "copy.db"
        backup(path, target)
        with Store(path) as store:
            store.files.put(b"three", ".py")
        (tmp_path / "copy-files" / workspace[1][0]).write_bytes(b"")  # cut off by a full disk
        with pytest.raises(InputError, match="--force"):
            backup(path, target)
        assert backup(path, target, force=True).known == 1
        with Store(target) as store:
            assert store.files.get(workspace[1][0]) == b"one"

    def test_while_another_process_writes_it_is_one_state(self, tmp_path):
        path = tmp_path / "w.db"
        with Store(path):
            pass
        stop = threading.Event()

        def write():
            template = Template.load()
            with Store(path) as store:
                number = 0
                while not stop.is_set():
                    with store.transaction():  # two by two: a copy in between would hold an odd number
                        for _ in range(2):
                            store.ideas.add_own(template, "conv.depthwise", "n", f"Idea {number}")
                            number += 1

        thread = threading.Thread(target=write)
        thread.start()
        try:
            for copy in range(5):
                backup(path, tmp_path / f"{copy}.db")
        finally:
            stop.set()
            thread.join()
        counts = []
        for copy in range(5):
            with Store(tmp_path / f"{copy}.db") as store:
                counts.append(len(store.ideas.all()))
        assert all(count % 2 == 0 for count in counts) and counts == sorted(counts) and counts[-1] > 0

    def test_a_damaged_store_is_said_and_the_earlier_backup_stays(self, workspace, tmp_path):
        path, _ = workspace
        target = tmp_path / "copy.db"
        backup(path, target)
        with sqlite3.connect(path) as opened:
            opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        data = bytearray(path.read_bytes())
        data[8192:16384] = b"\xff" * 8192
        path.write_bytes(data)
        with pytest.raises(StoreError, match="earlier backup"):
            backup(path, target, force=True)
        assert contents(target)[0] == [("conv.depthwise", "Use a depthwise kernel")]

    @pytest.mark.parametrize("name", ["w.db", "./w.db"])
    def test_never_onto_itself(self, workspace, name, monkeypatch):
        monkeypatch.chdir(workspace[0].parent)
        with pytest.raises(InputError, match="is the workspace itself"):
            backup(workspace[0], workspace[0].parent / name, force=True)

    @pytest.mark.parametrize("what", ["text", "empty", "foreign"])
    @pytest.mark.parametrize("force", [False, True])
    def test_what_is_no_workspace_is_neither_written_over_nor_put_in_a_place(self, workspace, tmp_path, what, force):
        path, _ = workspace
        other = tmp_path / "notes.md"
        other.write_text("keep me" if what == "text" else "")
        if what == "foreign":
            with sqlite3.connect(other) as opened:
                opened.execute("CREATE TABLE mine (x)")
        before = other.read_bytes()
        with pytest.raises(InputError, match=r"notes\.md: is no fairnad workspace"):
            backup(path, other, force=force)
        with pytest.raises(InputError, match=r"notes\.md: is no fairnad workspace"):
            restore(other, path)
        assert other.read_bytes() == before
        assert contents(path)[0] == [("conv.depthwise", "Use a depthwise kernel")]

    def test_none_there(self, tmp_path):
        with pytest.raises(InputError, match="there is no workspace"):
            backup(tmp_path / "w.db", tmp_path / "x.db")
        assert not (tmp_path / "x.db").exists()


class TestArchive:
    def test_there_and_back(self, workspace, tmp_path):
        path, names = workspace
        archive = tmp_path / "w.tar"
        assert export_workspace(path, archive).files == 2
        done = import_workspace(archive, tmp_path / "there" / "n.db")
        assert contents(done.path) == contents(path)
        with Store(done.path) as store:
            assert [store.files.get(name) for name in names] == [b"one", b"two"]
            (job,) = store.jobs.all()
            assert (job.state, store.jobs.holder(job.id)) == ("stopped", None)
            assert job.config["machine"] == {"on_finish": "", "workers": 3}

    def test_no_key_and_no_log_is_inside(self, workspace, tmp_path):
        archive = tmp_path / "w.tar"
        export_workspace(workspace[0], archive)
        data = archive.read_bytes()
        assert b"T0K3N" not in data and b"a line of the log" not in data
        assert SECRET.encode() in workspace[0].read_bytes() + workspace[0].with_name("w.db-wal").read_bytes()

    def test_nothing_is_written_over(self, workspace, tmp_path):
        archive = tmp_path / "w.tar"
        export_workspace(workspace[0], archive)
        with pytest.raises(InputError, match="is there already"):
            export_workspace(workspace[0], archive)
        export_workspace(workspace[0], archive, force=True)
        with pytest.raises(InputError, match="a workspace is there already"):
            import_workspace(archive, workspace[0])

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_a_cut_archive_leaves_nothing(self, workspace, tmp_path, share):
        archive = tmp_path / "w.tar"
        export_workspace(workspace[0], archive)
        data = archive.read_bytes()
        archive.write_bytes(data[: int(share * len(data))])
        with pytest.raises(InputError):
            import_workspace(archive, tmp_path / "there" / "n.db")
        assert list((tmp_path / "there").iterdir()) == []

    def test_a_flipped_bit_is_found(self, workspace, tmp_path):
        archive = tmp_path / "w.tar"
        export_workspace(workspace[0], archive)
        data = bytearray(archive.read_bytes())
        data[data.index(b"Use a depthwise kernel")] ^= 1
        archive.write_bytes(data)
        with pytest.raises(InputError, match="is damaged"):
            import_workspace(archive, tmp_path / "n.db")

    @pytest.mark.parametrize(
        "name", ["../evil.py", "/etc/evil", "files/../../evil", "files/ab/evil.sh", "jobs/x", "files/aa/" + "a" * 64]
    )
    def test_names_that_lead_elsewhere_are_refused(self, workspace, tmp_path, name):
        def also(listed):
            listed[name] = {"bytes": 4, "sha256": "0" * 64}

        made = rewritten(workspace[0], tmp_path, also, {name: b"evil"})
        with pytest.raises(InputError):
            import_workspace(made, tmp_path / "there" / "n.db")
        assert list((tmp_path / "there").iterdir()) == []
        assert not (tmp_path / "evil.py").exists()

    def test_a_link_in_place_of_a_file_is_refused(self, workspace, tmp_path):
        made = rewritten(workspace[0], tmp_path, lambda _: None, {}, link="workspace.db")
        with pytest.raises(InputError, match="is not the file"):
            import_workspace(made, tmp_path / "n.db")

    @pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\0" * 2048, b"not a tar at all" * 100])
    def test_something_else(self, tmp_path, data):
        (tmp_path / "x.tar").write_bytes(data)
        with pytest.raises(FairnadError, match=r"x\.tar: "):
            import_workspace(tmp_path / "x.tar", tmp_path / "n.db")

    def test_another_form(self, workspace, tmp_path):
        made = rewritten(workspace[0], tmp_path, lambda _: None, {}, form=2)
        with pytest.raises(InputError, match="upgrade the program"):
            import_workspace(made, tmp_path / "n.db")


def rewritten(path, folder, change, more, *, link="", form=1):
    """An archive made anew with another list and further members."""
    export_workspace(path, folder / "whole.tar")
    made = folder / "made.tar"
    with tarfile.open(folder / "whole.tar") as old, tarfile.open(made, "w") as new:
        document = json.loads(old.extractfile("contents.json").read())
        change(document["members"])
        members = {m.name: old.extractfile(m).read() for m in old.getmembers()[1:]} | more
        members = {"contents.json": json.dumps({**document, "form": form}).encode()} | members
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            if name == link:
                entry.type, entry.linkname, entry.size = tarfile.SYMTYPE, "/etc/passwd", 0
            new.addfile(entry, io.BytesIO(data))
    return made


def test_by_command(fairnad, tmp_path):
    fairnad("ideas", "add", "--sub", "conv.depthwise", "Use a depthwise kernel.")
    done = fairnad("backup", "copy.db")
    assert done.code == 0 and "fairnad-tui --db copy.db" in done.out
    assert "is there already" in fairnad("backup", "copy.db").one_line()
    assert fairnad("export-workspace", "w.tar").code == 0
    assert fairnad("import-workspace", "w.tar", "--db", "new.db").code == 0
    assert "depthwise kernel" in fairnad("ideas", "list", "--db", "new.db").out
    refused = fairnad("import-workspace", "w.tar")
    assert refused.code == 2 and "is there already" in refused.one_line()
