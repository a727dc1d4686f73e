"""Fuzzy grounding: a quote whose words are those of a paper but for slips of the pen.

A similarity alone cannot tell a slip from another meaning: in a sentence of 100 letters ``large`` for ``small`` is
as near as two slips are. So the nearest passage is found by similarity, and then held against the quote word by word.

What is forgiven: punctuation, white space and case; and in a word of at least three letters one slip (a letter that is
wrong, missing or too much, or two that changed places) that makes no other word of the paper. Numbers and signs must be
the same, and no word begins with a letter more or less (``asymmetric``); only in words of six letters may the first one
be another. One word in four may be so, at most. A word more, a word less or another one is no slip.

Measured on 600 sentences of the sample papers (``python -m bench.grounding``): see :data:`SIMILAR`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

SIMILAR = 0.92
"""Least similarity of letters and digits, 2 x common / all; below it no passage is looked at.

With one, two and three slips anywhere, first letters and short words included, 79, 57 and 35 % of the quotes are found;
of those with another word, a word more or less or another number, and of quotes out of other papers, none, and 0.3 % of
those with two words swapped. From 0.88 to 0.94 the figures are the same, since the words decide; 0.96 loses quotes.
"""

SHORTEST = 32
"""Letters and digits of the shortest quote, about six words; a shorter one must be found without a slip."""

LONGEST = 1000
"""Letters and digits of the longest quote, which bounds the time."""

LONGEST_TEXT = 1_000_000
"""Characters of the longest paper that is searched so."""

_WORD = re.compile(r"[^\W_]+")
_FIGURES = re.compile(r"\d+(?:\.\d+)*|[=<>+%±≤≥]")
_FEWEST_LETTERS = 3
_LONG_WORD = 6
_WORDS_A_SLIP = 4
_MOST_BLANK = 4  # times the quote's length
_FEWEST_KINDS = 10  # of letters; a quote of fewer is a pattern, on which the search takes longest
_REACH = 8  # letters around the nearest passage among which its words begin and end


@dataclass(frozen=True)
class Passage:
    """Where a quote stands but for slips: start and end character in the text, and how similar it is."""

    span: tuple[int, int]
    score: float


@dataclass(frozen=True)
class _Letters:
    """A text's letters and digits in lower case, their places, and which of them begin and end a word."""

    key: str
    places: tuple[int, ...]
    begins: tuple[int, ...]
    ends: tuple[int, ...]
    words: frozenset[str]


def locate_with_slips(quote: str, text: str) -> Passage | None:
    """Return the passage of a text that a quote writes down with slips, or None where there is none.

    Args:
        quote: What a model wrote down.
        text: The paper; 10^5 characters against a quote of 400 take some 5 ms, and 1 s where both are one pattern.
    """
    from rapidfuzz.fuzz import partial_ratio_alignment

    wanted = _letters(quote)
    if not SHORTEST <= len(wanted.key) <= LONGEST or len(set(wanted.key)) < _FEWEST_KINDS or len(text) > LONGEST_TEXT:
        return None
    paper = _letters(text)
    if len(paper.key) < len(wanted.key) - _REACH:
        return None
    near = partial_ratio_alignment(wanted.key, paper.key, score_cutoff=100 * SIMILAR)
    if near is None:
        return None
    best = _whole_words(wanted.key, paper, near.dest_start, near.dest_end)
    if best is None or not _only_slips(wanted, paper, *best):
        return None
    start, end = best
    span = (paper.places[start], _with_its_stop(quote, text, paper.places[end - 1] + 1))
    if span[1] - span[0] > _MOST_BLANK * len(quote) or _FIGURES.findall(quote) != _FIGURES.findall(text[slice(*span)]):
        return None
    return Passage(span, _similarity(wanted.key, paper.key[start:end]))


def _with_its_stop(quote: str, text: str, end: int) -> int:
    """The end of a passage with the punctuation or sign that the quote ends with, where it stands there too."""
    stop = re.search(r"[\W_]*\Z", quote)
    signs = [] if stop is None else [re.escape(sign) for sign in stop[0] if not sign.isspace()]
    there = re.compile(r"\s*".join(["", *signs])).match(text, end) if signs else None
    return end if there is None else there.end()


def _whole_words(wanted: str, paper: _Letters, start: int, end: int) -> tuple[int, int] | None:
    """The words around a place that are most like a quote, or None where they are not like it."""
    firsts = [at for at in paper.begins if abs(at - start) <= _REACH]
    lasts = [at for at in paper.ends if abs(at - end) <= _REACH]
    found = [(first, last) for first in firsts for last in lasts if first < last]
    best = max(found, key=lambda one: _similarity(wanted, paper.key[slice(*one)]), default=None)
    return best if best is not None and _similarity(wanted, paper.key[slice(*best)]) >= SIMILAR else None


def _similarity(one: str, other: str) -> float:
    from rapidfuzz.distance import Indel

    return round(float(Indel.normalized_similarity(one, other)), 3)


def _only_slips(wanted: _Letters, paper: _Letters, start: int, end: int) -> bool:
    """Whether every word of the paper's passage stands in the quote with one slip at most."""
    passage = paper.key[start:end]
    words = [at - start for at in paper.begins if start <= at < end]
    slips = 0
    for word, written in _written(wanted, passage, words):
        if word != written:
            if not _is_slip(word, written, paper.words):
                return False
            slips += 1
    return slips * _WORDS_A_SLIP <= max(len(words), _WORDS_A_SLIP)


def _written(wanted: _Letters, passage: str, begins: list[int]) -> Iterator[tuple[str, str]]:
    """Each word of a passage and what the quote has in its place."""
    from rapidfuzz.distance import Levenshtein

    at: dict[int, int] = {}
    for step in Levenshtein.opcodes(passage, wanted.key):
        if step.tag == "insert":
            # What is too much between two words belongs to the one that the quote writes it with.
            new_word = (one for one in wanted.begins if step.dest_start <= one <= step.dest_end)
            at[step.src_start] = next(new_word, step.dest_end)
        for place in range(step.src_start, step.src_end):
            at.setdefault(place, min(step.dest_start + place - step.src_start, step.dest_end))
    at |= {0: 0, len(passage): len(wanted.key)}
    for first, last in zip(begins, [*begins[1:], len(passage)], strict=True):
        yield passage[first:last], wanted.key[at[first] : at[last]]


def _is_slip(word: str, written: str, known: frozenset[str]) -> bool:
    from rapidfuzz.distance import OSA

    if len(word) < _FEWEST_LETTERS or written in known or any(map(str.isdigit, word + written)):
        return False
    if written[:1] != word[0] and (len(word) < _LONG_WORD or len(written) != len(word)):
        return False
    return OSA.distance(word, written) == 1


@lru_cache(maxsize=8)  # The ideas of one paper are grounded one after another.
def _letters(text: str) -> _Letters:
    key: list[str] = []
    places: list[int] = []
    begins: list[int] = []
    ends: list[int] = []
    for word in _WORD.finditer(text.replace("×", "x")):
        begins.append(len(key))
        for place, character in enumerate(word[0], word.start()):
            folded = character if character.isascii() else unicodedata.normalize("NFKC", character)
            for part in folded.lower():
                key.append(part)
                places.append(place)
        ends.append(len(key))
    whole = "".join(key)
    words = frozenset(whole[first:last] for first, last in zip(begins, ends, strict=True))
    return _Letters(whole, tuple(places), tuple(begins), tuple(ends), words)
