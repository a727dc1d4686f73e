"""The runs of a study: which comes next, and how it is started, waited for and taken up again.

Each is an ordinary run with a worker process of its own; the study only says which belongs to which method and seed,
so that it can be killed at any point and goes on with what is not done.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from fairnad_engine.errors import FairnadError, InputError, RunFailedError
from fairnad_engine.knowledge.reading_stamps import reading_stamp, to_read
from fairnad_engine.knowledge.structuring import add_papers, apply_policies
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.control import Control, StopRequestedError
from fairnad_engine.search.study_config import StudyConfig
from fairnad_engine.store import Store
from fairnad_engine.store.records import JobRow
from fairnad_engine.workspace import create_run, create_structure_job, paper_sources, start_worker, template_of

_POLL_SECONDS = 0.25
_OVER = ("done", "failed", "stopped")


def papers_job(store: Store, settings: RunConfig) -> JobRow | None:
    """Add the papers that settings name; the job that structures them, or None where all are structured.

    Raises:
        ModelUnavailableError: The model is not there.
    """
    from fairnad_engine.llm.models import check_llm

    template, _ = template_of(store)
    add_papers(store, paper_sources(settings))
    model = check_llm(settings.model.llm)
    stamp = reading_stamp(model.name, template.digest, model.digest)
    if to_read(store.papers.listing(), stamp, settings.papers.reread, in_part=True):
        return create_structure_job(store, settings)
    apply_policies(store, settings.curation.policy, settings.curation.imported)
    return None


def unfinished(store: Store, study: StudyConfig) -> list[tuple[str, int]]:
    """Method and seed of the runs that are not done, in the order of the study."""
    runs = {(one.method, one.seed): one.run_id for one in store.studies.runs(study.name)}

    def done(cell: tuple[str, int]) -> bool:
        job = store.jobs.of_run(runs[cell]) if cell in runs else None
        return job is not None and job.state == "done"

    return [cell for cell in study.cells() if not done(cell)]


def open_cell(store: Store, study: StudyConfig, method: str, seed: int) -> JobRow:
    """The job of a cell's run, which is created where the study has not started it yet.

    Raises:
        InputError: A setting names something that does not exist, or there is no approved idea.
    """
    settings = study.cell(method, seed)
    for one in store.studies.runs(study.name):
        if (one.method, one.seed) == (method, seed) and (job := store.jobs.of_run(one.run_id)):
            if job.state == "done" or store.jobs.is_held(job.id):
                return job
            # The machine may be another than when it was started; what decides the outcome stays as it was.
            machine = settings.model_dump(mode="json")["machine"]
            return store.jobs.set_config(job.id, {**job.config, "machine": machine})
    run, job = create_run(store, settings)
    store.studies.add_run(study.name, method, seed, run.id)
    return job


def study_job(store: Store, study: StudyConfig) -> JobRow:
    """Store a study, or what changed in its settings since, and the job that carries it out or goes on with it.

    Raises:
        InputError: Settings that decide the outcome of runs changed after some were started.
    """
    known = store.studies.find(study.name)
    if known is not None:
        started = {one.method for one in store.studies.runs(study.name)}
        _check_same(StudyConfig.model_validate(known.config), study, started)
    store.studies.save(study.name, study.model_dump(mode="json"))
    for job in store.jobs.all():
        if job.kind == "study" and job.config["study"] == study.name:
            return job if store.jobs.is_held(job.id) else store.jobs.set_config(job.id, job.config)
    return store.jobs.create("study", {"study": study.name}, None)


def _check_same(before: StudyConfig, now: StudyConfig, started: set[str]) -> None:
    """Methods and seeds may come and go; what a method with runs means may not change between its seeds."""
    for method in (one for one in now.methods if one in started and one in before.methods):
        old, new = (one.cell(method, one.seeds[0]).outcome_settings() for one in (before, now))
        old["search"]["seed"] = new["search"]["seed"]
        if old != new:
            where = next(section for section in new if old.get(section) != new[section])
            raise InputError(
                f"study {now.name}: [{where}] of {method} is not what its runs were started with; "
                "give the study another name"
            )


async def carry_out(store: Store, study: StudyConfig, control: Control, activity: Callable[[str, str], None]) -> str:
    """Structure the papers where they are not, then run after run, until all are done; what it came to, in words.

    A run that fails is left; the others go on, and the study is then not done.

    Raises:
        StopRequestedError: The user asked to stop; the run under way is stopped too.
        RunFailedError: Some run failed.
    """
    papers = papers_job(store, study.cell(*study.cells()[0]))
    if papers is not None:
        await _watch(store, papers, control, activity, "papers")
        papers_job(store, study.cell(*study.cells()[0]))
    problems: list[str] = []
    for method, seed in unfinished(store, study):
        await control.gate()
        try:
            await _watch(store, open_cell(store, study, method, seed), control, activity, f"{method} {seed}")
        except FairnadError as error:
            problems.append(f"{method} {seed}: {error}")
    if problems:
        raise RunFailedError(f"{len(problems)} runs failed, first {problems[0]}; start the study again to retry them")
    return f"{len(study.cells())} runs done"


async def _watch(
    store: Store, job: JobRow, control: Control, activity: Callable[[str, str], None], subject: str
) -> None:
    """Carry out a job in a process of its own; a request to stop or to pause is passed on."""
    if job.state == "done":
        return
    if not store.jobs.is_held(job.id):
        start_worker(store, job)
    asked = ""
    try:
        while (current := store.jobs.get(job.id)).state not in _OVER:
            if not store.jobs.is_held(job.id) and store.jobs.get(job.id).state not in _OVER:
                raise RunFailedError(f"the worker of {job.id} died")
            wanted = "stop" if control.stopping else "pause" if control.paused else "resume"
            if wanted != asked and (asked or wanted != "resume"):
                store.jobs.request(job.id, wanted)
                asked = wanted
            activity(subject, _progress(store, current))
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        activity(subject, "")
    if current.state == "stopped":
        raise StopRequestedError
    if current.state == "failed":
        raise RunFailedError(current.message)


def _progress(store: Store, job: JobRow) -> str:
    waits = f", waiting: {job.message}" if job.state == "waiting" else ""
    if job.run_id is None:
        return "structuring" + waits
    progress = store.runs.progress(job.run_id)
    return f"{job.run_id}: {progress.trained + progress.screened} of {progress.budget} models trained{waits}"


def start_and_wait(store: Store, job: JobRow, on_look: Callable[[JobRow], None] = lambda _job: None) -> JobRow:
    """Start a job's worker unless one is at it, and wait until the job is over.

    Args:
        store: The workspace.
        job: What to carry out; one that is done is returned at once.
        on_look: Called a few times a second with the job as it stands.

    Raises:
        RunFailedError: Its worker died.
        StoreError: Its worker does not start.
    """
    if job.state == "done":
        return job
    if not store.jobs.is_held(job.id):
        start_worker(store, job)
    while True:
        current = store.jobs.get(job.id)
        if current.state in _OVER:
            return current
        if not store.jobs.is_held(job.id) and store.jobs.get(job.id).state not in _OVER:
            raise RunFailedError(f"the worker of {job.id} died")
        on_look(current)
        time.sleep(_POLL_SECONDS)
