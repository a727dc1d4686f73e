"""What a worker is doing now, for whoever looks on."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairnad_engine.artifacts import write_atomically


@dataclass(frozen=True)
class NodeLoad:
    """A machine of a cluster and how much of it this job's tasks take; ``alive`` is what the cluster says of it."""

    name: str
    address: str
    cpus: float
    cpus_used: float
    gpus: float
    gpus_used: float
    tasks: int
    alive: bool


def nodes_of(document: Any) -> tuple[NodeLoad, ...]:  # noqa: ANN401 - as it was read
    """The nodes that an activity file names under ``nodes``; what is no node is left out."""
    listed = document.get("nodes") if isinstance(document, dict) else None
    found = []
    for one in listed if isinstance(listed, list) else ():
        with suppress(KeyError, TypeError, ValueError):
            found.append(
                NodeLoad(
                    name=str(one["name"]),
                    address=str(one["address"]),
                    cpus=float(one["cpus"]),
                    cpus_used=float(one["cpus_used"]),
                    gpus=float(one["gpus"]),
                    gpus_used=float(one["gpus_used"]),
                    tasks=int(one["tasks"]),
                    alive=bool(one["alive"]),
                )
            )
    return tuple(found)


class Activity:
    """What each candidate or paper is going through now, for whoever looks on: a small file, rewritten as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._now: dict[str, str] = {}
        self._dirty = True

    def __call__(self, subject: str, doing: str) -> None:
        """Note what a subject is going through; empty text ends it."""
        if doing:
            self._now[subject] = doing
        else:
            self._now.pop(subject, None)
        self._dirty = True

    def flush(self) -> None:
        """Write the file if something changed."""
        if self._dirty:
            self._dirty = False
            # A copy, because it is written in another thread than it is changed in.
            write_atomically(self._path, json.dumps(dict(self._now)).encode())
