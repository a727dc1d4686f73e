"""Pane 4: hypervolume and best accuracy at the end of each generation."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from fairnad_screens.data.search import GenerationLine
from fairnad_screens.text import unicode_works
from fairnad_screens.widgets.search_pane import LinePane

_STEPS = " ▁▂▃▄▅▆▇█" if unicode_works() else " #"
_SIDE_BY_SIDE = 56
_WIDEST_COLUMN = 4


class CurvePane(LinePane):
    """Two small column charts."""

    def __init__(self) -> None:
        super().__init__(4, "Hypervolume and best")
        self._generations: tuple[GenerationLine, ...] = ()
        self._lines: list[Content] = []

    def show(self, generations: tuple[GenerationLine, ...]) -> None:
        """Show how generations ended."""
        self._generations = generations
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
        if width >= _SIDE_BY_SIDE:
            half = width // 2 - 1
            left = _chart("Hypervolume", volume, "{:.4f}", half, height)
            right = _chart("Best val", best, "{:.2f} %", half, height)
            return [Content.assemble(a.truncate(half, pad=True), "  ", b) for a, b in zip(left, right, strict=True)]
        above = _chart("Hypervolume", volume, "{:.4f}", width, height - height // 2)
        return above + (_chart("Best val", best, "{:.2f} %", width, height // 2) if height > 1 else [])

    def count(self) -> int:
        """See :class:`LinePane`."""
        return len(self._lines)

    def line(self, index: int, width: int) -> Content:
        """See :class:`LinePane`."""
        return self._lines[index]


def _chart(name: str, values: Sequence[float], form: str, width: int, height: int) -> list[Content]:
    """A headline with the last value, and columns below it where there is a line for them."""
    change = f" ({'+' if values[-1] >= values[-2] else ''}{form.format(values[-1] - values[-2])})" if values[1:] else ""
    lines = [Content.assemble(f"{name} ", Content.styled(form.format(values[-1]), "bold"), change)]
    rows = height - 1
    if rows < 1:
        return lines
    shown = values[-max(1, width // 2) :] if len(values) * 2 > width else values
    step = max(2, min(_WIDEST_COLUMN, width // len(shown)))
    low, high = min(shown), max(shown)
    full = len(_STEPS) - 1
    # The lowest column keeps one step, so that every generation is seen.
    levels = [1 + round((v - low) / (high - low) * (rows * full - 1)) if high > low else rows * full for v in shown]
    for row in range(rows - 1, -1, -1):
        cells = (_STEPS[max(0, min(full, level - row * full))] * (step - 1) + " " for level in levels)
        lines.append(Content.styled("".join(cells), "$primary"))
    return lines
