"""A run of thousands of candidates in a library of many ideas, as rows: nothing is asked, verified or trained.

They go into the store's own tables at once, where :mod:`bench.busy_run` goes through the store's methods.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.busy_run import begin
from fairnad_engine.knowledge.template import Template
from fairnad_engine.resources import template_file
from fairnad_engine.store import Store
from fairnad_engine.store.ideas import idea_id
from fairnad_engine.workspace import template_of

CANDIDATES, IDEAS = 10_000, 50_000
_PASS_RATE = 0.56  # of proposals (method, section 4)
_EPOCHS = 5
_STAGES = [1] * 8 + [2] * 8 + [3] * 4
_KINDS = {1: "idea", 2: "scale-up", 3: "similar"}
_AT = "2026-01-01T00:00:00.000+00:00"
_WORDS = ("depthwise", "residual", "gate", "channel", "stage", "stem", "pooling", "kernel", "branch", "shift")


def fill(path: Path, candidates: int = CANDIDATES, ideas: int = IDEAS, seed: int = 5) -> str:
    """Write a library and a run that goes on, its last generation closed; the run's id.

    Args:
        path: The workspace file, which is not there yet.
        candidates: Trained backbones, the seed not counted.
        ideas: Approved ideas.
        seed: Of the invented numbers.
    """
    draw = random.Random(seed)
    with Store(path) as store:
        template, _ = template_of(store)
        store._db.execute("PRAGMA synchronous = OFF")  # nothing here must survive a power cut
        with store.transaction():
            known = _ideas(store, template, ideas, draw)
            run_id, _ = begin(store)
            source = template_file("backbones", "digits-small.py").read_text("utf-8")
            rows = _Rows(run_id, source, known, draw)
            tables = rows.written(candidates)
            for name, found in tables.items():
                store._db.table(name).insert_all(found)
    return run_id


def add_generation(store: Store, run_id: str, number: int) -> None:
    """Write one more generation of trained candidates."""
    source = template_file("backbones", "digits-small.py").read_text("utf-8")
    last = store.runs.candidates(run_id, 0)[-1].id
    rows = _Rows(run_id, source, [("none", "conv", "conv.depthwise")], random.Random(number), (number - 1, last))
    with store.transaction():
        for name, found in rows.written(sum(1 + (stage == 3) for stage in _STAGES)).items():
            store._db.table(name).insert_all(found)


def _ideas(store: Store, template: Template, count: int, draw: random.Random) -> list[tuple[str, str, str]]:
    """Approved ideas over all sub-categories: (id, main, sub) of each."""
    found: dict[str, dict[str, Any]] = {}
    while len(found) < count:
        sub = draw.choice(template.subs)
        text = f"Use it: {' '.join(draw.choices(_WORDS, k=20))}."
        name = idea_id("imported", "", sub.id, text)
        found[name] = {
            "id": name,
            "level": template.level_of(sub.main),
            "main": sub.main,
            "sub": sub.id,
            "name": f"idea {len(found)}",
            "instruction": text,
            "quote": "",
            "origin": "imported",
            "status": "approved",
            "decided_by": "person",
            "decided_at": _AT,
            "created_at": _AT,
        }
    store._db.table("ideas").insert_all(found.values())
    return [(one["id"], one["main"], one["sub"]) for one in found.values()]


class _Rows:
    """The rows of one run, generation after generation."""

    def __init__(
        self,
        run_id: str,
        source: str,
        ideas: list[tuple[str, str, str]],
        draw: random.Random,
        after: tuple[int, str] = (0, "seed"),
    ) -> None:
        """Begin after a generation, with a parent of it."""
        self._run, self._source, self._ideas, self._draw = run_id, source, ideas, draw
        self._generation = after[0]
        self._names = [after[1]]
        self._tables: dict[str, list[dict[str, Any]]] = {
            name: []
            for name in ("generations", "slots", "attempts", "candidates", "evaluations", "epochs", "model_calls")
        }

    def written(self, candidates: int) -> dict[str, list[dict[str, Any]]]:
        """Rows by table until there are so many candidates."""
        generation = self._generation
        while len(self._names) <= candidates:
            generation += 1
            before = len(self._names)
            for slot, stage in enumerate(_STAGES, start=1):
                self._slot(generation, slot, stage, candidates + 1)
            self._tables["generations"].append(
                {
                    "run_id": self._run,
                    "number": generation,
                    "state": "done",
                    "front_json": json.dumps(self._names[-20:]),
                    "hypervolume": 0.2 + generation / 2000,
                    "best_accuracy": 96.0 + generation / 200,
                    "trained": len(self._names) - before,
                    "started_at": _AT,
                    "ended_at": _AT,
                }
            )
        return self._tables

    def _slot(self, generation: int, slot: int, stage: int, most: int) -> None:
        idea, main, sub = self._draw.choice(self._ideas)
        parent = self._names[self._draw.randrange(max(0, len(self._names) - 200), len(self._names))]
        first = stage == 1
        self._tables["slots"].append(
            {
                "run_id": self._run,
                "generation": generation,
                "slot": slot,
                "stage": stage,
                "kind": _KINDS[stage],
                "main": main if first else None,
                "sub": sub if first else None,
                "ideas_json": json.dumps([idea] if first else []),
                "parent_id": parent,
                "state": "trained",
                "failure": None,
            }
        )
        for step in (1, 2) if stage == 3 else (1,):
            if len(self._names) < most:
                for attempt, failed in enumerate(self._tries()):
                    self._attempt((generation, slot, step, attempt), parent, idea if first else None, failed)
                parent = self._candidate((generation, slot, step), stage, parent, idea if first else None)

    def _tries(self) -> Iterator[bool]:
        """Whether each proposal of a step failed; the last one did not."""
        while self._draw.random() > _PASS_RATE:
            yield True
        yield False

    def _attempt(self, place: tuple[int, int, int, int], parent: str, idea: str | None, failed: bool) -> None:
        generation, slot, step, attempt = place
        key = "/".join(map(str, (self._run, *place)))
        self._tables["attempts"].append(
            {
                "run_id": self._run,
                "generation": generation,
                "slot": slot,
                "step": step,
                "attempt": attempt,
                "purpose": "idea" if attempt == 0 else "debug",
                "idea_id": idea,
                "parent_id": parent,
                "task_hash": key,
                "design_json": json.dumps({"change": "an invented change", "edit_type": "structural"}),
                "source": f"{self._source}# {key}\n",
                "verdict_json": json.dumps({"failure": "shape" if failed else None, "message": "invented"}),
                "failure": "shape" if failed else None,
                "message": "invented" if failed else "",
                "design_seconds": 20.0,
                "verify_seconds": 0.5,
                "at": _AT,
            }
        )
        self._tables["model_calls"].append(
            {
                "key": f"{key}/0",
                "job_id": "job-1",
                "run_id": self._run,
                "purpose": "design",
                "model": "bench",
                "prompt_hash": "",
                "prompt_tokens": 3000,
                "completion_tokens": 1200,
                "seconds": 20.0,
                "reply": b"",
                "at": _AT,
            }
        )

    def _candidate(self, place: tuple[int, int, int], stage: int, parent: str, idea: str | None) -> str:
        generation, slot, step = place
        name = f"g{generation:02d}-s{slot:02d}" + (f".{step}" if stage == 3 else "")
        number = len(self._names)
        params = round(1e4 * 100 ** self._draw.random())
        accuracy = round(min(99.9, 95 + 1.5 * math.log10(params / 1e4) + self._draw.gauss(0, 1)), 2)
        self._tables["candidates"].append(
            {
                "run_id": self._run,
                "id": name,
                "position": generation * 1000 + step * 400 + slot,
                "generation": generation,
                "stage": stage,
                "slot": slot,
                "step": step,
                "kind": _KINDS[stage],
                "parent_id": parent,
                "idea_id": idea,
                "derived_json": None,
                "change": f"stage {slot % 3 + 1}: an invented change",
                "edit_type": "structural",
                "realised": "yes",
                "source": f"{self._source}# {name}\n",
                "width": 1.0,
                "params": params,
                "macs": round(params * 150 * self._draw.lognormvariate(0, 0.5)),
                "exact_hash": f"{number:032x}",
                "width_hash": f"{number:032x}",
                "graph": "",
                "weights": "",
                "status": "trained",
                "failure": None,
                "accuracy": accuracy,
                "created_at": _AT,
            }
        )
        self._evaluation(name, accuracy)
        self._names.append(name)
        return name

    def _evaluation(self, name: str, accuracy: float) -> None:
        key = {"run_id": self._run, "candidate_id": name, "purpose": "search", "seed": 0}
        self._tables["evaluations"].append(
            {
                **key,
                "protocol": "digits",
                "protocol_digest": "bench",
                "status": "done",
                "accuracy": accuracy,
                "weights": None,
                "message": "",
                "seconds": 60.0,
                "at": _AT,
            }
        )
        self._tables["epochs"].extend(
            {
                **key,
                "epoch": epoch,
                "train_loss": 1 / epoch,
                "train_accuracy": accuracy,
                "validation_accuracy": accuracy - _EPOCHS + epoch,
                "learning_rate": 0.1,
                "seconds": 12.0,
            }
            for epoch in range(1, _EPOCHS + 1)
        )
