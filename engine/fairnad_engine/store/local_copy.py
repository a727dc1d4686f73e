"""A workspace that is named by its home and worked on in a copy on this machine's own disk.

The store's file alone moves: graphs, weights, checkpoints and logs stay beside the home, since they are written once,
whole, under the name of their content, which needs no lock, and another host finds them there.

Beside the home lies a note (``NAME.local``) of who works where; beside the copy a record of the last snapshot
(:mod:`fairnad_engine.store.snapshots`). What a file holds is told by its content, so that neither clocks nor the order
in which a killed process wrote decide which one is newer.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from fairnad_engine.artifacts import write_atomically
from fairnad_engine.errors import InputError, StoreError

FOLDER_VARIABLE = "FAIRNAD_LOCAL_STORE"
MINUTES_VARIABLE = "FAIRNAD_SNAPSHOT_MINUTES"
_MINUTES = 10.0
# What opening or copying a file changes of its first page: journal versions, counters, mark, library version.
_UNSTEADY = ((18, 20), (24, 28), (60, 64), (92, 100))
_CHUNK = 1 << 20


class DivergedStoreError(StoreError):
    """Home and copy both hold what the other lacks; only a person can choose."""


@dataclass(frozen=True)
class Note:
    """Who works on a workspace in a copy, as the file beside its home says.

    Attributes:
        host: Where the copy is.
        copy: The copy.
        generation: The snapshot that lies at home.
        at: When that was taken, ISO 8601.
        ahead: Whether the copy may hold more than the home.
        minutes: Between snapshots.
    """

    host: str
    copy: str
    generation: int
    at: str
    ahead: bool
    minutes: float


@dataclass(frozen=True)
class Record:
    """The last snapshot, as the copy's side knows it.

    Attributes:
        content: Of the home after it.
        pending: Of a home that was about to be put in place.
        home: Size and time of the home, by which its content need not be read again.
        local: The same of the copy and its log.
    """

    content: str = ""
    pending: str = ""
    home: str = ""
    local: str = ""


@dataclass(frozen=True)
class Copy:
    """The copy of one workspace: its home and its folder on this machine's disk."""

    home: Path
    folder: Path

    @property
    def file(self) -> Path:
        """The store's file that is worked on."""
        return self.folder / "store.db"

    @property
    def record_file(self) -> Path:
        """Where the record lies."""
        return self.folder / "record.json"

    def record(self) -> Record | None:
        """The record; None where there is none that can be read."""
        with suppress(OSError, ValueError, TypeError):
            return Record(**json.loads(self.record_file.read_text("utf-8")))
        return None

    def keep(self, record: Record) -> None:
        """Write the record."""
        write_atomically(self.record_file, json.dumps(asdict(record)).encode())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process of this host at a time compare, copy or take a snapshot."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # a scratch disk is shared with others
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


_opening = threading.Lock()
_open: dict[Path, tuple[Copy, IO[str]] | None] = {}  # by home: this process's copies, and its part in their use


def note_file(home: Path) -> Path:
    """Where the note about a workspace lies."""
    return home.with_name(f"{home.name}.local")


def read_note(home: Path) -> Note | None:
    """The note about a workspace, if there is one."""
    with suppress(OSError, ValueError, TypeError):
        return Note(**json.loads(note_file(home).read_text("utf-8")))
    return None


def write_note(home: Path, note: Note) -> None:
    """Write the note, or nothing where it is there already."""
    if note != read_note(home):
        write_atomically(note_file(home), json.dumps(asdict(note)).encode())


def snapshot_minutes() -> float:
    """Minutes between snapshots.

    Raises:
        InputError: The environment names no such time.
    """
    given = os.environ.get(MINUTES_VARIABLE, "")
    try:
        minutes = float(given or _MINUTES)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes < 1e5:
        raise InputError(f"{MINUTES_VARIABLE}={given!r}: is no time between snapshots; write minutes, such as 10")
    return minutes


def copy_for(home: Path, folder: Path) -> Copy:
    """The copy of a workspace in a folder that may hold those of others too."""
    name = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    return Copy(home, Path(os.path.realpath(folder)) / f"{home.stem}-{name}")


def named_copy(home: Path) -> Copy | None:
    """The copy that the user names, or that the note names where it is on this host; nothing is opened."""
    home = Path(os.path.realpath(home))
    if folder := os.environ.get(FOLDER_VARIABLE):
        return copy_for(home, Path(folder))
    note = read_note(home)
    if note is None or note.host != socket.gethostname() or not Path(note.copy).exists():
        return None
    return Copy(home, Path(note.copy).parent)


def there_is(home: Path) -> bool:
    """Whether there is a workspace, at home or in a copy that was not brought home yet."""
    copy = named_copy(home)
    return home.exists() or (copy is not None and copy.file.exists())


def working_file(home: Path) -> Path:
    """The file in which this process works on a workspace, made ready the first time.

    Raises:
        DivergedStoreError: Home and copy both hold what the other lacks.
        StoreError: Another host may be at work, or the copy cannot be made.
    """
    from fairnad_engine.store.choosing import make_ready

    key = Path(os.path.realpath(home))
    with _opening:
        if key not in _open:
            copy = named_copy(key)
            make_ready(key, copy)
            _open[key] = None if copy is None else (copy, _take_part(copy))
        opened = _open[key]
    return home if opened is None else opened[0].file


def current_copy(home: Path) -> Copy | None:
    """The copy in which this process works on a workspace; None where it works at home, or has not begun."""
    opened = _open.get(Path(os.path.realpath(home)))
    return None if opened is None else opened[0]


def copies_in_use() -> list[Copy]:
    """Every copy in which this process works."""
    return [one[0] for one in _open.values() if one is not None]


def forget(home: Path) -> None:
    """Work on a workspace no longer; the next opening looks anew."""
    opened = _open.pop(Path(os.path.realpath(home)), None)
    if opened is not None:
        opened[1].close()


def is_alone(copy: Copy) -> bool:
    """Whether no other process works in a copy now."""
    with (copy.folder / "users").open("w") as file:
        opened = _open.get(copy.home)
        handle = file if opened is None else opened[1]
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            if opened is not None:
                fcntl.flock(handle, fcntl.LOCK_SH)
    return True


def _take_part(copy: Copy) -> IO[str]:
    """Say, for as long as this process lives, that it works in a copy."""
    file = (copy.folder / "users").open("w")
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def stamp(*files: Path) -> str:
    """Sizes and times of files; equal stamps mean that nothing was written between."""
    found = []
    for file in files:
        with suppress(OSError):
            status = file.stat()
            if status.st_size:  # an empty log is none
                found.append(f"{file.name} {status.st_ino} {status.st_size} {status.st_mtime_ns}")
    return "; ".join(found)


def local_stamp(copy: Copy) -> str:
    """The same of a copy with its log."""
    return stamp(copy.file, copy.file.with_name(f"{copy.file.name}-wal"))


def content_of(store: Path) -> str:
    """SHA-256 of what a store of one file holds, whatever its journal."""
    digest = hashlib.sha256()
    with store.open("rb") as file:
        first = bytearray(file.read(_CHUNK))
        for begin, end in _UNSTEADY:
            first[begin:end] = bytes(end - begin)
        digest.update(first)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def generation_of(store: Path) -> int:
    """The number of the newest snapshot that a store knows; 0 for none."""
    with (
        suppress(sqlite3.DatabaseError),
        closing(sqlite3.connect(f"{store.resolve().as_uri()}?mode=ro", uri=True)) as opened,
    ):
        row = opened.execute("SELECT generation FROM snapshots").fetchone()
        return int(row[0]) if row else 0
    return 0
