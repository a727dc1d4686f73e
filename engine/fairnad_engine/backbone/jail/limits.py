"""How much a candidate may use: memory, processor time, file sizes, descriptors, threads."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_FILE_BYTES = 16 << 20
_DESCRIPTORS = 64
_EXTRA_THREADS = 16
_PENDING_SIGNALS = 256  # timers take from an allowance that the user's processes share


@dataclass(frozen=True)
class Limits:
    """What one attempt may use.

    Attributes:
        memory_bytes: Address space, PyTorch's own (3.5 GB for a CUDA build, 1 GB for a CPU build) included.
        cpu_seconds: Processor time; one second past it the kernel kills.
        wall_seconds: Time from fork to death.
        scratch_bytes: Visible content of the scratch folder.
        reply_bytes: Length of its reply, weights included.
    """

    memory_bytes: int = 6 << 30
    cpu_seconds: int = 120
    wall_seconds: float = 120.0
    scratch_bytes: int = 64 << 20
    reply_bytes: int = 72 << 20


def impose(limits: Limits, tasks_of_user: int) -> None:
    """Set every limit on the calling process, hard, so that it cannot be lifted again.

    Args:
        limits: What to set.
        tasks_of_user: Threads that the user runs already, because the kernel counts threads by user.

    Raises:
        OSError: The kernel refused a limit.
        ValueError: A limit is above the one that the program itself was started with.
    """
    _set(resource.RLIMIT_AS, limits.memory_bytes)
    _set(resource.RLIMIT_CPU, limits.cpu_seconds, over=1)
    _set(resource.RLIMIT_FSIZE, _FILE_BYTES)
    _set(resource.RLIMIT_NOFILE, _DESCRIPTORS)
    _set(resource.RLIMIT_NPROC, tasks_of_user + _EXTRA_THREADS)
    _set(resource.RLIMIT_SIGPENDING, _PENDING_SIGNALS)
    for nothing in (resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE):
        _set(nothing, 0)


def _set(kind: int, wanted: int, over: int = 0) -> None:
    hard = resource.getrlimit(kind)[1]
    ceiling = wanted + over if hard == resource.RLIM_INFINITY else min(wanted + over, hard)
    resource.setrlimit(kind, (min(wanted, ceiling), ceiling))


def tasks_of(uid: int) -> int:
    """Count the threads that a user runs now, as RLIMIT_NPROC does."""
    count = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it ended meanwhile
                if entry.stat().st_uid == uid:
                    count += max(1, len(os.listdir(entry / "task")))  # noqa: PTH208 - names are enough
    return count


def used_bytes(folder: int, at_most: int) -> int:
    """Return the bytes on disk of the files in a flat folder, counting no further than ``at_most``.

    Args:
        folder: Descriptor of the folder.
        at_most: Where to stop; a file counts at least 4096 bytes, so that empty ones add up too.
    """
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                total += max(4096, entry.stat(follow_symlinks=False).st_blocks * 512)
            if total > at_most:
                break
    return total
