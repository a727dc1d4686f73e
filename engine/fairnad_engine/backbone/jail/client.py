"""The trusted side of the jail: starts the zygote, sends it attempts, and believes nothing that comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from fairnad_engine.backbone.jail import failures, places, wire
from fairnad_engine.backbone.jail.attempt import Ended, ZygoteLostError
from fairnad_engine.backbone.jail.limits import Limits
from fairnad_engine.backbone.jail.result import JailResult, depends_on_load, judge
from fairnad_engine.backbone.jail.turns import Turns
from fairnad_engine.backbone.jail.zygote_process import ZygoteProcess
from fairnad_engine.errors import JailError, MachineFaultError

TORCH = ("torch", "torch._dynamo", "torch.export")
_STARTS = 4  # of which all but the last may be killed from outside
_ROOM_BYTES = 256 << 20


class Confinement(Protocol):
    """What a verifier needs of a jail, wherever its children run."""

    def run(self, task: str, payload: dict[str, Any], blobs: Mapping[str, bytes] | None = None) -> JailResult:
        """Do one task in a fresh child and wait for its end."""


class Jail:
    """Runs tasks on untrusted source, each in its own confined process.

    Use as a context manager. :meth:`run` may be called from several threads at once; a zygote that dies is
    replaced.

    Args:
        accept_weak: Run although a layer of the minimum is missing on this machine.
        memory_bytes: Address space of an attempt, PyTorch's own included.
        cpu_seconds: Processor time of an attempt.
        wall_seconds: Deadline of an attempt.
        reply_bytes: Length of an attempt's reply; four times the parameters of the largest network, and some.
        tasks_module: Module with ``TASKS``, name -> function of ``(payload, blobs)``.
        extra_folders: Put on the child's import path, and readable for it.
        preload: Modules that the zygote imports before it forks.
        on_start: Told the number of each zygote that is started.

    Raises:
        JailError: On entry: a layer of the minimum is missing, or the zygote does not start.
    """

    def __init__(
        self,
        *,
        accept_weak: bool = False,
        memory_bytes: int = 6 << 30,
        cpu_seconds: int = 120,
        wall_seconds: float = 120.0,
        reply_bytes: int = 72 << 20,
        tasks_module: str = "fairnad_engine.backbone.jailed",
        extra_folders: Sequence[Path] = (),
        preload: Sequence[str] = TORCH,
        on_start: Callable[[int], None] | None = None,
    ) -> None:
        self.limits = Limits(memory_bytes, cpu_seconds, wall_seconds, reply_bytes=reply_bytes)
        self._accept_weak = accept_weak
        self._tasks_module = tasks_module
        self._extra_folders = tuple(folder.resolve() for folder in extra_folders)
        self._preload = tuple(preload)
        self._on_start = on_start
        self._lock = threading.Lock()
        self._zygote: ZygoteProcess | None = None
        self._turns = Turns()
        self._closed = False

    def __enter__(self) -> Self:
        from fairnad_engine.backbone.jail.probe import ensure_minimum

        with self._lock:
            self._closed = False
            self._zygote = self._launch()
        try:
            ensure_minimum(self._accept_weak)  # while the zygote imports torch
            self._check_memory(self._ready_zygote().await_ready())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the zygote and every attempt in flight; their callers get a :class:`JailError`."""
        with self._lock:
            self._closed = True
            if self._zygote is not None:
                self._zygote.close()
                self._zygote = None

    def run(
        self,
        task: str,
        payload: dict[str, Any],
        blobs: Mapping[str, bytes] | None = None,
        *,
        wall_seconds: float | None = None,
        cpu_seconds: int | None = None,
        memory_bytes: int | None = None,
    ) -> JailResult:
        """Do one task in a fresh child and wait for its end.

        An attempt that the machine's load may have ended (a deadline met without computing, a kill for memory) is
        repeated once with no other attempt of this jail beside it, so that a verdict does not depend on neighbours.

        Args:
            task: Name in the tasks module's ``TASKS``.
            payload: JSON-able; ``source``, where it has one, is quoted in failure messages.
            blobs: Binary inputs by name.
            wall_seconds: Deadline of this attempt, where it differs from the jail's.
            cpu_seconds: Processor time likewise.
            memory_bytes: Address space likewise.

        Raises:
            JailError: The jail itself failed (never the candidate's doing), or was closed.
            MachineFaultError: The machine's disk is full, so that the candidate had less room than it is allowed.
            FrameError: The request is beyond the bounds of :mod:`fairnad_engine.backbone.jail.wire`.
        """
        limits = self._limits_with(wall_seconds, cpu_seconds, memory_bytes)
        request = wire.encode({"task": task, "payload": payload}, blobs or {})
        with self._turns.shared():
            ended = self._attempt(request, limits)
        if not depends_on_load(ended, limits):
            return self._judge(ended, limits)
        with self._turns.alone():
            return replace(self._judge(self._attempt(request, limits), limits), attempts=2)

    def _judge(self, ended: Ended, limits: Limits) -> JailResult:
        """Judge, and where the child met a full disk look whether it would have had the room it was allowed."""
        result = judge(ended, limits)
        if result.failure != failures.DISK_FULL:
            return result
        zygote = self._zygote
        if zygote is not None and zygote.room() < limits.scratch_bytes:
            raise MachineFaultError(
                f"the disk of the jail's scratch folders is full: {zygote.base.parent}; "
                "free some space there, or name another place with TMPDIR, then resume"
            )
        return replace(result, failure=failures.OUTPUT_TOO_LARGE)

    def _attempt(self, request: bytes, limits: Limits) -> Ended:
        for _ in range(2):
            try:
                return self._living_zygote().attempt(request, limits)
            except ZygoteLostError:
                continue
        raise JailError("the jail's own process died twice; see `fairnad-tui doctor`")

    def _check_memory(self, mapped: int) -> None:
        if self.limits.memory_bytes < mapped + _ROOM_BYTES:
            limit, needed = self.limits.memory_bytes / 2**30, (mapped + _ROOM_BYTES) / 2**30
            raise JailError(
                f"the jail's memory limit of {limit:.1f} GiB leaves a candidate no room: Python and PyTorch "
                f"alone map {mapped / 2**30:.1f} GiB; allow at least {needed:.1f} GiB"
            )

    def _limits_with(self, wall: float | None, cpu: int | None, memory: int | None) -> Limits:
        usual = self.limits
        return replace(
            usual,
            wall_seconds=usual.wall_seconds if wall is None else wall,
            cpu_seconds=usual.cpu_seconds if cpu is None else cpu,
            memory_bytes=usual.memory_bytes if memory is None else memory,
        )

    def _living_zygote(self) -> ZygoteProcess:
        with self._lock:
            if self._closed or self._zygote is None:
                raise JailError("the jail is closed; use it inside its `with` block")
            if not self._zygote.alive():
                self._zygote.close()
                self._zygote = self._launch()
                return self._ready_zygote()
            return self._zygote

    def _ready_zygote(self) -> ZygoteProcess:
        """Wait until the zygote is ready; one that is killed while it starts, say for memory, is replaced."""
        assert self._zygote is not None  # noqa: S101 - it was launched before
        for left in reversed(range(_STARTS)):
            try:
                self._zygote.await_ready()
                break
            except JailError:
                if not left or not self._zygote.was_killed():
                    raise
                self._zygote.close()
                self._zygote = self._launch()
        return self._zygote

    def _launch(self) -> ZygoteProcess:
        zygote = ZygoteProcess(
            {
                "weak": self._accept_weak,
                "preload": self._preload,
                "tasks_module": self._tasks_module,
                "warm": "torch" in self._preload,
                "read": [str(path) for path in places.readable(self._extra_folders)],
            },
            self._extra_folders,
        )
        if self._on_start is not None:
            self._on_start(zygote.pid)
        return zygote
