"""What a sentence is described by for the learned reading: what it speaks of (subject) and how it speaks (manner)."""

from __future__ import annotations

import re
from itertools import pairwise

from fairnad_engine.knowledge.cues import fold
from fairnad_engine.knowledge.likeness import COMMON, stem_of, words_of

_REACH = 4
"""Stems at most this far apart make a pair, whatever their order: half of what a stem itself counts."""
_HEADING = 0.5
"""What a word of the run-in heading counts, beside one of the sentence."""
_BEFORE = 0.5
_PATTERNS = (
    ("#list", r"\d+(?:\.\d+)?(?:\s*[:,]\s*\d+(?:\.\d+)?){2,}(?:,?\s+and\s+\d+)?|\d+(?:, \d+)+,? and \d+"),
    ("#kernel", r"\b\d+x\d+x?\d*\b"),
    ("#change", r"[+-]\s?\d+\.\d"),
    ("#accuracy", r"\b\d\d\.\d\b"),
    ("#percent", r"\b\d+(?:\.\d+)?\s?%"),
    ("#points", r"\b\d+(?:\.\d+)? points?\b"),
    ("#fraction", r"\b0\.\d"),
    ("#tiny", r"\d+(?:\.\d+)?e-\d|10\^-\d"),
    ("#part", r"\b1/\d+|\b(?:half|third|quarter|fourth|eighth|sixteenth|thirty-second)s?\b"),
    ("#count", r"\b(?:two|three|four|five|six|eight|nine|ten|sixteen|thirty-two|\d+)\b"),
)
_NUMBERS = tuple((name, re.compile(pattern)) for name, pattern in _PATTERNS)
_GRAMMAR = COMMON | frozenset(
    " ".join(
        (
            "we our us was were be no none better worse best instead all both its their these should may recommend",
            "propose suggest therefore hence thus keep",
        )
    ).split()
)
_TOKEN = re.compile(r"[a-z]+|\d+(?:\.\d+)?%?|[^\sa-z\d]")
_WORDS_PER_LENGTH = 8
_LONGEST = 6


def subject_features(sentence: str, heading: str = "") -> dict[str, float]:
    """Return stems, pairs of stems and patterns of numbers, with how often each stands there."""
    found = _subject(sentence)
    for feature, count in _subject(heading).items():
        found[feature] = found.get(feature, 0.0) + _HEADING * count
    return found


def _subject(text: str) -> dict[str, float]:
    stems = [stem_of(word) for word in words_of(text) if word not in COMMON]
    found: dict[str, float] = {}
    for feature in (*stems, *(f"{one} {other}" for one, other in pairwise(stems)), *_numbers(text)):
        found[feature] = found.get(feature, 0.0) + 1.0
    for place, one in enumerate(stems):
        for other in stems[place + 2 : place + _REACH + 1]:
            feature = "~".join(sorted((one, other)))
            found[feature] = found.get(feature, 0.0) + 0.5
    return found


def _numbers(text: str) -> list[str]:
    folded = fold(text)
    return [name for name, pattern in _NUMBERS if pattern.search(folded)]


def manner_features(
    sentence: str, heading: str = "", section: str = "", before: str = "", rank: int | None = None
) -> dict[str, float]:
    """Return function words, endings, marks and stems of a sentence, and those of what stands around it.

    Args:
        sentence: The sentence, white space collapsed.
        heading: The run-in heading of its paragraph.
        section: The name of its section.
        before: The sentence before it in the same paragraph.
        rank: What the section is for, as in :mod:`.paper_voice`; None where the sentence stands alone.
    """
    tokens = [_token(word) for word in _TOKEN.findall(fold(sentence))]
    found = {f"g:{token}": 1.0 for token in tokens}
    found |= {f"g:{one} {other}": 1.0 for one, other in pairwise(tokens)}
    if tokens:
        found["g^" + " ".join(tokens[:2])] = 1.0
    found[f"length {min(_LONGEST, len(tokens) // _WORDS_PER_LENGTH)}"] = 1.0
    found |= dict.fromkeys(_numbers(sentence), 1.0)
    for mark, text, weight in (("w", sentence, 1.0), ("s", section, 1.0), ("h", heading, 1.0), ("p", before, _BEFORE)):
        found |= {f"{mark}:{stem_of(word)}": weight for word in words_of(text)}
    if rank is not None:
        found[f"rank {rank}"] = 1.0
    return found


def _token(word: str) -> str:
    if word in _GRAMMAR:
        return word
    if word[0].isdigit():
        return "#"
    if not word.isalpha():
        return word
    return next((f"-{ending}" for ending in ("ed", "ing", "s") if word.endswith(ending)), "word")
