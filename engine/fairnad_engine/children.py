"""The processes that a worker starts, written down, so that its next life can end those that outlived it.

They die with their worker by the kernel's hand (a death signal, a closed socket). This is for one that did not: it is
found by its identity, never by its name.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from threading import Lock

from fairnad_engine.artifacts import write_atomically
from fairnad_engine.processes import ProcessIdentity, identity_of

_log = logging.getLogger("fairnad.children")


class Children:
    """The file ``children.json`` of a job: identities of the processes that its worker has started and that live.

    Args:
        path: The file; an earlier life's is replaced with the first process that is noted.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._noted: list[ProcessIdentity] = []
        self._lock = Lock()

    def note(self, pid: int) -> None:
        """Write a process down, right after its start; those that ended are left out.

        A disk that takes no file costs only this safety: the process is not held up for it.
        """
        with self._lock:
            self._noted = [one for one in self._noted if one.is_alive()]
            if (identity := identity_of(pid)) is not None:
                self._noted.append(identity)
            try:
                write_atomically(self._path, json.dumps([asdict(one) for one in self._noted]).encode())
            except OSError as error:
                _log.warning("%s: %s; processes that outlive this worker will not be found", self._path, error)


def end_survivors(path: Path) -> int:
    """End what an earlier life of a worker left running on this host; return how many processes that were."""
    ended = 0
    for one in _read(path):
        if one.is_alive():
            _log.warning("process %d outlived the worker that started it; it is ended", one.pid)
            with suppress(PermissionError):
                one.kill()
                ended += 1
    path.unlink(missing_ok=True)
    return ended


def _read(path: Path) -> list[ProcessIdentity]:
    """What was written down; nothing where there is no such file, or none that can be read."""
    try:
        return [ProcessIdentity(**one) for one in json.loads(path.read_text("utf-8"))]
    except (OSError, ValueError, TypeError):
        return []
