"""A run written by hand through the store, without training anything; the test's own process can be its worker."""

from __future__ import annotations

import random

from fairnad_engine.llm.protocol import ModelCall
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.control_row import BESIDE, CONTROL
from fairnad_engine.search.front import front_of
from fairnad_engine.store import Store
from fairnad_engine.store.records import CountRow
from fairnad_engine.workspace import job_folder, template_of

STAGES = (8, 8, 4)
SLOTS = [stage for stage, slots in enumerate(STAGES, 1) for _ in range(slots)]


class WrittenRun:
    """Writes as a search worker would."""

    def __init__(
        self,
        store: Store,
        name: str = "by hand",
        trained: int = 100,
        environment: dict[str, object] | None = None,
        more: dict[str, dict[str, object]] | None = None,
    ) -> None:
        self.store = store
        template, version = template_of(store)
        self.mains = [main.id for level in template.levels for main in template.mains_of(level.id)]
        self.subs = {main: [sub.id for sub in template.subs_of(main)] for main in self.mains}
        settings = {"name": name, "budget": {"trained": trained}, **(more or {})}
        config = RunConfig.model_validate(settings).model_dump(mode="json")
        frozen = {
            "config": config, "environment": environment or {}, "template_version": version,
            "model": "rules", "model_digest": "m", "dataset_digest": "d", "protocol_digest": "p", "seed": 0,
        }  # fmt: skip
        self.id = store.runs.create(name, frozen).id
        self.job = store.jobs.create("search", config, self.id).id
        self.rng = random.Random(7)
        self.turns: dict[str, int] = {}
        self.ideas: dict[str, str] = {}  # of a sub-category the one idea that its turns draw

    def work(self, state: str = "running") -> None:
        """This process holds the lease from now on."""
        self.store.jobs.acquire(self.job)
        self.store.jobs.set_state(self.job, state)

    def die(self) -> None:
        """The process that held the lease is gone without a word."""
        self.store._db.table("leases").update(self.job, {"start_time": 1})

    def end(self, state: str = "done") -> None:
        self.store.jobs.set_state(self.job, state)
        self.store.jobs.release(self.job)

    def seed(self) -> None:
        self.candidate("seed", 0, 0, 0, change="the seed backbone", parent_id=None)
        self.train("seed", 90.0)

    def open(self, number: int) -> None:
        """A generation with its turns; the last two main categories have no approved idea."""
        mains = self.mains[:-2]
        active = [node for main in mains for node in (main, *self.subs[main][:2])]
        slots = []
        for slot, stage in enumerate(SLOTS, 1):
            main = mains[(number * STAGES[0] + slot) % len(mains)] if stage == 1 else None
            sub = self.subs[main][0] if main else None
            for node in filter(None, (main, sub)):
                self.turns[node] = self.turns.get(node, 0) + 1
            slots.append({
                "slot": slot, "stage": stage, "kind": "idea", "main": main, "sub": sub,
                "ideas": [self.ideas[sub]] if sub in self.ideas else [], "parent_id": "seed",
            })  # fmt: skip
        ideas = [[f"idea-{sub}", main, sub] for main in mains for sub in self.subs[main][:2]]
        with self.store.transaction():
            if number == 1:
                self.store.runs.record_event(self.id, number, "ideas", ideas)
            self.store.runs.open_generation(self.id, number, slots)
            self.store.sampling.save_counts(self.id, [
                CountRow(node, "sub" if "." in node else "main", self.turns.get(node, 0), 0, active=True)
                for node in active
            ])  # fmt: skip

    def candidate(self, name: str, generation: int, slot: int, stage: int, **more: object) -> None:
        self.store.runs.save_candidate(self.id, name, self._columns(name, generation, slot, stage, **more))

    def control(self, accuracy: float, **more: object) -> None:
        """The seed at the budget's edge, trained."""
        self.store.beside.save(self.id, CONTROL, self._columns(CONTROL, 0, 0, 0, status=BESIDE, **more))
        self.train(CONTROL, accuracy, purpose=CONTROL)

    def _columns(self, name: str, generation: int, slot: int, stage: int, **more: object) -> dict[str, object]:
        values = {
            "position": generation * 1000 + slot, "generation": generation, "stage": stage, "slot": slot, "step": 1,
            "kind": "idea", "parent_id": "seed", "idea_id": None, "derived": None, "change": f"change of {name}",
            "edit_type": "structural", "realised": "yes", "source": "class Backbone: ...\n" * 200, "width": 1.0,
            "params": self.rng.randrange(5_000, 60_000), "macs": self.rng.randrange(200_000, 900_000),
            "exact_hash": name, "width_hash": name, "graph": "g", "weights": "w", "status": "verified",
            "failure": None, "accuracy": None,
        }  # fmt: skip
        return {**values, **more}

    def train(self, name: str, accuracy: float | None, status: str = "done", purpose: str = "search") -> None:
        values = {
            "purpose": purpose, "seed": 0, "protocol": "p", "protocol_digest": "p", "status": status,
            "accuracy": accuracy, "weights": None, "message": "", "seconds": 1.0,
        }  # fmt: skip
        self.store.runs.save_evaluation(self.id, name, values, [])

    def attempt(self, generation: int, slot: int, failure: str | None = None) -> None:
        values = {"purpose": "idea", "task_hash": "t", "design": {}, "verdict": {}, "failure": failure, "message": ""}
        if idea := self._idea(generation, slot):
            values["idea_id"] = idea
        self.store.runs.save_attempt((self.id, generation, slot, 1, 0), values)

    def _idea(self, generation: int, slot: int) -> str | None:
        return next(iter(self.store.runs.slots(self.id, generation)[slot - 1].ideas), None) if self.ideas else None

    def slot(self, generation: int, slot: int, accuracy: float | None = None) -> None:
        """A slot from proposal to score; every sixth is a duplicate."""
        name = f"g{generation:02d}-s{slot:02d}"
        if slot % 6 == 0:
            self.attempt(generation, slot, "duplicate")
            self.store.runs.set_slot(self.id, generation, slot, "failed", "duplicate")
            return
        self.attempt(generation, slot)
        idea = self._idea(generation, slot)
        self.candidate(name, generation, slot, SLOTS[slot - 1], **({"idea_id": idea} if idea else {}))
        score = accuracy if accuracy is not None else 88 + 2 * generation + self.rng.random() * 3
        self.train(name, round(min(score, 99.9), 2))
        self.store.runs.set_slot(self.id, generation, slot, "trained")

    def close(self, number: int) -> None:
        lines = self.store.live.candidates(self.id)
        front = [c.id for c in front_of(lines)]
        best = max(c.accuracy for c in lines if c.accuracy is not None)
        self.store.runs.close_generation(
            self.id, number, front=front, hypervolume=0.2 + 0.01 * number, best=best,
            trained=sum(c.generation == number and c.status == "trained" for c in lines),
        )  # fmt: skip

    def generation(self, number: int) -> None:
        self.open(number)
        for slot in range(1, len(SLOTS) + 1):
            self.slot(number, slot)
        self.close(number)

    def call(self, key: str, tokens: int) -> None:
        self.store.calls.record(
            key, [ModelCall("idea", "m", "h", 100, tokens, 1.0, "reply")], job_id=self.job, run_id=self.id
        )

    def write(self, name: str, text: str) -> None:
        """A file in the job's folder: ``log.txt`` or ``activity.json``."""
        folder = job_folder(self.store.path, self.job)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
