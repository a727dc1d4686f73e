"""A store with 10,000 candidates and 50,000 ideas: ``python -m bench large_store``.

Measured are selection, ``status`` and the start of the application on the run's desk. Beside each time stands the
processor's, which other programs on the machine change little.
"""

from __future__ import annotations

import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.large_run import add_generation, fill
from bench.terminal import Terminal
from fairnad_engine.artifacts import write_atomically
from fairnad_engine.search.archive import Archive
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.fairness import FairSampler
from fairnad_engine.search.plan import places_of, plan_slots
from fairnad_engine.search.selection import Ranking
from fairnad_engine.store import Store

Row = tuple[str, str, str, bool]
_ROUNDS = 7


class _Time(NamedTuple):
    passed: float
    computed: float


def main() -> list[Row]:
    """Fill the store and measure; target and measure are of wall time, the processor's stands beside it."""
    with tempfile.TemporaryDirectory(prefix="fairnad-bench-") as folder:
        path = Path(folder) / "large.db"
        run_id = fill(path)
        with Store(path) as store:
            rows = [*selection(store, run_id), *status(store, path)]
        return [*rows, *attach(path, run_id)]


def selection(store: Store, run_id: str) -> list[Row]:
    """Draw the parents of a generation; and bring the archive up to date when one more is over."""
    archive = Archive(store, run_id)
    config = RunConfig()
    number = store.runs.generations(run_id)[-1].number + 1
    draws, updates = [], []
    Ranking(archive.candidates()).tournament(np.random.default_rng(0))  # pymoo is imported once a process
    for turn in range(_ROUNDS):
        seen = archive.at(number + turn, 1)
        sampler = FairSampler([], {}, {}, config.search.fairness)
        draws.append(_time(partial(plan_slots, places_of(config), number + turn, config, seen, sampler, 0)))
        add_generation(store, run_id, number + turn)
        updates.append(_time(partial(archive.at, number + turn + 1, 1)))
    return [
        _row("selection: the parents of a generation, ms", draws, 1000, 20),
        _row("selection: the archive brought up to date after a generation, ms", updates, 1000, 20),
    ]


def status(store: Store, path: Path) -> list[Row]:
    """``status``, in the process and as a command."""
    from fairnad_tui.commands.running import workspace_status

    inside = [_time(lambda: workspace_status(store)) for _ in range(_ROUNDS)]
    command = [sys.executable, "-m", "fairnad_tui", "status", "--db", str(path)]
    whole = [_child(command) for _ in range(_ROUNDS)]
    return [_row("status: inside the process, s", inside, 1, 0.5), _row("status: the command, s", whole, 1, 0.5)]


def attach(path: Path, run_id: str) -> list[Row]:
    """From the start of the application until the desk of the run that it was left on shows candidates."""
    small = path.with_name("small.db")
    fill(small, candidates=20, ideas=100)
    _attach(path, run_id)  # once unmeasured: the files are in memory then, as those of a machine that is used are
    found = [_attach(path, run_id) for _ in range(_ROUNDS)]
    bare = [_attach(small, run_id) for _ in range(_ROUNDS)]
    return [
        _row("attach: first paint with the run's rows, s", found, 1, 1.5),
        _row("attach: the same with 20 candidates and 100 ideas, s", bare, 1),
    ]


def _attach(path: Path, run_id: str) -> _Time:
    place = {"place": "search", "screens": {"search": {"run": run_id}}}
    write_atomically(path.with_name(f"{path.stem}-files") / "screens.json", json.dumps(place).encode())
    environment = {**os.environ, "TERM": "xterm-256color", "FAIRNAD_CONFIG": "/nonexistent", "LANG": "C.UTF-8"}
    command = [sys.executable, "-m", "fairnad_tui", "--db", str(path)]
    terminal = Terminal(command, size=(120, 40), environment=environment)
    try:
        return _Time(terminal.wait_for(b"-s18"), terminal.cpu_seconds())  # of a candidate's id
    finally:
        terminal.close()


def _time(work: Callable[[], object]) -> _Time:
    begun = _Time(time.perf_counter(), time.thread_time())
    work()
    return _Time(time.perf_counter() - begun.passed, time.thread_time() - begun.computed)


def _child(command: list[str]) -> _Time:
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return _Time(time.perf_counter() - begun, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _row(what: str, times: list[_Time], unit: float, most: float = math.inf) -> Row:
    passed, computed = (statistics.median(part) * unit for part in zip(*times, strict=True))
    aim = f"{most:g}" if most < math.inf else ""
    return f"{what} (of the processor)", f"{passed:.3g} ({computed:.3g})", aim, passed <= most


if __name__ == "__main__":
    for row in main():
        print(*row, sep=" | ")
