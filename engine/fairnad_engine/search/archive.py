"""What a proposal may see: the run as it stood when the generation before ended (method, section 3, snapshot).

With ``proposals = sequential`` also the slots before the first one of its own stage; with ``lookahead`` the run as it
stood one generation earlier still.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fairnad_engine.llm.protocol import Outcome
from fairnad_engine.search.selection import top_by_accuracy, trained
from fairnad_engine.store import Store
from fairnad_engine.store.live import CandidateLine
from fairnad_engine.store.records import AttemptRow, CandidateRow

MEMORY_LENGTH = 5
_ATTEMPTS = 4 * MEMORY_LENGTH  # that are looked through for them: not each has an outcome yet
_SMALL_RUN = 100


@dataclass(frozen=True)
class Snapshot:
    """Archive and memory at the end of a generation, or at one of its slots.

    Attributes:
        candidates: Every verified candidate so far, the seed first.
        memory: The last outcomes, oldest first, failures included.
    """

    candidates: tuple[CandidateLine, ...]
    memory: tuple[Outcome, ...]

    @property
    def seed(self) -> CandidateLine:
        """Candidate 0."""
        return self.candidates[0]

    def exact_hashes(self) -> dict[str, str]:
        """Candidate id by exact structure hash, of trained and of removed structures alike."""
        return {c.exact_hash: c.id for c in reversed(self.candidates)}

    def trained(self) -> list[CandidateLine]:
        """Candidates that may be parents."""
        return trained(self.candidates)

    def best(self) -> list[CandidateLine]:
        """The parents of Stage I: the top 5 by accuracy, the top 25 once there are more than 100 models.

        How many there are decides, not how many there are to be: a run of 100 that is extended to 500 goes on as one
        of 500 would have gone.
        """
        pool = self.trained()
        found = sum(candidate.generation > 0 for candidate in pool)  # neither the seed nor a warm start counts
        return top_by_accuracy(pool, 5 if found <= _SMALL_RUN else 25)

    def above_floor(self, floor: float) -> list[CandidateLine]:
        """The parents of Stage II: not more than ``floor`` points below the seed."""
        least = (self.seed.accuracy or 0.0) - floor
        return [c for c in self.trained() if (c.accuracy or 0.0) >= least]


class Archive:
    """A run's candidates in memory, for the process that searches: it reads only what is new or may have changed.

    It holds no programs. What was trained, failed or was stopped stays so as long as generations are run.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._lines: dict[int, CandidateLine] = {}
        self._open: set[int] = set()
        self._candidates: tuple[CandidateLine, ...] = ()
        self._last = 0

    def candidates(self) -> tuple[CandidateLine, ...]:
        """Every verified candidate as it is now, in order of position."""
        found = self._store.live.candidates(self._run_id, self._last, self._open)
        changed = {line.row: line for line in found if self._lines.get(line.row) != line}
        if changed:
            self._last = max(self._last, *changed)
            self._lines.update(changed)
            self._open = {row for row in self._open | changed.keys() if self._lines[row].open}
            self._candidates = tuple(sorted(self._lines.values(), key=lambda line: line.position))
        return self._candidates

    def before(self, generation: int, slot: int = 1) -> tuple[CandidateLine, ...]:
        """The candidates of everything before a slot; slot 1 is the end of the generation before."""
        here = (generation, slot)
        return tuple(c for c in self.candidates() if (c.generation, c.slot) < here)

    def at(self, generation: int, slot: int) -> Snapshot:
        """The run as it stood where everything before a slot is over.

        Args:
            generation: The slot's generation.
            slot: Its number; 1 is the end of the generation before.
        """
        candidates = self.before(generation, slot)
        attempts = self._store.runs.attempts_before(self._run_id, generation, slot, _ATTEMPTS)
        return Snapshot(candidates, remember(attempts, candidates))


def remember(
    attempts: Sequence[AttemptRow], candidates: Sequence[CandidateLine] | Sequence[CandidateRow]
) -> tuple[Outcome, ...]:
    """The last few (problem, change, outcome) triples in slot order."""
    recent = attempts[-_ATTEMPTS:]
    since = min((attempt.generation for attempt in recent), default=0)
    by_place = {(c.generation, c.slot, c.step): c for c in candidates if c.generation >= since}
    outcomes = []
    for attempt in recent:
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
