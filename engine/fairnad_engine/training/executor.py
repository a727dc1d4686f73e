"""Where trainings run. One small interface; local processes are the default behind it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from fairnad_engine.training.devices import Device
from fairnad_engine.training.jobs import MACHINE_FAULT, TrainingJob, TrainingOutcome
from fairnad_engine.training.packing import Packing
from fairnad_engine.training.remote import TRAINER, Progress, TrainerDiedError, TrainerProcess

__all__ = ["FAULTS", "Executor", "LocalExecutor", "Progress", "Repeats", "final_outcome"]

FAULTS = ("trainer-died", "not-started", "device-fault")
_FROM_NEIGHBOURS = 3  # repeats because of faults beside a job, before a fault counts as its own


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


class Repeats:
    """Which failures of a job are given another try.

    Attributes:
        alone: Whether the next try should have the device to itself.
    """

    def __init__(self) -> None:
        """Begin with no try made."""
        self.alone = False
        self._own = 0
        self._beside = 0
        self._furthest = 0

    def again(self, status: str, beside: bool, epoch: int = 0) -> bool:
        """Whether a job that ended like this runs once more.

        Args:
            status: How it ended.
            beside: Whether a neighbour on the device had a fault while it ran, which may have caused this one.
            epoch: The last epoch that it came to.
        """
        if status == "out-of-memory":
            first, self.alone = not self.alone, True
            return first
        if status not in FAULTS:
            return False
        if beside and self._beside < _FROM_NEIGHBOURS:
            self._beside += 1
            return True
        if status == "trainer-died" and epoch > self._furthest:
            # A network that ends its trainer does so at the same place again; this one got further than ever before.
            self._furthest, self._own = epoch, 1
            return True
        # Killed from outside, as a rule: the job is not to blame, so it gets another process, once.
        self._own += 1
        return self._own == 1


class LocalExecutor:
    """Trainer processes on this machine's devices, each with one thread."""

    def __init__(
        self,
        workers: int,
        devices: Sequence[Device] = (),
        module: str = TRAINER,
        on_start: Callable[[int], None] | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            workers: Trainings at a time on the CPU, where no devices are given.
            devices: Places to train, from :func:`fairnad_engine.training.devices.choose_devices`.
            module: What a trainer process runs; another than the real trainer speaks the same lines.
            on_start: Told the number of each process that is started.
        """

        def new_trainer(device: str) -> TrainerProcess:
            return TrainerProcess(device, module, on_start)

        self._pools = [_Pool(device, new_trainer, self._wake) for device in devices or (Device("cpu", workers),)]
        self._changed = asyncio.Event()
        self._tickets = itertools.count()
        self._queue: set[tuple[int, int]] = set()  # rank and ticket of jobs that wait for any place

    async def run(self, job: TrainingJob, progress: Progress, deadline: float) -> TrainingOutcome:
        """See :class:`Executor`."""
        repeats = Repeats()
        pool: _Pool | None = None
        while True:
            ticket = next(self._tickets)
            pool = await self._enter(ticket, job.rank, pool if repeats.alone else None)
            faults, reached = pool.faults, 0

            def listen(message: dict[str, Any]) -> None:
                nonlocal reached
                reached = max(reached, int(message["epoch"]))
                progress(message)

            try:
                outcome = await pool.attempt(ticket, job, listen, deadline)
            finally:
                pool.packing.leave(ticket)
                self._wake()
            beside = pool.faults - faults > 1  # its own is counted there too
            if not repeats.again(outcome.status, beside, reached):
                return final_outcome(outcome)
            # A recorded CUDA graph is the first suspect of a fault.
            job = replace(job, record=job.record and outcome.status not in FAULTS)

    async def close(self) -> None:
        """See :class:`Executor`."""
        for pool in self._pools:
            await pool.close()

    async def _enter(self, ticket: int, rank: int, sole: _Pool | None) -> _Pool:
        """Wait for a place, behind jobs of a lower rank; ``sole`` is the device that the job must have to itself."""
        place = (rank, ticket)
        if sole is not None:
            sole.wanted_alone += 1
        else:
            self._queue.add(place)
        try:
            while True:
                if sole is not None:
                    pools = [sole]
                else:
                    pools = [one for one in self._pools if not one.wanted_alone] if place == min(self._queue) else []
                if open_ := [one for one in pools if one.packing.admits(sole is not None)]:
                    pool = min(open_, key=lambda one: len(one.packing))
                    pool.packing.enter(ticket, sole is not None)
                    return pool
                await self._changed.wait()
        finally:
            if sole is not None:
                sole.wanted_alone -= 1
            else:
                self._queue.discard(place)
            self._wake()  # the next one may look

    def _wake(self) -> None:
        """Let jobs that wait for a place look again."""
        self._changed.set()
        self._changed = asyncio.Event()


class _Pool:
    """The trainers of one device."""

    def __init__(self, device: Device, new_trainer: Callable[[str], TrainerProcess], wake: Callable[[], None]) -> None:
        self.device = device
        self._new_trainer = new_trainer
        self.packing = Packing(device.streams)
        self.wanted_alone = 0
        self.faults = 0
        self.trainers: list[TrainerProcess] = []
        self._idle: list[TrainerProcess] = []
        self._wake = wake

    async def attempt(self, ticket: int, job: TrainingJob, progress: Progress, deadline: float) -> TrainingOutcome:
        """Run a job once; a death and a fault of the device are outcomes of their own."""
        trainer = self._idle.pop() if self._idle else self._new()

        def listen(message: dict[str, Any]) -> None:
            if message["type"] == "ready":
                self.packing.capacity = message["memory"] - self.device.reserved if message["memory"] else None
            elif message["type"] == "epoch":
                if not message["restored"]:
                    self.packing.observe(ticket, message["seconds"], message["memory"])
                    self._wake()
                progress(message)

        try:
            outcome = await asyncio.wait_for(trainer.run(job, listen), deadline)
        except TrainerDiedError as died:
            outcome = TrainingOutcome("trainer-died" if died.started else "not-started", message=str(died))
        except TimeoutError:
            await trainer.kill()
            outcome = TrainingOutcome("timeout", message=f"not done after {deadline:.0f} s", seconds=deadline)
        except BaseException:
            await trainer.kill()
            raise
        finally:
            self._idle.append(trainer)
        if outcome.status in FAULTS:
            self.faults += 1
            await trainer.kill()
        if self.device.name != "cpu" and len(self.packing) + len(self._idle) > self.packing.streams + 1:
            await trainer.kill()  # an idle one holds memory of the device
        return outcome

    def _new(self) -> TrainerProcess:
        self.trainers.append(self._new_trainer(self.device.name))
        return self.trainers[-1]

    async def close(self) -> None:
        """End every process."""
        for trainer in self.trainers:
            await trainer.kill()


def final_outcome(outcome: TrainingOutcome) -> TrainingOutcome:
    """Say of a fault that was not repeated any more whose it is."""
    match outcome.status:
        case "trainer-died":
            told = f"the trainer process died twice, last with {outcome.message}"
        case "not-started":
            told = f"the trainer process did not start, last with {outcome.message}"
            return replace(outcome, status=MACHINE_FAULT, message=told)
        case "device-fault":
            told = f"the device failed twice, last with {outcome.message}"
        case _:
            return outcome
    return replace(outcome, status="trainer-error", message=told)
