"""The seccomp filter, run by a small BPF interpreter for both machines; its numbers against the headers."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from fairnad_engine.backbone.jail import seccomp, syscalls

ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
SELF = 4242
HARMLESS = {
    "x86_64": {"read": 0, "write": 1, "close": 3, "mmap": 9, "futex": 202, "exit_group": 231, "getrandom": 318},
    "aarch64": {
        "read": 63,
        "write": 64,
        "close": 57,
        "mmap": 222,
        "futex": 98,
        "exit_group": 94,
        "getrandom": 278,
    },
}
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
both = pytest.mark.parametrize("machine", ["x86_64", "aarch64"])


def run(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    data = struct.pack(
        "=iIQ6Q", number - (1 << 32) if number >> 31 else number, architecture, 0, *(arguments + (0,) * 6)[:6]
    )
    code = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    accumulator, at = 0, 0
    while True:
        kind, if_true, if_false, value = code[at]
        at += 1
        if kind == 0x06:
            return value
        if kind == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif kind == 0x54:
            accumulator &= value
        else:
            hit = {0x15: accumulator == value, 0x25: accumulator > value, 0x45: bool(accumulator & value)}[kind]
            at += if_true if hit else if_false


@both
def test_verdicts(machine: str) -> None:
    program, arch = seccomp.assemble(machine, SELF), ARCHITECTURE[machine]
    known = syscalls.numbers(machine)

    def ask(name: str, *arguments: int) -> int:
        return run(program, arch, known[name], *arguments)

    for name in syscalls.denied(machine):
        assert ask(name) == EPERM, name
    for name, number in HARMLESS[machine].items():
        assert run(program, arch, number) == ALLOW, name
    assert ask("clone3") == ask("openat2") == ENOSYS
    assert ask("clone", 0x3D0F00) == ALLOW  # what pthread_create asks for
    assert ask("clone", 17) == ask("clone", 0x4111) == EPERM
    assert ask("clone", 0x3D0F00 | 0x10000000) == EPERM
    assert ask("kill", SELF, 6) == ask("tgkill", SELF, SELF, 6) == ALLOW
    assert ask("kill", SELF + 1, 9) == ask("kill", 0xFFFFFFFF, 9) == ask("kill", 0, 9) == EPERM
    assert ask("prlimit64", 0, 9) == ALLOW
    assert ask("prlimit64", 1, 9) == EPERM
    assert ask("ioctl", 1, 0x5401) == ALLOW
    assert ask("ioctl", 1, 0x5412) == ask("ioctl", 1, 0xFFFFFFFF00005412) == EPERM
    assert ask("prctl", 15) == ALLOW
    assert ask("prctl", 1, 0) == ask("prctl", 22, 0) == EPERM
    assert ask("fcntl", 0, 1030) == ALLOW
    assert ask("fcntl", 0, 8) == EPERM


@both
def test_opening_files(machine: str) -> None:
    program, arch = seccomp.assemble(machine, SELF), ARCHITECTURE[machine]
    openat = syscalls.numbers(machine)["openat"]
    for flags in (0o0, 0o1, 0o2, 0o1101, 0o1002, 0o2000000):
        assert run(program, arch, openat, 0, 0, flags) == ALLOW, oct(flags)
    for flags in (0o1000, 0o1003, 0o3, 0o20200002, 0o20000001):
        assert run(program, arch, openat, 0, 0, flags) == EPERM, oct(flags)


@both
def test_foreign_and_future_calls(machine: str) -> None:
    program, arch = seccomp.assemble(machine, SELF), ARCHITECTURE[machine]
    for other in (0x40000003, 0x40000028, *(set(ARCHITECTURE.values()) - {arch})):
        assert run(program, other, 1) == KILL
    for number in (syscalls.NEWEST_KNOWN + 1, 5000, 0x40000000, 0x40000000 | 520, 0xFFFFFFFF):
        assert run(program, arch, number) == ENOSYS


@both
def test_numbers_are_the_kernels(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip("no kernel headers on this machine")
    text = HEADERS[machine].read_text()
    real = {name: int(n) for name, n in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\s*$", text, re.MULTILINE)}
    for name, number in syscalls.numbers(machine).items():
        assert real.get(name, number) == number, name


@both
def test_jumps_stay_inside(machine: str) -> None:
    program = seccomp.assemble(machine, SELF)
    assert len(program) % 8 == 0
    assert len(program) // 8 < 4096
