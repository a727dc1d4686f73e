"""When to kill: at a random time, or just as something is written to the store's log or to a file beside it."""

from __future__ import annotations

import ctypes
import os
import random
import select
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_IN_MODIFY, _IN_CREATE, _IN_MOVED_TO = 0x2, 0x100, 0x80
_WRITES = 3  # at most so many of them pass before the kill
_LOOK_SECONDS = 0.01


class Watch:
    """Tells of writes to a file, or in folders, by the kernel's word: microseconds after the first byte."""

    def __init__(self, *places: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._handle = libc.inotify_init1(os.O_NONBLOCK)
        assert self._handle >= 0
        for place in places:
            libc.inotify_add_watch(self._handle, os.fsencode(place), _IN_MODIFY | _IN_CREATE | _IN_MOVED_TO)

    def wait(self, seconds: float) -> bool:
        """Whether something was written within so long."""
        ready, _, _ = select.select([self._handle], [], [], seconds)
        if ready:
            with suppress(BlockingIOError):
                os.read(self._handle, 1 << 16)
        return bool(ready)

    def close(self) -> None:
        """Watch no longer."""
        os.close(self._handle)


def pass_time(rng: random.Random, longest: float, while_waiting: Callable[[], None]) -> None:
    """Wait for a random time, looking on meanwhile."""
    end = time.monotonic() + rng.uniform(0, longest)
    while (left := end - time.monotonic()) > 0:
        while_waiting()
        time.sleep(min(_LOOK_SECONDS, left))


def pass_writes(rng: random.Random, places: list[Path], longest: float) -> bool:
    """Wait for one of the next writes in any of the places; False where there was none for so long."""
    watch = Watch(*(place for place in places if place.exists()))
    try:
        return all(watch.wait(longest) for _ in range(rng.randint(1, _WRITES)))
    finally:
        watch.close()


def writable_folders(root: Path) -> list[Path]:
    """Where artifacts, checkpoints and a job's files are written."""
    return [root, *(one for one in root.rglob("*") if one.is_dir())] if root.exists() else []
