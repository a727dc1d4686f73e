"""Trainings on a Ray cluster, behind the same interface as those on this machine.

A training is a Ray task with one core and, where the cluster has GPUs, a fraction of one; it gives messages as it
goes. Nothing of it is Ray's to repeat: what a lost node or a death means is decided here, by the rules that hold
locally. Tasks end with the process that asked for them; the next life of the worker goes on from their checkpoints,
which come back here, so that no training is ever found again that nobody may be waiting for.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from fairnad_engine.activity import NodeLoad
from fairnad_engine.artifacts import ArtifactFolder, write_atomically
from fairnad_engine.errors import StoreError
from fairnad_engine.faults import is_disk_full
from fairnad_engine.training import ray_node
from fairnad_engine.training.checkpoints import checkpoint_path
from fairnad_engine.training.datasets import split_digest
from fairnad_engine.training.executor import FAULTS, Progress, Repeats, final_outcome
from fairnad_engine.training.jobs import DISK_FULL, MACHINE_FAULT, TrainingJob, TrainingOutcome
from fairnad_engine.training.ray_cluster import INSTALL, Cluster
from fairnad_engine.training.ray_objects import Sent
from fairnad_engine.training.remote import outcome_of

_LOOK_SECONDS = 3.0
_MOST_LOST = 20  # tries of one job that nodes took with them
_STREAMS = 2  # trainings on a GPU where nothing else is said: the paper's number


@dataclass
class _Try:
    """One try of a job: how it ended, and where; None where a node took it along."""

    outcome: TrainingOutcome | None = None
    node: str = ""
    weights: tuple[str, bytes] | None = None
    needs_data: bool = False


class RayExecutor:
    """Ray tasks, as many at a time as the cluster has room for.

    Attributes:
        on_gpus: Whether trainings are given GPUs.
    """

    def __init__(
        self,
        cluster: Cluster,
        workers: int,
        *,
        gpus: bool = True,
        streams: Literal["auto"] | int = "auto",
        on_load: Callable[[list[NodeLoad]], None] = lambda _load: None,
    ) -> None:
        """Start nothing yet.

        Args:
            cluster: Which has been joined.
            workers: Most trainings at a time on CPUs.
            gpus: Whether the cluster's GPUs may be used, where it has some.
            streams: Trainings at a time on each GPU.
            on_load: Told about the nodes every few seconds.
        """
        self._cluster = cluster
        self._workers = workers
        self._streams = _STREAMS if streams == "auto" else streams
        self._on_load = on_load
        self._nodes = cluster.nodes()
        self.on_gpus = gpus and any(one.seen.gpus for one in self._nodes)
        self._task = _remote_task(self.on_gpus)
        self._versions = ray_node.versions()
        self._sent = Sent()
        self._faults: Counter[str] = Counter()
        self._on: dict[int, str] = {}  # node of each task that has started
        self._running: set[int] = set()
        self._queue: set[tuple[int, int]] = set()
        self._tickets = itertools.count()
        self._changed = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    async def run(self, job: TrainingJob, progress: Progress, deadline: float) -> TrainingOutcome:
        """See :class:`fairnad_engine.training.executor.Executor`; the time that Ray lets a job wait is not counted."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_on())
        if not job.dataset_digest:
            job = replace(job, dataset_digest=await asyncio.to_thread(split_digest, job.dataset, **job.data))
        repeats, lost, avoided = Repeats(), 0, ""
        while True:
            async with self._place(job.rank) as ticket:
                before = self._faults.copy()
                one = await self._attempt(ticket, job, progress, deadline, repeats.alone, avoided)
            if one.needs_data:
                if problem := await self._sent.data(job):
                    return TrainingOutcome(MACHINE_FAULT, message=problem)
                continue
            if one.outcome is None:
                lost += 1
                if lost > _MOST_LOST:
                    return TrainingOutcome(MACHINE_FAULT, message=f"{lost} nodes of the Ray cluster were lost with it")
                continue
            outcome = one.outcome
            if outcome.status in FAULTS:
                self._faults[one.node] += 1
                avoided = one.node
            if not repeats.again(outcome.status, self._faults[one.node] - before[one.node] > 1):
                return final_outcome(outcome)
            job = replace(job, record=job.record and outcome.status not in FAULTS)

    async def close(self) -> None:
        """End every task and leave the cluster."""
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
        await asyncio.to_thread(self._cluster.leave)

    @property
    def _room(self) -> int:
        """Trainings that the cluster takes at a time, nodes that come and go included."""
        living = [one.seen for one in self._nodes if one.seen.alive]
        if self.on_gpus:
            return max(1, int(sum(one.gpus for one in living) * self._streams))
        return max(1, min(self._workers, int(sum(one.cpus for one in living))))

    @asynccontextmanager
    async def _place(self, rank: int) -> AsyncIterator[int]:
        """Wait for room, behind jobs of a lower rank."""
        ticket = next(self._tickets)
        place = (rank, ticket)
        self._queue.add(place)
        try:
            while place != min(self._queue) or len(self._running) >= self._room:
                await self._changed.wait()
            self._running.add(ticket)
        finally:
            self._queue.discard(place)
            self._wake()
        try:
            yield ticket
        finally:
            self._running.discard(ticket)
            self._on.pop(ticket, None)
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _look_on(self) -> None:
        """Count the nodes now and then, and tell of them."""
        while True:
            with suppress(Exception):  # whatever Ray does not say now it may say the next time
                self._nodes = await asyncio.to_thread(self._cluster.nodes)
                trainings = Counter(self._on.values())
                self._on_load([replace(one.seen, trainings=trainings[one.id]) for one in self._nodes])
                self._wake()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _attempt(
        self, ticket: int, job: TrainingJob, progress: Progress, deadline: float, alone: bool, avoided: str
    ) -> _Try:
        """Have the job done by one task, which is over when this returns."""
        import ray

        found = _Try()
        try:
            stream = await self._submit(job, alone, avoided)
        except ray.exceptions.RayError:
            return found
        except (OSError, StoreError) as error:
            found.outcome = TrainingOutcome(MACHINE_FAULT, message=str(error))
            return found
        over = False
        try:
            async with asyncio.timeout(None) as limit:
                async for ref in stream:
                    message = await ref
                    if message["type"] == "started":
                        found.node = self._on[ticket] = message["node"]
                        limit.reschedule(asyncio.get_running_loop().time() + deadline)
                    await self._take(message, job, progress, found)
            over = True
        except ray.exceptions.RayError as error:  # before OSError, which such a one may be too
            over = True
            if found.outcome is None:
                found.outcome = await self._judge(error, found.node)
        except TimeoutError:
            found.outcome = TrainingOutcome("timeout", message=f"not done after {deadline:.0f} s", seconds=deadline)
        except (OSError, StoreError) as error:
            found.outcome = TrainingOutcome(DISK_FULL if is_disk_full(error) else MACHINE_FAULT, message=str(error))
        finally:
            if not over:
                ray.cancel(stream, force=True)
        return found

    async def _take(self, message: dict[str, Any], job: TrainingJob, progress: Progress, found: _Try) -> None:
        """Do what a message asks for.

        Raises:
            StoreError: Weights could not be written.
            OSError: Nor a checkpoint.
        """
        match message["type"]:
            case "epoch":
                progress(message)
            case "checkpoint":
                await asyncio.to_thread(write_atomically, self._state_of(job), message["data"])
            case "needs-data":
                found.needs_data = True
            case "weights":
                found.weights = (message["name"], message["data"])
            case "outcome":
                if found.weights is not None:
                    name, data = found.weights
                    kept = await asyncio.to_thread(ArtifactFolder(Path(job.artifacts)).put, data, ".safetensors")
                    if kept != name:
                        raise StoreError(f"the weights of {job.id} did not arrive as they were sent; resume")
                found.outcome = outcome_of(message)

    async def _judge(self, error: Exception, node: str) -> TrainingOutcome | None:
        """What the end of a task means; None where its node was lost, and the job is not to blame."""
        from ray import exceptions

        if isinstance(error, exceptions.OutOfMemoryError):
            return TrainingOutcome("out-of-memory", message="ended by the node for want of main memory")
        if isinstance(error, exceptions.WorkerCrashedError):
            if not node or not await asyncio.to_thread(self._cluster.answers, node):
                return None
            return TrainingOutcome("trainer-died", message="its process was killed, or crashed")
        if isinstance(error, exceptions.RayTaskError):
            told = " ".join(f"{type(error.cause).__name__}: {error.cause}".split())
            if "No module named" in str(error):
                told = f"the program is not there; start Ray from its environment ({INSTALL})"
            return TrainingOutcome(MACHINE_FAULT, message=f"on node {node[:8] or '?'}: {told[:400]}")
        return None

    async def _submit(self, job: TrainingJob, alone: bool, avoided: str) -> Any:  # noqa: ANN401 - Ray's generator
        """Hand the job to Ray.

        Raises:
            OSError: A file of it cannot be read.
        """
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        graph, weights = await self._sent.file(job.graph), await self._sent.file(job.weights)
        state = self._state_of(job)
        checkpoint = await asyncio.to_thread(lambda: state.read_bytes() if state.exists() else None)
        living = [
            one for one in self._nodes if one.seen.alive and (one.seen.gpus if self.on_gpus else one.seen.cpus) >= 1
        ]
        options: dict[str, Any] = {"num_cpus": 1, "name": f"fairnad {job.id}"}
        if self.on_gpus:
            options["num_gpus"] = 1 if alone else 1 / self._streams
        elif alone:  # a whole node; the smallest, because a larger one may go
            options["num_cpus"] = max(1, int(min((one.seen.cpus for one in living), default=1)))
        others = [one for one in living if one.id != avoided]
        if avoided and others:
            calmest = min(others, key=lambda one: (one.seen.cpus_used, one.id))
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(calmest.id, soft=True)
        order = ray_node.Order(job, self._versions)
        return self._task.options(**options).remote(order, graph, weights, checkpoint, self._sent.parts(job))

    def _state_of(self, job: TrainingJob) -> Path:
        return checkpoint_path(job, "cuda" if self.on_gpus else "cpu")


def _remote_task(on_gpus: bool) -> Any:  # noqa: ANN401 - Ray's remote function
    """The training as a task; on a GPU each has a process of its own, whose end gives back all that it held there."""
    import ray

    return ray.remote(max_retries=0, num_returns="streaming", max_calls=1 if on_gpus else 0)(_train)


def _train(order: ray_node.Order, graph: bytes, weights: bytes, checkpoint: bytes | None, parts: list[Any]) -> Any:  # noqa: ANN401
    """Runs on the node; parts are references there too, and fetched only where they are needed."""
    import ray

    yield from ray_node.train(order, graph, weights, checkpoint, [partial(ray.get, ref) for ref in parts])
