"""The process that forks a child for each attempt and sees to its end.

It is single-threaded, runs no tensor operation, and never reads a byte that a candidate wrote: the pipes of an
attempt go from the client straight to the child. It ends, and its children with it, when the client's end of the
control socket closes.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairnad_engine.backbone.jail import child, identity, landlock, limits, namespaces, places, warmup
from fairnad_engine.backbone.jail.entry import Confinement

ORDER_BYTES = 64 << 10
_LOOK_SECONDS = 0.1
_IDLE_SECONDS = 2.0


@dataclass
class _Running:
    process: int
    number: int
    began: float
    deadline: float
    scratch: Path
    scratch_folder: int
    scratch_bytes: int
    status: int
    reason: str | None = None


class Zygote:
    """Takes orders from the control socket until it closes."""

    def __init__(self, control: socket.socket, start: dict[str, Any]) -> None:
        self._control = control
        self._client = os.getppid()
        self._base = Path(start["base"])
        self._weak = bool(start["weak"])
        self._read = tuple(Path(path) for path in start["read"])
        # Without Landlock the kept capability would open every file of the machine.
        unreadable = os.geteuid() == 0 and not all(places.open_to_all(path) for path in self._read)
        self._keep_reading = unreadable and landlock.abi() > 0
        self._namespaces = namespaces.allowed()
        self._running: dict[int, _Running] = {}
        for name in start["preload"]:
            importlib.import_module(name)
        self._tasks = importlib.import_module(start["tasks_module"]).TASKS
        if start["warm"]:
            warmup.import_all(warmup.modules_used_by(warmup.export_something))
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)
        if len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208 - names are enough
            raise RuntimeError("the zygote has more than one thread: a fork from it could hang")
        gc.collect()
        gc.freeze()  # a child's collections would otherwise copy every page

    def serve(self) -> None:
        """Fork, watch and reap until the client is gone."""
        wake, waker = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(wake, selectors.EVENT_READ)
            while os.getppid() == self._client:
                ready = [key.fileobj for key, _ in selector.select(self._patience())]
                if wake in ready:
                    os.read(wake, 4096)
                if self._control in ready and not self._take_order():
                    return
                self._enforce()
                self._reap()

    def end(self) -> None:
        """Kill and reap every child, remove all scratch."""
        for running in self._running.values():
            _kill(running.process)
        for running in list(self._running.values()):
            os.waitpid(running.process, 0)
        shutil.rmtree(self._base, ignore_errors=True)

    def _patience(self) -> float:
        if not self._running:
            return _IDLE_SECONDS
        next_deadline = min(running.deadline for running in self._running.values())
        return max(0.0, min(_LOOK_SECONDS, next_deadline - time.monotonic()))

    def _take_order(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._control, ORDER_BYTES, 4)
        if not data:
            return False
        order = json.loads(data)
        if "kill" in order:
            running = self._running.get(order["kill"])
            if running is not None:
                running.reason = "asked"
                _kill(running.process)
        else:
            self._fork(order, descriptors)
        return True

    def _fork(self, order: dict[str, Any], descriptors: list[int]) -> None:
        request, result, output, status = descriptors
        number = int(order["number"])
        bounds = limits.Limits(**order["limits"])
        uid = identity.uid_for(os.getpid(), number)
        scratch = self._make_scratch(number, uid)
        confinement = Confinement(
            os.getpid(), uid, self._keep_reading, bounds, self._read, scratch, self._namespaces, self._weak
        )
        began = time.monotonic()
        process = os.fork()
        if process == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            child.live(confinement, (request, result, output), self._tasks)
        for descriptor in (request, result, output):
            os.close(descriptor)
        folder = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY)
        self._running[number] = _Running(
            process, number, began, began + bounds.wall_seconds, scratch, folder, bounds.scratch_bytes, status
        )

    def _make_scratch(self, number: int, uid: int) -> Path:
        scratch = self._base / f"attempt-{number}"
        scratch.mkdir(mode=0o700)
        if os.geteuid() == 0:
            try:
                os.chown(scratch, uid, uid)
            except OSError:  # a user namespace that does not know the id: see identity._become
                scratch.chmod(0o777)
        return scratch

    def _enforce(self) -> None:
        now = time.monotonic()
        for running in self._running.values():
            if running.reason is not None:
                continue
            if now >= running.deadline:
                running.reason = "deadline"
            elif limits.used_bytes(running.scratch_folder, running.scratch_bytes) > running.scratch_bytes:
                running.reason = "scratch"
            if running.reason is not None:
                _kill(running.process)

    def _reap(self) -> None:
        for running in list(self._running.values()):
            process, status, usage = os.wait4(running.process, os.WNOHANG)
            if process == 0:
                continue
            del self._running[running.number]
            report = {
                "status": status,
                "reason": running.reason,
                "seconds": time.monotonic() - running.began,
                "cpu": usage.ru_utime + usage.ru_stime,
            }
            os.close(running.scratch_folder)
            shutil.rmtree(running.scratch, ignore_errors=True)
            try:
                os.write(running.status, json.dumps(report).encode() + b"\n")
            except BrokenPipeError:
                pass  # the client gave this attempt up
            finally:
                os.close(running.status)


def _kill(process: int) -> None:
    for kill in (os.killpg, os.kill):  # the group exists once the child has called setsid
        try:
            kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


def main(descriptor: int) -> None:
    """Serve on an inherited control socket (the entry point of the zygote's own interpreter)."""
    control = socket.socket(fileno=descriptor)
    client = os.getppid()
    zygote, start = None, {}
    try:
        start = json.loads(control.recv(ORDER_BYTES))
        try:
            with _leaving_with(client):
                zygote = Zygote(control, start)
        except Exception as error:
            control.send(json.dumps({"error": f"{type(error).__name__}: {error}"[:2000]}).encode())
            raise
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        control.send(json.dumps({"ready": True, "mapped": mapped}).encode())
        zygote.serve()
    finally:
        if zygote is not None:
            zygote.end()
        elif "base" in start:
            shutil.rmtree(start["base"], ignore_errors=True)


@contextmanager
def _leaving_with(client: int) -> Iterator[None]:
    """End this process where the client ends meanwhile: imports take seconds, in which no socket is looked at.

    A death signal will not do: it would come when the client's thread ends that started this process.
    """

    def look(*_: object) -> None:
        if os.getppid() != client:
            raise SystemExit(1)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _LOOK_SECONDS, _LOOK_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
