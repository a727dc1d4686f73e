"""Means over seeds against trained models, with their bands: one method, and the study's first one to compare with."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from fairnad_engine.search.comparison import Band
from fairnad_screens.actions import key_of
from fairnad_screens.data.study import StudySnapshot
from fairnad_screens.text import plain_line, unicode_works
from fairnad_screens.widgets.search_pane import LineView

_MEAN, _OTHER, _BAND = ("●", "○", "░") if unicode_works() else ("*", "o", ".")
_FORMS = {"hypervolume": "{:.4f}", "best": "{:.2f}"}
_NAMES = {"hypervolume": "hypervolume", "best": "best validation %"}
_AXIS = 8


class StudyCurve(LineView):
    """A legend, and the picture below it; shading is the 95 % band of the selected method."""

    def __init__(self) -> None:
        super().__init__(id="study-curve")
        self._mine: tuple[str, Band] | None = None
        self._other: tuple[str, Band] | None = None
        self._measure = "hypervolume"
        self._lines: list[Content] = []

    def show(self, found: StudySnapshot, method: str, measure: str) -> None:
        """Show a method beside the first one of the study, or beside the second where it is the first itself."""
        assert found.view is not None  # noqa: S101 - the screen has looked
        self._measure = measure
        other = next((one for one in found.view.methods if one != method), method)
        self._mine, self._other = (
            (one, getattr(curves, measure)) if (curves := found.curves(one)) is not None else None
            for one in (method, other)
        )
        if other == method:
            self._other = None
        self.paint()

    def paint(self) -> None:
        """Draw for the present size, then see :class:`LineView`."""
        if self.display and self.size:
            self._lines = self._draw(self.size.width, self.size.height)
        super().paint()

    def count(self) -> int:
        """See :class:`LineView`."""
        return len(self._lines)

    def line(self, index: int, width: int) -> Content:
        """See :class:`LineView`."""
        return self._lines[index]

    def _draw(self, width: int, height: int) -> list[Content]:
        if self._mine is None:
            return [Content.styled("Nothing of this method is trained yet.", "dim")]
        name, band = self._mine
        beside = f", {_OTHER} {self._other[0]}" if self._other else ""
        key = key_of("study.curve")
        told = f"{_NAMES[self._measure]}: {_MEAN} {name}, {_BAND} its 95 % band{beside}; {key} the other curve"
        lines = [plain_line(told, width)]
        rows, columns = height - 2, width - _AXIS - 1
        if rows < 2 or columns < 4:
            return lines
        other = self._other[1] if self._other else None
        picture = _picture(band, other, rows, columns)
        low, high = _range(band, other)
        form = _FORMS[self._measure]
        for row, cells in enumerate(picture):
            label = form.format(high) if row == 0 else form.format(low) if row == rows - 1 else ""
            lines.append(Content.assemble(f"{label:>{_AXIS}} ", Content.styled(cells, "$primary")))
        last = len(band.mean) - 1
        end = f"{last} trained models"
        lines.append(Content.styled(f"{'':<{_AXIS}} 0{end:>{columns - 1}}", "dim"))
        return lines


def _range(band: Band, other: Band | None) -> tuple[float, float]:
    low, high = min(band.low), max(band.high)
    if other is not None:
        low, high = min(low, *other.mean), max(high, *other.mean)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _picture(band: Band, other: Band | None, rows: int, columns: int) -> list[str]:
    """Rows of cells from the top: the band, the other's mean upon it, the mean upon both."""
    low, high = _range(band, other)
    cells = [[" "] * columns for _ in range(rows)]
    count = max(len(band.mean), len(other.mean) if other else 0)

    def row_of(value: float) -> int:
        return rows - 1 - min(rows - 1, max(0, round((value - low) / (high - low) * (rows - 1))))

    def at(values: Sequence[float], column: int) -> float | None:
        place = round(column * (count - 1) / max(1, columns - 1))
        return values[place] if place < len(values) else None

    for column in range(columns):
        bottom, top = at(band.low, column), at(band.high, column)
        if bottom is not None and top is not None:
            for row in range(row_of(top), row_of(bottom) + 1):
                cells[row][column] = _BAND
        for values, sign in (((other.mean if other else ()), _OTHER), (band.mean, _MEAN)):
            value = at(values, column)
            if value is not None:
                cells[row_of(value)][column] = sign
    return ["".join(row) for row in cells]
