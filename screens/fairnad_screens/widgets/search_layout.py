"""Where the desk's panes go: two columns where there is room, rows of one or two otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Region

PANES = (1, 2, 3, 4, 5, 6, 7, 8)
_LEFT = (1, 2, 6, 8)
# Shares of a column's height, and the least that shows anything.
_SHARES = {1: (13, 11), 2: (18, 5), 3: (16, 9), 4: (7, 4), 5: (10, 5), 6: (6, 4), 7: (6, 4), 8: (8, 5)}
_WHOLE_ROW = (5, 7)  # lists with long lines
_ROOMY = (110, 30)
_ROW_HEIGHT = 9
_TWO_ABREAST = 76


def is_roomy(width: int, height: int) -> bool:
    """Whether there is room for every pane."""
    return width >= _ROOMY[0] and height >= _ROOMY[1]


def arrange(shown: Sequence[int], width: int, height: int, zoomed: int | None = None) -> dict[int, Region]:
    """Place the panes.

    Args:
        shown: Panes to show, the one that was asked for last at the end; the first give way where room is short.
        width: Columns.
        height: Lines.
        zoomed: A pane that gets everything.
    """
    whole = Region(0, 0, width, height)
    if zoomed is not None:
        return {zoomed: whole}
    if is_roomy(width, height):
        return _columns(sorted(shown), whole)
    wanted = list(shown)
    rows = _rows(wanted, width)
    while len(rows) > max(1, height // _ROW_HEIGHT) and len(wanted) > 1:
        wanted.pop(0)
        rows = _rows(wanted, width)
    return _place_rows(rows, whole)


def _rows(shown: Sequence[int], width: int) -> list[list[int]]:
    rows: list[list[int]] = []
    for pane in sorted(shown, key=lambda one: (one in _WHOLE_ROW, one)):
        fits = width >= _TWO_ABREAST and pane not in _WHOLE_ROW
        if fits and rows and len(rows[-1]) == 1 and rows[-1][0] not in _WHOLE_ROW:
            rows[-1].append(pane)
        else:
            rows.append([pane])
    return rows


def _place_rows(rows: list[list[int]], whole: Region) -> dict[int, Region]:
    placed = {}
    heights = _share([max(_SHARES[p][0] for p in row) for row in rows], whole.height)
    y = 0
    for row, height in zip(rows, heights, strict=True):
        x = 0
        for pane, width in zip(row, _share([1] * len(row), whole.width), strict=True):
            placed[pane] = Region(x, y, width, height)
            x += width
        y += height
    return placed


def _columns(shown: Sequence[int], whole: Region) -> dict[int, Region]:
    sides = [[p for p in shown if p in _LEFT], [p for p in shown if p not in _LEFT]]
    left = whole.width if not sides[1] else 0 if not sides[0] else max(44, min(60, whole.width * 2 // 5))
    placed = {}
    for side, x, width in ((sides[0], 0, left), (sides[1], left, whole.width - left)):
        y = 0
        for pane, height in zip(side, _share([_SHARES[p][0] for p in side], whole.height, side), strict=True):
            placed[pane] = Region(x, y, width, height)
            y += height
    return placed


def _share(shares: Sequence[int], total: int, panes: Sequence[int] = ()) -> list[int]:
    """Divide lines by shares without a rest; panes keep their least where it goes."""
    if not shares:
        return []
    sizes = [total * share // sum(shares) for share in shares]
    for place, pane in enumerate(panes):
        sizes[place] = max(sizes[place], _SHARES[pane][1])
    # What is over or missing goes to the largest.
    largest = max(range(len(sizes)), key=lambda i: sizes[i])
    sizes[largest] += total - sum(sizes)
    return sizes
