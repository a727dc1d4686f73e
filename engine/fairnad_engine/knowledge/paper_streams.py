"""What a model writes about a paper, as it writes it: one append-only file a paper, for whoever looks on."""

from __future__ import annotations

import contextvars
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import IO

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")


class PaperStreams:
    """Sorts pieces of replies by the paper that they are about; each paper is read on a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._now: contextvars.ContextVar[IO[str] | None] = contextvars.ContextVar("paper_stream", default=None)

    @contextmanager
    def of(self, paper_id: str) -> Iterator[None]:
        """Send what is written inside, and on threads that take over this context, to a paper's file."""
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
        try:
            stream = stream_path(self._folder, paper_id).open("a", encoding="utf-8", errors="backslashreplace")
        except OSError:
            yield  # Only who looks on misses something.
            return
        token = self._now.set(stream)
        try:
            yield
        finally:
            self._now.reset(token)
            with suppress(OSError):
                stream.close()

    def write(self, piece: str) -> None:
        """Append a piece of a reply to the file of the paper in hand."""
        stream = self._now.get()
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.write(piece)
                stream.flush()


def stream_path(folder: Path, paper_id: str) -> Path:
    """A paper's file; an id that is no plain name, which no reader gives, cannot lead out of the folder."""
    name = paper_id if _PLAIN_NAME.fullmatch(paper_id) else sha256(paper_id.encode("utf-8", "replace")).hexdigest()
    return folder / f"{name}.txt"
