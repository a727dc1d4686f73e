"""What grows beside a run: its worker's log and the model calls."""

from __future__ import annotations

import os
from collections import deque
from datetime import datetime
from pathlib import Path

from fairnad_engine import clock
from fairnad_engine.store import Store
from fairnad_engine.workspace import job_folder
from fairnad_screens.data.search import Tokens

_TAIL_BYTES = 32_768
_TAIL_LINES = 200
_WINDOW_SECONDS = 60.0


class LogTail:
    """The last lines of a job's log, read again only when the file has changed."""

    def __init__(self, store_path: Path, job_id: str) -> None:
        self._path = job_folder(store_path, job_id) / "log.txt"
        self._seen: tuple[int, int] | None = None
        self._lines: tuple[str, ...] = ()

    def read(self) -> tuple[str, ...]:
        """The last lines, oldest first; none where there is no log."""
        try:
            status = self._path.stat()
            if self._seen != (status.st_size, status.st_mtime_ns):
                end, cut = _end_of(self._path)
                if not cut and (before := self._path.with_name("log.1.txt")).exists():
                    part, cut = _end_of(before)  # it was cut just now
                    end = part + end
                self._lines = tuple(end.decode("utf-8", "replace").splitlines()[cut:][-_TAIL_LINES:])
                self._seen = (status.st_size, status.st_mtime_ns)
        except OSError:
            self._lines = ()
        return self._lines


def _end_of(path: Path) -> tuple[bytes, bool]:
    """The last bytes of a file, and whether there are more before, so that the first line is a piece of one."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        return file.read(_TAIL_BYTES), size > _TAIL_BYTES


class TokenCount:
    """Sums over a run's model calls, and how many tokens came in the last minute."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._last = 0
        self._sums = [0, 0, 0]
        self._recent: deque[tuple[float, int]] = deque()

    def read(self, store: Store) -> Tokens:
        """Add what is new."""
        for call in store.live.calls(self._run_id, self._last):
            self._last = call.id
            self._sums = [
                self._sums[0] + 1,
                self._sums[1] + call.prompt_tokens,
                self._sums[2] + call.completion_tokens,
            ]
            self._recent.append((datetime.fromisoformat(call.at).timestamp(), call.completion_tokens))
        begin = clock.now() - _WINDOW_SECONDS
        while self._recent and self._recent[0][0] < begin:
            self._recent.popleft()
        calls, prompt, completion = self._sums
        return Tokens(calls, prompt, completion, sum(tokens for _, tokens in self._recent) / _WINDOW_SECONDS)
