"""What a proposal may see: the run as it stood when the generation before ended (method, section 3, snapshot).

With ``proposals = sequential`` also the slots before the first one of its own stage; with ``lookahead`` the run as it
stood one generation earlier still.
"""

from __future__ import annotations

from dataclasses import dataclass

from fairnad_engine.llm.protocol import Outcome
from fairnad_engine.search.selection import top_by_accuracy, trained
from fairnad_engine.store import Store
from fairnad_engine.store.records import AttemptRow, CandidateRow

MEMORY_LENGTH = 5
_SMALL_RUN = 100


@dataclass(frozen=True)
class Snapshot:
    """Archive and memory at the end of a generation, or at one of its slots.

    Attributes:
        candidates: Every verified candidate so far, the seed first.
        memory: The last outcomes, oldest first, failures included.
    """

    candidates: tuple[CandidateRow, ...]
    memory: tuple[Outcome, ...]

    @property
    def seed(self) -> CandidateRow:
        """Candidate 0."""
        return self.candidates[0]

    def exact_hashes(self) -> dict[str, str]:
        """Candidate id by exact structure hash, of trained and of removed structures alike."""
        return {c.exact_hash: c.id for c in reversed(self.candidates)}

    def trained(self) -> list[CandidateRow]:
        """Candidates that may be parents."""
        return trained(self.candidates)

    def best(self) -> list[CandidateRow]:
        """The parents of Stage I: the top 5 by accuracy, the top 25 once there are more than 100 models.

        How many there are decides, not how many there are to be: a run of 100 that is extended to 500 goes on as one
        of 500 would have gone.
        """
        pool = self.trained()
        found = sum(candidate.generation > 0 for candidate in pool)  # neither the seed nor a warm start counts
        return top_by_accuracy(pool, 5 if found <= _SMALL_RUN else 25)

    def above_floor(self, floor: float) -> list[CandidateRow]:
        """The parents of Stage II: not more than ``floor`` points below the seed."""
        least = (self.seed.accuracy or 0.0) - floor
        return [c for c in self.trained() if (c.accuracy or 0.0) >= least]


def snapshot_at(store: Store, run_id: str, generation: int, slot: int) -> Snapshot:
    """The run as it stood where everything before a slot is over.

    Args:
        store: The workspace.
        run_id: The run.
        generation: The slot's generation.
        slot: Its number; 1 is the end of the generation before.
    """
    here = (generation, slot)
    candidates = [c for c in store.runs.candidates(run_id, generation) if (c.generation, c.slot) < here]
    attempts = [a for a in store.runs.attempts(run_id, generation) if (a.generation, a.slot) < here]
    return Snapshot(tuple(candidates), remember(attempts, candidates))


def remember(attempts: list[AttemptRow], candidates: list[CandidateRow]) -> tuple[Outcome, ...]:
    """The last few (problem, change, outcome) triples in slot order."""
    by_place = {(c.generation, c.slot, c.step): c for c in candidates}
    outcomes = []
    for attempt in attempts[-4 * MEMORY_LENGTH :]:
        design = attempt.design or {}
        if attempt.failure:
            result = f"failed: {attempt.failure}: {attempt.message}"[:300]
        else:
            candidate = by_place.get((attempt.generation, attempt.slot, attempt.step))
            if candidate is not None and candidate.status == "screened":
                result = f"not better than what is there, with {candidate.params} parameters, {candidate.macs} MACs"
            elif candidate is None or candidate.accuracy is None:
                continue
            else:
                result = f"{candidate.accuracy:.2f} % with {candidate.params} parameters, {candidate.macs} MACs"
        outcomes.append(Outcome(problem=attempt.purpose, change=str(design.get("change", ""))[:200], outcome=result))
    return tuple(outcomes[-MEMORY_LENGTH:])
