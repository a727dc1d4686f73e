"""What the driver of a run has put into Ray's object store: the same content once, however many trainings need it."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

from fairnad_engine.errors import FairnadError
from fairnad_engine.training.datasets import packed_parts
from fairnad_engine.training.jobs import TrainingJob

_KEPT_FILES = 64  # graphs and weights


class Sent:
    """Files by their content, and data sets by their digests."""

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self._files: OrderedDict[str, Any] = OrderedDict()
        self._data: dict[str, list[Any]] = {}
        self._lock = asyncio.Lock()

    async def file(self, path: str) -> Any:  # noqa: ANN401 - Ray's reference
        """A file's content.

        Raises:
            OSError: It cannot be read.
        """
        import ray

        data = await asyncio.to_thread(Path(path).read_bytes)
        name = hashlib.sha256(data).hexdigest()
        if name not in self._files:
            self._files[name] = ray.put(data)
        self._files.move_to_end(name)
        while len(self._files) > _KEPT_FILES:
            self._files.popitem(last=False)
        return self._files[name]

    def parts(self, job: TrainingJob) -> list[Any]:
        """The parts of a job's data set; none before a node has asked for it."""
        return self._data.get(job.dataset_digest, [])

    async def data(self, job: TrainingJob) -> str:
        """Send a job's data set, because a node has asked for it; why that failed, or nothing."""
        import ray

        def put() -> list[Any]:
            return [ray.put(part) for part in packed_parts(job.dataset, job.data)]

        async with self._lock:
            if job.dataset_digest not in self._data:
                try:
                    self._data[job.dataset_digest] = await asyncio.to_thread(put)
                except (ray.exceptions.RayError, OSError, FairnadError) as error:
                    return f"{job.dataset} could not be sent to the cluster: {' '.join(str(error).split())[:300]}"
        return ""
