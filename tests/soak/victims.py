"""The processes of a run as a killer finds them, and which of them may be killed without changing a verdict.

By design a second kill in a row is a verdict: a candidate whose jail child is killed twice, or whose trainer is killed
twice without having got further, is held to be the cause. So what repeats a killed attempt is spared until it is over,
and what repeats a killed training until it has come to another epoch. A trainer that has not said yet what it trains
may have just been given a training; as nobody knows which, only one of these is killed in each life of a worker.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from fairnad_engine.processes import ProcessIdentity, identity_of
from tests.soak.searches import Search

_TRIALS = 4  # children that the probe of the jail has at a time: so many may begin before the repeat of one does


def children_of(pid: int) -> list[int]:
    """Processes that a process started."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except OSError:
            continue
    return found


def tree(pid: int) -> list[ProcessIdentity]:
    """A process and all below it."""
    found, left = [], [pid]
    while left:
        one = left.pop()
        if (identity := identity_of(one)) is not None:
            found.append(identity)
            left += children_of(one)
    return found


def _line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


class Victims:
    """Finds victims in one search.

    Attributes:
        killed_training: What the trainer was at that was killed last, if anything.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self.killed_training: str | None = None
        self._children_seen: set[ProcessIdentity] = set()
        self._spared: int | None = None  # children still to be seen before another may be killed
        self._furthest: dict[str, int] = {}  # the last epoch of each training when its trainer was killed
        self._unknown = False  # whether a trainer was killed at no training known

    def observe(self) -> list[ProcessIdentity]:
        """Look at the jail's children, of which each is there for a moment."""
        now = [one for zygote in self._zygotes() for one in map(identity_of, children_of(zygote)) if one is not None]
        new = [one for one in now if one not in self._children_seen]
        self._children_seen.update(new)
        if self._spared is not None:
            self._spared -= len(new)
            if self._spared <= 0 and not any(one in now for one in self._children_seen - set(new)):
                self._spared = None if not now else 0
        return now

    def begin_life(self) -> None:
        """A new worker begins every attempt and training anew."""
        self._spared = None
        self._furthest, self._unknown = {}, False

    def _worker_children(self) -> list[int]:
        worker = self._search.worker()
        return [] if worker is None else children_of(worker.pid)

    def _zygotes(self) -> list[int]:
        # What probes the jail at the start has no torch to preload and ends at once: it is one too.
        return [pid for pid in self._worker_children() if b"jail.zygote" in _line(pid)]

    def find(self, kind: str) -> list[ProcessIdentity]:
        """Processes of a kind that may be killed now."""
        match kind:
            case "worker":
                worker = self._search.worker()
                return [] if worker is None else [worker]
            case "zygote":
                return [one for one in map(identity_of, self._zygotes()) if one is not None]
            case "child":
                found = self.observe()
                return found if self._spared is None else []
            case "trainer":
                return self._trainers()
        raise ValueError(kind)

    def _trainers(self) -> list[ProcessIdentity]:
        """Idle ones, and those whose training has come further than when its trainer was killed before."""
        lines = self._search.trainings()
        pids = [pid for pid in self._worker_children() if b"training.simulated" in _line(pid)]
        return [one for pid in pids if self._may_end(pid, lines) and (one := identity_of(pid)) is not None]

    def _may_end(self, pid: int, lines: list[dict]) -> bool:
        last = _last_of(pid, lines)
        if last is None or last["what"] == "done":  # its next training may be one that was killed before
            return not self._furthest and not self._unknown
        return last["what"] == "epoch" and last["epochs"] > self._furthest.get(last["job"], 0)

    def kill(self, kind: str, victim: ProcessIdentity) -> bool:
        """Kill it; False where it has come to a place meanwhile at which it may not be killed."""
        try:
            if kind == "trainer" and not self._at_a_fair_place(victim.pid):
                return False
            os.kill(victim.pid, signal.SIGKILL)
        except ProcessLookupError:  # it ended by itself meanwhile
            return False
        if kind == "child":
            self._spared = max(self._search.lanes, _TRIALS)
        return True

    def _at_a_fair_place(self, pid: int) -> bool:
        """Hold a trainer where it is, and look whether it may end there; it goes on where not."""
        os.kill(pid, signal.SIGSTOP)
        if not _stands(pid):
            return False
        lines = self._search.trainings()
        if not self._may_end(pid, lines):
            os.kill(pid, signal.SIGCONT)
            return False
        last = _last_of(pid, lines)
        if last is None or last["what"] == "done":
            self._unknown, self.killed_training = True, None
        else:
            self._furthest[last["job"]], self.killed_training = last["epochs"], last["job"]
        return True


def _stands(pid: int) -> bool:
    """Wait until a process that was told to stop does no more; False where it has ended instead."""
    while (state := _state(pid)) not in ("T", "Z", ""):
        time.sleep(0.001)
    return state == "T"


def _state(pid: int) -> str:
    """Of a process, as the kernel names it; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return ""


def _last_of(pid: int, lines: list[dict]) -> dict | None:
    return next((one for one in reversed(lines) if one["pid"] == pid), None)
