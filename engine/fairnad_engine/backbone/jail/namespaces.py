"""An extra lock where the system allows it: a network, IPC and host name of the candidate's own.

Never required: seccomp has refused sockets and IPC already. A process and a mount namespace are left out on purpose;
``docs/decisions/0001-trust-boundary.md`` says why.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from fairnad_engine.backbone.jail import syscalls

HOST_NAME = "jail"
_NEW_UTS, _NEW_IPC, _NEW_USER, _NEW_NET = 0x04000000, 0x08000000, 0x10000000, 0x40000000
_OWN = _NEW_UTS | _NEW_IPC | _NEW_NET


def enter() -> bool:
    """Move the calling process, which must have one thread, into namespaces of its own.

    Root makes them as root, and loses that right with its capabilities; anyone else becomes the one user of a new
    user namespace. Root never enters a user namespace, because it could not become another user there.

    Returns:
        False where the system does not allow it; nothing has changed then.

    Raises:
        OSError: The namespaces were entered but could not be set up; the caller must end the process.
    """
    uid, gid = os.geteuid(), os.getegid()
    try:
        syscalls.call("unshare", _OWN if uid == 0 else _OWN | _NEW_USER)
    except OSError:
        return False
    if uid != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    socket.sethostname(HOST_NAME)
    return True


def allowed() -> bool:
    """Say whether :func:`enter` works here, found out by a fork that does it."""
    child = os.fork()
    if child == 0:
        entered = False
        try:
            entered = enter()
        finally:
            os._exit(0 if entered else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
