"""Cue phrases: finding a template's vocabulary in running text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from fairnad_engine.knowledge.template import Template

_FOLDED = str.maketrans({"×": "x", "‐": "-", "‑": "-", "–": "-", "—": "-", "−": "-"})
_GAP = r"[\s\-]{0,3}"
_WORDS = r"(?:\w+(?:,?\s+|-)){0,4}?"


@dataclass(frozen=True)
class Cue:
    """One compiled phrase.

    Attributes:
        sub: The sub-category that it speaks for.
        phrase: As written in the template.
        anchor: Its longest literal part: where that is absent, the pattern need not run.
        head: What it begins with, literally; matching is tried only there.
        pattern: Matches it in folded text, from ``head`` on.
        weight: How much it says; longer phrases say more.
        gapped: Whether it lets other words in between.
    """

    sub: str
    phrase: str
    anchor: str
    head: str
    pattern: re.Pattern[str]
    weight: float
    gapped: bool


@dataclass(frozen=True)
class Hit:
    """A cue found at ``start`` to ``end``."""

    cue: Cue
    start: int
    end: int


def fold(text: str) -> str:
    """Return the text in lower case with plain dashes and signs, every character in its place."""
    text = text.translate(_FOLDED)
    lowered = text.lower()
    # A few letters (such as the dotted capital I) grow when lowered, which would shift every span after them.
    return lowered if len(lowered) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


@lru_cache(maxsize=4)
def compile_cues(template: Template) -> tuple[Cue, ...]:
    """Return all cues of a template, compiled."""
    return tuple(
        _named(compile_cue(sub.id, phrase), sub.name)
        for sub in template.subs
        for phrase in sub.cues
        if any(character.isalnum() for character in phrase)
    )


def _named(cue: Cue, name: str) -> Cue:
    # "Dilation" speaks for "Dilated convolution" more than a word of the same length that is in no name.
    return replace(cue, weight=cue.weight + 0.4) if any(_occurrences(fold(name), cue)) else cue


def compile_cue(sub: str, phrase: str) -> Cue:
    """Compile one phrase with a letter or digit: ``*`` at a word's end is any ending, alone up to four words."""
    words = fold(phrase).replace("-", " ").lstrip("* ").split()
    pattern = ""
    for index, word in enumerate(words):
        if word == "*":
            pattern += _WORDS
            continue
        stem = re.sub(r"(?<=\d)x(?=\d)", r"\\s?x\\s?", re.escape(word.replace("*", "\0")))
        pattern += stem.replace("\0", r"\w*")
        if index + 1 < len(words):
            pattern += r"\s+" if words[index + 1] == "*" else _GAP
    literals = [part for word in words for part in re.split(r"\*|(?<=\d)x(?=\d)", word) if part]
    letters = sum(map(len, literals))
    # Short and single-word cues stay near 1, so that one of them alone never beats a phrase.
    weight = max(1.0, letters / 9 + 0.4 * (len(literals) - 1))
    return Cue(
        sub=sub,
        phrase=phrase,
        anchor=max(literals, key=len),
        head=re.split(r"\*|(?<=\d)x(?=\d)", words[0])[0],
        pattern=re.compile(rf"{pattern}(?:e?s)?(?!\w)"),
        weight=weight,
        gapped="*" in words,
    )


def find_cues(folded: str, cues: Iterable[Cue]) -> list[Hit]:
    """Return the cues in a folded text, in order, without those that lie inside a longer one.

    "Window-based self-attention" therefore speaks for window attention alone.
    """
    hits = [hit for cue in cues if cue.anchor in folded for hit in _occurrences(folded, cue)]
    hits.sort(key=lambda hit: (hit.start, -hit.end))
    kept: list[Hit] = []
    reach = (-1, -1)
    for hit in hits:
        if hit.end <= reach[1] and (hit.start, hit.end) != reach:
            continue
        kept.append(hit)
        # The words that a gap lets in are evidence of their own.
        if not hit.cue.gapped:
            reach = (hit.start, hit.end)
    return kept


def _occurrences(folded: str, cue: Cue) -> Iterator[Hit]:
    # Looking for the literal head first is many times faster than letting the pattern scan the text.
    at = folded.find(cue.head)
    while at >= 0:
        begins_word = at == 0 or not (folded[at - 1].isalnum() or folded[at - 1] == "_")
        match = cue.pattern.match(folded, at) if begins_word else None
        if match:
            yield Hit(cue, at, match.end())
        at = folded.find(cue.head, match.end() if match else at + 1)
