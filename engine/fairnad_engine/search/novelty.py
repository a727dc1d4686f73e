"""What makes a verified proposal a new one, decided in slot order: by structure, by likeness, and by kind of edit.

Structure is always asked (method, section 4 (d)); near duplicates and a quota of structural edits (section 7) where a
run is set so. What a decision reads are the rows of earlier slots and what earlier units of the same wave came to, so
it is the same for any number of workers and after any interruption.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from fairnad_engine.backbone.verifier import Verdict
from fairnad_engine.llm.protocol import Design, Purpose
from fairnad_engine.search.archive import Snapshot
from fairnad_engine.search.config_search import SearchSection
from fairnad_engine.search.memory import NEAR_DUPLICATE, QUOTA, Memory, quota_allows
from fairnad_engine.store.records import CandidateRow, SlotRow

RESIZED = "resized"
_BY_STRUCTURE = (1, 3)  # stages whose units the quota counts: Stage II changes sizes and parameters by definition


class Novelty:
    """What units that are settled in one order may not repeat, and which edits each generation still owes."""

    def __init__(self, known: Snapshot, search: SearchSection, sources: Mapping[str, str] | None = None) -> None:
        """Set up.

        Args:
            known: Everything before the first of these units, earlier waves of the same generation included.
            search: The run's settings.
            sources: The programs of all that, by id, where near duplicates are refused.
        """
        memory = Memory(known.candidates, sources)
        self._structures = known.exact_hashes()
        self._tombstones = memory.tombstones()
        self._memory = memory if search.near_duplicates == "strict" else None
        self._quota = search.structural_quota
        self._units = search.slots[0] + 2 * search.slots[2]
        self._done: defaultdict[int, Counter[str]] = defaultdict(Counter)  # by generation
        for one in known.candidates:
            if one.stage in _BY_STRUCTURE:
                self._done[one.generation][one.edit_type] += 1

    def refusal(
        self, slot: SlotRow, design: Design, verdict: Verdict, parent: CandidateRow, resized: str = ""
    ) -> tuple[str | None, str]:
        """Say why a verified proposal is refused: failure class and message, or None and no message.

        Args:
            slot: What the proposal is for.
            design: The proposal; its edit type is the one that is counted.
            verdict: What was verified.
            parent: What it was made from.
            resized: How its depth or widths differ from the parent's, in words.
        """
        if verdict.exact_hash == parent.exact_hash:
            return "unchanged", "the graph equals the parent's"
        seen = self._structures.get(verdict.exact_hash)
        if seen is not None:
            removed = ", which was tried and removed" if verdict.exact_hash in self._tombstones else ""
            return "duplicate", f"the graph equals that of {seen}{removed}"
        if slot.stage != 2 and verdict.width_hash == parent.width_hash:
            return "width-only", "only channel counts differ from the parent"
        if slot.kind == Purpose.HYPERPARAMETER and resized:
            return RESIZED, f"{resized}; change one hyper-parameter that is neither depth nor width"
        # A source that is only built wider is its parent's copy by intent.
        if self._memory is not None and (slot.stage in _BY_STRUCTURE or design.width_factor == 1):
            like = self._memory.near_duplicate(design.source)
            if like is not None:
                return NEAR_DUPLICATE, f"the program is all but that of {like}; change more than names or digits"
        kind = design.edit_type.value
        if slot.stage in _BY_STRUCTURE and not quota_allows(
            kind, self._done[slot.generation], self._quota, self._units
        ):
            return QUOTA, f"this generation still owes structural edits, and this is a {kind} edit"
        return None, ""

    def accept(self, candidate_id: str, slot: SlotRow, design: Design, verdict: Verdict) -> None:
        """Let later units see what one came to; called in slot order."""
        self._structures[verdict.exact_hash] = candidate_id
        if self._memory is not None:
            self._memory.accept(candidate_id, design.source)
        if slot.stage in _BY_STRUCTURE:
            self._done[slot.generation][design.edit_type.value] += 1
