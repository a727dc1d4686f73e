"""What the fuzz test's run does meanwhile: a thread that writes as search and structuring workers would."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator
from pathlib import Path

from fairnad_engine.activity import Activity
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.llm.protocol import IdeaDraft
from fairnad_engine.store import Store
from fairnad_engine.store.records import JobRow
from fairnad_engine.workspace import job_folder, stream_folder, template_of
from tests.tui.search_run import SLOTS, WrittenRun

STEP_SECONDS = 0.05
_ENDED = ("done", "failed", "stopped")
TAKEN: dict[tuple[Path, str], str] = {}
"""Tokens of the leases that the app took for the writer, which a real worker takes for itself."""


def start_worker(store: Store, job: JobRow) -> None:
    """Stands in for the engine's: the writer's thread is the worker of every job."""
    TAKEN[store.path, job.id] = store.jobs.acquire(job.id)
    store.jobs.set_state(job.id, "running")


class Writer(threading.Thread):
    """Adds rows without end to a run like the one that is there; answers requests of every job.

    Structuring jobs end after a while.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(name="writer", daemon=True)
        self._path = path
        self._over = threading.Event()
        self._rng = random.Random(1)
        self.begun = threading.Event()
        self.rows = 0
        self.problem: BaseException | None = None

    def run(self) -> None:
        try:
            with Store(self._path) as store:
                run = WrittenRun(store, "live", 5000, store.runs.all()[0].environment)
                run.work()
                run.seed()
                steps = self._search(run)
                self.begun.set()
                while not self._over.wait(STEP_SECONDS):
                    self._tend(store)
                    # Keys may stop the run and then delete it.
                    if any(one.id == run.job and one.state == "running" for one in store.jobs.all()):
                        next(steps)
        except BaseException as problem:
            self.problem = problem
            raise
        finally:
            self.begun.set()

    def close(self) -> None:
        """Stop writing."""
        self._over.set()
        self.join(30)

    def _tend(self, store: Store) -> None:
        for job in store.jobs.all():
            if job.state in _ENDED or not store.jobs.is_held(job.id):
                continue
            states = {"pause": "paused", "resume": "running", "stop": "stopped", "stop-now": "stopped"}
            for request in store.jobs.take_requests(job.id):
                store.jobs.set_state(job.id, states[request], "as asked")
            if job.kind == "structure" and store.jobs.get(job.id).state == "running":
                self._structure(store, job)
            if store.jobs.get(job.id).state in _ENDED:
                self._own(store, job.id)
                store.jobs.release(job.id)

    @staticmethod
    def _own(store: Store, job_id: str) -> None:
        """Make the lease that the app took last the writer's."""
        token = TAKEN.pop((store.path, job_id), None)
        if token is not None:
            store.jobs._tokens[job_id] = token

    def _structure(self, store: Store, job: JobRow) -> None:
        """Read one paper, or end."""
        paper = next((one for one in store.papers.all() if not one.structured_by), None)
        activity = Activity(job_folder(store.path, job.id) / "activity.json")
        if paper is None:
            store.jobs.set_state(job.id, "done")
        else:
            folder = stream_folder(store.path, job.id)
            folder.mkdir(parents=True, exist_ok=True)
            activity(paper.id, "extracting: 1 of 2")
            activity.flush()
            self._file(store, paper.id)
        if self._rng.random() < 0.2:
            store.jobs.set_state(job.id, "done")

    def _file(self, store: Store, paper_id: str) -> None:
        template, _ = template_of(store)
        sub = self._rng.choice(template.subs)
        text = f"Instruction number {self._rng.randrange(10**9)}."
        store.ideas.file_extracted(
            paper_id, [IdeaDraft(sub.main, sub.id, "A name", text, "a quote", None)], template, "rules"
        )

    def _search(self, run: WrittenRun) -> Iterator[None]:
        """A slot a step, with everything around it."""
        activity = Activity(job_folder(self._path, run.job) / "activity.json")
        number = 0
        while True:
            number += 1
            run.open(number)
            for slot in range(1, len(SLOTS) + 1):
                activity(f"g{number:02d}-s{slot:02d}", f"training: epoch {slot}/15")
                activity.flush()
                run.slot(number, slot)
                run.call(f"{run.id}/{number}/{slot}/1/0", 50)
                with (job_folder(self._path, run.job) / "log.txt").open("a", encoding="utf-8") as log:
                    log.write(f"generation {number} slot {slot}\n")
                self._own(run.store, run.job)
                run.store.jobs.beat(run.job)
                self.rows += 6
                if slot % 5 == 0:
                    self._library(run.store, number, slot)
                yield
            run.close(number)

    def _library(self, store: Store, number: int, slot: int) -> None:
        paper = PaperText(
            id=f"late-{number}-{slot}", title=f"A late paper {number} {slot}", authors=("Somebody",), year=2024,
            venue="", arxiv="", abstract="An abstract.", text="a quote", source="x", sections=(),
        )  # fmt: skip
        with contextlib.suppress(StopIteration):
            store.papers.add(paper)
            self._file(store, paper.id)
