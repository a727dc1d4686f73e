"""Tasks that try to break one layer each, for :mod:`probe`: every one says what the kernel answered."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from fairnad_engine.backbone.jail import identity, namespaces, syscalls

Reply = tuple[dict[str, Any], dict[str, bytes]]
_PR_GET_NO_NEW_PRIVS = 39
_PTRACE_TRACEME = 0


def _attempt(action: Callable[[], object]) -> str:
    """Return the name of the error that ``action`` met, or ``done``."""
    try:
        action()
    except MemoryError:
        return "ENOMEM"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "unknown error")
    return "done"


def _files(payload: dict[str, Any], blobs: dict[str, bytes]) -> Reply:
    outside = Path(payload["outside"])
    return {
        "read": _attempt(outside.read_bytes),
        "write": _attempt(lambda: outside.with_name("planted").write_bytes(b"x")),
        "scratch": _attempt(lambda: Path("own").write_bytes(b"x")),
    }, {}


def _network(payload: dict[str, Any], blobs: dict[str, bytes]) -> Reply:
    families = {"inet": socket.AF_INET, "unix": socket.AF_UNIX, "netlink": socket.AF_NETLINK}
    return {name: _attempt(partial(socket.socket, family)) for name, family in families.items()}, {}


def _programs(payload: dict[str, Any], blobs: dict[str, bytes]) -> Reply:
    return {"exec": _attempt(lambda: os.execv("/bin/true", ["true"])), "fork": _attempt(_fork)}, {}  # noqa: S606


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _neighbours(payload: dict[str, Any], blobs: dict[str, bytes]) -> Reply:
    return {
        "signal": _attempt(lambda: os.kill(os.getppid(), 0)),
        "ptrace": _attempt(lambda: syscalls.call("ptrace", _PTRACE_TRACEME, 0, 0, 0)),
        "memfd": _attempt(lambda: syscalls.call("memfd_create", ctypes.c_void_p(0), 0)),
    }, {}


def _identity(payload: dict[str, Any], blobs: dict[str, bytes]) -> Reply:
    return {
        "uid": os.getuid(),
        "capabilities": identity.capabilities(),
        "become-root": _attempt(lambda: os.setuid(0)),
        "no-new-privileges": syscalls.prctl(_PR_GET_NO_NEW_PRIVS),
        "environment": sorted(os.environ),
        "namespaces": os.uname().nodename == namespaces.HOST_NAME,
    }, {}


def _memory(payload: dict[str, Any], blobs: dict[str, bytes]) -> Reply:
    return {"allocate": _attempt(lambda: bytearray(int(payload["bytes"])))}, {}


def _file_size(payload: dict[str, Any], blobs: dict[str, bytes]) -> Reply:
    def grow() -> None:
        with Path("large").open("wb") as file:
            file.truncate(1 << 40)

    return {"grow": _attempt(grow)}, {}


def _spin(payload: dict[str, Any], blobs: dict[str, bytes]) -> Reply:
    while True:
        pass


def _sleep(payload: dict[str, Any], blobs: dict[str, bytes]) -> Reply:
    time.sleep(3600)
    return {}, {}


TASKS = {
    "files": _files,
    "network": _network,
    "programs": _programs,
    "neighbours": _neighbours,
    "identity": _identity,
    "memory": _memory,
    "file-size": _file_size,
    "spin": _spin,
    "sleep": _sleep,
}
