"""How a worker waits for its devices: in line, told to whoever looks on, and answering requests as ever."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable

from fairnad_engine.device_locks import DeviceLocks
from fairnad_engine.errors import DevicesTakenError
from fairnad_engine.machine import accelerators
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.config_machine import MachineSection
from fairnad_engine.search.control import Control
from fairnad_engine.store import Store
from fairnad_engine.store.records import JobRow
from fairnad_engine.store.reservations import CPU, QueuePlace, Wanted
from fairnad_engine.training.ray_cluster import address_of
from fairnad_engine.training_jobs import machine_of_finish

POLL_SECONDS = 0.5
TRAINS = ("search", "finish")  # kinds of jobs; a study's runs are jobs of their own
_log = logging.getLogger("fairnad.worker")


def place_of(store: Store, job_id: str) -> QueuePlace | None:
    """Where a job stands in the line, by its own settings; None where nothing in this workspace is in its way."""
    job = store.jobs.get(job_id)
    return store.reservations.place(job_id, machine_of(store, job).max_workers_total) if job.kind in TRAINS else None


def machine_of(store: Store, job: JobRow) -> MachineSection:
    """How a job that trains uses the machine."""
    if job.kind == "finish":
        return machine_of_finish(store, job)
    return RunConfig.model_validate(job.config).machine


class Devices:
    """What one worker has reserved."""

    def __init__(self, store: Store, job: JobRow, token: str, show: Callable[[str], None]) -> None:
        """Reserve nothing yet.

        Args:
            store: The workspace.
            job: The job.
            token: Its lease.
            show: Told where the job stands in line, and an empty text when it does no longer.
        """
        self._store = store
        self._job = job
        self._token = token
        self._show = show
        self._locks = DeviceLocks(f"{job.run_id or job.id} of {store.path.resolve()}, process {os.getpid()}")

    async def wait(self, control: Control) -> None:
        """Reserve what the job trains on, in line where others have it; the job is ``queued`` meanwhile.

        Raises:
            DevicesTakenError: Others have it, and the settings say not to wait.
            StopRequestedError: The job is asked to stop.
        """
        if self._job.kind not in TRAINS:
            return
        machine = machine_of(self._store, self._job)
        if machine.executor != "local" and address_of(machine.executor) is not None:
            return  # a cluster hands out its devices itself, but for one of the run's own, on this machine
        wanted = await wanted_devices(machine)
        told = ""
        while (place := self._take(machine, wanted)) is not None:
            if not machine.queue:
                raise DevicesTakenError(
                    f"{place.reason}; wait for it with [machine] queue = true (without --no-queue), or name other "
                    "devices with --devices"
                )
            message = f"place {place.place} in the line: {place.reason}"
            if message != told:
                _log.info("%s waits: %s", self._job.id, message)
            told = message
            self._show(message)
            await asyncio.sleep(POLL_SECONDS)
            if control.paused:  # it lets the others pass, and stands at the end when it goes on
                self._store.reservations.give_back(self._job.id, self._token)
                await control.gate()
        self._show("")

    def give_back(self) -> None:
        """Free everything, and leave the line."""
        self._locks.give_back()
        self._store.reservations.give_back(self._job.id, self._token)

    def _take(self, machine: MachineSection, wanted: list[Wanted]) -> QueuePlace | None:
        most = machine.max_workers_total
        if (place := self._store.reservations.place(self._job.id, most)) is not None:
            return place  # a look that writes nothing
        gpus = [one.device for one in wanted if one.device != CPU]
        return self._store.reservations.take(
            self._job.id, self._token, wanted, most_on_cpu=most, beyond=lambda: self._locks.take(gpus)
        )


async def wanted_devices(machine: MachineSection) -> list[Wanted]:
    """What settings make a job train on; torch is asked only where there may be a GPU to find."""
    host = socket.gethostname()
    names: tuple[str, ...] = ()
    if machine.devices != "auto":
        names = tuple(dict.fromkeys(machine.devices))
    elif await asyncio.to_thread(accelerators):
        names = tuple(f"cuda:{number}" for number in range(await asyncio.to_thread(_visible)))
    streams = 0 if machine.streams == "auto" else machine.streams
    return [
        Wanted(host, CPU, machine.workers) if name == CPU else Wanted(host, physical_name(name), streams)
        for name in names or (CPU,)
    ]


def physical_name(name: str) -> str:
    """A GPU by its number or UUID on the machine, whatever CUDA_VISIBLE_DEVICES makes of that in this process."""
    visible = [one.strip() for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one.strip()]
    number = int(name.removeprefix("cuda:"))
    return f"GPU {visible[number] if number < len(visible) else number}"


def _visible() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
