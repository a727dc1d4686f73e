"""Where trainings run. One small interface; local processes are the default behind it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from typing import Any, Protocol

from fairnad_engine.training.jobs import TrainingJob, TrainingOutcome

Progress = Callable[[dict[str, Any]], None]


class Executor(Protocol):
    """Runs training jobs, several at a time; the order in which they end carries no meaning."""

    async def run(self, job: TrainingJob, progress: Progress, deadline: float) -> TrainingOutcome:
        """Run one job and return how it ended; epochs are reported as they pass.

        Args:
            job: What to train or score.
            progress: Called with each epoch's metrics.
            deadline: Seconds after which the job is ended as ``timeout``.
        """

    async def close(self) -> None:
        """End every process; jobs in flight are lost."""


class LocalExecutor:
    """A pool of trainer processes on this machine, one thread each."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._idle: asyncio.Queue[_Trainer] | None = None
        self._all: list[_Trainer] = []

    async def run(self, job: TrainingJob, progress: Progress, deadline: float) -> TrainingOutcome:
        """See :class:`Executor`."""
        if self._idle is None:
            self._idle = asyncio.Queue()
            self._all = [_Trainer() for _ in range(self._workers)]
            for one in self._all:
                self._idle.put_nowait(one)
        trainer = await self._idle.get()
        try:
            try:
                return await asyncio.wait_for(trainer.run(job, progress), deadline)
            except _TrainerDiedError:
                # Killed from outside, as a rule: the job is not to blame, so it gets another process, once.
                return await asyncio.wait_for(trainer.run(job, progress), deadline)
        except _TrainerDiedError as died:
            return TrainingOutcome("trainer-error", message=str(died))
        except TimeoutError:
            await trainer.kill()
            return TrainingOutcome("timeout", message=f"not done after {deadline:.0f} s", seconds=deadline)
        except BaseException:
            await trainer.kill()
            raise
        finally:
            self._idle.put_nowait(trainer)

    async def close(self) -> None:
        """See :class:`Executor`."""
        for trainer in self._all:
            await trainer.kill()


class _TrainerDiedError(Exception):
    """A trainer process ended without an outcome."""


class _Trainer:
    """One trainer process, started when first needed and again after it died."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, job: TrainingJob, progress: Progress) -> TrainingOutcome:
        process = await self._started()
        assert process.stdin is not None and process.stdout is not None  # noqa: S101 - both are pipes
        process.stdin.write(json.dumps(job.as_dict()).encode() + b"\n")
        await process.stdin.drain()
        while True:
            line = await process.stdout.readline()
            if not line:
                code = await process.wait()
                self._process = None
                raise _TrainerDiedError(f"the trainer process died twice, last with exit {code}")
            message = json.loads(line)
            if message["type"] == "epoch":
                progress(message)
            elif message["type"] == "outcome":
                return TrainingOutcome(
                    status=message["status"],
                    accuracy=message.get("accuracy"),
                    weights=message.get("weights"),
                    message=message.get("message", ""),
                    seconds=message["seconds"],
                )

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "fairnad_engine.training.process",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=environment,
                limit=2**20,
            )
        return self._process

    async def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()
