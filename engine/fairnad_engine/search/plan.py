"""The plan of a generation: its slots, their turns and parents, drawn once and before any of them starts.

All of a generation at once, or stage by stage where proposals are ``sequential``; failed slots once more at its end
where ``refill`` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fairnad_engine.llm.protocol import Purpose
from fairnad_engine.search.archive import Snapshot
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.config_search import BASELINES
from fairnad_engine.search.fairness import FairIdea, FairSampler
from fairnad_engine.search.seeds import entropy, generator
from fairnad_engine.search.selection import Ranking
from fairnad_engine.store import Store
from fairnad_engine.store.live import CandidateLine
from fairnad_engine.store.records import Row, SlotRow

_CHAINS = (Purpose.SIMILAR, Purpose.OPPOSITE)  # in turn
_SLACK = 0.8  # a parent that uses less than this share of both budgets may be scaled up


@dataclass(frozen=True)
class Place:
    """A slot before it is planned; ``kind`` where the stage leaves no choice."""

    slot: int
    stage: int
    kind: Purpose | None = None


def places_of(config: RunConfig) -> list[Place]:
    """The slots of every generation, in order."""
    first, second, third = config.search.slots
    if config.search.method in BASELINES:
        first, second, third = first + second + third, 0, 0
    stages = [1] * first + [2] * second + [3] * third
    kinds = [Purpose.IDEA] * first + [None] * second + [_CHAINS[place % 2] for place in range(third)]
    return [Place(slot, stage, kind) for slot, (stage, kind) in enumerate(zip(stages, kinds, strict=True), start=1)]


def waves_of(config: RunConfig) -> list[list[Place]]:
    """The slots by what their proposals wait for: nothing, or, where they are ``sequential``, the stages before."""
    places = places_of(config)
    if config.search.proposals != "sequential":
        return [places]
    return [wave for stage in (1, 2, 3) if (wave := [place for place in places if place.stage == stage])]


def places_again(config: RunConfig, slots: Sequence[SlotRow]) -> list[Place]:
    """The failed slots of a generation once more, numbered on from its last (``refill``); never those refilled."""
    own = len(places_of(config))
    failed = [slot for slot in slots if slot.slot <= own and slot.state == "failed"]
    kinds = {1: Purpose.IDEA, 2: None}
    return [
        Place(number, slot.stage, kinds.get(slot.stage, Purpose(slot.kind)))
        for number, slot in enumerate(failed, start=own + 1)
    ]


def plan_slots(
    places: Sequence[Place], number: int, config: RunConfig, snapshot: Snapshot, sampler: FairSampler, run_seed: int
) -> list[Row]:
    """Draw the turns and parents of slots of generation ``number``; nothing is written.

    ``sampler`` holds the counts after their turns.
    """
    mine = [place.slot for place in places if place.stage == 1]
    # Turns of slots that are given once more come from another place of the run than the first.
    words = ("turns",) if not mine or mine[0] == 1 else ("turns", mine[0])
    drawn = sampler.draw(len(mine), generator(entropy(run_seed, number, 1, *words))) if mine else []
    turns = dict(zip(mine, drawn, strict=False))
    # One look at the archive for all of them: it is the same for each.
    best = snapshot.best()
    ranking = Ranking(snapshot.above_floor(config.search.parent_floor) or [snapshot.seed])
    slots: list[Row] = []
    for place in places:
        rng = generator(entropy(run_seed, number, place.stage, place.slot, "parent"))
        parent = ranking.tournament(rng) if place.stage == 2 else _pick(best, rng)
        turn = turns.get(place.slot)
        slots.append(
            {
                "slot": place.slot,
                "stage": place.stage,
                "kind": (place.kind or _pareto_purpose(parent, config, [run_seed, number, place.slot])).value,
                "main": turn.main if turn else None,
                "sub": turn.sub if turn else None,
                "ideas": list(turn.ideas) if turn else [],
                "parent_id": parent.id,
            }
        )
    return slots


def approved_ideas(
    store: Store, run_id: str, generation: int, levels: dict[str, str], *, begins: bool = True
) -> list[FairIdea]:
    """The approved ideas a generation draws from.

    A run keeps the template that it began with: ideas filed since under a sub-category which that lacks are left out.

    Curation is taken in here and only here, and only where the generation ``begins``: where the approved set differs
    from the last one recorded, the new set is recorded as an event of this generation.
    """
    before = store.runs.latest_event(run_id, "ideas", generation)
    if before is not None and (before[0] == generation or not begins):
        found = before[1]
    else:
        found = [list(idea) for idea in store.ideas.approved()]
        if before is None or before[1] != found:
            store.runs.record_event(run_id, generation, "ideas", found)
    return [FairIdea(id=one, level=levels[sub], main=main, sub=sub) for one, main, sub in found if sub in levels]


def _pareto_purpose(parent: CandidateLine, config: RunConfig, place: Sequence[int]) -> Purpose:
    """Scale down, or up where there is slack, as the draws of this place (run seed, generation, slot) say."""
    budget = config.budget
    slack = parent.params < _SLACK * budget.max_params and parent.macs < _SLACK * budget.max_macs
    if _drawn(config.search.scale_down, place, Purpose.SCALE_DOWN):
        return Purpose.SCALE_DOWN
    return (
        Purpose.SCALE_UP
        if slack and _drawn(config.search.scale_up, place, Purpose.SCALE_UP)
        else Purpose.HYPERPARAMETER
    )


def _drawn(share: float, place: Sequence[int], purpose: Purpose) -> bool:
    run_seed, number, slot = place
    return share == 1 or (share > 0 and generator(entropy(run_seed, number, 2, slot, purpose.value)).random() < share)


def _pick(pool: Sequence[CandidateLine], rng: np.random.Generator) -> CandidateLine:
    return pool[int(rng.integers(len(pool)))]
