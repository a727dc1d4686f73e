"""Which layers of the jail are live on this machine: a throw-away child tries to break each."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fairnad_engine.backbone.jail import failures, landlock
from fairnad_engine.backbone.jail.client import Jail
from fairnad_engine.backbone.jail.entry import ENVIRONMENT
from fairnad_engine.backbone.jail.result import JailResult
from fairnad_engine.errors import JailError

_MEMORY_BYTES = 1 << 30
_SPIN_DEADLINE, _SLEEP_DEADLINE = 8.0, 0.2
_HARMLESS_CAPABILITIES = {
    0: "no capability",
    1 << 1: "CAP_DAC_OVERRIDE kept: only root can read the interpreter's folder; Landlock bounds it",
    1 << 2: "CAP_DAC_READ_SEARCH kept: only root can read the interpreter's folder; Landlock bounds it",
}
_REFUSED = frozenset({"EPERM", "EACCES", "ENOSYS"})


@dataclass(frozen=True)
class Layer:
    """One layer of the jail.

    Attributes:
        name: What it keeps from the candidate.
        live: Whether the trial was stopped.
        detail: By what, or what came of the trial.
        required: Part of the minimum without which model-written code is refused.
    """

    name: str
    live: bool
    detail: str
    required: bool


@cache
def probe() -> tuple[Layer, ...]:
    """Try every layer once, and remember the answer while the program runs.

    Raises:
        JailError: Not even a weak jail can be started.
    """
    trials: list[Callable[[Jail], list[Layer]]] = [_processor, _deadline, _files, _network, _programs]
    trials += [_neighbours, _identity, _memory, _file_size]
    with (
        Jail(accept_weak=True, tasks_module=f"{__package__}.trials", preload=(), wall_seconds=10.0) as jail,
        ThreadPoolExecutor(4) as pool,
    ):
        found = [layer for layers in pool.map(lambda trial: trial(jail), trials) for layer in layers]
    required_first = sorted(found, key=lambda layer: not layer.required)
    return (*required_first, *_later_kernels())


def ensure_minimum(accept_weak: bool) -> None:
    """Refuse to go on where the jail lacks a layer of the minimum.

    Args:
        accept_weak: The user accepted a weak jail; nothing is checked then.

    Raises:
        JailError: One line that names the missing layers and the remedy.
    """
    if accept_weak:
        return
    missing = [layer for layer in probe() if layer.required and not layer.live]
    if any(layer.detail.startswith(failures.MEMORY) for layer in missing):
        probe.cache_clear()  # a trial that was killed says nothing of its layer
        missing = [layer for layer in probe() if layer.required and not layer.live]
    if missing:
        names = "; ".join(f"{layer.name} ({layer.detail})" for layer in missing)
        raise JailError(
            f"the jail lacks: {names}. Model-written code is refused; use a kernel with Landlock and seccomp "
            "(Linux 5.13 or later), or accept the risk with --accept-weak-jail"
        )


def _answers(result: JailResult) -> str:
    if not result.ok:
        return f"{result.failure}: {result.message.splitlines()[0]}"
    return ", ".join(f"{name} {answer}" for name, answer in result.data.items())


def _layer(name: str, result: JailResult, refused: tuple[str, ...], by: str, required: bool) -> Layer:
    live = result.ok and all(result.data.get(key) in _REFUSED for key in refused)
    return Layer(name, live, by if live else _answers(result), required)


def _files(jail: Jail) -> list[Layer]:
    with tempfile.TemporaryDirectory() as folder:
        outside = Path(folder) / "outside"
        outside.write_bytes(b"secret")
        Path(folder).chmod(0o777)
        outside.chmod(0o644)
        result = jail.run("files", {"outside": str(outside)})
        planted = outside.with_name("planted").exists()
    layer = _layer("files", result, ("read", "write"), f"Landlock ABI {landlock.abi()}", required=True)
    return [Layer(layer.name, layer.live and not planted, layer.detail, layer.required)]


def _network(jail: Jail) -> list[Layer]:
    result = jail.run("network", {})
    return [_layer("network", result, ("inet", "unix", "netlink"), "seccomp: no socket", required=True)]


def _programs(jail: Jail) -> list[Layer]:
    result = jail.run("programs", {})
    return [_layer("other programs", result, ("exec", "fork"), "seccomp: no exec, no fork", required=True)]


def _neighbours(jail: Jail) -> list[Layer]:
    result = jail.run("neighbours", {})
    by = "seccomp: no signal, ptrace or shared memory"
    return [_layer("other processes", result, ("signal", "ptrace", "memfd"), by, required=False)]


def _identity(jail: Jail) -> list[Layer]:
    result = jail.run("identity", {})
    data: dict[str, Any] = result.data
    live = result.ok and data["become-root"] == "EPERM" and data["no-new-privileges"] == 1
    live = live and data["capabilities"] in _HARMLESS_CAPABILITIES
    detail = _answers(result)
    if live:
        detail = f"user {data['uid']}, {_HARMLESS_CAPABILITIES[data['capabilities']]}"
    own = result.ok and data["namespaces"] is True
    clean = result.ok and set(data["environment"]) <= {*ENVIRONMENT, "HOME", "TMPDIR", "LC_CTYPE"}
    return [
        Layer("privileges", live, detail, required=False),
        Layer("environment", clean, "scrubbed" if clean else _answers(result), required=False),
        Layer("own namespaces", own, "network, IPC, host name" if own else "the system allows none", required=False),
    ]


def _memory(jail: Jail) -> list[Layer]:
    result = jail.run("memory", {"bytes": 2 * _MEMORY_BYTES}, memory_bytes=_MEMORY_BYTES)
    live = result.failure == "memory" or result.data.get("allocate") == "ENOMEM"
    return [Layer("memory limit", live, "RLIMIT_AS" if live else _answers(result), required=True)]


def _file_size(jail: Jail) -> list[Layer]:
    result = jail.run("file-size", {})
    live = result.data.get("grow") == "EFBIG"
    return [Layer("file size limit", live, "RLIMIT_FSIZE" if live else _answers(result), required=True)]


def _processor(jail: Jail) -> list[Layer]:
    result = jail.run("spin", {}, cpu_seconds=1, wall_seconds=_SPIN_DEADLINE)
    live = result.failure == "timeout" and "processor" in result.message
    return [Layer("processor limit", live, "RLIMIT_CPU" if live else _answers(result), required=True)]


def _deadline(jail: Jail) -> list[Layer]:
    result = jail.run("sleep", {}, wall_seconds=_SLEEP_DEADLINE)
    live = result.failure == "timeout"
    return [Layer("deadline", live, "watchdog" if live else _answers(result), required=True)]


def _later_kernels() -> tuple[Layer, ...]:
    """Second locks on doors that seccomp has shut already, so that no trial can tell them apart."""
    version = landlock.abi()
    return (
        Layer("TCP, second lock", version >= 4, f"Landlock ABI {version} (from 4, Linux 6.7)", required=False),
        Layer("signals, second lock", version >= 6, f"Landlock ABI {version} (from 6, Linux 6.12)", required=False),
    )
