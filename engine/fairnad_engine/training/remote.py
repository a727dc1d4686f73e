"""One trainer process as its executor sees it: a job in, progress and one outcome back, or its death."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from fairnad_engine.errors import InputError
from fairnad_engine.training.jobs import TrainingJob, TrainingOutcome

Progress = Callable[[dict[str, Any]], None]
TRAINER = "fairnad_engine.training.process"
_VARIABLE = "FAIRNAD_TRAINER_MODULE"


def trainer_module() -> str:
    """The module that trainer processes run: the real trainer, unless the environment names another.

    It is read from the environment alone, never from a file or a workspace: a run that somebody handed over cannot
    have a module of its choice started. Runs record what they were begun with.
    """
    return os.environ.get(_VARIABLE) or TRAINER


def check_trainer(environment: Mapping[str, Any], what: str) -> str:
    """See that a run goes on with the trainer that it was begun with, and return its module.

    Args:
        environment: What the run recorded.
        what: Names the run in the error.

    Raises:
        InputError: The environment names another trainer now: real and simulated scores would mix.
    """
    recorded, now = str(environment.get("trainer", TRAINER)), trainer_module()
    if recorded != now:
        remedy = f"unset {_VARIABLE}" if recorded == TRAINER else f"set {_VARIABLE}={recorded}"
        raise InputError(f"{what} was trained by {recorded}, not by {now}, and the two do not mix; {remedy}")
    return now


class TrainerDiedError(Exception):
    """A trainer process ended without an outcome.

    Attributes:
        started: Whether it had come as far as to take a job.
    """

    def __init__(self, message: str, started: bool = True) -> None:
        super().__init__(message)
        self.started = started


class TrainerProcess:
    """A process bound to one device; started when first needed, and again after it died.

    Attributes:
        memory: Bytes of the device's memory, once the process has told; 0 where that says nothing.
        pid: The process, or None while there is none.
    """

    def __init__(self, device: str, module: str = TRAINER, on_start: Callable[[int], None] | None = None) -> None:
        self._device = device
        self._module = module
        self._on_start = on_start
        self._process: asyncio.subprocess.Process | None = None
        self.memory = 0
        self._ready = False

    @property
    def pid(self) -> int | None:
        """The process, or None while there is none."""
        return None if self._process is None else self._process.pid

    async def run(self, job: TrainingJob, progress: Progress) -> TrainingOutcome:
        """Have a job done; ``progress`` is called with each message before the outcome.

        Raises:
            TrainerDiedError: The process ended first.
        """
        try:
            process = await self._started()
        except OSError as error:
            raise TrainerDiedError(f"it could not be started: {error}", started=False) from error
        assert process.stdin is not None and process.stdout is not None  # noqa: S101 - both are pipes
        with suppress(ConnectionError):  # it died: the reading below says so
            process.stdin.write(json.dumps(job.as_dict()).encode() + b"\n")
            await process.stdin.drain()
        while line := await process.stdout.readline():
            message = json.loads(line)
            if message["type"] == "outcome":
                return outcome_of(message)
            if message["type"] == "ready":
                self.memory, self._ready = message["memory"], True
            progress(message)
        code = await process.wait()
        self._process = None
        raise TrainerDiedError(f"exit {code}", started=self._ready)

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._ready = False
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._module,
                self._device,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=environment,
                limit=2**24,
                start_new_session=True,
            )
            if self._on_start is not None:
                self._on_start(self._process.pid)
        return self._process

    async def kill(self) -> None:
        """End the process and everything it started, at once."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def outcome_of(message: dict[str, Any]) -> TrainingOutcome:
    """Read the last message of a trainer."""
    return TrainingOutcome(
        status=message["status"],
        accuracy=message.get("accuracy"),
        weights=message.get("weights"),
        message=message.get("message", ""),
        seconds=message["seconds"],
        latency={int(size): value for size, value in message.get("latency", {}).items()},
        peak_memory=message.get("peak_memory", 0),
    )
