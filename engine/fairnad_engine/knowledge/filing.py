"""Filing: which sub-categories a sentence belongs under, by the cues in it and by what it does with them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fairnad_engine.knowledge.cues import Cue, Hit

LIKENESS_WEIGHT = 5.0
"""What full likeness to a sub-category's vocabulary counts, beside cues of which a phrase counts 1 to 4."""
LEAST = 2.3
"""Evidence below which a sentence is filed nowhere..."""
SECOND_SHARE = 0.6
"""A sentence is filed under a second sub-category when that scores at least this share of the first..."""
SECOND_LEAST = 4.4
"""...and at least this much on its own."""
ASIDE_WEIGHT = 0.4
"""Share of its weight that a cue keeps where it only says what is replaced, or where something is put."""

_PLACE = re.compile(
    r"\b(?:after|before|behind|between|inside|beside|around|following|ahead of|in front of|at the end of|"
    r"instead of|rather than|in place of|substitutes? for|than|unlike|as in|without)(?:\s+[\w-]+){0,3}\s*$"
    r"|\b(?:chosen|preferred|favou?red)\s(?:over|to)(?:\s+[\w-]+){0,5}\s*$|\bno(?:\s+[\w-]+)?\s*$"
)
_REPLACED = re.compile(
    r"\b(?:replac|exchang|swap|substitut)\w*\b((?:(?!\bfor\b)[^.;:])*?)\b(?:by|with)\b"
    r"|\b(?:exchang|swap)\w*\b([^.;:]*?)\bfor\b"
)
_SUBSTITUTED = re.compile(r"\bsubstitut\w*\b[^.;:]*?\bfor\b((?:\s+[\w-]+){1,4})")


def scores(sentence: str, start: int, hits: Iterable[Hit]) -> dict[str, float]:
    """Return each sub-category's evidence in a sentence.

    A repeated phrase says nothing new, and of overlapping cues of one sub-category only the first counts.

    Args:
        sentence: The folded sentence.
        start: Where it begins in the text that the hits were found in.
        hits: The cues in it, in order.
    """
    asides = [
        *(match.span(match.lastindex or 0) for match in _REPLACED.finditer(sentence)),
        *(match.span(1) for match in _SUBSTITUTED.finditer(sentence)),
    ]
    best: dict[str, dict[Cue, float]] = {}
    reached: dict[str, int] = {}
    for hit in hits:
        if hit.start < reached.get(hit.cue.sub, 0):
            continue
        reached[hit.cue.sub] = hit.end
        at, end = hit.start - start, hit.end - start
        replaced = any(first <= at and end <= last for first, last in asides)
        aside = replaced or _PLACE.search(sentence, max(0, at - 60), at)
        weight = hit.cue.weight * (ASIDE_WEIGHT if aside else 1.0)
        known = best.setdefault(hit.cue.sub, {})
        known[hit.cue] = max(weight, known.get(hit.cue, 0.0))
    return {sub: sum(weights.values()) for sub, weights in best.items()}


def weighed(cues: dict[str, float], alike: dict[str, float]) -> dict[str, float]:
    """Return the evidence of cues and of likeness together, for each sub-category that has any."""
    return {sub: cues.get(sub, 0.0) + LIKENESS_WEIGHT * share for sub, share in alike.items() if share or sub in cues}


def filed_under(evidence: dict[str, float]) -> list[str]:
    """Return the sub-category with most evidence, and the second where both are strong; none where all is weak."""
    ranked = sorted(evidence.items(), key=lambda item: (-item[1], item[0]))
    if not ranked or ranked[0][1] < LEAST:
        return []
    (first, top), rest = ranked[0], ranked[1:]
    return [first, *(sub for sub, score in rest[:1] if score >= max(SECOND_SHARE * top, SECOND_LEAST))]
