"""Why an attempt ended without a result: the jail's failure classes, and how an exception finds its class."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator

TIMEOUT = "timeout"
MEMORY = "memory"
CRASH = "crash"
JAIL_VIOLATION = "jail-violation"
OUTPUT_TOO_LARGE = "output-too-large"
DISK_FULL = "disk-full"  # only between child and client, who looks whether the machine's disk really is

CANDIDATE_FILE = "candidate.py"
_LONGEST_LINE = 800
_LONGEST_TAIL = 4


def classify(error: BaseException) -> str:
    """Return the failure class of an exception that ended a task.

    What the kernel refused counts as ``jail-violation`` also where the candidate's error was raised from it.
    """
    for cause in _chain(error):
        if isinstance(cause, MemoryError) or "can't allocate memory" in str(cause):
            return MEMORY
        if isinstance(cause, OSError):
            if cause.errno in (errno.EPERM, errno.EACCES):
                return JAIL_VIOLATION
            if cause.errno in (errno.ENOSPC, errno.EDQUOT):
                return DISK_FULL
            if cause.errno == errno.EFBIG:
                return OUTPUT_TOO_LARGE
            if cause.errno == errno.ENOMEM:
                return MEMORY
    kind = getattr(error, "kind", None)
    return kind if isinstance(kind, str) else CRASH


def describe(error: BaseException, source: object) -> str:
    """Return one line about the error, then the candidate's own last lines that led to it."""
    own = isinstance(getattr(error, "kind", None), str)
    text = " ".join(str(error).split())
    head = text if own else f"{type(error).__name__}: {text}"
    lines = source.splitlines() if isinstance(source, str) else []
    tail: list[str] = []
    for cause in _chain(error):
        for frame in traceback.extract_tb(cause.__traceback__):
            if frame.filename == CANDIDATE_FILE and frame.lineno:
                code = lines[frame.lineno - 1].strip() if frame.lineno <= len(lines) else ""
                tail.append(f"  {CANDIDATE_FILE}:{frame.lineno} in {frame.name}: {code}"[:_LONGEST_LINE])
    return "\n".join([head[:_LONGEST_LINE], *tail[-_LONGEST_TAIL:]])


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(seen) < 32:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
