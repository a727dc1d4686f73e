"""The workspace's runs as the runs screen lists and compares them, and what can be done with one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairnad_engine import clock
from fairnad_engine.activity import NodeLoad, read_nodes
from fairnad_engine.places import expanded
from fairnad_engine.search.finish_results import FinishResult
from fairnad_engine.store import Store
from fairnad_engine.store.jobs import STALE_SECONDS
from fairnad_engine.store.records import JobRow, RunRow
from fairnad_engine.workspace import job_folder

QUIET_SECONDS = 5.0  # without a heartbeat, of which there are two a second, before a worker may be taken over


@dataclass(frozen=True)
class FrontMember:
    """A model on a run's front; accuracy on the validation split, percent."""

    id: str
    accuracy: float
    params: int
    macs: int
    change: str


@dataclass(frozen=True)
class Keeper:
    """The process that holds the lease of a run's job.

    Attributes:
        job: The job, of the search or of the finish.
        host: Where it runs.
        pid: Its number there.
        age: Seconds since its last heartbeat, by the clocks of two machines where it is another; 0 for few.
        lease: ``live``, ``quiet`` (it may hang), ``stalled`` (no beat for a minute) or ``stale`` (it is gone).
        elsewhere: Whether it is on another host.
    """

    job: str
    host: str
    pid: int
    age: float
    lease: str
    elsewhere: bool


@dataclass(frozen=True)
class RunEntry:
    """One run.

    Attributes:
        row: The run with its settings.
        state: State of its search, ``dead`` where nobody works on it though it says so.
        message: What its job said last.
        trained: Models trained.
        budget: Models to train.
        best: Best validation accuracy, percent.
        hypervolume: At the end of the last generation.
        generation: The last generation begun.
        finish: State of its finish, empty for none.
        held: Whether a process works on it now.
        job: The job of its search, empty for none.
        exit_code: What that job ended with.
        fault: The name of what ended it or holds it up (:mod:`fairnad_engine.faults`), where it has one.
        keeper: Who holds a lease on it.
    """

    row: RunRow
    state: str
    message: str
    trained: int
    budget: int
    best: float | None
    hypervolume: float | None
    generation: int
    finish: str
    held: bool
    job: str = ""
    exit_code: int = 0
    fault: str = ""
    keeper: Keeper | None = None

    @property
    def id(self) -> str:
        """The run's id."""
        return self.row.id


@dataclass(frozen=True)
class RunDetail:
    """What is read only for the runs that are looked at: their front, and their test scores."""

    front: tuple[FrontMember, ...]
    tests: tuple[FinishResult, ...]
    nodes: tuple[NodeLoad, ...] = ()


@dataclass(frozen=True)
class RunsSnapshot:
    """Every run, newest first, and details of those asked for."""

    runs: tuple[RunEntry, ...]
    details: dict[str, RunDetail]


def read_runs(store: Store, wanted: Collection[str]) -> RunsSnapshot:
    """Read the runs, and the details of some; without any named, of the newest."""
    rows = list(reversed(store.runs.all()))
    known = {row.id for row in rows}
    looked_at = [one for one in wanted if one in known] or [row.id for row in rows[:1]]
    return RunsSnapshot(tuple(_entry(store, row) for row in rows), {one: _detail(store, one) for one in looked_at})


def _entry(store: Store, row: RunRow) -> RunEntry:
    job, finish = store.jobs.of_run(row.id), store.jobs.of_run(row.id, "finish")
    progress = store.runs.progress(row.id)
    volumes = [g.hypervolume for g in store.runs.generations(row.id) if g.hypervolume is not None]
    return RunEntry(
        row=row,
        state=store.jobs.living_state(job) if job else "unknown",
        message=job.message if job else "",
        trained=progress.trained,
        budget=progress.budget,
        best=progress.best_accuracy,
        hypervolume=volumes[-1] if volumes else None,
        generation=progress.generation,
        finish=store.jobs.living_state(finish) if finish else "",
        held=any(store.jobs.is_held(one.id) for one in (job, finish) if one),
        job=job.id if job else "",
        exit_code=job.exit_code if job else 0,
        fault=job.fault if job else "",
        keeper=next(filter(None, (_keeper(store, one) for one in (job, finish))), None),
    )


def _keeper(store: Store, job: JobRow | None) -> Keeper | None:
    holder = store.jobs.holder(job.id) if job else None
    if job is None or holder is None:
        return None
    identity, beat = holder
    alive, quiet = identity.is_alive(), store.jobs.quiet_seconds(job.id)
    age = clock.now() - beat
    # At the first look nothing is known but what the holder's clock said, which on this host is this one's.
    late = alive is True and age >= 3 * QUIET_SECONDS
    lease = "quiet" if late or quiet >= QUIET_SECONDS else "live"
    if alive is False or (alive is None and quiet >= STALE_SECONDS):
        lease = "stale"
    elif quiet >= STALE_SECONDS:
        lease = "stalled"
    # To the second it is of interest only where it grows; else the screen would be drawn anew with each beat.
    return Keeper(job.id, identity.host, identity.pid, age if age >= QUIET_SECONDS else 0.0, lease, alive is None)


def _detail(store: Store, run_id: str) -> RunDetail:
    from fairnad_engine.search.finish_results import finish_results
    from fairnad_engine.search.front import front_of

    front = tuple(
        FrontMember(one.id, one.accuracy or 0.0, one.params, one.macs, one.change)
        for one in front_of(sorted(store.live.candidates(run_id), key=lambda c: c.position))
    )
    job = store.jobs.of_run(run_id)
    nodes = read_nodes(job_folder(store.path, job.id))[1] if job and store.jobs.is_held(job.id) else []
    return RunDetail(front, finish_results(store, run_id), tuple(nodes))


def differing_settings(runs: list[RunEntry]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(name, a value for each run) of everything that is not the same in all of them."""
    tables = [_settings(one) for one in runs]
    names = dict.fromkeys(name for table in tables for name in table)
    rows = [(name, tuple(table.get(name, "-") for table in tables)) for name in names]
    return tuple(row for row in rows if len(set(row[1])) > 1)


def comparable(runs: list[RunEntry]) -> str:
    """Why accuracies of runs do not compare; empty where they do."""
    if len({one.row.dataset_digest for one in runs}) > 1:
        return "These runs have different data or splits; their accuracies do not compare."
    if len({one.row.protocol_digest for one in runs}) > 1:
        return "These runs have different training protocols; their accuracies do not compare."
    return ""


def _settings(run: RunEntry) -> dict[str, str]:
    row = run.row
    found = _flat(row.config, "")
    found.update(
        {
            "model digest": row.model_digest,
            "template version": str(row.template_version),
            "data digest": row.dataset_digest,
            "protocol digest": row.protocol_digest,
        }
    )
    versions = row.environment.get("packages", {})
    return {**found, **{f"version of {name}": str(version) for name, version in versions.items()}}


def _flat(table: dict[str, Any], prefix: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            found.update(_flat(value, f"{prefix}{name}."))
        else:
            text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
            found[f"{prefix}{name}"] = text
    return found


def deletion_question(store: Store, run_id: str) -> str:
    """What goes with a run, as a question."""
    run, contents = store.runs.get(run_id), store.deletion.contents(run_id)
    return (
        f"Delete {run_id} ({run.name})? With it go {contents.candidates:,} models with their graphs and weights, "
        f"{contents.trainings:,} trainings, {contents.attempts:,} proposals, {contents.model_calls:,} model replies "
        f"and {contents.test_scores:,} test scores. Papers, ideas and reports already written stay. "
        "This cannot be undone."
    )


def report_text(store: Store, run_id: str) -> str:
    """The report of a run as Markdown."""
    from fairnad_engine.report.markdown import report_markdown
    from fairnad_engine.report.summary import summarise

    return report_markdown(summarise(store, run_id))


def write_run_report(store: Store, run_id: str, folder: str) -> Path:
    """Write the report and the front's exports; returns the folder."""
    from fairnad_engine.report.write import write_report

    target = expanded(folder)
    write_report(store, run_id, target)
    return target


def start_finish(store: Store, run_id: str, top: int) -> None:
    """Begin the finish of a run in a process of its own.

    Raises:
        InputError: The search is not done.
        StoreError: The process does not start.
    """
    from fairnad_engine.workspace import create_finish_job, start_worker

    workers = int(store.runs.get(run_id).config["machine"]["workers"])
    start_worker(store, create_finish_job(store, run_id, top=top, workers=workers))
