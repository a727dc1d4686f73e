"""The one place that knows textual-plot: accuracy against a cost on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from textual import on
from textual.containers import Grid
from textual.events import Mount
from textual.geometry import Offset
from textual.reactive import reactive
from textual.strip import Strip
from textual_hires_canvas import Canvas
from textual_plot import HiResMode, PlotWidget
from textual_plot.axis_formatter import AxisFormatter

from fairnad_screens.figures import compact
from fairnad_screens.text import unicode_works
from fairnad_screens.widgets.changed import changed_regions

# Share of the range that stays free at each side, so that no point lies on the frame.
_MARGIN = 0.04
# Round places for the ends of the axes: parts of a power of ten, and percent.
_LOG_STEP = 0.0625
_PERCENT_STEP = 0.25
_LEAST_CANVAS = (6, 4)

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """Points with one sign and style, or a line through them; x is a cost, y percent."""

    points: tuple[Point, ...]
    sign: str
    style: str
    line: bool = False


class FrontPlot(PlotWidget, can_focus=False, inherit_bindings=False):
    """Draws series, the last on top; keys and mouse belong to the pane around it."""

    DEFAULT_CSS = """
    FrontPlot > .plot--axis { color: $foreground 40%; }
    FrontPlot > .plot--tick { color: $foreground 80%; text-style: none; }
    """

    margin_left = reactive(7)
    margin_top = reactive(0)
    margin_bottom = reactive(1)

    def __init__(self) -> None:
        super().__init__(allow_pan_and_zoom=False)
        self._drawing = False
        self._lines: dict[str, list[Strip]] = {}
        self.set_x_formatter(_CostTicks())
        self.set_y_formatter(_PercentTicks())

    @on(Mount)
    def _without_parts(self, event: Mount) -> None:
        """Where the application closes as the screen opens, there are no parts yet that textual-plot asks for."""
        if not self.query(Grid):
            event.prevent_default()

    def draw(self, series: Sequence[Series]) -> None:
        """Show series in place of those shown before."""
        self._drawing = True
        try:
            self._set(series)
        finally:
            self._drawing = False
        if self._needs_canvas_resize:
            self.refresh()
        else:
            self.render()

    def _set(self, series: Sequence[Series]) -> None:
        self.clear()
        everything = [point for one in series for point in one.points]
        if not everything:
            return
        self.set_xlimits(*_limits([math.log10(max(1.0, x)) for x, _ in everything], _LOG_STEP))
        self.set_ylimits(*_limits([y for _, y in everything], _PERCENT_STEP))
        for one in series:
            xs, ys = [math.log10(max(1.0, x)) for x, _ in one.points], [y for _, y in one.points]
            if not one.points:
                continue
            if one.line and unicode_works():
                self.plot(xs, ys, line_style=_rich(one.style), hires_mode=HiResMode.BRAILLE)
            else:
                self.scatter(xs, ys, marker=one.sign, marker_style=_rich(one.style))

    def _rerender(self) -> None:
        """Each call repaints everything; while series are being set, one drawing at the end is enough."""
        self._needs_rerender = True
        if not self._drawing:
            super()._rerender()

    def nearest(self, at: Offset, points: Sequence[Point]) -> int | None:
        """Which of the points lies nearest to a place on the screen."""
        canvas = self.query_one("#plot", Canvas)
        place = at - canvas.region.offset
        cells = [self.get_pixel_from_coordinate(math.log10(max(1.0, x)), y) for x, y in points]
        # A cell is about twice as high as it is wide.
        return min(
            range(len(cells)),
            key=lambda i: (cells[i][0] - place.x) ** 2 + 4 * (cells[i][1] - place.y) ** 2,
            default=None,
        )

    def _render_plot(self) -> None:
        """Draw in one repaint, and not while the canvas has no size yet, where textual-plot would stumble."""
        canvases = list(self.query(Canvas))
        plot = next((one for one in canvases if one.id == "plot"), None)
        if plot is None or plot.size.width < _LEAST_CANVAS[0] or plot.size.height < _LEAST_CANVAS[1]:
            return
        for canvas in canvases:
            # Every pixel asks for a repaint of the whole canvas; what differs is asked for below instead.
            setattr(canvas, "refresh", partial(_nothing, canvas))  # noqa: B010 - shadows the method for a moment
        try:
            super()._render_plot()
        finally:
            for canvas in canvases:
                delattr(canvas, "refresh")
        for canvas in canvases:
            self._repaint(canvas)

    def _repaint(self, canvas: Canvas) -> None:
        """Repaint the cells that differ from those painted last: a plot in colour is several KiB for the terminal."""
        name, width = str(canvas.id), canvas.size.width
        lines = [canvas.render_line(y) for y in range(canvas.size.height)]
        before = self._lines.get(name, [])
        self._lines[name] = lines
        regions = changed_regions(lines, before, width)
        if regions:
            canvas.refresh(*regions)


def _nothing(canvas: Canvas, *_: object, **__: object) -> Canvas:
    return canvas


class _CostTicks(AxisFormatter):
    """Ticks at 1, 2 and 5 of each power of ten, on an axis of common logarithms."""

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:
        """See :class:`AxisFormatter`."""
        for steps in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)):
            powers = range(math.floor(min_), math.ceil(max_) + 1)
            ticks = [power + math.log10(step) for power in powers for step in steps]
            ticks = [tick for tick in ticks if min_ <= tick <= max_]
            if len(ticks) >= 3:
                return ticks[: max_ticks + 1]
        return [min_ + (max_ - min_) * share for share in (0.1, 0.5, 0.9)]

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        """See :class:`AxisFormatter`."""
        return [compact(10**tick) for tick in ticks]


class _PercentTicks(AxisFormatter):
    """At most one tick for about three lines, at round steps."""

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:
        """See :class:`AxisFormatter`."""
        steps = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
        step = next((one for one in steps if (max_ - min_) / one <= 5), 100.0)
        first = math.ceil(min_ / step)
        return [number * step for number in range(first, math.floor(max_ / step) + 1)]

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        """See :class:`AxisFormatter`."""
        return [f"{tick:.1f}" for tick in ticks]


def _limits(values: Sequence[float], step: float) -> tuple[float, float]:
    """Limits with a margin at round places, so that a new point seldom moves all the others."""
    low, high = min(values), max(values)
    margin = max(step / 4, (high - low) * _MARGIN)
    while (high - low) / step > 8:
        step *= 2
    return math.floor((low - margin) / step) * step, math.ceil((high + margin) / step) * step


def _rich(style: str) -> str:
    """Textual calls the terminal's own colours ``ansi_red``, the canvas calls them ``red``."""
    return " ".join(word.removeprefix("ansi_") for word in style.split())
