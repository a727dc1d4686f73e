"""System calls: a seccomp filter in the kernel's classic BPF (``Documentation/userspace-api/seccomp_filter.rst``).

A refused call fails with ``EPERM``, so that a library which only probes goes on. A call of another architecture
ends the process; one that is newer than the table fails with ``ENOSYS``, as on an older kernel.
"""

from __future__ import annotations

import ctypes
import errno
import struct

from fairnad_engine.backbone.jail import syscalls

_LOAD, _JUMP_EQ, _JUMP_GT, _JUMP_SET, _AND, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x54, 0x06
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_CLONE_THREAD = 0x00010000
_NEW_NAMESPACES = 0x7E020000
_O_ACCMODE, _O_TRUNC, _O_TMPFILE = 0o3, 0o1000, 0o20000000
# Only what a terminal query, close-on-exec and non-blocking reads need; TIOCSTI and TIOCLINUX type at terminals.
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# Naming threads and memory, and asking; a candidate must not lift its parent-death signal or become traceable.
_PRCTLS = (2, 3, 15, 16, 21, 23, 27, 39, 0x53564D41)
# Owners and signals of descriptors send signals to any process of the user; leases and notes watch others' files,
# locks hold them up; large pipes come out of an allowance that the user's processes share.
_REFUSED_FCNTLS = (6, 7, 8, 10, 15, 37, 38, 1024, 1026, 1031, 1040)

_SET_MODE_FILTER, _TSYNC = 1, 1


class _Program:
    """BPF instructions in the order they are run; every test is followed by what it decides."""

    def __init__(self) -> None:
        self.words: list[bytes] = []

    def add(self, code: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        self.words.append(struct.pack("=HBBI", code, if_true, if_false, value))

    def load_number(self) -> None:
        self.add(_LOAD, _NUMBER_AT)

    def load_argument(self, index: int) -> None:
        self.add(_LOAD, _ARGUMENTS_AT + 8 * index)  # the low half: both machines are little-endian

    def refuse(self, code: int = errno.EPERM) -> None:
        self.add(_RETURN, _ERRNO | code)

    def when(self, number: int, body: _Program) -> None:
        """Run ``body``, which must end in a verdict on every way, when the call has this number."""
        self.add(_JUMP_EQ, number, 0, len(body.words))
        self.words += body.words


def assemble(machine: str, process: int) -> bytes:
    """Return the filter for one process as BPF bytes.

    Args:
        machine: ``x86_64`` or ``aarch64``.
        process: The process id that may be signalled: the candidate's own (``abort`` needs it).
    """
    program = _Program()
    program.add(_LOAD, _ARCHITECTURE_AT)
    program.add(_JUMP_EQ, _ARCHITECTURE[machine], 1, 0)
    program.add(_RETURN, _KILL_PROCESS)
    program.load_number()
    program.add(_JUMP_GT, syscalls.NEWEST_KNOWN, 0, 1)  # also the x32 numbers, which carry bit 30
    program.refuse(errno.ENOSYS)
    known = syscalls.numbers(machine)
    for name, body in _by_argument(process).items():
        if name in known:
            program.when(known[name], body)
    for number in sorted(syscalls.denied(machine).values()):
        program.add(_JUMP_EQ, number, 0, 1)
        program.refuse()
    program.add(_RETURN, _ALLOW)
    return b"".join(program.words)


def _by_argument(process: int) -> dict[str, _Program]:
    return {
        "clone3": _always(errno.ENOSYS),  # its flags lie in memory, which BPF cannot read: libc falls back to clone
        "openat2": _always(errno.ENOSYS),
        "clone": _thread_only(),
        "open": _plain_open(1),
        "openat": _plain_open(2),
        "kill": _one_of(0, (process,)),
        "tgkill": _one_of(0, (process,)),
        "prlimit64": _one_of(0, (0, process)),
        "ioctl": _one_of(1, _IOCTLS),
        "prctl": _one_of(0, _PRCTLS),
        "fcntl": _none_of(1, _REFUSED_FCNTLS),
    }


def _always(code: int) -> _Program:
    body = _Program()
    body.refuse(code)
    return body


def _one_of(argument: int, values: tuple[int, ...]) -> _Program:
    body = _Program()
    body.load_argument(argument)
    for value in values:
        body.add(_JUMP_EQ, value, 0, 1)
        body.add(_RETURN, _ALLOW)
    body.refuse()
    return body


def _none_of(argument: int, values: tuple[int, ...]) -> _Program:
    body = _Program()
    body.load_argument(argument)
    for value in values:
        body.add(_JUMP_EQ, value, 0, 1)
        body.refuse()
    body.add(_RETURN, _ALLOW)
    return body


def _thread_only() -> _Program:
    body = _Program()
    body.load_argument(0)
    body.add(_JUMP_SET, _NEW_NAMESPACES, 2, 0)
    body.add(_JUMP_SET, _CLONE_THREAD, 0, 1)
    body.add(_RETURN, _ALLOW)
    body.refuse()
    return body


def _plain_open(flags: int) -> _Program:
    """Refuse what Landlock before ABI 3 lets pass: truncating unwritten files, and making files without a name."""
    body = _Program()
    body.load_argument(flags)
    body.add(_JUMP_SET, _O_TMPFILE, 0, 1)
    body.refuse()
    body.add(_AND, _O_ACCMODE | _O_TRUNC)
    for refused in (_O_TRUNC, _O_TRUNC | 3, 3):
        body.add(_JUMP_EQ, refused, 0, 1)
        body.refuse()
    body.add(_RETURN, _ALLOW)
    return body


def available() -> bool:
    """Say whether a filter can be written for this machine; only trying shows whether its kernel takes it."""
    return bool(syscalls.machine())


def install(process: int) -> None:
    """Put the filter on every thread of the calling process, for ever; no-new-privileges must be set.

    Raises:
        OSError: The kernel has no seccomp filters, or the machine's numbers are not known.
    """
    if not available():
        raise OSError(errno.ENOSYS, "no system call table for this machine")
    code = assemble(syscalls.machine(), process)
    instructions = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(instructions))
    program = ctypes.create_string_buffer(header, len(header))
    syscalls.call("seccomp", _SET_MODE_FILTER, _TSYNC, ctypes.cast(program, ctypes.c_void_p))
