"""The log of a job, bounded: ``log.txt``, and older parts of it as ``log.1.txt`` (the newest) and so on.

The worker and all its children have the file open, to append to it. So its content is copied away and the file is cut
to nothing, where each of them goes on; a file of a new name would leave them writing into the old one.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

MOST_BYTES = 4 << 20
OLD_PARTS = 3
_CHUNK = 1 << 16
_log = logging.getLogger("fairnad.worker")


class JobLog:
    """The log of one job.

    Args:
        folder: The job's.
        most: Bytes at which it is cut.
        parts: Older parts that are kept; at most ``(parts + 1) * most`` bytes are on the disk, and what is written
            between two looks and while one copies.
    """

    def __init__(self, folder: Path, most: int = MOST_BYTES, parts: int = OLD_PARTS) -> None:
        self.path = folder / "log.txt"
        self._most = most
        self._parts = parts

    def part(self, number: int) -> Path:
        """Where an older part lies; 1 is the newest."""
        return self.path.with_name(f"log.{number}.txt")

    def keep_small(self) -> None:
        """Cut it where it is too long; on a disk without room for the copy its oldest parts go instead."""
        try:
            if self.path.stat().st_size <= self._most:
                return
            with suppress(FileNotFoundError):
                self.part(self._parts).unlink()
            for number in range(self._parts - 1, 0, -1):
                with suppress(FileNotFoundError):
                    self.part(number).rename(self.part(number + 1))
            self._cut()
        except OSError as error:
            _log.warning("the log could not be cut: %s", error)

    def _cut(self) -> None:
        with self.path.open("rb+") as log:
            part = self.part(1)
            try:
                with part.open("wb") as copy:
                    # A log that one line filled is told by its end.
                    log.seek(max(0, os.fstat(log.fileno()).st_size - self._most))
                    while chunk := log.read(_CHUNK):
                        copy.write(chunk)
            except OSError:
                part.unlink(missing_ok=True)
                raise
            finally:
                log.truncate(0)
