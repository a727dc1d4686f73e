"""Network file systems: recognised before the store is opened, no write-ahead log there, and advice that is seen."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys

import pytest

from fairnad_engine.errors import StoreError
from fairnad_engine.preflight import disk_check
from fairnad_engine.store import Store, connection, filesystem
from fairnad_engine.store.filesystem import FileSystem, advice, file_system, magic_of, short_advice
from fairnad_tui.cli import main
from tests.conftest import environment

FUSE = 0x65735546
NETWORK = {
    "nfs": 0x6969, "smb": 0x517B, "cifs": 0xFF534D42, "smb2": 0xFE534D42, "lustre": 0x0BD00BD0, "gpfs": 0x47504653,
    "beegfs": 0x19830326, "ceph": 0x00C36400, "9p": 0x01021997, "afs": 0x5346414F,
}  # fmt: skip
LOCAL = {"ext4": 0xEF53, "xfs": 0x58465342, "btrfs": 0x9123683E, "tmpfs": 0x01021994, "overlay": 0x794C7630}


def put_on(patch, magic, kind="unknown", options="rw"):
    """Everything from now on lies on a file system of this magic number and of this type of mount."""
    patch.setattr(filesystem, "magic_of", lambda path: magic)
    line = f"36 25 0:31 / / {options} shared:1 - {kind} server:/home rw,{options}"
    patch.setattr(filesystem, "mount_lines", lambda: [line])


def journal(store):
    return store._db.execute("PRAGMA journal_mode").fetchone()[0]


@pytest.mark.parametrize(("kind", "magic"), NETWORK.items())
def test_network_file_systems_are_known_by_their_number(tmp_path, monkeypatch, kind, magic):
    put_on(monkeypatch, magic)
    assert file_system(tmp_path / "not" / "there") == FileSystem(kind, network=True)
    with Store(tmp_path / "w.db") as store:
        assert journal(store) == "delete"
        assert store._db.execute("PRAGMA mmap_size").fetchone()[0] == 0
        assert store._db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert kind in advice(tmp_path / "w.db")


@pytest.mark.parametrize(("kind", "magic"), [*LOCAL.items(), ("unknown", 0x12345678)])
def test_local_ones_and_unknown_ones_keep_the_log(tmp_path, monkeypatch, kind, magic):
    put_on(monkeypatch, magic)
    assert file_system(tmp_path) == FileSystem(kind, network=False)
    with Store(tmp_path / "w.db") as store:
        assert journal(store) == "wal"
    assert advice(tmp_path / "w.db") == short_advice(tmp_path / "w.db") == ""


@pytest.mark.parametrize(
    ("subtype", "network"),
    [("fuse.sshfs", True), ("fuse.glusterfs", True), ("fuse.s3fs", True), ("fuse", True), ("virtiofs", True),
     ("fuseblk", False), ("fuse.fuse-overlayfs", False), ("fuse.gocryptfs", False)],
)  # fmt: skip
def test_of_fuse_the_mount_says_what_it_is(tmp_path, monkeypatch, subtype, network):
    put_on(monkeypatch, FUSE, subtype)
    assert file_system(tmp_path) == FileSystem(subtype, network, shared_locks=subtype != "fuse.sshfs")


def test_where_statfs_does_not_answer_the_mount_table_does(tmp_path, monkeypatch):
    put_on(monkeypatch, None, "nfs4")
    assert file_system(tmp_path) == FileSystem("nfs4", network=True)


@pytest.mark.parametrize(("kind", "option"), [("nfs", "nolock"), ("nfs", "local_lock=all"), ("lustre", "localflock")])
def test_locks_that_stay_on_one_host_are_said(tmp_path, monkeypatch, kind, option):
    put_on(monkeypatch, NETWORK[kind], kind, f"rw,{option}")
    assert "from one host alone" in advice(tmp_path / "w.db")
    put_on(monkeypatch, NETWORK[kind], kind)
    assert "from one host alone" not in advice(tmp_path / "w.db")


def test_the_longest_mount_holds_a_path(tmp_path, monkeypatch):
    inner = tmp_path / "a b"
    inner.mkdir()
    escaped = str(inner).replace(" ", "\\040")
    lines = ["1 0 0:1 / / rw - xfs /dev/sda rw", f"2 1 0:2 / {escaped} rw - nfs server:/ rw", "torn line"]
    monkeypatch.setattr(filesystem, "magic_of", lambda path: None)
    monkeypatch.setattr(filesystem, "mount_lines", lambda: lines)
    assert (file_system(inner / "x").kind, file_system(tmp_path).kind) == ("nfs", "xfs")


def test_this_machine_answers(tmp_path):
    said = subprocess.run(["stat", "-f", "-c", "%t", tmp_path], capture_output=True, text=True, check=True)
    assert magic_of(tmp_path) == int(said.stdout, 16)
    assert magic_of(tmp_path / "nothing") is None
    assert file_system("/proc").kind == "proc"


def test_a_log_of_an_earlier_life_is_taken_in(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    with Store(tmp_path / "w.db") as store:
        job = store.jobs.create("search", {}, None)
        for name in ("w.db", "w.db-wal"):
            shutil.copy(tmp_path / name, home / name)  # as a killed worker leaves them
    assert (home / "w.db-wal").stat().st_size > 0
    put_on(monkeypatch, NETWORK["nfs"])
    with Store(home / "w.db") as store:
        assert store.jobs.all() == [job]
        assert journal(store) == "delete"
    assert sorted(path.name for path in home.iterdir()) == ["w.db"]


def test_who_writes_with_a_log_meanwhile_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "_BUSY_MILLISECONDS", 100)
    with Store(tmp_path / "w.db") as store:
        store.jobs.create("search", {}, None)
        with (
            monkeypatch.context() as client,
            pytest.raises(StoreError, match="another host, has it open with a write-ahead log"),
        ):
            put_on(client, NETWORK["nfs"])
            Store(tmp_path / "w.db")
    with Store(tmp_path / "w.db") as store:
        assert len(store.jobs.all()) == 1


def test_the_files_own_server_does_not_return_to_a_log(tmp_path, monkeypatch):
    """For an NFS server the folder it exports is a local disk, and a client has the store open."""
    with monkeypatch.context() as client:
        put_on(client, NETWORK["nfs"])
        opened = Store(tmp_path / "w.db")
    with opened, Store(tmp_path / "w.db") as server:
        assert journal(server) == "delete"
        server.jobs.create("search", {}, None)
        opened.jobs.create("search", {}, None)
        assert len(server.jobs.all()) == 2


def test_a_file_that_is_no_workspace_stays_as_it_is(tmp_path, monkeypatch):
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE theirs (x)")
    before = (tmp_path / "other.db").read_bytes()
    put_on(monkeypatch, NETWORK["nfs"])
    with pytest.raises(StoreError, match="no fairnad workspace"):
        Store(tmp_path / "other.db")
    assert (tmp_path / "other.db").read_bytes() == before


def test_a_backup_on_a_local_disk_has_a_log_again(tmp_path, monkeypatch):
    from fairnad_engine.backup import backup

    with monkeypatch.context() as client:
        put_on(client, NETWORK["nfs"])
        Store(tmp_path / "w.db").close()
        backup(tmp_path / "w.db", tmp_path / "copy.db")
    with Store(tmp_path / "copy.db") as store:
        assert journal(store) == "wal"


def test_commands_say_it_once_and_on_standard_error(tmp_path, monkeypatch, capsys):
    put_on(monkeypatch, NETWORK["lustre"])
    path = tmp_path / "w.db"
    Store(path).close()
    main(["ideas", "list", "--json", "--db", str(path)])
    said = capsys.readouterr()
    assert json.loads(said.out) == []
    assert said.err.count("network file system (lustre)") == 1
    assert "--local-store DIR" in said.err
    assert len(said.err.strip().splitlines()) == 1


def test_preflight_says_it(tmp_path, monkeypatch):
    assert "network" not in disk_check(tmp_path / "w.db").detail
    put_on(monkeypatch, NETWORK["gpfs"])
    found = disk_check(tmp_path / "w.db")
    assert found.ready
    assert "network file system (gpfs)" in found.detail


def test_doctor_says_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("fairnad_engine.backbone.jail.probe.probe", tuple)
    put_on(monkeypatch, NETWORK["ceph"])
    main(["doctor", "--json", "--db", str(tmp_path / "w.db")])
    (disk,) = [one for one in json.loads(capsys.readouterr().out) if one["check"] == "workspace disk"]
    assert "on ceph" in disk["detail"]
    assert "write-ahead log" in disk["detail"]


def test_worker_and_app_share_a_store_with_a_rollback_journal(tmp_path):
    """A whole structuring job on a faked network file system, in processes of their own."""
    fake = "import fairnad_engine.store.filesystem as f\nf.magic_of = lambda path: 0x6969\n"
    (tmp_path / "sitecustomize.py").write_text(fake)
    env = environment(PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    for arguments in (("papers", "add", "samples"), ("structure", "--llm", "rules")):
        done = subprocess.run(
            [sys.executable, "-m", "fairnad_tui", *arguments, "--db", tmp_path / "w.db"],
            env=env, capture_output=True, text=True, timeout=200,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "network file system (nfs)" in done.stderr
    with (tmp_path / "w.db").open("rb") as file:
        assert file.read(20)[18:20] == b"\x01\x01"
    assert not list(tmp_path.glob("w.db-*"))
