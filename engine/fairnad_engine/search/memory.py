"""What a search remembers: removed structures, the log of edits, and what is too much like the archive.

Method, section 7; the last outcomes are those of :func:`fairnad_engine.search.archive.remember`. Everything is read off
stored candidates, so a resumed run remembers the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairnad_engine.llm.protocol import EditType
from fairnad_engine.search.sketch import Sketch, similarity, sketch
from fairnad_engine.store.live import CandidateLine
from fairnad_engine.store.records import CandidateRow

QUOTA = "quota"
NEAR_DUPLICATE = "near-duplicate"
SIMILAR_ENOUGH = 0.995
"""Similarity from which two sources are one design. A child differs from its parent by few lines, so what is usual
for programs written from scratch (0.8 to 0.9) would refuse every small edit; see ``tests/search/test_memory.py``."""
_REMOVED = frozenset({"failed", "screened"})


@dataclass(frozen=True)
class EditLine:
    """One line of the edit log.

    Attributes:
        generation: When it was made.
        candidate: What it made.
        edit_type: ``structural``, ``capacity`` or ``hyper-parameter``.
        change: What was changed.
        outcome: The candidate's status.
        gain: Validation accuracy beyond the parent's, in points; None where one of the two has none.
    """

    generation: int
    candidate: str
    edit_type: str
    change: str
    outcome: str
    gain: float | None


class Memory:
    """Memory of a run as its rows stand.

    Args:
        candidates: Verified candidates in order of position, the seed first.
        sources: Their programs by id, in the same order; what near duplicates are looked for in.
        threshold: Similarity from which a proposal is a near duplicate.
    """

    def __init__(
        self,
        candidates: Sequence[CandidateLine] | Sequence[CandidateRow],
        sources: Mapping[str, str] | None = None,
        threshold: float = SIMILAR_ENOUGH,
    ) -> None:
        self._candidates: tuple[CandidateLine | CandidateRow, ...] = tuple(candidates)
        self._sources = dict(sources or {})
        self._threshold = threshold
        self._added: list[tuple[str, Sketch]] = []

    def tombstones(self) -> dict[str, str]:
        """Candidate id by exact hash of every removed structure: it failed to train, or was stopped.

        A hash that a trained candidate shares is no tombstone; of several removed ones the first is named.
        """
        kept = {one.exact_hash for one in self._candidates if one.status not in _REMOVED}
        removed = (one for one in reversed(self._candidates) if one.status in _REMOVED)
        return {one.exact_hash: one.id for one in removed if one.exact_hash not in kept}

    def edit_log(self) -> list[EditLine]:
        """Every edit that led to a verified candidate, in order; the seed is no edit."""
        scores = {one.id: one.accuracy for one in self._candidates}
        return [
            EditLine(
                one.generation,
                one.id,
                one.edit_type,
                one.change,
                one.status,
                _difference(one.accuracy, scores.get(one.parent_id or "")),
            )
            for one in self._candidates
            if one.parent_id is not None
        ]

    def accept(self, candidate: str, source: str) -> None:
        """Let later proposals of the same generation see a source that was accepted, in slot order."""
        made = sketch(source)
        if made is not None:
            self._added.append((candidate, made))

    def near_duplicate(self, source: str) -> str | None:
        """Return the id of the archive's candidate that a source is a near copy of, the most similar one, or None.

        A source that only changes the parent's ``width`` argument is its parent's copy: ask this of Stages I and III,
        or where ``width_factor`` is 1.
        """
        made = sketch(source)
        if made is None:
            return None
        seen = [(one, sketched) for one, text in self._sources.items() if (sketched := sketch(text)) is not None]
        best, found = self._threshold, None
        for candidate, other in (*seen, *self._added):
            # The smaller set bounds the similarity, which spares most comparisons.
            if min(len(made), len(other)) < best * max(len(made), len(other)):
                continue
            alike = similarity(made, other)
            if alike > best or (alike == best and found is None):
                best, found = alike, candidate
        return found


def edit_counts(log: Sequence[EditLine]) -> dict[int, Counter[str]]:
    """Edits by type for each generation."""
    found: dict[int, Counter[str]] = {}
    for line in log:
        found.setdefault(line.generation, Counter())[line.edit_type] += 1
    return found


def quota_allows(edit_type: str, done: Mapping[str, int], quota: float, slots: int) -> bool:
    """Say whether one more edit of a type leaves room for the structural edits that a generation owes.

    Args:
        edit_type: Type of the edit that is to be accepted.
        done: Edits by type that the generation's Stages I and III accepted so far, in slot order.
        quota: Share of their units that must be structural, 0 to 1; 0 asks for nothing.
        slots: Number of these units.
    """
    if quota <= 0 or edit_type == EditType.STRUCTURAL:
        return True
    owed = min(slots, math.ceil(quota * slots - 1e-9))
    others = sum(count for kind, count in done.items() if kind != EditType.STRUCTURAL)
    return others + 1 <= slots - owed


def _difference(own: float | None, other: float | None) -> float | None:
    return None if own is None or other is None else own - other
