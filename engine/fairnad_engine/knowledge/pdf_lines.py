"""Lines of a PDF page in reading order: glyphs to runs, runs to columns, columns to lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_LIGATURES |= {0xA0: " ", 0xAD: "-"}


@dataclass(frozen=True)
class Glyph:
    """One drawn character; lengths in points, ``y`` is its base line counted from the page's foot."""

    text: str
    x0: float
    x1: float
    y: float
    size: float
    bold: bool


@dataclass
class Line:
    """Text on one base line of one column.

    Attributes:
        text: The characters, with blanks where the gaps are.
        x0: Left edge in points.
        x1: Right edge in points.
        y: Base line in points from the page's foot.
        size: Largest font size in it.
        bold: Whether every letter is bold.
        page: Number of the page, from 0.
        left: Left edge of the column's text.
        right: Right edge of the column's text.
    """

    text: str
    x0: float
    x1: float
    y: float
    size: float
    bold: bool
    page: int = 0
    left: float = 0.0
    right: float = 0.0


def reading_order(glyphs: Iterable[Glyph], page: int) -> list[Line]:
    """Return the lines of a page as they are read: a column to its foot, then the one beside it.

    What spans both columns (a title, a wide table's caption) divides the page into bands.

    Args:
        glyphs: The page's upright characters as they are drawn.
        page: Number of the page.
    """
    runs = [run for run in _runs(glyphs) if run.text.strip()]
    gutter = _gutter(runs)
    if gutter is None:
        return _column(runs, page)
    left = [run for run in runs if run.x1 <= gutter + 1]
    right = [run for run in runs if run.x0 >= gutter - 1]
    columns = [_column(left, page), _column(right, page)]
    wide = _column([run for run in runs if run.x0 < gutter - 1 and run.x1 > gutter + 1], page)
    ordered: list[Line] = []
    places = [0, 0]
    for line in [*wide, None]:
        for side, column in enumerate(columns):
            end = places[side]
            while end < len(column) and (line is None or column[end].y >= line.y):
                end += 1
            ordered += column[places[side] : end]
            places[side] = end
        if line is not None:
            ordered.append(line)
    return ordered


def _runs(glyphs: Iterable[Glyph]) -> list[Line]:
    runs: list[Line] = []
    run: Line | None = None
    for glyph in glyphs:
        text = glyph.text.translate(_LIGATURES)
        if run is not None and _follows(run, glyph):
            gap = glyph.x0 - run.x1
            if gap > 0.17 * glyph.size and not run.text.endswith(" ") and not text.isspace():
                run.text += " "
            run.text += text
            run.x1 = max(run.x1, glyph.x1) if text.strip() or gap < glyph.size else run.x1
            if glyph.size > run.size:
                run.size, run.y = glyph.size, glyph.y
            run.bold = run.bold and (glyph.bold or not text.strip().isalpha())
        elif not text.isspace():
            run = Line(text, glyph.x0, glyph.x1, glyph.y, glyph.size, glyph.bold or not text.isalpha())
            runs.append(run)
    return runs


def _follows(run: Line, glyph: Glyph) -> bool:
    size = max(run.size, glyph.size)
    # Raised and lowered signs stay in their line; a jump back or over a column gap begins another one.
    return abs(glyph.y - run.y) < 0.5 * size and -0.6 * size < glyph.x0 - run.x1 < 1.0 * size


def _gutter(runs: Sequence[Line]) -> float | None:
    """Where the white strip between two columns lies, or None where a page has one column."""
    total = sum(len(run.text) for run in runs)
    if not total:
        return None
    first, last = min(run.x0 for run in runs), max(run.x1 for run in runs)
    best: list[float] = []
    least = 0.6 * total
    for step in range(35, 66):
        x = first + (last - first) * step / 100
        left = sum(len(run.text) for run in runs if run.x1 <= x + 1)
        right = sum(len(run.text) for run in runs if run.x0 >= x - 1)
        if min(left, right) < 0.12 * total or (crossing := total - left - right) > least:
            continue
        best = [*best, x] if crossing == least else [x]
        least = crossing
    return best[len(best) // 2] if best else None


def _column(runs: Sequence[Line], page: int) -> list[Line]:
    lines: list[Line] = []
    for run in sorted(runs, key=lambda run: (-run.y, run.x0)):
        last = lines[-1] if lines else None
        if last is not None and abs(last.y - run.y) < 0.3 * max(last.size, run.size):
            before, after = (last, run) if last.x0 <= run.x0 else (run, last)
            last.text = f"{before.text.rstrip()} {after.text.lstrip()}"
            last.x0, last.x1 = min(last.x0, run.x0), max(last.x1, run.x1)
            last.size, last.bold = max(last.size, run.size), last.bold and run.bold
        else:
            lines.append(run)
    starts = Counter(round(line.x0) for line in lines)
    for line in lines:
        line.text = " ".join(line.text.split())
        line.page = page
        line.left = float(starts.most_common(1)[0][0])
        line.right = max(one.x1 for one in lines) if len(lines) < 4 else sorted(one.x1 for one in lines)[-2]
    return lines
