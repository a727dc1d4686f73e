"""A worker's process with a played search: forked, so that it has torch at once; all but the networks is the program's.

What is played depends on nothing but its input, so that the digest of a disturbed run may be held against another's.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import random
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from fairnad_engine import room, worker
from fairnad_engine.artifacts import ArtifactFolder
from fairnad_engine.backbone.verifier import Budget
from fairnad_engine.search import scoring
from fairnad_engine.search import slot as slot_module
from fairnad_engine.search.edit_types import Edit, EditType
from fairnad_engine.search.loop import Search
from fairnad_engine.search.remaking import Remaking
from fairnad_engine.store import Store
from fairnad_engine.store.reserve import Reserve
from fairnad_engine.training.jobs import TrainingOutcome
from fairnad_engine.training.protocol import load_protocol
from fairnad_engine.workspace import job_folder
from tests.search import playing
from tests.search.playing import RUN, chance, workspace

BUDGET = {"trained": 12}
RESERVE = 1 << 20


class Verifier(playing.Verifier):
    """Writes a graph and weights, as the real one does."""

    def __init__(self, files):
        super().__init__()
        self.files = files

    def verify(self, source, width, seed):
        verdict = super().verify(source, width, seed)
        if verdict.failure is not None:
            return verdict
        graph, weights = (
            self.files.put(hashlib.sha256(f"{source}{suffix}{seed}".encode()).digest() * 600, suffix)
            for suffix in (".json", ".safetensors")
        )
        return replace(verdict, graph=graph, weights=weights)


class Trainers:
    """Outcomes by the hash of a job's name; takes its time, and leaves trained weights."""

    def __init__(self, seconds):
        self.seconds = seconds

    async def run(self, job, progress, deadline):
        await asyncio.sleep(self.seconds)
        trained = hashlib.sha256(job.id.encode()).digest() * 600
        name = ArtifactFolder(Path(job.artifacts)).put(trained, ".safetensors")
        return TrainingOutcome("done", accuracy=80 + 10 * chance("accuracy", job.id), weights=name, seconds=1.0)

    async def close(self):
        pass


class Played:
    """The work of a search job; a test replaces what is to fail.

    Attributes:
        designer: Proposes.
        trainers: Take the place of the executor.
        seconds: Of a training.
    """

    def __init__(self, seconds=0.01):
        self.designer, self.trainers = playing.Designer(), Trainers(seconds)

    async def __call__(self, store, job, control, activity):
        slot_module.load_graph = lambda _files, name: SimpleNamespace(name=name)
        slot_module.judge_realised = lambda *_: "yes"
        slot_module.judge_edit = lambda *_: Edit(EditType.STRUCTURAL)
        verifier = Verifier(store.files)
        remaking = Remaking(store, store.runs.get(RUN), "place", verifier)
        await remaking.mend_all()
        scorer = scoring.Scorer(
            store, RUN, 0, self.trainers, dataset="digits", protocol=load_protocol("smoke"), deadline=60,
            control=control, activity=activity, mend=remaking.mend,
        )  # fmt: skip
        search = Search(
            store, RUN, job.id, template=playing.template_of(store)[0], designer=self.designer,
            verifier=verifier, scorer=scorer, control=control,
            budget=Budget((1, 8, 8), 10, **playing.SMALL), seed_source="seed", activity=activity,
        )  # fmt: skip
        return f"run digest {await search.run()}"


class Worker:
    """A forked worker of a job.

    Attributes:
        pid: Its process.
    """

    def __init__(self, path, job_id="job-1", prepare=lambda _: None):
        self.log = job_folder(path, job_id) / "log.txt"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.pid, self.status = os.fork(), None
        if self.pid == 0:
            self._be_worker(path, job_id, prepare)

    def _be_worker(self, path, job_id, prepare):
        try:
            os.setsid()
            _leave_sockets()
            with self.log.open("ab") as log:
                for descriptor in (1, 2):
                    os.dup2(log.fileno(), descriptor)
            sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
                signal.signal(number, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, 0)
            logging.getLogger().handlers.clear()
            random.seed(os.getpid())
            room.LOOK_SECONDS = 0.1
            worker.Room = partial(room.Room, size=RESERVE)
            worker._WORK["search"] = played = Played()
            prepare(played)
            sys.argv = ["worker", str(path), job_id]
            worker.main()
        except SystemExit as ended:
            os._exit(ended.code)
        except BaseException:
            traceback.print_exc()
        os._exit(99)

    def wait(self, seconds=60):
        """How it ended: its exit code, or minus the number of a signal."""
        deadline = time.monotonic() + seconds
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                break
            assert time.monotonic() < deadline, f"the worker did not end:\n{self.log.read_text()}"
            time.sleep(0.02)
        return self.status

    def end(self):
        """Kill it where it still lives."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()


def _leave_sockets():
    """A server of the test's is not to live on in its worker."""
    for one in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if str(one.readlink()).startswith("socket:"):
                os.close(int(one.name))


def played_workspace(folder):
    """Make a workspace with a run that has not begun; its file."""
    with workspace(folder, budget=BUDGET, search={"stages": [2, 2, 1]}) as store:
        store._db.execute("PRAGMA synchronous = OFF")
        return store.path


def job_of(path, job_id="job-1"):
    """A job as it stands."""
    with Store(path) as store:
        return store.jobs.get(job_id)


def wait_until(condition, seconds=60, more=lambda: ""):
    """Wait for something to come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not come true{more()}"
        time.sleep(0.02)


def trained(store):
    """Models of the run that are trained."""
    return sum(one.status == "trained" for one in store.runs.candidates(RUN))


def reserve_of(path):
    """The reserve file of a workspace."""
    return Reserve(path).path
