"""A workspace as one file to take elsewhere: a tar archive with a list of what is in it.

Keys are in no workspace; logs, leases and the commands that run at a job's end stay out of the archive.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
import tempfile
from pathlib import Path
from typing import IO, Any

from fairnad_engine.backup import CONTENT, Moved, beside, check_apart, content_of, digest_of, pour
from fairnad_engine.errors import InputError
from fairnad_engine.store.copying import copy_of, leave_out, settle
from fairnad_engine.store.local_copy import working_file

FORM = 1
"""Of the archive; another one is refused."""
_STORE, _LIST, _FILES = "workspace.db", "contents.json", "files/"
_LARGEST = 1 << 40  # bytes of one member; a list that claims more is no workspace's
_LONGEST_LIST = 1 << 28


def export_workspace(source: Path, target: Path, *, force: bool = False) -> Moved:
    """Write a workspace as one archive, without keys, logs and end-of-job commands.

    Raises:
        InputError: ``target`` is there.
        StoreError: The workspace is damaged or cannot be read.
    """
    check_apart(source, target)
    if target.exists() and not force:
        raise InputError(f"{target}: is there already; name another file, or write over it with --force")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        with copy_of(working_file(source), target.parent) as copy, tarfile.open(part, "w") as archive:
            leave_out(copy)
            members = {_STORE: copy, **{_FILES + name: path for name, path in content_of(source)}}
            listed = {name: {"bytes": path.stat().st_size, "sha256": digest_of(path)} for name, path in members.items()}
            _add(archive, _LIST, json.dumps({"form": FORM, "members": listed}, indent=1).encode())
            for name, path in members.items():
                archive.add(path, arcname=name, filter=_plain)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return Moved(target, target.stat().st_size, len(members) - 1)


def import_workspace(archive: Path, target: Path) -> Moved:
    """Make a workspace of an archive; nothing is there before all of it was checked.

    Jobs that the archive says were being worked on are stopped; they can be resumed.

    Raises:
        InputError: ``target`` is there, or the archive is none of ours or damaged.
    """
    if target.exists() or beside(target).exists():
        raise InputError(f"{target}: a workspace is there already; name another with --db FILE")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".importing-", dir=target.parent) as folder:
        try:
            with tarfile.open(archive, "r:") as opened:
                listed = _listed(opened, archive)
                for name, want in listed.items():
                    _extract(opened, name, want, Path(folder) / name, archive)
        except (tarfile.TarError, EOFError) as error:
            raise InputError(f"{archive}: not a whole archive ({error}); export or copy it again") from error
        except OSError as error:
            raise InputError(f"{archive}: {error.strerror or error}; name a readable archive") from error
        store = Path(folder) / _STORE
        settle(store, archive)
        if (files := Path(folder) / _FILES).exists():
            files.replace(beside(target))
        store.replace(target)
    return Moved(target, target.stat().st_size, len(listed) - 1)


# -- the archive --------------------------------------------------------------------------------------------------


def _listed(opened: tarfile.TarFile, archive: Path) -> dict[str, dict[str, Any]]:
    """What an archive says is in it, each member once and of a name that a workspace has."""
    first = opened.next()
    if first is None or first.name != _LIST or not first.isreg() or first.size > _LONGEST_LIST:
        raise InputError(f"{archive}: not the archive of a workspace; make one with: fairnad-tui export-workspace FILE")
    try:
        document = json.loads(_opened(opened, first).read())
        form, listed = document["form"], document["members"]
        good = isinstance(listed, dict) and _STORE in listed and all(_is_entry(*one) for one in listed.items())
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{archive}: its list of contents is damaged; export it again") from error
    if form != FORM:
        raise InputError(f"{archive}: is of form {form} and this program reads {FORM}; upgrade the program")
    if not good:
        raise InputError(f"{archive}: its list names what no workspace has; export it again")
    return dict(listed)


def _is_entry(name: str, want: dict[str, Any]) -> bool:
    known = name == _STORE or (name.startswith(_FILES) and CONTENT.fullmatch(name.removeprefix(_FILES)))
    return bool(known) and 0 <= int(want["bytes"]) <= _LARGEST and isinstance(want["sha256"], str)


def _extract(opened: tarfile.TarFile, name: str, want: dict[str, Any], target: Path, archive: Path) -> None:
    try:
        member = opened.getmember(name)
    except KeyError as error:
        raise InputError(f"{archive}: lacks {name}; export or copy it again") from error
    if not member.isreg() or member.size != want["bytes"]:
        raise InputError(f"{archive}: {name} is not the file that its list names; export it again")
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        found = pour(_opened(opened, member), file.write)
        file.flush()
        os.fsync(file.fileno())
    by_name = name.partition(_FILES)[2].partition("/")[2].partition(".")[0]
    if found != want["sha256"] or (by_name and found != by_name):
        raise InputError(f"{archive}: {name} is damaged; export or copy it again")


def _opened(opened: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = opened.extractfile(member)
    assert file is not None  # noqa: S101 - a regular file
    return file


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without this machine's users and times."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime, entry.mode = 0, 0o600
    return entry
