"""Proposals of a slot: a design and its verdict, each stored before it is used and made only once."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from fairnad_engine.backbone.verifier import Budget, Verdict, Verifier
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.derived import derived_idea
from fairnad_engine.llm.protocol import (
    Design,
    Designer,
    DesignRefusedError,
    DesignTask,
    EditType,
    IdeaBrief,
    Purpose,
)
from fairnad_engine.search.archive import Snapshot
from fairnad_engine.search.config_search import MOST_SLOTS
from fairnad_engine.search.control import Control
from fairnad_engine.search.lanes import Lanes
from fairnad_engine.search.novelty import Novelty
from fairnad_engine.search.order import Unit, UnitOrder
from fairnad_engine.search.scoring import Scorer
from fairnad_engine.search.seeds import SeedRule, initial_weights_seed
from fairnad_engine.store import Store
from fairnad_engine.store.records import AttemptRow, CandidateRow, SlotRow


@dataclass
class Generation:
    """What the slots of one generation share that start together.

    Attributes:
        novelty: What everything before these slots holds, and what they settled so far.
        since: The first generation with units in the order; all before it is over.
        judges_edits: Whether edits are typed by their graphs; a run from before that was so keeps what was proposed.
    """

    store: Store
    run_id: str
    job_id: str
    run_seed: int
    number: int
    snapshot: Snapshot
    template: Template
    budget: Budget
    designer: Designer
    verifier: Verifier
    scorer: Scorer
    control: Control
    order: UnitOrder
    lanes: Lanes
    novelty: Novelty
    activity: Callable[[str, str], None]
    idea_briefs: Callable[[str], IdeaBrief]
    since: int
    seeds_by: SeedRule = "place"
    judges_edits: bool = True


@dataclass(frozen=True)
class Proposal:
    """A design that was verified, or why there is none."""

    design: Design | None
    verdict: Verdict
    purpose: Purpose
    idea: IdeaBrief | None
    attempt: int


def candidate_name(generation: int, slot: SlotRow, step: int) -> str:
    """The id of the candidate that a slot's step may come to: ``g02-s05``, in chains ``g02-s17.1``."""
    return f"g{generation:02d}-s{slot.slot:02d}" + (f".{step}" if slot.stage == 3 else "")


def candidate_position(unit: Unit) -> int:
    """A candidate's place in its run: first steps in slot order, then second steps, generation after generation."""
    return unit.generation * 1000 + unit.step * MOST_SLOTS + unit.slot


class Proposer:
    """Makes the proposals of one slot."""

    def __init__(self, generation: Generation, slot: SlotRow) -> None:
        self._g = generation
        self._slot = slot

    async def make(self, unit: Unit, task: DesignTask, parent: CandidateRow, attempt: int) -> Proposal:
        """Make one proposal and verify it, or take both from the store where they were made before."""
        g = self._g
        key = (g.run_id, g.number, unit.slot, unit.step, attempt)
        task_hash = hashlib.sha256(repr(task).encode()).hexdigest()[:32]
        row = g.store.runs.attempt(*key)
        if row is None or row.task_hash != task_hash:
            await g.control.gate()
            async with g.lanes.lane(unit, chain=self._slot.stage == 3):
                row = await self._design(key, task, parent, task_hash)
        if row.design is None:
            return Proposal(None, Verdict(row.failure, row.message), task.purpose, task.idea, attempt)
        design = _design_from(row)
        if row.verdict is None:
            await g.control.gate()
            async with g.lanes.lane(unit, chain=self._slot.stage == 3):
                row = await self._verify(key, row, design, parent)
        return Proposal(design, Verdict(**(row.verdict or {})), task.purpose, task.idea, attempt)

    async def _design(
        self, key: tuple[str, int, int, int, int], task: DesignTask, parent: CandidateRow, task_hash: str
    ) -> AttemptRow:
        g = self._g
        g.activity(candidate_name(key[1], self._slot, key[3]), f"designing: {task.purpose.value}")
        started = time.monotonic()
        values: dict[str, Any] = {
            "purpose": task.purpose.value,
            "idea_id": task.idea.id if task.idea and self._slot.stage == 1 else None,
            "parent_id": parent.id,
            "task_hash": task_hash,
            "design": None,
            "source": None,
            "verdict": None,
            "failure": None,
            "message": "",
        }
        try:
            design = await asyncio.to_thread(g.designer.design, task)
            calls = design.calls
            values["source"] = design.source
            values["design"] = {
                "change": design.change,
                "edit_type": design.edit_type.value,
                "derived": asdict(design.derived) if design.derived else None,
                "width_factor": design.width_factor,
            }
        except DesignRefusedError as refused:
            calls = refused.calls
            values.update(failure=refused.kind, message=str(refused)[:500])
        finally:
            g.activity(candidate_name(key[1], self._slot, key[3]), "")
        values["design_seconds"] = time.monotonic() - started
        with g.store.transaction():
            g.store.calls.record("/".join(map(str, key)), calls, job_id=g.job_id, run_id=g.run_id)
            g.store.runs.save_attempt(key, values)
        return _must(g.store.runs.attempt(*key))

    async def _verify(
        self, key: tuple[str, int, int, int, int], row: AttemptRow, design: Design, parent: CandidateRow
    ) -> AttemptRow:
        g = self._g
        g.activity(candidate_name(key[1], self._slot, key[3]), "verifying")
        started = time.monotonic()
        seed = initial_weights_seed(g.seeds_by, g.run_seed, *key[1:])
        width = parent.width * design.width_factor
        try:
            verdict = await asyncio.to_thread(g.verifier.verify, design.source, width, seed)
        finally:
            g.activity(candidate_name(key[1], self._slot, key[3]), "")
        g.store.runs.save_attempt(
            key,
            {
                "verdict": verdict.as_dict(),
                "failure": verdict.failure,
                "message": verdict.message[:500],
                "verify_seconds": time.monotonic() - started,
            },
        )
        return _must(g.store.runs.attempt(*key))


def _design_from(row: AttemptRow) -> Design:
    stored = row.design or {}
    derived = stored.get("derived")
    return Design(
        source=row.source or "",
        change=stored["change"],
        edit_type=EditType(stored["edit_type"]),
        derived=_idea_from(derived) if derived else None,
        width_factor=stored["width_factor"],
    )


def _idea_from(stored: dict[str, str]) -> IdeaBrief:
    """A stored derived idea; ``rules`` gave them no ids before."""
    found = IdeaBrief(**stored)
    return found if found.id else derived_idea(found.sub, found.name, found.instruction)


def _must(row: AttemptRow | None) -> AttemptRow:
    assert row is not None  # noqa: S101 - it was written a moment ago
    return row
