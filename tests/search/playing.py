"""A whole search without torch: designer, verifier and trainer are played, everything else is the program's own.

What is played depends on nothing but its input, so that two runs may be compared; when things happen is random.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from fairnad_engine.backbone.verifier import Budget, Verdict
from fairnad_engine.llm.protocol import Design, DesignRefusedError, EditType, IdeaBrief, ModelCall, Purpose
from fairnad_engine.search import slot as slot_module
from fairnad_engine.search.config import parse_config
from fairnad_engine.search.control import Control
from fairnad_engine.search.edit_types import Edit
from fairnad_engine.search.lanes import Lanes
from fairnad_engine.search.loop import Search
from fairnad_engine.store import Store
from fairnad_engine.workspace import create_run, template_of

SMALL = {"max_params": 60_000, "max_macs": 3_000_000}
RUN = "run-1"


def chance(*words):
    """A number in [0, 1) from words."""
    return int(hashlib.sha256(repr(words).encode()).hexdigest()[:8], 16) / 2**32


class KilledError(Exception):
    """The process is gone."""


class Life:
    """Ends after so many designs, verifications and trainings; from then on nothing is done any more."""

    def __init__(self, steps=None):
        self.steps, self.over = steps, False

    def step(self):
        if self.steps is not None:
            self.steps -= 1
            self.over = self.over or self.steps < 0
        self.check()

    def check(self):
        if self.over:
            raise KilledError


class Designer:
    name = "played"

    def __init__(self, refuses=0.1):
        self.tasks, self.refuses = [], refuses

    def design(self, task):
        self.tasks.append(task)
        call = ModelCall("design", "played", "h", 100, 10, 0.5, "reply")
        words = (task.entropy, task.attempt, task.parent_source)
        if chance("refused", *words) < self.refuses:
            raise DesignRefusedError("inexpressible", "no", [call])
        text = hashlib.sha256(repr(words).encode()).hexdigest()
        derived = None
        if task.purpose in (Purpose.SIMILAR, Purpose.OPPOSITE):
            derived = IdeaBrief("", "conv", "conv.depthwise", "derived", "do")
        return Design(text, f"change {text[:6]}", EditType.STRUCTURAL, derived, calls=(call,))


class Verifier:
    def __init__(self, fails=0.2, twins=0.08, kinds=3):
        self.fails, self.twins, self.kinds = fails, twins, kinds

    def verify(self, source, width, seed):
        if chance("verdict", source) < self.fails:
            return Verdict("build", "no")
        size = 1000 + int(50_000 * chance("size", source))
        name = hashlib.sha256(source.encode()).hexdigest()[:12]
        # A few structures come twice, which the order of slots has to settle.
        twin = f"twin{int(self.kinds * chance('twin', source))}"
        name = twin if chance("twins", source) < self.twins else name
        return Verdict(None, "", width, size, 10 * size, name, name, f"{name}.graph", f"{name}.weights")


class Scorer:
    """Scores by hash, after a random number of turns of the event loop; is killed before a given training."""

    def __init__(self, store, rng, kill_at=None, seconds=30.0, workers=64, life=None, run=RUN, latency_batch=0):
        self.latency_batch = latency_batch
        self.store, self.rng, self.kill_at, self.seconds, self.trainings = store, rng, kill_at, seconds, 0
        self.workers, self.life, self.order, self.run = asyncio.Semaphore(workers), life or Life(), [], run

    async def train(self, candidate, earlier=None):
        if self.store.runs.evaluation(self.run, candidate.id, "search", 0) is None:
            self.life.step()
            self.store.runs.start_training(self.run, candidate.id)
            async with self.workers:
                self.order.append(candidate.id)
                for _ in range(self.rng.randrange(30)):
                    await asyncio.sleep(0)
            self.life.check()
            self.trainings += 1
            if self.trainings == self.kill_at:
                raise KilledError
            diverged = candidate.generation > 0 and chance("diverged", candidate.exact_hash) < 0.1
            values = {"purpose": "search", "seed": 0, "protocol": "p", "protocol_digest": "", "weights": None}
            values |= {"status": "diverged" if diverged else "done", "message": "", "seconds": self.seconds}
            values["accuracy"] = None if diverged else 80 + 10 * chance("accuracy", candidate.exact_hash)
            latency = 5 * chance("latency", candidate.exact_hash) if self.latency_batch and not diverged else None
            self.store.runs.save_evaluation(self.run, candidate.id, values, [], latency=latency)
        return self.store.runs.candidate(self.run, candidate.id)


@contextmanager
def workspace(folder, search=None, budget=None, ideas=2, subs=None, lanes=2, machine=None):
    """A store with approved ideas and a run that has not begun."""
    config = {"search": {"seed_backbone": "digits-small", **(search or {})}, "budget": {**SMALL, **(budget or {})}}
    config |= {"model": {"llm": "rules", "lanes": lanes}, "data": {"protocol": "smoke"}}
    config |= {"machine": machine or {}}
    folder.mkdir(parents=True, exist_ok=True)
    with Store(folder / "w.db") as store:
        store._db.execute("PRAGMA synchronous = OFF")  # nothing here outlives the power
        template, _ = template_of(store)
        chosen = [sub.id for sub in template.subs][::4] if subs is None else subs
        store.ideas.add_imported(
            template, [(sub, f"{sub} {n}", f"idea {n} of {sub}") for sub in chosen for n in range(ideas)], approve=True
        )
        create_run(store, parse_config(config, "test"))
        yield store


def play(
    store,
    seed=0.0,
    kill_at=None,
    designer=None,
    verifier=None,
    lanes=None,
    steps=None,
    run=RUN,
    judge_edit=None,
    **scoring,
):
    """Run or resume; returns the run digest, or None where it was killed.

    It is killed before training number ``kill_at``, or after so many ``steps`` of any kind.
    """
    template, _ = template_of(store)
    life = Life(steps)
    search = Search(
        store,
        run,
        "job-1",
        template=template,
        designer=designer or Designer(),
        verifier=verifier or Verifier(),
        scorer=Scorer(store, random.Random(seed), kill_at, life=life, run=run, **scoring),
        control=Control(),
        budget=Budget((1, 8, 8), 10, **SMALL),
        seed_source="seed",
        activity=lambda _name, _text: None,
    )
    if lanes is not None:
        search._lanes = Lanes(lanes)
    wander = random.Random(seed)

    async def at_once(work, *arguments):
        for _ in range(wander.randrange(9)):
            await asyncio.sleep(0)
        life.step()
        return work(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "to_thread", at_once)
        patch.setattr(slot_module, "load_graph", lambda _files, name: SimpleNamespace(name=name))
        patch.setattr(
            slot_module,
            "judge_realised",
            lambda _parent, child, _sub: "yes" if chance("real", child.name) < 0.7 else "no",
        )
        patch.setattr(slot_module, "judge_edit", judge_edit or (lambda *_: Edit(EditType.STRUCTURAL)))
        try:
            return asyncio.run(search.run())
        except KilledError:
            return None
