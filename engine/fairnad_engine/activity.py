"""What a worker is doing now, for whoever looks on."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fairnad_engine.artifacts import write_atomically

_NODES = "nodes.json"


@dataclass(frozen=True)
class NodeLoad:
    """One machine of the cluster that a job trains on, as its worker last saw it.

    Attributes:
        address: Where it is.
        alive: Whether it answers its head.
        cpus: Processor cores that it offers.
        cpus_used: Of these, by all that runs there.
        gpus: GPUs that it offers.
        gpus_used: Of these, likewise.
        trainings: Of this job, that run there.
    """

    address: str
    alive: bool
    cpus: float
    cpus_used: float
    gpus: float
    gpus_used: float
    trainings: int = 0


def read_nodes(folder: Path) -> tuple[float, list[NodeLoad]]:
    """When a job's worker last wrote its nodes down (seconds since 1970), and what it wrote; 0 and none before."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads((folder / _NODES).read_text("utf-8"))
        return float(found["at"]), [NodeLoad(**one) for one in found["nodes"]]
    return 0.0, []


class Activity:
    """What each candidate or paper is going through now, for whoever looks on: a small file, rewritten as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._now: dict[str, str] = {}
        self._dirty = True
        self._nodes: dict[str, Any] | None = None
        with suppress(OSError):
            path.with_name(_NODES).unlink(missing_ok=True)  # an earlier life's, perhaps on another cluster

    def __call__(self, subject: str, doing: str) -> None:
        """Note what a subject is going through; empty text ends it."""
        if doing:
            self._now[subject] = doing
        else:
            self._now.pop(subject, None)
        self._dirty = True

    def show_nodes(self, nodes: Sequence[NodeLoad]) -> None:
        """Note how busy the nodes of the cluster are."""
        self._nodes = {"at": time.time(), "nodes": [asdict(one) for one in nodes]}

    def flush(self) -> None:
        """Write the files if something changed.

        Raises:
            OSError: One cannot be written; the next call tries again.
        """
        nodes, self._nodes = self._nodes, None
        if nodes is not None:
            write_atomically(self._path.with_name(_NODES), json.dumps(nodes).encode())
        if self._dirty:
            self._dirty = False
            try:
                # A copy, because it is written in another thread than it is changed in.
                write_atomically(self._path, json.dumps(dict(self._now)).encode())
            except OSError:
                self._dirty = True
                raise
