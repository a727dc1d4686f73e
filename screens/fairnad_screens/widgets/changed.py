"""Which cells of a line differ from those painted before: over SSH every cell that is written counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.geometry import Region
from textual.strip import Strip

# To move the terminal's cursor and set colours again costs about as much as this many cells.
_GAP = 8


def changed_regions(lines: Sequence[Strip], before: Sequence[Strip], width: int) -> list[Region]:
    """The stretches of cells that differ; lines that are new or gone count as a whole."""
    regions = []
    for y in range(max(len(lines), len(before))):
        if y >= len(lines) or y >= len(before):
            regions.append(Region(0, y, width, 1))
        elif lines[y] != before[y]:
            regions += [Region(x, y, end - x, 1) for x, end in _stretches(lines[y], before[y])]
    return regions


def _stretches(one: Strip, other: Strip) -> Iterator[tuple[int, int]]:
    """First and last cell, exclusive, of each stretch in which two lines differ."""
    a, b = _cells(one), _cells(other)
    width = max(one.cell_length, other.cell_length)
    if len(a) != len(b) or len(a) != width:
        yield 0, width  # of other lengths, or with characters that take two cells or none
        return
    different = [x for x in range(width) if a[x] != b[x]]
    start = 0
    for place, x in enumerate(different):
        if place + 1 == len(different) or different[place + 1] - x > _GAP:
            yield different[start], x + 1
            start = place + 1


def _cells(strip: Strip) -> list[tuple[str, object]]:
    return [(character, segment.style) for segment in strip for character in segment.text]
