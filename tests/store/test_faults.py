"""What becomes of a full disk, a damaged or a read-only file: one line with a remedy, and the store goes on after."""

import sqlite3

import pytest

from fairnad_engine.errors import DamagedStoreError, DiskFullError, StoreError, UnreachableStoreError
from fairnad_engine.store import Store

MUCH = {"text": "x" * 200_000}


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "fairnad.db") as opened:
        yield opened


def fill(store):
    """Let the disk have no more room than the file takes: what SQLite meets is the same as on a full disk."""
    store._db.execute(f"PRAGMA max_page_count = {store._db.execute('PRAGMA page_count').fetchone()[0]}")


def make_room(store):
    store._db.execute("PRAGMA max_page_count = 1000000")


def check_message(error, *words):
    told = str(error.value)
    assert "\n" not in told
    assert "rollback" not in told
    assert error.value.exit_code == 4
    assert all(word in told for word in words)


def test_a_full_disk_is_told_as_one(store):
    fill(store)
    with pytest.raises(DiskFullError) as inside, store.transaction():
        store.jobs.create("search", {}, None)
        store.jobs.create("search", MUCH, None)
    check_message(inside, str(store.path), "disk is full", "free some space")
    row = {"id": "j", "kind": "k", "state": "s", "created_at": "", "config_json": str(MUCH)}
    with pytest.raises(DiskFullError) as alone:
        store._db.table("jobs").insert(row)
    check_message(alone, "disk is full")
    assert store.jobs.all() == []
    make_room(store)
    assert store.jobs.create("search", MUCH, None).config == MUCH


def test_a_commit_that_fails_is_told_too(store):
    # The one error that a test can leave to the commit: a reference that is checked there.
    store._db.execute("CREATE TABLE late (job TEXT REFERENCES jobs(id) DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(sqlite3.IntegrityError), store.transaction():
        store._db.execute("INSERT INTO late VALUES ('none')")
    assert not store._db.conn.in_transaction
    assert store.jobs.create("search", {}, None)


def test_a_damaged_file_is_told_as_one(tmp_path):
    path = tmp_path / "fairnad.db"
    with Store(path) as store:
        for _ in range(40):
            store.jobs.create("search", MUCH, None)
    with path.open("r+b") as file:
        file.seek(2_000_000)
        file.write(b"\xff" * 2_000_000)
    with Store(path) as store:
        with pytest.raises(DamagedStoreError) as error:
            store.jobs.all()
        check_message(error, str(path), "damaged", "backup")


def test_a_file_that_became_read_only_is_told_as_one(store):
    store._db.execute("PRAGMA query_only = 1")
    with pytest.raises(UnreachableStoreError) as error:
        store.jobs.create("search", {}, None)
    check_message(error, str(store.path), "permissions")


@pytest.mark.fault("store-locked")
def test_a_lock_is_told_as_one(store):
    with sqlite3.connect(store.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        store._db.execute("PRAGMA busy_timeout = 10")
        with pytest.raises(StoreError, match="locked by another program"):
            store.jobs.create("search", {}, None)
        other.execute("ROLLBACK")
    other.close()
