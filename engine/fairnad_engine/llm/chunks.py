"""Cutting a paper into pieces of about one section, which a model reads one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fairnad_engine.knowledge.paper_layout import section_name
from fairnad_engine.knowledge.papers import PaperText

CHUNK_CHARACTERS = 6000
"""About 1,500 tokens of English."""

_NO_IDEAS = re.compile(
    r"references?|bibliography|acknowledge?ments?|funding|author contributions|ethics statement|works cited"
)
_BREAKS = ("\n\n", "\n", ". ", " ")


def chunks(paper: PaperText, size: int = CHUNK_CHARACTERS) -> list[str]:
    """Return the paper's text in order, sections that hold no ideas left out, in pieces of at most ``size`` characters.

    Short neighbouring sections share a piece; a long one is cut at a paragraph, line or sentence.
    """
    pieces: list[str] = []
    for section in paper.sections:
        body = paper.text[section.start : section.end].strip()
        if not body or _NO_IDEAS.fullmatch(section_name(section.title)):
            continue
        heading = f"{section.title[:200]}\n\n" if section.title else ""
        for part in _cut(heading + body, size):
            if pieces and len(pieces[-1]) + len(part) + 2 <= size:
                pieces[-1] += f"\n\n{part}"
            else:
                pieces.append(part)
    return pieces


def _cut(text: str, size: int) -> Iterator[str]:
    while len(text) > size:
        # A break in the first half would leave a piece too small to make sense of.
        places = (text.rfind(mark, size // 2, size - len(mark)) + len(mark) for mark in _BREAKS)
        place = next((place for place in places if place > size // 2), size)
        yield text[:place].strip()
        text = text[place:].strip()
    if text:
        yield text
