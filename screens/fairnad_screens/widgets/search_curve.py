"""Pane 4: hypervolume and best accuracy at the end of each generation, beside a baseline's band where one is known."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from fairnad_screens.data.search import GenerationLine
from fairnad_screens.data.search_baseline import Baseline
from fairnad_screens.text import plain_line, unicode_works
from fairnad_screens.widgets.search_pane import LinePane

_STEPS = " ▁▂▃▄▅▆▇█" if unicode_works() else " #"
_SIDE_BY_SIDE = 56
_WIDEST_COLUMN = 4
_EDGE = "│" if unicode_works() else "|"
_LEGEND_FROM = 3  # lines, below which there is none for it
Bands = tuple[tuple[float, float] | None, ...]


class CurvePane(LinePane):
    """Two small column charts."""

    def __init__(self) -> None:
        super().__init__(4, "Hypervolume and best")
        self._generations: tuple[GenerationLine, ...] = ()
        self._baseline: Baseline | None = None
        self._lines: list[Content] = []

    def show(self, generations: tuple[GenerationLine, ...], baseline: Baseline | None = None) -> None:
        """Show how generations ended."""
        self._generations, self._baseline = generations, baseline
        self.tell(f"gen {generations[0].number}-{generations[-1].number}" if generations else "")
        self.paint()

    def paint(self) -> None:
        """Draw for the present size, then see :class:`LinePane`."""
        if self.display and self.size:
            self._lines = self._draw(self.size.width, self.size.height)
        super().paint()

    def _draw(self, width: int, height: int) -> list[Content]:
        if not self._generations:
            return [Content.styled("The first generation has not ended yet.", "dim")]
        volume = [g.hypervolume for g in self._generations]
        best = [g.best or 0.0 for g in self._generations]
        bands = _bands(self._generations, self._baseline)
        told = _told(self._baseline, bands)
        if told and height > _LEGEND_FROM:
            return [*self._charts(volume, best, bands, width, height - 1), plain_line(told, width, "dim")]
        return self._charts(volume, best, bands, width, height)

    @staticmethod
    def _charts(volume: Sequence[float], best: Sequence[float], bands: Bands, width: int, height: int) -> list[Content]:
        if width >= _SIDE_BY_SIDE:
            half = width // 2 - 1
            left = _chart("Hypervolume", volume, "{:.4f}", half, height, bands)
            right = _chart("Best val", best, "{:.2f} %", half, height)
            return [Content.assemble(a.truncate(half, pad=True), "  ", b) for a, b in zip(left, right, strict=True)]
        above = _chart("Hypervolume", volume, "{:.4f}", width, height - height // 2, bands)
        return above + (_chart("Best val", best, "{:.2f} %", width, height // 2) if height > 1 else [])

    def count(self) -> int:
        """See :class:`LinePane`."""
        return len(self._lines)

    def line(self, index: int, width: int) -> Content:
        """See :class:`LinePane`."""
        return self._lines[index]


def _bands(generations: Sequence[GenerationLine], baseline: Baseline | None) -> Bands:
    """The baseline's band at as many trained models as there were at the end of each generation."""
    if baseline is None:
        return ()
    band, trained, found = baseline.band, 0, list[tuple[float, float] | None]()
    for one in generations:
        trained += one.trained
        found.append((band.low[trained], band.high[trained]) if trained < len(band.low) else None)
    return tuple(found)


def _told(baseline: Baseline | None, bands: Bands) -> str:
    """What the band is, and where it lies at the last generation that it reaches."""
    last = next((one for one in reversed(bands) if one is not None), None)
    if baseline is None or last is None:
        return ""
    return f"{_EDGE} {baseline.method} of study {baseline.study}: {last[0]:.4f} to {last[1]:.4f} (95 %)"


def _chart(name: str, values: Sequence[float], form: str, width: int, height: int, bands: Bands = ()) -> list[Content]:
    """A headline with the last value, and columns below it where there is a line for them; bands between them."""
    change = f" ({'+' if values[-1] >= values[-2] else ''}{form.format(values[-1] - values[-2])})" if values[1:] else ""
    lines = [Content.assemble(f"{name} ", Content.styled(form.format(values[-1]), "bold"), change)]
    rows = height - 1
    if rows < 1:
        return lines
    shown = values[-max(1, width // 2) :] if len(values) * 2 > width else values
    beside = bands[-len(shown) :] if bands else (None,) * len(shown)
    step = max(2, min(_WIDEST_COLUMN, width // len(shown)))
    edges = [edge for band in beside if band is not None for edge in band]
    low, high = min((*shown, *edges)), max((*shown, *edges))
    full = len(_STEPS) - 1

    # The lowest column keeps one step, so that every generation is seen.
    def level(value: float) -> int:
        return 1 + round((value - low) / (high - low) * (rows * full - 1)) if high > low else rows * full

    for row in range(rows - 1, -1, -1):
        cells: list[Content] = []
        for value, band in zip(shown, beside, strict=True):
            column = _STEPS[max(0, min(full, level(value) - row * full))] * (step - 1)
            inside = band is not None and level(band[0]) <= (row + 1) * full and level(band[1]) > row * full
            cells.append(Content.styled(column, "$primary"))
            cells.append(Content.styled(_EDGE if inside else " ", "$warning"))
        lines.append(Content.assemble(*cells))
    return lines
