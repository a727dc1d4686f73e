"""The last look: which candidates that were stopped after a short schedule are trained in full after all.

It begins when the budget is spent and ends when every stopped candidate is confidently dominated by finished ones
(:mod:`fairnad_engine.search.fidelity`). It goes by batches of a fixed size, and each batch is stored as an event
before its first training starts: an interrupted look goes on with the very same batches, and how many trainings run
at a time decides nothing.
"""

from __future__ import annotations

import asyncio

from fairnad_engine.search.scoring import Scorer
from fairnad_engine.store import Store

EVENT = "last-look"


class LastLook:
    """The last look of one run at one size of its budget."""

    def __init__(self, store: Store, run_id: str, budget: int, scorer: Scorer) -> None:
        """Set up.

        Args:
            store: The workspace.
            run_id: The run.
            budget: Trained models that the run may have; a larger one later gets a look of its own.
            scorer: Trains candidates.
        """
        self._store = store
        self._run_id = run_id
        self._prefix = f"{EVENT}-{budget}-"
        self._scorer = scorer

    @property
    def begun(self) -> bool:
        """Whether it has begun; from then on there is no new generation."""
        return bool(self._batches())

    async def run(self, generation: int) -> None:
        """Look, train, and look again until nothing is left to train; or go on with that.

        Args:
            generation: The last one, for the record.

        Raises:
            StopRequestedError: The user asked to stop; the look can be resumed.
        """
        stored = self._batches()
        turn = 0
        while True:
            if turn == len(stored):
                stored.append(self._scorer.look_again())
                self._store.runs.record_event(self._run_id, generation, f"{self._prefix}{turn:03}", stored[turn])
            if not stored[turn]:
                return
            ended = await asyncio.gather(
                *(self._scorer.train_after_all(one, reason) for one, reason in stored[turn]), return_exceptions=True
            )
            for error in ended:
                if isinstance(error, BaseException):
                    raise error
            turn += 1

    def _batches(self) -> list[list[tuple[str, str]]]:
        events = [e for e in self._store.runs.events(self._run_id) if str(e["kind"]).startswith(self._prefix)]
        return [[(one, reason) for one, reason in e["payload"]] for e in sorted(events, key=lambda e: str(e["kind"]))]
