"""Grounding: where in a paper the evidence quoted for an idea stands.

A quote that a model wrote down rarely matches byte by byte: lines were joined, words were hyphenated at line
ends, quotation marks and dashes were straightened. Those differences are forgiven; and, where that finds nothing, slips
of the pen in a longer quote (:mod:`fairnad_engine.knowledge.typing_slips`). Others are not.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal

from fairnad_engine.knowledge.typing_slips import locate_with_slips

_QUOTES = dict.fromkeys("'\"`´‘’‚‛“”„‟«»‹›′″", "'")
_DASHES = dict.fromkeys("-‐‑‒–—―−", "-")
_FOLDED = {**_QUOTES, **_DASHES, "×": "x", "\u00ad": "", "*": "", "\u200b": "", "\ufeff": ""}

_MOST_BLANK = 4  # times the quote's length: what is more holds a page of blanks, and is no passage that one reads


@dataclass(frozen=True)
class Grounding:
    """A quote's place.

    Attributes:
        span: Start and end character in the text.
        method: ``exact`` where every character agrees, ``tolerant`` where every letter does, else ``fuzzy``.
        score: Similarity of the quote and what stands there, from 0 to 1; 1 for ``exact``.
    """

    span: tuple[int, int]
    method: Literal["exact", "tolerant", "fuzzy"]
    score: float


def locate(quote: str, text: str) -> Grounding | None:
    """Return where a quote stands in a text, or None where it does not.

    The first place at word boundaries wins, else the first place.
    """
    wanted = quote.strip()
    if not wanted:
        return None
    start = _first(wanted, text)
    if start is not None:
        return Grounding((start, start + len(wanted)), "exact", 1.0)
    folded, places = _fold(text)
    key = _fold_quote(wanted)
    if not any(character.isalnum() for character in key):
        return None
    start = _first(key, folded, text, places)
    if start is None:
        passage = locate_with_slips(wanted, text)
        return None if passage is None else Grounding(passage.span, "fuzzy", min(passage.score, 0.999))
    span = (places[start], places[start + len(key) - 1] + 1)
    if span[1] - span[0] > _MOST_BLANK * len(wanted):
        return None
    score = SequenceMatcher(None, wanted, text[slice(*span)], autojunk=False).ratio()
    return Grounding(span, "tolerant", round(min(score, 0.999), 3))


def _first(wanted: str, folded: str, text: str | None = None, places: tuple[int, ...] = ()) -> int | None:
    fallback: int | None = None
    at = folded.find(wanted)
    while at >= 0:
        last = at + len(wanted) - 1
        begin, end = (at, last) if text is None else (places[at], places[last])
        if _at_word_boundaries(begin, end + 1, folded if text is None else text):
            return at
        fallback = at if fallback is None else fallback
        at = folded.find(wanted, at + 1)
    return fallback


def _at_word_boundaries(start: int, end: int, text: str) -> bool:
    before = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
    after = end < len(text) and text[end].isalnum() and text[end - 1].isalnum()
    return not before and not after


def _fold_quote(quote: str) -> str:
    return _fold(quote)[0]


@lru_cache(maxsize=8)  # The ideas of one paper are grounded one after another.
def _fold(text: str) -> tuple[str, tuple[int, ...]]:
    """Return the text without the differences that are forgiven, and each remaining character's place."""
    characters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if character.isspace():
            continue
        folded = _FOLDED.get(character)
        if folded is None:
            folded = character if character.isascii() else unicodedata.normalize("NFKC", character)
        # A hyphen between two letters may be a compound's or a line end's: neither counts.
        if folded.isalnum() and characters[-1:] == ["-"] and _hyphenates(text, places[-1]):
            characters.pop()
            places.pop()
        for part in folded:
            characters.append(part)
            places.append(place)
    return "".join(characters), tuple(places)


def _hyphenates(text: str, place: int) -> bool:
    return place > 0 and text[place - 1].isalnum()
