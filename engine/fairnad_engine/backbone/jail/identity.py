"""Who a candidate is: an ordinary user without privileges, alone in a session that dies with its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from contextlib import suppress
from pathlib import Path

from fairnad_engine.backbone.jail import syscalls

_NOBODY = 65534
_FIRST_UID, _UIDS = 1_900_000_000, 200_000_000  # above what distributions and containers hand out

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_CAPBSET_DROP = 1, 4, 8, 24
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2


def uid_for(process: int, attempt: int) -> int:
    """Return a user id that no account and no other running attempt has."""
    return _FIRST_UID + (process * 256 + attempt % 256) % _UIDS


def drop_privileges(uid: int, *, keep_reading: bool) -> None:
    """Become ``uid`` when started as root; give up every capability in any case.

    Args:
        uid: The user and group to become.
        keep_reading: Keep ``CAP_DAC_READ_SEARCH`` alone (``CAP_DAC_OVERRIDE`` where a container withholds that
            one), because the interpreter lies in a folder that only root can read. Landlock still bounds what it
            reaches, and seccomp refuses ``open_by_handle_at``.

    Raises:
        OSError: Privileges are left that could not be dropped.
    """
    if os.geteuid() == 0:
        _empty_bounding_set()
        syscalls.prctl(_PR_SET_KEEPCAPS, 1 if keep_reading else 0)
        os.setgroups([])
        _become(uid)
    with suppress(OSError):  # kernels without ambient capabilities have none to clear
        syscalls.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    if not keep_reading:
        _set_capabilities(0)
        return
    try:
        _set_capabilities(1 << _CAP_DAC_READ_SEARCH)
    except PermissionError:
        _set_capabilities(1 << _CAP_DAC_OVERRIDE)


def _empty_bounding_set() -> None:
    for capability in range(64):
        try:
            syscalls.prctl(_PR_CAPBSET_DROP, capability)
        except OSError:
            return  # past the last capability of this kernel


def _become(uid: int) -> None:
    for wanted in (uid, _NOBODY):
        try:
            os.setresgid(wanted, wanted, wanted)
            os.setresuid(wanted, wanted, wanted)
            return
        except OSError:
            continue  # a user namespace may know few ids
    # Only one id in the namespace: "root" here is an ordinary user outside, and its capabilities go next.


def _set_capabilities(wanted: int) -> None:
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), 8)
    data = ctypes.create_string_buffer(struct.pack("=IIIIII", wanted, wanted, 0, 0, 0, 0), 24)
    syscalls.call("capset", ctypes.cast(header, ctypes.c_void_p), ctypes.cast(data, ctypes.c_void_p))


def capabilities() -> int:
    """Return the effective capabilities of the calling process as a set of bits."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), 8)
    data = ctypes.create_string_buffer(24)
    syscalls.call("capget", ctypes.cast(header, ctypes.c_void_p), ctypes.cast(data, ctypes.c_void_p))
    low, high = struct.unpack_from("=I", data, 0)[0], struct.unpack_from("=I", data, 12)[0]
    return int(low | high << 32)


def forbid_new_privileges() -> None:
    """Make set-uid programs and file capabilities powerless; Landlock and seccomp ask for it.

    Raises:
        OSError: The kernel refused.
    """
    syscalls.prctl(_PR_SET_NO_NEW_PRIVS, 1)


def die_with(parent: int) -> None:
    """Ask the kernel for SIGKILL when ``parent`` dies, and become unreadable for other processes of the user.

    Must follow the change of user, which clears both.

    Raises:
        OSError: The parent is gone already, or the kernel refused.
    """
    syscalls.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    syscalls.prctl(_PR_SET_DUMPABLE, 0)
    if os.getppid() != parent:
        raise ProcessLookupError("the zygote ended before the candidate began")


def keep_only(descriptors: dict[int, int]) -> None:
    """Move each descriptor ``key`` to the number ``value`` and close all others.

    The values must be 0, 1, 2 ... without a gap, and no key may lie among them.
    """
    for source, target in descriptors.items():
        os.dup2(source, target, inheritable=False)
    os.closerange(len(descriptors), 1 << 16)


def be_first_for_the_oom_killer() -> None:
    """Let a machine that runs out of memory kill the candidate rather than its neighbours."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
