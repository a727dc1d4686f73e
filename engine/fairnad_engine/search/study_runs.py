"""The runs of a study: which comes next, and how it is started, waited for and taken up again.

Each is an ordinary run with a worker process of its own; the study only says which belongs to which method and seed,
so that it can be killed at any point and goes on with what is not done.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from fairnad_engine.errors import RunFailedError
from fairnad_engine.knowledge.structuring import add_papers, apply_policy
from fairnad_engine.search.config import RunConfig
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
    stamp = f"{check_llm(settings.model.llm).name}/{template.digest}"
    if any(paper.structured_by != stamp for paper in store.papers.all()):
        return create_structure_job(store, settings)
    apply_policy(store, settings.curation.policy)
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
