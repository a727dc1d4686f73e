"""Putting a backup in the place of a workspace that is damaged, which is kept beside it."""

from __future__ import annotations

import itertools
import json
import sqlite3
from contextlib import suppress
from pathlib import Path

from fairnad_engine import clock
from fairnad_engine.artifacts import write_atomically
from fairnad_engine.backup import Moved, beside, check_apart, copy_content
from fairnad_engine.errors import DamagedStoreError, InputError, StoreError, UnreachableStoreError
from fairnad_engine.store import Store, choosing
from fairnad_engine.store.copying import check_workspace, copy_of, lay_down
from fairnad_engine.store.local_copy import Copy, current_copy, forget, named_copy

_OF_SQLITE = ("", "-wal", "-shm", "-journal")


def restore(source: Path, target: Path) -> Moved:
    """Put a backup in the place of a workspace; what was there is kept as ``<name>.damaged-N``.

    A copy on this machine's disk in which it was worked on is kept likewise, and made anew.

    Files that are named by their content are copied where they are missing or of another size; jobs that were worked
    on when the backup was made come as stopped, and can be resumed.

    Raises:
        InputError: There is no such backup, it is no workspace, or it is the workspace itself.
        StoreError: The backup is damaged, or a process works on the workspace.
    """
    if not source.is_file():
        raise InputError(f"{source}: there is no backup; {told_of_backup(target)}")
    check_workspace(source)
    check_apart(source, target)
    _refuse_one_in_use(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with copy_of(source, target.parent) as copy:
        lay_down(copy, "worked on when the backup was made")
        size = copy.stat().st_size
        found, known = copy_content(source, target, whole=True)
        _put_aside(target)
        local = _put_copy_aside(target)
        copy.replace(target)
    if local is not None:
        choosing.renew(local)
    return Moved(target, size, found, known)


def _refuse_one_in_use(target: Path) -> None:
    """See that nobody works on the workspace, as far as it can still be read."""
    if not target.is_file():
        return
    with suppress(sqlite3.Error, InputError):
        try:
            with Store(target) as store:
                held = [job for job in store.jobs.all() if store.jobs.is_held(job.id)]
        except (DamagedStoreError, UnreachableStoreError):
            return  # which is why it is restored
        if held:
            raise StoreError(f"{target}: {held[0].id} is worked on; stop it first: fairnad-tui control stop-now")


def _put_copy_aside(target: Path) -> Copy | None:
    """Move the copy in which this host works on a workspace out of the way, so that it is not brought home any more."""
    local = current_copy(target) or named_copy(target)
    forget(target)
    if local is None or not local.file.exists():
        return None
    with local.locked():
        aside = _put_aside(local.file)
        local.record_file.unlink(missing_ok=True)
    choosing.said.append(f"{target}: the copy of it on this machine's disk is {aside} now, and is made anew")
    return local


def _put_aside(target: Path) -> Path:
    """Move a workspace's file, with SQLite's own beside it, to the first name that is free."""
    names = [f"{target.name}.damaged-{{}}{suffix}" for suffix in _OF_SQLITE]
    number = next(n for n in itertools.count(1) if not any(target.with_name(x.format(n)).exists() for x in names))
    for suffix in _OF_SQLITE:  # also where the file itself is gone: a log that is left would be read into the new one
        with suppress(FileNotFoundError):
            target.with_name(target.name + suffix).rename(target.with_name(f"{target.name}.damaged-{number}{suffix}"))
    return target.with_name(f"{target.name}.damaged-{number}")


def note_backup(store: Path, target: Path) -> None:
    """Remember where a backup lies, beside the workspace, where it can be read when the workspace cannot."""
    path = _list_of(store)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps({**_noted(store), str(target.resolve()): clock.now()}).encode())


def newest_backup(store: Path) -> Path | None:
    """The newest backup of a workspace that is still where it was written."""
    there = [(at, Path(path)) for path, at in _noted(store).items() if Path(path).is_file()]
    return max(there)[1] if there else None


def told_of_backup(store: Path) -> str:
    """How to mend a damaged workspace, in words."""
    backup = newest_backup(store)
    if backup is None:
        return "no backup of it is known; where you have one: fairnad-tui restore BACKUP --db FILE"
    return f"restore its newest backup: fairnad-tui restore {backup} --db {store}"


def _list_of(store: Path) -> Path:
    return beside(store) / "backups.json"


def _noted(store: Path) -> dict[str, float]:
    """Backups, and when they were made in seconds since the epoch."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        return {str(path): float(at) for path, at in json.loads(_list_of(store).read_bytes()).items()}
    return {}
