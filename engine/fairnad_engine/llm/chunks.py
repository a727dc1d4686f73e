"""Cutting a paper into pieces of about one section, which a model reads one at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from fairnad_engine.knowledge.paper_layout import section_name
from fairnad_engine.knowledge.papers import PaperText

CHUNK_CHARACTERS = 6000
"""About 1,500 tokens of English."""
SMALLEST_PIECE = 600
"""Bytes; of fewer a model cannot tell what a paper does. 600 letters of English say about as much as 200 of Chinese."""

_NO_IDEAS = re.compile(
    r"references?|bibliography|acknowledge?ments?|funding|author contributions|ethics statement|works cited"
)
_BREAKS = ("\n\n", "\n", ". ", "。", " ")


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


def fitting_chunks(paper: PaperText, room: int, fits: Callable[[str], bool]) -> list[str]:
    """Return the pieces of a paper for a model whose context may be too short for those of the usual size.

    Args:
        paper: The paper.
        room: Tokens that the context has for a piece.
        fits: Whether it has room for this one; one that it has not is halved, down to :data:`SMALLEST_PIECE`.
    """
    # English has more than two characters to a token by any estimate; what has fewer is halved.
    size = min(CHUNK_CHARACTERS, max(SMALLEST_PIECE, 2 * room))
    return [part for piece in chunks(paper, size) for part in _fitting(piece, fits)]


def pieces_allowed(pieces: list[str], most: int) -> int:
    """How many of a paper's pieces are read: as much text as ``most`` pieces of the usual size hold."""
    mean = sum(map(len, pieces)) / max(1, len(pieces))
    return most * max(1, int(CHUNK_CHARACTERS / max(mean, 1)))


def halves(piece: str) -> tuple[str, str] | None:
    """Cut a piece in two at the paragraph, line or sentence nearest to its middle; None where it is too short for that.

    The two together say the same as the piece.
    """
    length = len(piece)
    if len(piece.encode("utf-8", "replace")) < 2 * SMALLEST_PIECE:
        return None
    for mark in _BREAKS:
        before = piece.rfind(mark, 0, length // 2) + len(mark)
        after = piece.find(mark, length // 2) + len(mark)
        place = min((before, after), key=lambda one: abs(one - length // 2))
        if length // 4 <= place <= length - length // 4:
            break
    else:
        place = length // 2
    return piece[:place].strip(), piece[place:].strip()


def _fitting(piece: str, fits: Callable[[str], bool]) -> Iterator[str]:
    two = None if fits(piece) else halves(piece)
    if two is None:
        yield piece
        return
    for half in two:
        yield from _fitting(half, fits)


def _cut(text: str, size: int) -> Iterator[str]:
    while len(text) > size:
        # A break in the first half would leave a piece too small to make sense of.
        places = (text.rfind(mark, size // 2, size - len(mark)) + len(mark) for mark in _BREAKS)
        place = next((place for place in places if place > size // 2), size)
        yield text[:place].strip()
        text = text[place:].strip()
    if text:
        yield text
