"""Sentences of running text, as spans: where each begins and ends in the paper."""

from __future__ import annotations

import re
from collections.abc import Iterator

_BLOCK_START = re.compile(r"^[ \t]*(?:>[ \t]*)*(?:[-*+•–][ \t]+|\(?\d{1,2}[.)][ \t]+)")
_SKIPPED_LINE = re.compile(r"^\s*(?:\||#{1,6}\s|!\[|<|\$\$|\[\^?\d+\]:)")
_FENCE = re.compile(r"^\s*(?:```|~~~)")
_END = re.compile(r"[.!?]+[\"'”’)\]*_]*(?=\s)")
_NEXT = re.compile(r"\s*(?:$|[\"'“‘(\[*_]*[A-Z0-9À-Þ])")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[])(?:e\.g|i\.e|et\s+al|cf|vs|viz|approx|resp|incl|figs?|eqs?|eqns?|secs?|sects?|tabs?|tbl|refs?|"
    r"chaps?|nos?|vol|pp|dr|prof|st|w\.r\.t|a\.k\.a|[A-Z](?:\.[A-Z])*)$",
    re.IGNORECASE,
)
_SINGLE_LETTER = re.compile(r"(?:^|\s)[a-z]$")


def sentence_spans(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield start and end of each sentence of ``text[start:end]``, headings, tables and code left out.

    A list item is a sentence of its own even without a full stop. A full stop ends a sentence only where a capital
    or digit follows and no abbreviation (``et al.``, ``e.g.``, ``Fig.``), initial or decimal number stands before.
    """
    for first, last in _blocks(text, start, len(text) if end is None else end):
        begin = first
        for match in _END.finditer(text, first, last):
            if not _NEXT.match(text, match.end(), last):
                continue
            if text[match.start()] == "." and _abbreviates(text[max(begin, match.start() - 16) : match.start()]):
                continue
            yield from _trimmed(text, begin, match.end())
            begin = match.end()
        yield from _trimmed(text, begin, last)


def _abbreviates(before: str) -> bool:
    # "stage B." may end a sentence but an initial ("K. He") is by far the commoner case in papers.
    return bool(_ABBREVIATION.search(before)) and not _SINGLE_LETTER.search(before)


def _blocks(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the spans of paragraphs and list items."""
    opened: int | None = None
    closed = at = start
    fenced = False
    for line in text[start:end].splitlines(keepends=True):
        fence = bool(_FENCE.match(line))
        fenced ^= fence
        item = _BLOCK_START.match(line)
        breaks = fence or fenced or not line.strip() or _SKIPPED_LINE.match(line)
        if opened is not None and (breaks or item):
            yield opened, closed
            opened = None
        if not breaks:
            if opened is None:
                opened = at + (item.end() if item else 0)
            closed = at + len(line)
        at += len(line)
    if opened is not None:
        yield opened, closed


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    end = start + len(piece.strip())
    if start < end:
        yield start, end
