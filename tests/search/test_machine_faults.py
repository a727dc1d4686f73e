"""A run that the machine fails again and again: nothing of that is stored, and resumed it is as if undisturbed."""

import asyncio
import random

import pytest

from fairnad_engine.errors import DiskFullError, MachineFaultError
from fairnad_engine.search import scoring
from fairnad_engine.search.control import Control
from fairnad_engine.store.runs import RunTable
from fairnad_engine.training.checkpoints import checkpoint_path
from fairnad_engine.training.jobs import TrainingOutcome
from fairnad_engine.training.protocol import load_protocol
from tests.search import playing
from tests.search.playing import RUN, chance, play, workspace


class Trainers:
    """Outcomes by the hash of the job's name; a fault of the machine by chance, while it lasts."""

    def __init__(self, faults, rng):
        self.faults, self.rng, self.failed = faults, rng, 0

    async def run(self, job, progress, deadline):
        for _ in range(self.rng.randrange(9)):
            await asyncio.sleep(0)
        if self.faults and self.rng.random() < 0.5:
            self.failed += 1
            return TrainingOutcome("machine-fault", message="OSError: [Errno 28] No space left on device")
        if "/seed/" not in job.id and chance("diverged", job.id) < 0.1:
            return TrainingOutcome("diverged", message="the loss is nan")
        return TrainingOutcome("done", accuracy=80 + 10 * chance("accuracy", job.id), weights="w", seconds=1.0)


def scorer(trainers):
    """The program's own scorer before these trainers, in the place of the played one."""

    def make(store, *_arguments, run, **_scoring):
        return scoring.Scorer(
            store,
            run,
            0,
            trainers,
            dataset="digits",
            protocol=load_protocol("smoke"),
            deadline=60,
            control=Control(),
            activity=lambda _name, _text: None,
        )

    return make


class Disk(playing.Verifier):
    """A verifier whose files do not always find room."""

    def __init__(self, rng):
        super().__init__()
        self.rng, self.failed = rng, 0

    def verify(self, source, width, seed):
        if self.rng.random() < 0.3:
            self.failed += 1
            raise DiskFullError("files: the disk is full; free some space there, then resume")
        return super().verify(source, width, seed)


BUDGET = {"trained": 24}


def test_a_run_that_met_faults_equals_an_undisturbed_one(tmp_path, monkeypatch):
    with workspace(tmp_path / "a", budget=BUDGET) as store:
        monkeypatch.setattr(playing, "Scorer", scorer(Trainers(False, random.Random(1))))
        undisturbed = play(store)
    rng = random.Random(2)
    trainers, disk = Trainers(True, rng), Disk(rng)
    with workspace(tmp_path / "b", budget=BUDGET) as store:
        monkeypatch.setattr(playing, "Scorer", scorer(trainers))
        digest = None
        for life in range(400):
            try:
                digest = play(store, seed=life, verifier=disk)
                break
            except (MachineFaultError, DiskFullError) as error:
                assert error.exit_code in (4, 6)
        stored = {one.failure for one in store.runs.candidates(RUN)}
        stored |= {one.status for one in store.runs.evaluations(RUN, "search")}
    assert trainers.failed > 5
    assert disk.failed > 2
    assert not stored & {"machine-fault", "trainer-error"}
    assert digest == undisturbed


class KeepsState(Trainers):
    """A trainer that leaves the state of its training behind, as a real one does."""

    async def run(self, job, progress, deadline):
        self.path = checkpoint_path(job)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(b"x")
        return TrainingOutcome("done", accuracy=80.0, weights="w", seconds=1.0)


def save_seed(store):
    values = dict.fromkeys(("stage", "slot", "position", "generation"), 0) | {"step": 1, "kind": "seed"}
    values |= {"params": 1, "macs": 1, "width": 1.0, "graph": "g", "weights": "w", "exact_hash": "e"}
    store.runs.save_candidate(RUN, "seed", values | {"derived": None, "status": "verified", "source": ""})


async def test_a_checkpoint_outlives_a_kill_before_its_outcome_is_stored(tmp_path, monkeypatch):
    with workspace(tmp_path, budget=BUDGET) as store:
        trainers, plain = KeepsState(False, random.Random(0)), RunTable.save_evaluation

        def killed(*_arguments, **_named):
            raise playing.KilledError

        save_seed(store)
        monkeypatch.setattr(RunTable, "save_evaluation", killed)
        with pytest.raises(playing.KilledError):
            await scorer(trainers)(store, run=RUN).train(store.runs.candidate(RUN, "seed"))
        assert trainers.path.exists()
        monkeypatch.setattr(RunTable, "save_evaluation", plain)
        await scorer(trainers)(store, run=RUN).train(store.runs.candidate(RUN, "seed"))
        assert not trainers.path.exists()


async def test_the_reason_is_one_line_and_says_whose_it_is(tmp_path):
    with workspace(tmp_path, budget=BUDGET) as store:
        trainers = Trainers(True, random.Random(0))
        trainers.rng.random = lambda: 0.0
        save_seed(store)
        with pytest.raises(MachineFaultError, match=r"seed could not be trained: .*No space left.*not the candidate's"):
            await scorer(trainers)(store, run=RUN).train(store.runs.candidate(RUN, "seed"))
        assert store.runs.evaluations(RUN, "search") == []
