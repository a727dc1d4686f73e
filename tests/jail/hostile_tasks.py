"""Tasks for the tests: run a snippet as a candidate would be run, and say what it saw."""

from __future__ import annotations

import ctypes
import errno
import os
import textwrap
from collections.abc import Callable
from typing import Any


def tries(action: Callable[[], object]) -> str:
    """Return ``done``, the name of the error number met, or the exception's name."""
    try:
        action()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    except BaseException as error:
        return type(error).__name__
    return "done"


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def raw(number: int, *arguments: int | bytes | None) -> str:
    """Make a raw system call (x86_64 numbers) and return ``done`` or the error's name."""
    ctypes.set_errno(0)
    words = [ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    if _libc.syscall(ctypes.c_long(number), *words) == -1:
        return errno.errorcode.get(ctypes.get_errno(), "unknown")
    return "done"


def snippet(payload: dict[str, Any], blobs: dict[str, bytes]) -> tuple[dict[str, Any], dict[str, bytes]]:
    scope: dict[str, Any] = {"__name__": "candidate", "GIVEN": payload, "tries": tries, "raw": raw, "blobs": {}}
    exec(compile(textwrap.dedent(payload["source"]), "candidate.py", "exec"), scope)
    return {"seen": scope.get("seen", {})}, scope["blobs"]


def ping(payload: dict[str, Any], blobs: dict[str, bytes]) -> tuple[dict[str, Any], dict[str, bytes]]:
    return {"pong": payload.get("value"), "process": os.getpid(), "parent": os.getppid()}, dict(blobs)


TASKS = {"snippet": snippet, "ping": ping}
