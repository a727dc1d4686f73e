"""Near-duplicates: ideas of one sub-category that say the same in nearly the same words (method, section 1).

Two ideas are alike by the letters of their words in a fixed order, filler words left out. What a few letters turn into
another idea must be the same in both: numbers, words such as ``before``, ``without`` or ``larger``, and every other
word but for its ending (GELU is not SiLU); only one of the two may say more. A group has one representative, to which
each member is alike, so that no chain of small steps joins what is far apart.

Nothing is stored: groups are found when they are asked for, 15,000 ideas in 55 sub-categories within about 2 seconds of
one core (``python -m bench.near_duplicates``), and merging is the curation desk's own, with its undo.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairnad_engine.store.knowledge_records import IdeaRow

if TYPE_CHECKING:
    from fairnad_engine.llm.embeddings import Vectors

ALIKE = 80.0
"""Percent of letters in common, 2 x common / all, from which two ideas are near-duplicates.

Of the 544 ideas that ``rules`` finds in the sample papers, whose papers differ, no two have more than 71 in common.
"""

SAME = 95.0
"""Percent of a cosine from which two ideas mean the same; models differ, so look before you merge."""

_ROWS = 128  # compared with all others at a time: what one step of a search in the background takes
_LONGEST = 1000
_SHORT_STEM, _ENDING = 3, 2  # letters: block, blocks
_STEM = 5
_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_FILLERS = frozenset(
    " ".join(
        (
            "a an the of in to by with each every all and for on at as is are be it its their this that these those",
            "which so use using used apply adopt employ insert introduce place put utilize utilise make we our",
            "instead rather than",
        )
    ).split()
)
_TELLING = frozenset(
    " ".join(
        (
            "no not never without before after above below first last early late earlier later initial final more",
            "less fewer most least large larger small smaller big bigger wide wider narrow narrower deep deeper",
            "shallow shallower high higher low lower increase decrease raise reduce add remove drop keep only pre",
            "post inside outside odd even max maximum average avg mean min minimum local global spatial channel",
            "depthwise pointwise row column stem head start end up down upsample downsample left right same",
            "different shared separate sum product",
        )
    ).split()
)
_Words = tuple[str, ...]
_BEST = ("exact", "tolerant", "", "fuzzy")


@dataclass(frozen=True)
class DuplicateGroup:
    """Ideas that say the same.

    Attributes:
        representative: The one to keep: approved rather than not, then the best grounded, then the oldest.
        others: The rest in the same order, each with its likeness to the representative in percent.
    """

    representative: IdeaRow
    others: tuple[tuple[IdeaRow, float], ...]

    @property
    def ideas(self) -> tuple[IdeaRow, ...]:
        """All of them, the representative first."""
        return (self.representative, *(idea for idea, _ in self.others))


def duplicate_groups(ideas: Iterable[IdeaRow], threshold: float = ALIKE) -> list[DuplicateGroup]:
    """Return the groups of two and more, those of a sub-category together, in the ideas' order.

    Args:
        ideas: Oldest first within a sub-category. Rejected ones, and with them those merged before, are left out, as
            are those that a search derived.
        threshold: Percent from which two are alike.
    """
    alike: defaultdict[Hashable, list[tuple[IdeaRow, _Words]]] = defaultdict(list)
    for idea in ideas:
        if idea.status != "rejected" and idea.origin != "derived":
            numbers, telling, words = _told(idea.instruction)
            if words:
                alike[idea.sub, numbers, telling].append((idea, words))
    found = [group for block in alike.values() for group in _groups(block, threshold)]
    return sorted(found, key=lambda group: group.representative.sub)


def groups_by_meaning(ideas: Sequence[IdeaRow], vectors: Vectors, threshold: float = SAME) -> list[DuplicateGroup]:
    """Return groups of ideas whose vectors point the same way, whatever their words.

    Numbers and telling words must be the same here too: a vector hardly tells 3x3 from 5x5 or before from after.

    Args:
        ideas: As for :func:`duplicate_groups`.
        vectors: ``(ideas, dimensions)``, each of length 1.
        threshold: Cosine in percent from which two are alike.
    """
    blocks: defaultdict[Hashable, list[int]] = defaultdict(list)
    for at, idea in enumerate(ideas):
        if idea.status != "rejected" and idea.origin != "derived":
            blocks[idea.sub, *_told(idea.instruction)[:2]].append(at)
    found = []
    for block in blocks.values():
        free = sorted(block, key=lambda at: _worth(ideas[at]))
        while len(free) > 1:
            first, *rest = free
            scores = 100 * (vectors[rest] @ vectors[first])
            near = [(at, score) for at, score in zip(rest, scores.tolist(), strict=True) if score >= threshold]
            if near:
                others = tuple((ideas[at], round(score, 1)) for at, score in near)
                found.append(DuplicateGroup(ideas[first], others))
            taken = {at for at, _ in near}
            free = [at for at in rest if at not in taken]
    return sorted(found, key=lambda group: group.representative.sub)


def group_of(idea: IdeaRow, ideas: Iterable[IdeaRow], threshold: float = ALIKE) -> DuplicateGroup | None:
    """Return the group that an idea is in, or None; only what could be in it is compared."""
    mine = _told(idea.instruction)[:2]
    near = (one for one in ideas if one.sub == idea.sub and _told(one.instruction)[:2] == mine)
    groups = duplicate_groups(near, threshold)
    return next((group for group in groups if idea.id in {one.id for one in group.ideas}), None)


def _told(instruction: str) -> tuple[frozenset[str], frozenset[str], _Words]:
    """Numbers, telling words and all words of an instruction, the latter in a fixed order without the fillers."""
    folded = unicodedata.normalize("NFKC", instruction[:_LONGEST]).casefold().replace("×", "x")
    words = _WORD.findall(folded)
    numbers = frozenset(_NUMBER.findall(folded))
    return numbers, _TELLING.intersection(words), tuple(sorted(word for word in words if word not in _FILLERS))


def _no_other_word(one: _Words, other: _Words) -> bool:
    """Whether at most one of two ideas has words that the other has not, be it in another spelling."""
    mine, theirs = (sorted((Counter(a) - Counter(b)).elements()) for a, b in ((one, other), (other, one)))
    for word in list(mine):
        same = next((written for written in theirs if _spelt_alike(word, written)), None)
        if same is not None:
            mine.remove(word)
            theirs.remove(same)
    return not mine or not theirs


def _spelt_alike(one: str, other: str) -> bool:
    """Whether two words differ in their ending alone: block and blocks, normalise and normalization."""
    from rapidfuzz.distance import Prefix

    shorter, longer = sorted((one, other), key=len)
    same = Prefix.similarity(one, other)
    inflected = same == len(shorter) >= _SHORT_STEM and len(longer) - same <= _ENDING
    return inflected or (same >= _STEM and 2 * same >= len(longer))


def _groups(block: Sequence[tuple[IdeaRow, _Words]], threshold: float) -> Iterable[DuplicateGroup]:
    """Let the worthiest idea that is in no group yet take along all that are like it, until none is left."""
    if len(block) < 2:
        return
    from rapidfuzz.distance import Indel
    from rapidfuzz.process import cdist

    order = sorted(block, key=lambda one: _worth(one[0]))
    keys = [" ".join(words) for _, words in order]
    free = dict.fromkeys(range(len(order)))
    while len(free) > 1:
        rows = list(free)[:_ROWS]
        columns = list(free)
        # A little below the threshold, since the scores are rounded to single precision.
        table = cdist(
            [keys[row] for row in rows],
            [keys[column] for column in columns],
            scorer=Indel.normalized_similarity,
            score_cutoff=threshold / 100 - 1e-6,
        )
        for row, scores in zip(rows, table, strict=True):
            if row not in free:
                continue
            del free[row]
            near = [(columns[at], float(scores[at])) for at in scores.nonzero()[0] if columns[at] in free]
            alike = [one for one in near if _no_other_word(order[row][1], order[one[0]][1])]
            for column, _ in alike:
                del free[column]
            if alike:
                others = tuple((order[column][0], round(100 * score, 1)) for column, score in alike)
                yield DuplicateGroup(order[row][0], others)


def _worth(idea: IdeaRow) -> tuple[bool, bool, int]:
    """Sorts the idea to keep first; equal ones stay in the order given, the oldest first."""
    return idea.status != "approved", not idea.grounded, _BEST.index(idea.grounded_by)
