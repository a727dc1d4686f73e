"""Which of two files of one workspace is the newer one: its home, or the copy on this machine's disk.

Nothing is written over that the other does not hold, and what is replaced is set aside under a name of its own. Where
each holds what the other lacks, a person chooses.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Literal

from fairnad_engine import clock
from fairnad_engine.errors import InputError, StoreError
from fairnad_engine.processes import ProcessIdentity
from fairnad_engine.store.copying import copy_of
from fairnad_engine.store.faults import explain
from fairnad_engine.store.filesystem import file_system
from fairnad_engine.store.local_copy import (
    FOLDER_VARIABLE,
    Copy,
    DivergedStoreError,
    Note,
    Record,
    content_of,
    generation_of,
    local_stamp,
    note_file,
    read_note,
    snapshot_minutes,
    stamp,
    write_note,
)

_RECENT_SECONDS = 120.0  # a worker of another host that beat so lately is taken for a living one

said: list[str] = []
"""What the user is to know of the choices made in this process."""


def make_ready(home: Path, copy: Copy | None) -> None:
    """See that the file that will be worked on is the newest one.

    Raises:
        DivergedStoreError: Home and copy both hold what the other lacks.
        InputError: The copy's folder is on a network file system itself.
        StoreError: Another host may be at work, or the copy cannot be made.
    """
    note = read_note(home)
    if note is not None and (copy is None or note.host != socket.gethostname()):
        _leave_other(home, note)
    if copy is None:
        return
    if (found := file_system(copy.folder)).network:
        raise InputError(
            f"--local-store {copy.folder.parent}: is on a network file system too ({found.kind}); name a folder on "
            "this machine's own disk, such as /tmp or the cluster's local scratch"
        )
    if note is not None and note.host == socket.gethostname() and Path(note.copy) != copy.file:
        if Path(note.copy).exists():
            raise StoreError(
                f"{home}: is worked on in {note.copy} already; leave --local-store out, or bring it home first with: "
                f"env -u {FOLDER_VARIABLE} fairnad-tui local-store --end --db {home}"
            )
        _say_lost(home, note)
    with copy.locked():
        _reconcile(copy)
        if note is not None and note_file(home).exists():
            _note(copy, note.generation, note.at, is_ahead=True)
        else:
            _note(copy, generation_of(home), "", is_ahead=True)


def _note(copy: Copy, generation: int, at: str, *, is_ahead: bool) -> None:
    host = socket.gethostname()
    write_note(copy.home, Note(host, str(copy.file), generation, at, is_ahead, snapshot_minutes()))


def _leave_other(home: Path, note: Note) -> None:
    """Go on from the home although the note names a copy elsewhere: it is complete, or its host is silent."""
    if note.ahead and note.host != socket.gethostname():
        quiet, limit = _quiet_seconds(home), 120.0 * note.minutes
        if quiet < limit:
            raise StoreError(
                f"{home}: is worked on in {note.copy} on {note.host}, which wrote here {quiet:.0f} s ago; go on there, "
                f"wait {(limit - quiet) / 60:.0f} min, or lose what came after the last snapshot ({note.at}) with: "
                f"fairnad-tui local-store --keep home --db {home}"
            )
    if note.ahead:
        _say_lost(home, note)
    note_file(home).unlink(missing_ok=True)


def _say_lost(home: Path, note: Note) -> None:
    said.append(
        f"{home}: goes on from snapshot {note.generation} of {note.at or 'its beginning'}; what {note.copy} on "
        f"{note.host} held beyond it, at most {note.minutes:g} min of work, is not here"
    )


def _quiet_seconds(home: Path) -> float:
    """How long ago the note was written, by the clock of the file system that holds it."""
    handle, name = tempfile.mkstemp(prefix=".clock-", dir=home.parent)
    try:
        os.write(handle, b"x")
        os.fsync(handle)
        return max(0.0, os.fstat(handle).st_mtime - note_file(home).stat().st_mtime)
    finally:
        os.close(handle)
        Path(name).unlink()


def _reconcile(copy: Copy) -> None:
    """Make the copy the newest file of the two, where that can be told."""
    home, record = copy.home, copy.record()
    if not home.exists():
        if not copy.file.exists():
            copy.keep(Record())
        return
    if not copy.file.exists():
        _settle(home)
        _refuse_at_work(home)
        _take_in(copy)
        return
    if record is not None and record.home == stamp(home):
        return
    _settle(home)
    there = content_of(home)
    if record is not None and there in (record.content, record.pending):
        copy.keep(replace(record, content=there, pending="", home=stamp(home)))
        return
    here = _content_of_copy(copy)
    if here == there:
        copy.keep(Record(there, "", stamp(home), local_stamp(copy)))
    elif record is not None and here in (record.content, record.pending) and _follows(home, copy.file):
        _refuse_at_work(home)
        aside = _set_aside(copy.file)
        _take_in(copy)
        said.append(f"{home}: was written since the last snapshot and is the newer one; the copy before it is {aside}")
    else:
        raise diverged(copy)


def _follows(home: Path, file: Path) -> bool:
    """Whether a home is no older snapshot than the one a copy ended with."""
    return generation_of(home) >= generation_of(file)


def diverged(copy: Copy) -> DivergedStoreError:
    """The error of two files that both hold what the other lacks."""
    command = f"fairnad-tui local-store --db {copy.home} --local-store {copy.folder.parent}"
    return DivergedStoreError(
        f"{copy.home} (snapshot {generation_of(copy.home)}) and {copy.file} (snapshot {generation_of(copy.file)}) were "
        f"both written since they were the same; choose, the other is set aside: {command} --keep home, or: {command} "
        "--keep local"
    )


def choose(copy: Copy | None, home: Path, keep: Literal["home", "local"]) -> Path | None:
    """Take one of two files for the workspace; the other is set aside.

    Returns:
        Where the other lies now; None where there was no other.

    Raises:
        InputError: There is no copy here to keep.
    """
    if keep == "local":
        if copy is None or not copy.file.exists():
            raise InputError(f"{home}: has no copy on this machine; name its folder with --local-store DIR")
        with copy.locked():
            aside = _set_aside(home) if home.exists() else None
            copy.keep(Record())
            _note(copy, generation_of(copy.file), "", is_ahead=True)
        return aside
    note_file(home).unlink(missing_ok=True)
    if copy is None or not copy.file.exists():
        return None
    with copy.locked():
        aside = _set_aside(copy.file)
        if home.exists():
            _renew(copy)
    return aside


def renew(copy: Copy) -> None:
    """Make a copy anew of its home, which another file was put in the place of.

    Raises:
        StoreError: Another process has the home open.
    """
    with copy.locked():
        _renew(copy)


def _renew(copy: Copy) -> None:
    _settle(copy.home)
    _take_in(copy)
    _note(copy, generation_of(copy.file), "", is_ahead=True)


def _set_aside(file: Path) -> Path:
    """Give a store another name, its log with it, so that another file can take its place."""
    stem = f"{file.stem}-aside-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(clock.now()))}"
    aside = file.with_name(f"{stem}{file.suffix}")
    number = 1
    while aside.exists():
        number += 1
        aside = file.with_name(f"{stem}-{number}{file.suffix}")
    _settle(file)
    file.rename(aside)
    return aside


def _settle(file: Path) -> None:
    """Make a store one file: take in the log or journal that a killed process left beside it.

    Raises:
        StoreError: Another process has it open.
    """
    from fairnad_engine.store.connection import has_log

    try:
        with closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as opened:
            if has_log(file):
                opened.execute("PRAGMA locking_mode = EXCLUSIVE")
                opened.execute("PRAGMA journal_mode = DELETE")
            opened.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
            raise explain(file, error) from error
        raise StoreError(f"{file}: is open in another process; end that, on other hosts too, and try again") from error


def _refuse_at_work(home: Path) -> None:
    """See that no worker writes to a home while it is taken into a copy."""
    with closing(sqlite3.connect(home)) as opened:
        opened.row_factory = sqlite3.Row
        try:
            rows = opened.execute("SELECT * FROM leases").fetchall()
        except sqlite3.OperationalError:
            return  # of a version without leases, or no workspace: who opens it says so
    for row in rows:
        holder = ProcessIdentity(row["host"], row["boot_id"], row["pid"], row["start_time"])
        alive = holder.is_alive()
        if alive or (alive is None and clock.now() - row["heartbeat"] < _RECENT_SECONDS):
            raise StoreError(
                f"{home}: process {holder.pid} on {holder.host} works on it here; stop it first, then use --local-store"
            )


def _take_in(copy: Copy) -> None:
    """Make the copy what the home is."""
    with copy_of(copy.home, copy.folder) as whole:
        content = content_of(whole)
        whole.replace(copy.file)
    copy.keep(Record(content, "", stamp(copy.home), local_stamp(copy)))


def _content_of_copy(copy: Copy) -> str:
    """What the copy holds, its log included, while others may have it open."""
    with copy_of(copy.file, copy.folder) as whole:
        return content_of(whole)
