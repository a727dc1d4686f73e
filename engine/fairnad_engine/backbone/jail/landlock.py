"""Files and TCP ports: Landlock, the kernel's own sandbox for ordinary processes.

What no rule names is refused. Works from ABI 1 (Linux 5.13); later ABIs add their rights where the kernel has
them: 2 moving between folders, 3 truncation, 4 TCP, 5 device ioctls, 6 signals and abstract sockets. Source:
``Documentation/userspace-api/landlock.rst`` of the kernel.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

from fairnad_engine.backbone.jail import syscalls

_CREATE_VERSION = 1
_RULE_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_REG, _TRUNCATE = 1 << 8, 1 << 14
_ALL_OF_ABI_1 = (1 << 13) - 1
_REFER, _IOCTL_DEV = 1 << 13, 1 << 15
_TCP = 0b11
_SCOPES = 0b11

_READ = _READ_FILE | _READ_DIR
_SCRATCH = _READ | _WRITE_FILE | _MAKE_REG | _TRUNCATE  # not removing: an open file without a name is not counted
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV


def abi() -> int:
    """Return the kernel's Landlock ABI, 0 where it has none or it is switched off."""
    try:
        return syscalls.call("landlock_create_ruleset", None, 0, _CREATE_VERSION)
    except OSError:
        return 0


def handled(version: int) -> tuple[int, int, int]:
    """Return the rights a ruleset of this ABI takes away: on files, on TCP, scopes."""
    files = _ALL_OF_ABI_1
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV)):
        files |= right if version >= since else 0
    return files, _TCP if version >= 4 else 0, _SCOPES if version >= 6 else 0


def restrict(read: Iterable[Path], write: Iterable[Path], devices: Iterable[Path]) -> None:
    """Confine the calling thread, and all it starts, for ever.

    Args:
        read: Folders (and files) whose content may be read; one that is absent is passed over.
        write: Folders where plain files may be made and written, but not removed.
        devices: Device files that may be read and written.

    Raises:
        OSError: The kernel has no Landlock, or a rule was refused.
    """
    version = abi()
    if version == 0:
        raise OSError(errno.EOPNOTSUPP, "the kernel has no Landlock, or it is switched off")
    files, tcp, scopes = handled(version)
    size = 8 if version < 4 else 16 if version < 6 else 24
    attributes = ctypes.create_string_buffer(struct.pack("=QQQ", files, tcp, scopes), 24)
    ruleset = syscalls.call("landlock_create_ruleset", _address(attributes), size, 0)
    try:
        for path in read:
            _allow(ruleset, path, _READ & files)
        for path in write:
            _allow(ruleset, path, _SCRATCH & files)
        for path in devices:
            _allow(ruleset, path, (_READ_FILE | _WRITE_FILE) & files)
        syscalls.call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # what cannot be reached needs no rule
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _OF_A_FILE
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, place), 12)
        syscalls.call("landlock_add_rule", ruleset, _RULE_PATH_BENEATH, _address(rule), 0)
    finally:
        os.close(place)


def _address(buffer: ctypes.Array[ctypes.c_char]) -> ctypes.c_void_p:
    return ctypes.cast(buffer, ctypes.c_void_p)
