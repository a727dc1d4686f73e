"""Pane 3: the Pareto front as a plot with a cursor, or as a list where the plot has no room."""

from __future__ import annotations

from typing import Literal

from textual import events
from textual.app import ComposeResult
from textual.content import Content

from fairnad_engine.search.control_row import ControlFacts
from fairnad_engine.store.live import CandidateLine
from fairnad_engine.text import sanitize
from fairnad_screens.data.search import Front
from fairnad_screens.figures import compact
from fairnad_screens.text import GLYPHS, plain_line, unicode_works
from fairnad_screens.themes import plot_palette
from fairnad_screens.widgets.front_plot import FrontPlot, Series
from fairnad_screens.widgets.search_pane import LineView, SearchPane

FRESH = "★" if unicode_works() else "*"
MEMBER = GLYPHS.mark
DOMINATED = GLYPHS.dot
FORMER = "∘" if unicode_works() else ","
CONTROL = "✚" if unicode_works() else "+"
LEAST_SIZE = (30, 8)
_LEAST_WORDS = 12
_LEGEND_HEIGHT = 10  # of the pane, so that the plot keeps its rows where there are few

Axis = Literal["params", "macs"]


class FrontPane(SearchPane):
    """Accuracy against parameters or MACs."""

    def __init__(self) -> None:
        super().__init__(3, "Pareto front")
        self.axis: Axis = "params"
        self.cursor: str | None = None
        self._front = Front()
        self._control: ControlFacts | None = None
        self._points: dict[str, CandidateLine] = {}
        self._painted: object = None

    def compose(self) -> ComposeResult:
        """Yield the plot, the list that stands in for it, and the lines below."""
        yield FrontPlot()
        yield _FrontList(self)
        yield _PointLine(self)
        yield _Legend(self)

    # -- what is shown ----------------------------------------------------------------------------------------

    def show(self, front: Front, control: ControlFacts | None = None) -> None:
        """Show a front, and the seed scaled up to the budget's edge that it is held against."""
        self._control = control
        if front is not self._front:
            self._front = front
            self._points = {one.id: one for one in front.points}
            self._say()
        self.paint()

    def change_axis(self) -> None:
        """Show the other cost."""
        self.axis = "macs" if self.axis == "params" else "params"
        self._say()
        self.paint()

    def point_at(self, candidate: str) -> None:
        """Put the cursor on a candidate."""
        self.cursor = candidate
        self.paint()

    @property
    def front(self) -> Front:
        """The front that is shown."""
        return self._front

    @property
    def control(self) -> tuple[float, float, float] | None:
        """Parameters, MACs and validation accuracy of the scaled seed; None while it has no score."""
        found = self._control
        if found is None or found.validation_mean is None:
            return None
        return float(found.params or 0), float(found.macs or 0), found.validation_mean

    def cost(self, one: CandidateLine) -> int:
        """A candidate's cost on the axis that is shown."""
        return one.params if self.axis == "params" else one.macs

    def current(self) -> CandidateLine | None:
        """The candidate under the cursor; the front's best where none was picked."""
        wanted = self._points.get(self.cursor or "")
        return wanted or next((self._points[one] for one in self._front.front if one in self._points), None)

    def beaten(self, one: CandidateLine) -> bool:
        """Whether a candidate is dominated as far as the axis that is shown can tell."""
        return any(
            (other.accuracy or 0.0) >= (one.accuracy or 0.0)
            and self.cost(other) <= self.cost(one)
            and (other.accuracy, self.cost(other)) != (one.accuracy, self.cost(one))
            for other in self._points.values()
        )

    def members(self) -> list[CandidateLine]:
        """The front by rising cost."""
        found = [self._points[one] for one in self._front.front if one in self._points]
        return sorted(found, key=lambda one: (self.cost(one), one.position))

    def sign(self, candidate: str) -> str:
        """How a candidate is marked."""
        if candidate not in self._front.front:
            return DOMINATED
        return FRESH if candidate in self._front.fresh else MEMBER

    def _say(self) -> None:
        cost = "params" if self.axis == "params" else "MACs"
        fresh = f" {FRESH}{len(self._front.fresh)} new" if self._front.fresh else ""
        self.tell(f"by {cost} {MEMBER}{len(self._front.front)}{fresh}")

    # -- movement ---------------------------------------------------------------------------------------------

    def sideways(self, by: int) -> None:
        """Go along the front."""
        self._step(self.members(), by)

    def move(self, by: int) -> None:
        """Go through all trained candidates by cost; through the front in the list."""
        everything = sorted(self._points.values(), key=lambda one: (self.cost(one), one.position))
        self._step(everything if self._plots else self.members(), by)

    def to_end(self, last: bool) -> None:
        """Go to the costliest of the front, or to the cheapest."""
        members = self.members()
        if members:
            self.point_at(members[-1 if last else 0].id)

    def _step(self, among: list[CandidateLine], by: int) -> None:
        current = self.current()
        if current is None or not among:
            return
        place = next((i for i, one in enumerate(among) if one.id == current.id), None)
        if place is None:
            # From a point outside, the nearest in the direction of the step.
            cheaper = sum(self.cost(one) <= self.cost(current) for one in among)
            place = cheaper - 1 if by > 0 else cheaper
        self.point_at(among[max(0, min(len(among) - 1, place + by))].id)

    def chosen(self) -> str | None:
        """See :class:`SearchPane`."""
        current = self.current()
        return current.id if current is not None else None

    # -- painting ---------------------------------------------------------------------------------------------

    @property
    def _plots(self) -> bool:
        # The plot's frame and lines have no ASCII form.
        return unicode_works() and self.size.width >= LEAST_SIZE[0] and self.size.height >= LEAST_SIZE[1]

    def paint(self) -> None:
        """Draw anew if anything of it has changed."""
        if not self.display or not self.size or not self.is_mounted:
            return
        plot, rows, legend = self.query_one(FrontPlot), self.query_one(_FrontList), self.query_one(_Legend)
        if not plot.is_mounted:
            return
        if plot.display != self._plots:
            plot.display = self._plots
        if rows.display == self._plots:
            rows.display = not self._plots
        tall = self.size.height >= _LEGEND_HEIGHT
        if legend.display != tall:
            legend.display = tall
        # The front itself is held, not its id: an id may be given again.
        key = (self._front, self.axis, self.chosen(), self.app.theme, self.size, self.control)
        if self._plots and not _same(key, self._painted):
            self._painted = key
            plot.draw(self._series())
        rows.paint()
        self.query_one(_PointLine).paint()
        legend.paint()

    def _series(self) -> list[Series]:
        colours, dark = plot_palette(self.app.theme), self.app.current_theme.dark
        # The pairs of one hue: the light one is read on a dark ground, the dark one on a light ground.
        blue, orange = (colours[1], colours[0]) if dark else (colours[4], colours[5])
        front = set(self._front.front)
        former = {one for trail in self._front.trails for one in trail} - front
        groups: dict[str, list[tuple[float, float]]] = {"dominated": [], "former": [], "member": [], "fresh": []}
        for one in self._points.values():
            kind = "dominated" if one.id not in former else "former"
            if one.id in front:
                kind = "fresh" if one.id in self._front.fresh else "member"
            groups[kind].append((float(self.cost(one)), one.accuracy or 0.0))
        old = f"{blue} dim"
        trails = [Series(self._stairs(trail), DOMINATED, old, line=True) for trail in self._front.trails]
        current = self.current()
        cursor = () if current is None else ((float(self.cost(current)), current.accuracy or 0.0),)
        control = self.control
        scaled = () if control is None else ((control[0 if self.axis == "params" else 1], control[2]),)
        return [
            *trails,
            Series(tuple(groups["dominated"]), DOMINATED, "dim"),
            Series(tuple(groups["former"]), FORMER, colours[6]),
            Series(scaled, CONTROL, "bold"),
            Series(tuple(groups["member"]), MEMBER, f"{blue} bold"),
            Series(tuple(groups["fresh"]), FRESH, f"{orange} bold"),
            Series(cursor, self.sign(current.id) if current else " ", "reverse bold"),
        ]

    def _stairs(self, trail: tuple[str, ...]) -> tuple[tuple[float, float], ...]:
        """The best accuracy up to each cost, as a line with corners."""
        members = sorted((self._points[one] for one in trail if one in self._points), key=self.cost)
        corners: list[tuple[float, float]] = []
        for one in members:
            cost, accuracy = float(self.cost(one)), one.accuracy or 0.0
            if corners and accuracy <= corners[-1][1]:
                continue
            if corners:
                corners.append((cost, corners[-1][1]))
            corners.append((cost, accuracy))
        return tuple(corners)

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.paint()

    def on_show(self) -> None:
        """A pane that was hidden is behind."""
        self.paint()

    def on_click(self, event: events.Click) -> None:
        """Pick the nearest point."""
        if self._plots and self._points:
            points = list(self._points.values())
            plot = self.query_one(FrontPlot)
            found = plot.nearest(event.screen_offset, [(float(self.cost(p)), p.accuracy or 0.0) for p in points])
            if found is not None:
                self.point_at(points[found].id)


def _same(one: tuple[object, ...], other: object) -> bool:
    return isinstance(other, tuple) and one[0] is other[0] and one[1:] == other[1:]


class _Part(LineView):
    """A part of the pane: no frame, no keys of its own."""

    def __init__(self, pane: FrontPane) -> None:
        super().__init__()
        self._pane = pane


class _PointLine(_Part):
    """The candidate under the cursor, in words."""

    DEFAULT_CSS = "_PointLine { height: 1; }"

    def count(self) -> int:
        """See :class:`LineView`."""
        return 1

    def line(self, index: int, width: int) -> Content:
        """See :class:`LineView`."""
        one = self._pane.current()
        if one is None:
            return Content.styled("Nothing is trained yet.", "dim")
        figures = f"{self._pane.sign(one.id)} {sanitize(one.id)} {one.accuracy or 0.0:.2f} %"
        params, macs = compact(one.params), compact(one.macs)
        time = "" if one.latency is None else f" {one.latency:.3g} ms"
        costs = (f" {params} params {macs} MACs{time}", f" {params} par. {macs} MACs{time}", f" {params}/{macs}{time}")
        told = next((cost for cost in costs if len(figures) + len(cost) <= width), "")
        room = width - len(figures) - len(told) - 2
        change = plain_line(f"  {one.change}", room + 2) if room >= _LEAST_WORDS else Content("")
        return Content.assemble(Content.styled(figures, "bold"), told, change)


class _Legend(_Part):
    """What the marked points are best in, which is one more thing than a plot has axes."""

    DEFAULT_CSS = "_Legend { height: 1; }"

    def count(self) -> int:
        """See :class:`LineView`."""
        return 1

    def line(self, index: int, width: int) -> Content:
        """See :class:`LineView`."""
        pane, one = self._pane, self._pane.current()
        if one is not None and one.id in pane.front.front and pane.beaten(one):
            other = "MACs" if pane.axis == "params" else "parameters"
            return Content.styled(f"{pane.sign(one.id)} on the front for its few {other}", "bold")
        if pane.control is not None:
            return plain_line(f"{MEMBER} front  {CONTROL} seed scaled up {pane.control[2]:.2f} %", width, "dim")
        return Content.styled(f"{MEMBER} front of accuracy, params and MACs", "dim")


class _FrontList(_Part):
    """The front as lines."""

    DEFAULT_CSS = "_FrontList { height: 1fr; display: none; }"
    CURSOR = True

    def paint(self) -> None:
        """Follow the pane's cursor."""
        chosen = self._pane.chosen()
        self._cursor = next((i for i, one in enumerate(self._pane.members()) if one.id == chosen), 0)
        super().paint()

    def count(self) -> int:
        """See :class:`LineView`."""
        return len(self._pane.members())

    def line(self, index: int, width: int) -> Content:
        """See :class:`LineView`."""
        one = self._pane.members()[index]
        cost = compact(self._pane.cost(one))
        return Content(f"{self._pane.sign(one.id)} {sanitize(one.id):<10}{one.accuracy or 0.0:6.2f} %{cost:>7}")
