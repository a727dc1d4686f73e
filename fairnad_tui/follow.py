"""Following a job that a detached worker carries out: look at the store, tell what is new, pass on Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Iterator

from fairnad_engine.errors import InterruptedRunError, JobFailedError, RunFailedError
from fairnad_engine.store import Store
from fairnad_engine.store.records import JobRow
from fairnad_engine.workspace import end_worker, read_activity
from fairnad_tui.displays import Display, Event
from fairnad_tui.left import hours_left
from fairnad_tui.output import remark

_POLL_SECONDS = 0.25
_OVER = ("done", "failed", "stopped")


def follow(store: Store, job: JobRow, display: Display, resume: str) -> JobRow:
    """Show a job until it is over.

    Args:
        store: The workspace.
        job: What to follow.
        display: Where events go.
        resume: The command that resumes the job, for messages.

    Raises:
        InterruptedRunError: The job was stopped.
        RunFailedError: Its worker died.
        JobFailedError: It failed.
    """
    interrupts, hangs = 0, False
    news = _News(store, job)
    with display:
        while True:
            try:
                current = store.jobs.get(job.id)
                for event in news.events():
                    display.show(event)
                display.activity(read_activity(store.path, job.id))
                if current.state in _OVER:
                    break
                if not store.jobs.is_held(job.id) and store.jobs.get(job.id).state not in _OVER:
                    raise RunFailedError(f"the worker of {job.id} died; resume with: {resume}")
                if not hangs and store.jobs.living_state(current) == "stalled":
                    hangs = True
                    _tell_hung(job)
                time.sleep(_POLL_SECONDS)
            except KeyboardInterrupt:
                interrupts += 1
                _interrupt(store, job, interrupts)
    return _judge(current, resume)


def _tell_hung(job: JobRow) -> None:
    remedy = f"fairnad-tui run --resume {job.run_id} --take-over" if job.run_id else "end it, then start it again"
    remark(f"the worker of {job.id} has not beaten for a minute; where it hangs: {remedy}")


def _interrupt(store: Store, job: JobRow, times: int) -> None:
    if times == 1:
        remark("stopping; what is in flight goes on from its checkpoint when resumed; Ctrl-C again kills it at once")
        store.jobs.request(job.id, "stop")
    else:
        end_worker(store, job)
        store.jobs.set_state(job.id, "stopped", "stopped at once on request")


def _judge(job: JobRow, resume: str) -> JobRow:
    if job.state == "stopped":
        raise InterruptedRunError(f"stopped; nothing is lost, resume with: {resume}")
    if job.state == "failed":
        raise JobFailedError(f"{job.message}; then resume with: {resume}", job.exit_code or 1)
    return job


class _News:
    """What happened to a job since the last look."""

    def __init__(self, store: Store, job: JobRow) -> None:
        self._store = store
        self._job = job
        self._version = -1
        self._state = ("", "")
        self._candidates: set[str] = set()
        self._generations: set[int] = set()
        self._told_left: tuple[int, int] | None = None
        self._papers = -1

    def events(self) -> Iterator[Event]:
        version = self._store.data_version()
        if version == self._version:
            return
        self._version = version
        current = self._store.jobs.get(self._job.id)
        if self._job.run_id:
            yield from self._of_run(self._job.run_id)
        elif self._job.kind == "structure":
            yield from self._of_papers()
        elif self._job.kind == "propose":
            yield from self._of_proposals()
        if (current.state, current.message) != self._state:  # the place of one that waits is in its message
            self._state = (current.state, current.message)
            yield {"event": "state", "job": current.id, "state": current.state, "message": current.message}

    def _of_run(self, run_id: str) -> Iterator[Event]:
        runs = self._store.runs
        progress = runs.progress(run_id)
        candidates, done, total = runs.candidates(run_id), progress.counted, progress.budget
        for candidate in candidates:
            if candidate.status in ("trained", "screened", "failed") and candidate.id not in self._candidates:
                self._candidates.add(candidate.id)
                yield {
                    "event": "candidate",
                    "id": candidate.id,
                    "status": candidate.status,
                    "failure": candidate.failure,
                    "validation_accuracy": candidate.accuracy,
                    "params": candidate.params,
                    "macs": candidate.macs,
                    "change": candidate.change,
                    "done": done,
                    "total": total,
                    "unit": "trained",
                }
        for generation in runs.generations(run_id):
            if generation.state == "done" and generation.number not in self._generations:
                self._generations.add(generation.number)
                yield {
                    "event": "generation",
                    "number": generation.number,
                    "trained": generation.trained,
                    "best_accuracy": generation.best_accuracy,
                    "hypervolume": generation.hypervolume,
                    "front": list(generation.front),
                }
        yield from self._left(run_id, done, total)

    def _left(self, run_id: str, done: int, total: int) -> Iterator[Event]:
        """The time that is left, at the first look that can tell and again at each generation's end."""
        told = (len(self._generations), total)  # a run that is extended is told anew
        if told == self._told_left or (hours := hours_left(self._store, run_id)) is None:
            return
        self._told_left = told
        yield {"event": "left", "hours": hours, "done": done, "total": total, "unit": "trained"}

    def _of_papers(self) -> Iterator[Event]:
        papers = self._store.papers.all()
        done = sum(bool(paper.structured_by) for paper in papers)
        if done != self._papers:
            self._papers = done
            ideas = sum(self._store.ideas.counts().values())
            yield {"event": "structured", "done": done, "total": len(papers), "ideas": ideas, "unit": "papers"}

    def _of_proposals(self) -> Iterator[Event]:
        found = len(self._store.proposals.with_status("open"))
        if found != self._papers:
            self._papers = found
            yield {"event": "proposed", "proposals": found}
