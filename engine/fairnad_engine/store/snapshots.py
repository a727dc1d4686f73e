"""Snapshots of a workspace that is worked on in a local copy: whole files at home, each put in place by one rename."""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
import threading
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from fairnad_engine import clock
from fairnad_engine.errors import FairnadError, StoreError
from fairnad_engine.store.choosing import diverged
from fairnad_engine.store.connection import now
from fairnad_engine.store.copying import copy_of
from fairnad_engine.store.faults import explain
from fairnad_engine.store.local_copy import (
    Copy,
    Note,
    Record,
    content_of,
    copies_in_use,
    current_copy,
    forget,
    generation_of,
    is_alone,
    local_stamp,
    note_file,
    read_note,
    snapshot_minutes,
    stamp,
    working_file,
    write_note,
)

_LOOK_SECONDS = 1.0
_log = logging.getLogger("fairnad.snapshots")


def bring_home(copy: Copy) -> bool:
    """Put a snapshot of a copy in its home's place, unless the home holds it already.

    Killed at any point it leaves a whole home, the one before or the new one, and the next start knows either.

    Returns:
        Whether there was something to bring.

    Raises:
        DivergedStoreError: Another host has written the home since the last snapshot; nothing is written over.
        StoreError: A disk is full, or one of the two cannot be read or written.
    """
    with copy.locked():
        return _bring(copy, is_ahead=True)


def leave(copy: Copy) -> None:
    """Work in a copy no longer; who is the last to leave brings it home, which then holds everything.

    Raises:
        DivergedStoreError: As :func:`bring_home`.
        StoreError: As :func:`bring_home`.
    """
    with copy.locked():  # so that of two that leave at once one is the last
        try:
            if is_alone(copy):
                _bring(copy, is_ahead=False)
        finally:
            forget(copy.home)


def _bring(copy: Copy, *, is_ahead: bool) -> bool:
    try:
        record = copy.record() or Record()
        changed = local_stamp(copy) != record.local or not copy.home.exists()
        if changed:
            _replace_home(copy, record)
        _tell(copy, is_ahead=is_ahead)
        return changed
    except sqlite3.DatabaseError as error:
        raise explain(copy.home, error) from error
    except OSError as error:
        raise StoreError(
            f"{copy.home}: the snapshot of {copy.file} cannot be written ({error.strerror or error}); make room or "
            "mend that disk, the next one follows by itself"
        ) from error


def _replace_home(copy: Copy, record: Record) -> None:
    """Take a snapshot; in the order that leaves a known state wherever it is cut off."""
    known = not copy.home.exists() or record.home == stamp(copy.home)
    if not known and content_of(copy.home) not in (record.content, record.pending):
        raise diverged(copy)
    _count(copy.file)
    current = local_stamp(copy)  # what is written from here on is of the next one
    with copy_of(copy.file, copy.home.parent) as whole:
        _flush(whole)
        content = content_of(whole)
        copy.keep(replace(record, pending=content))
        whole.replace(copy.home)
    _flush(copy.home.parent)
    copy.keep(Record(content, "", stamp(copy.home), current))


def _count(file: Path) -> None:
    """Number the next snapshot, in the copy and so in what is made of it."""
    with closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as opened:
        opened.execute(
            "INSERT INTO snapshots (id, generation, host, at) VALUES (1, 1, ?, ?) ON CONFLICT(id) DO UPDATE SET "
            "generation = generation + 1, host = excluded.host, at = excluded.at",
            [socket.gethostname(), now()],
        )


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _tell(copy: Copy, *, is_ahead: bool) -> None:
    """Say at home which snapshot lies there, and since when."""
    generation = generation_of(copy.home)
    host = socket.gethostname()
    write_note(copy.home, Note(host, str(copy.file), generation, now(), is_ahead, snapshot_minutes()))


class Snapshots:
    """Brings a workspace home now and then, in a thread, until the end; does nothing where it is worked on at home."""

    def __init__(self, home: Path) -> None:
        working_file(home)
        self._copy = current_copy(home)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="snapshots", daemon=True)

    def start(self) -> None:
        """Begin; the first one comes an interval later."""
        if self._copy is not None:
            self._thread.start()

    def end(self) -> None:
        """Stop, and bring home what there is; a failure is one line of the log."""
        self._over.set()
        if self._copy is not None:
            self._thread.join()
            self._bring(self._copy)

    def _go_on(self) -> None:
        copy = self._copy
        assert copy is not None  # noqa: S101 - else the thread is not begun
        seconds = 60 * snapshot_minutes()
        due = clock.steady() + seconds
        while not self._over.wait(min(_LOOK_SECONDS, seconds)):
            if clock.steady() >= due:
                self._bring(copy)
                due = clock.steady() + seconds

    @staticmethod
    def _bring(copy: Copy) -> None:
        try:
            bring_home(copy)
        except FairnadError as error:
            _log.error("%s", error)


def leave_all() -> list[str]:
    """Leave every copy at a process's end; what went wrong, a line each."""
    problems = []
    for copy in copies_in_use():
        try:
            leave(copy)
        except FairnadError as error:
            problems.append(str(error))
    return problems


def told_of(home: Path) -> str:
    """Where a workspace is worked on and which snapshot lies at home; empty where it is worked on at home."""
    note = read_note(home)
    if note is None:
        return ""
    state = "may hold more" if note.ahead else "is all here"
    when = f"snapshot {note.generation} of {note.at[:19].replace('T', ' ')} UTC" if note.at else "no snapshot yet"
    return f"worked on in {note.copy} on {note.host}, every {note.minutes:g} min brought here: {when}, {state}"


def end_local_work(home: Path) -> bool:
    """Bring a workspace home for good; the copy is set aside by its name and no longer used.

    Returns:
        Whether there was a copy.

    Raises:
        StoreError: Another process works in it, or it cannot be brought home.
    """
    working_file(home)
    copy = current_copy(home)
    if copy is None:
        return False
    if not is_alone(copy):
        raise StoreError(f"{home}: other processes work in {copy.file}; stop them and close the application first")
    leave(copy)
    with copy.locked():
        note_file(home).unlink(missing_ok=True)
        for name in (copy.file.name, copy.record_file.name):
            with suppress(FileNotFoundError):
                (copy.folder / name).unlink()
    return True
