"""Backups of a workspace that is in use: a workspace of its own, of which only new files are copied next time."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fairnad_engine.errors import InputError
from fairnad_engine.store.copying import check_workspace, copy_of
from fairnad_engine.store.local_copy import there_is, working_file

CONTENT = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}(\.[a-z0-9]{1,20}){0,3}")
"""Names of files beside a store, which are those of their content."""
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Moved:
    """What was written: the store's bytes, files beside it, and how many of them were there already."""

    path: Path
    bytes: int
    files: int
    known: int = 0


def backup(source: Path, target: Path, *, force: bool = False) -> Moved:
    """Copy a workspace while it is used; the copy is a workspace that can be opened.

    Args:
        source: The workspace file.
        target: Where the copy goes; an earlier backup there is brought up to date with ``force``.
        force: Write over ``target``.

    Raises:
        InputError: ``target`` is there, is no workspace, or is the workspace itself.
        StoreError: The workspace is damaged or cannot be read.
    """
    check_apart(source, target)
    if target.exists():
        check_workspace(target)
        if not force:
            raise InputError(f"{target}: is there already; name another file, or bring it up to date with --force")
    target.parent.mkdir(parents=True, exist_ok=True)
    with copy_of(working_file(source), target.parent) as copy:
        size = copy.stat().st_size
        found, known = copy_content(source, target)
        copy.replace(target)
    return Moved(target, size, found, known)


def copy_content(source: Path, target: Path, *, whole: bool = False) -> tuple[int, int]:
    """Copy the files that are named by their content; how many there are, and how many of them were there already.

    A file of the same name and size is the same, unless it is damaged: ``whole`` reads it to see.
    """
    found = known = 0
    for name, path in content_of(source):
        copied = beside(target) / name
        found += 1
        same = copied.exists() and copied.stat().st_size == path.stat().st_size
        if same and (not whole or digest_of(copied) == copied.name.partition(".")[0]):
            known += 1
        else:
            _copy_file(path, copied)
    return found, known


def content_of(source: Path) -> list[tuple[str, Path]]:
    """The files beside a store that are named by their content, in order."""
    root = beside(source)
    found = ((path.relative_to(root).as_posix(), path) for path in root.glob("??/*") if path.is_file())
    return sorted((name, path) for name, path in found if CONTENT.fullmatch(name))


def _copy_file(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(path, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def beside(store: Path) -> Path:
    """The folder of files beside a store."""
    return store.with_name(f"{store.stem}-files")


def check_apart(source: Path, target: Path) -> None:
    """Make sure that a workspace is there and that nothing is written over it.

    Raises:
        InputError: There is none, or ``target`` is it.
    """
    if not there_is(source):
        raise InputError(f"{source}: there is no workspace; name one with --db FILE")
    if target.exists() and source.exists() and target.samefile(source):
        raise InputError(f"{target}: is the workspace itself; name another file")


def digest_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return pour(file, lambda _: None)


def pour(source: IO[bytes], write: Callable[[bytes], object]) -> str:
    """Write what a file holds; return its SHA-256."""
    digest = hashlib.sha256()
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        write(chunk)
    return digest.hexdigest()
