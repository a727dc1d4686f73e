"""The plan of a generation: its slots, their turns and parents, drawn once and up front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fairnad_engine.llm.protocol import Purpose
from fairnad_engine.search.archive import Snapshot
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.fairness import FairIdea, FairSampler
from fairnad_engine.search.seeds import entropy, generator
from fairnad_engine.search.selection import tournament
from fairnad_engine.store import Store
from fairnad_engine.store.records import CandidateRow, Row

_SLACK = 0.8  # a parent that uses less than this share of both budgets may be scaled up


@dataclass(frozen=True)
class Plan:
    """A generation's slots as rows, and the counts after their turns."""

    slots: list[Row]
    sampler: FairSampler


def plan_generation(number: int, config: RunConfig, snapshot: Snapshot, sampler: FairSampler, run_seed: int) -> Plan:
    """Draw the turns and parents of generation ``number``; nothing is written."""
    first, second, third = config.search.stages
    turns = sampler.draw(first, generator(entropy(run_seed, number, 1, "turns")))
    slots: list[Row] = []
    for slot in range(1, first + 1):
        rng = generator(entropy(run_seed, number, 1, slot, "parent"))
        turn = turns[slot - 1] if turns else None
        slots.append(
            {
                "slot": slot,
                "stage": 1,
                "kind": Purpose.IDEA.value,
                "main": turn.main if turn else None,
                "sub": turn.sub if turn else None,
                "ideas": list(turn.ideas) if turn else [],
                "parent_id": _pick(snapshot.best(), rng).id,
            }
        )
    for slot in range(first + 1, first + second + 1):
        rng = generator(entropy(run_seed, number, 2, slot, "parent"))
        parent = tournament(snapshot.above_floor(config.search.parent_floor) or [snapshot.seed], rng)
        slots.append(_plain_slot(slot, 2, _pareto_purpose(parent, config), parent))
    for place, slot in enumerate(range(first + second + 1, first + second + third + 1)):
        rng = generator(entropy(run_seed, number, 3, slot, "parent"))
        purpose = Purpose.SIMILAR if place % 2 == 0 else Purpose.OPPOSITE
        slots.append(_plain_slot(slot, 3, purpose, _pick(snapshot.best(), rng)))
    return Plan(slots, sampler)


def approved_ideas(store: Store, run_id: str, generation: int, levels: dict[str, str]) -> list[FairIdea]:
    """The approved ideas a generation draws from.

    A run keeps the template that it began with: ideas filed since under a sub-category which that lacks are left out.

    Curation is taken in here and only here: where the approved set differs from the last one recorded, the new set
    is recorded as an event of this generation.
    """
    before = store.runs.latest_event(run_id, "ideas", generation)
    if before is not None and before[0] == generation:
        found = before[1]
    else:
        found = [list(idea) for idea in store.ideas.approved()]
        if before is None or before[1] != found:
            store.runs.record_event(run_id, generation, "ideas", found)
    return [FairIdea(id=one, level=levels[sub], main=main, sub=sub) for one, main, sub in found if sub in levels]


def _plain_slot(slot: int, stage: int, purpose: Purpose, parent: CandidateRow) -> Row:
    return {
        "slot": slot,
        "stage": stage,
        "kind": purpose.value,
        "main": None,
        "sub": None,
        "ideas": [],
        "parent_id": parent.id,
    }


def _pareto_purpose(parent: CandidateRow, config: RunConfig) -> Purpose:
    budget = config.budget
    slack = parent.params < _SLACK * budget.max_params and parent.macs < _SLACK * budget.max_macs
    return Purpose.SCALE_UP if slack else Purpose.HYPERPARAMETER


def _pick(pool: Sequence[CandidateRow], rng: np.random.Generator) -> CandidateRow:
    return pool[int(rng.integers(len(pool)))]
