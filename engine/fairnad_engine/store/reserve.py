"""Room kept beside a workspace, so that its state can still be written when the disk is full."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from fairnad_engine.faults import NO_ROOM

RESERVE_BYTES = 8 << 20
"""Twice what SQLite's log grows to before its pages go to the file, which is what a state that waits may need."""


class Reserve:
    """A file that holds nothing but its room; the workers of one workspace share it.

    Args:
        store: The workspace.
        size: Its bytes.
    """

    def __init__(self, store: Path, size: int = RESERVE_BYTES) -> None:
        self.path = store.with_name(f"{store.name}-reserve")
        self._size = size

    def hold(self, more: int = 0) -> bool:
        """Take the room, or keep it; False where the disk is full.

        Asked of the disk itself rather than of its free blocks, which say nothing about a quota.

        Args:
            more: Bytes that must be free besides, seen by taking them and giving them back.
        """
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                found = os.fstat(handle)
                if not more and found.st_size == self._size and found.st_blocks * 512 >= self._size:
                    return True  # held: where a file system cannot reserve, asking again would write it again
                os.posix_fallocate(handle, 0, self._size + more)
                os.ftruncate(handle, self._size)
            finally:
                os.close(handle)
        except OSError as error:
            self.give_up()  # also what was taken of it before the disk was full
            return error.errno not in NO_ROOM  # where no reserve can be had otherwise, the store itself says why
        return True

    def give_up(self) -> None:
        """Give the room back."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
