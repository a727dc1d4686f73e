"""Graphs and initial weights that a disk lost or damaged, made again from the candidate's source.

Both follow from source, width and seed alone, so what comes out has the name of what is missing, or is not taken.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from fairnad_engine.errors import DamagedStoreError
from fairnad_engine.search.seeds import SeedRule, entropy, initial_weights_seed, torch_seed
from fairnad_engine.store.runs import SEED_CANDIDATE

if TYPE_CHECKING:
    from fairnad_engine.backbone.verifier import Verifier
    from fairnad_engine.store import Store
    from fairnad_engine.store.records import CandidateRow, RunRow

_UNTRAINED = ("verified", "training")
_log = logging.getLogger("fairnad.worker")


class Remaking:
    """Mends the files of one run's candidates."""

    def __init__(self, store: Store, run: RunRow, seeds_by: SeedRule, verifier: Verifier) -> None:
        self._store = store
        self._run = run
        self._seeds_by = seeds_by
        self._verifier = verifier

    async def mend_all(self) -> None:
        """Look at every candidate that the run has; see :meth:`mend`."""
        for candidate in self._store.runs.candidates(self._run.id):
            await self.mend(candidate)

    async def mend(self, candidate: CandidateRow) -> None:
        """Make a candidate's graph again where it is damaged, and its initial weights where it is still to be trained.

        Raises:
            DamagedStoreError: They are damaged, and something else came out.
        """
        files = self._store.files
        needed = [candidate.graph, *([candidate.weights] if candidate.status in _UNTRAINED else [])]
        damaged = await asyncio.to_thread(lambda: [name for name in needed if not files.is_whole(name)])
        seed = self._seed(candidate) if damaged else None
        if seed is None:
            return
        for name in damaged:
            files.discard(name)
        await asyncio.to_thread(self._verifier.verify, candidate.source, candidate.width, seed)
        for name in damaged:
            if not files.is_whole(name):
                raise DamagedStoreError(
                    f"{files.path(name)}: of {candidate.id}, is damaged and could not be made again; restore it"
                )
            _log.warning("%s: %s was missing or damaged, and is made again", candidate.id, files.path(name))

    def _seed(self, candidate: CandidateRow) -> int | None:
        """The seed that its initial weights were drawn under; None where it was copied from another run."""
        if candidate.id == SEED_CANDIDATE:
            return torch_seed(entropy(self._run.seed, 0, "init"))
        for attempt in self._store.runs.attempts_of_slot(self._run.id, candidate.generation, candidate.slot):
            verdict = attempt.verdict or {}
            if attempt.step == candidate.step and verdict.get("weights") == candidate.weights:
                place = (attempt.generation, attempt.slot, attempt.step, attempt.attempt)
                return initial_weights_seed(self._seeds_by, self._run.seed, *place)
        return None
