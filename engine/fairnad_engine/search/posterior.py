"""What categories brought so far, as a chance to be drawn (method, section 7: Thompson sampling, off by default).

A turn succeeded where its trained child beat its parent's validation accuracy or stood on the front at the end of its
generation; every other turn that ended failed. Successes s and failures f give a category ``Beta(1 + s, 1 + f)``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from fairnad_engine.store import Store
from fairnad_engine.store.records import CandidateRow, GenerationRow, SlotRow


@dataclass(frozen=True)
class Posterior:
    """The record of each main category.

    Attributes:
        epsilon: Probability that a turn's main category is drawn by the record instead of by fairness.
        record: Successes and failures by main category.
    """

    epsilon: float = 0.0
    record: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def decides(self, rng: np.random.Generator) -> bool:
        """Whether this turn is drawn by the record; at 0 no random number is spent."""
        return self.epsilon > 0 and float(rng.random()) < self.epsilon

    def draw(self, mains: Iterable[str], rng: np.random.Generator) -> str:
        """Sample every category's chance and return the category with the largest."""
        names = sorted(mains)
        records = [self.record.get(name, (0, 0)) for name in names]
        chances = [float(rng.beta(1 + good, 1 + bad)) for good, bad in records]
        return names[int(np.argmax(chances))]


def read_posterior(store: Store, run_id: str, through: int, epsilon: float) -> Posterior:
    """The record as generation ``through`` left it; nothing is read where ``epsilon`` is 0."""
    if epsilon == 0:
        return Posterior()
    slots = [slot for slot in store.runs.slots(run_id) if slot.generation <= through]
    found = record(slots, store.runs.candidates(run_id, through), store.runs.generations(run_id))
    return Posterior(epsilon, found)


def record(
    slots: Iterable[SlotRow], candidates: Iterable[CandidateRow], generations: Iterable[GenerationRow]
) -> dict[str, tuple[int, int]]:
    """Successes and failures of the turns of each main category; cut and open turns say nothing."""
    fronts = {one.number: set(one.front) for one in generations}
    by_id = {one.id: one for one in candidates}
    made = {(one.generation, one.slot): one for one in by_id.values() if one.stage == 1}
    found: dict[str, tuple[int, int]] = {}
    for slot in slots:
        if slot.stage != 1 or slot.main is None or slot.state in ("pending", "cut"):
            continue
        child = made.get((slot.generation, slot.slot))
        helped = child is not None and _helped(child, by_id, fronts.get(slot.generation, set()))
        good, bad = found.get(slot.main, (0, 0))
        found[slot.main] = (good + helped, bad + (not helped))
    return found


def _helped(child: CandidateRow, by_id: Mapping[str, CandidateRow], front: set[str]) -> bool:
    if child.status != "trained" or child.accuracy is None or not math.isfinite(child.accuracy):
        return False
    parent = by_id.get(child.parent_id or "")
    better = parent is not None and parent.accuracy is not None and child.accuracy > parent.accuracy
    return better or child.id in front
