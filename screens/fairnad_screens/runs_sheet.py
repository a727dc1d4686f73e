"""What the runs screen shows: the list, details of the selected run, or the comparison of the marked ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import on
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from fairnad_engine.store import Store
from fairnad_screens.actions import key_of
from fairnad_screens.background import begin
from fairnad_screens.base import FairScreen
from fairnad_screens.data.runs import (
    FrontMember,
    RunEntry,
    RunsSnapshot,
    read_runs,
)
from fairnad_screens.themes import plot_palette
from fairnad_screens.widgets.candidate_page import Page, PageView, note
from fairnad_screens.widgets.runs_text import SIGNS, comparison_page, detail_page, header_line, list_page

if TYPE_CHECKING:
    from fairnad_screens.widgets.front_plot import FrontPlot


class RunsSheet(FairScreen[RunsSnapshot]):
    """The list of runs above the details of the selected one; marked runs are compared in their place."""

    SCOPE = "runs"

    def __init__(self) -> None:
        super().__init__()
        self._snapshot: RunsSnapshot | None = None
        self._selected = ""
        self._marked: list[str] = []
        self._comparing = False
        self._over_macs = False
        # Whether the keys move in the selected run's front instead of the list.
        self.in_front = False
        self._plot: FrontPlot | None = None

    def body(self) -> Iterable[Widget]:
        """See :class:`FairScreen`."""
        yield Static(id="runs-head")
        yield PageView(id="runs-list")
        yield Container(id="runs-plot")
        yield Static(id="runs-legend")
        yield PageView(id="runs-detail")

    def loader(self) -> Callable[[Store], RunsSnapshot]:
        """See :class:`FairScreen`."""
        wanted = (self._selected, *self._marked)
        return lambda store: read_runs(store, wanted)

    def remember(self) -> dict[str, Any]:
        """See :class:`FairScreen`."""
        return {
            "selected": self._selected,
            "marked": self._marked,
            "comparing": self._comparing,
            "over_macs": self._over_macs,
        }

    def restore(self, place: dict[str, Any]) -> None:
        """See :class:`FairScreen`."""
        marked = place.get("marked")
        self._selected = str(place.get("selected", ""))
        self._marked = [str(one) for one in marked] if isinstance(marked, list) else []
        self._comparing = place.get("comparing") is True
        self._over_macs = place.get("over_macs") is True

    def show(self, snapshot: RunsSnapshot) -> None:
        """See :class:`FairScreen`."""
        if snapshot == self._snapshot:
            return
        before = [one.id for one in self._snapshot.runs] if self._snapshot else []
        self._snapshot = snapshot
        ids = [one.id for one in snapshot.runs]
        if self._selected not in ids:
            # The selected one is gone: the one that stood below it takes its place.
            place = before.index(self._selected) if self._selected in before else 0
            self._selected = ids[min(place, len(ids) - 1)] if ids else ""
        self._marked = [one for one in self._marked if one in ids]
        self._comparing = self._comparing and len(self._marked) > 1
        self._paint()

    def tick(self) -> None:
        """See :class:`FairScreen`; a worker that hangs writes nothing, so its silence is looked after."""
        if not self.frozen and self._snapshot is not None and any(one.keeper for one in self._snapshot.runs):
            self.reload()

    def on_resize(self) -> None:
        """Lay the lines out anew."""
        self.call_after_refresh(self._paint)

    # -- showing ----------------------------------------------------------------------------------------------

    def _current(self) -> RunEntry | None:
        runs = self._snapshot.runs if self._snapshot else ()
        return next((one for one in runs if one.id == self._selected), None)

    def _compared(self) -> list[RunEntry]:
        runs = self._snapshot.runs if self._snapshot else ()
        return [one for mark in self._marked for one in runs if one.id == mark]

    def _paint(self) -> None:
        snapshot = self._snapshot
        if snapshot is None or not self.there:
            return
        self.set_class(self._comparing, "-comparing")
        self.query_one("#runs-head", Static).update(header_line(max(20, self.size.width - 2)))
        self._paint_list()
        detail = self.query_one("#runs-detail", PageView)
        if self._comparing:
            detail.active = True
            detail.show(comparison_page(self._compared(), snapshot.details, detail.width))
            self._paint_plot()
            return
        run = self._current()
        page = detail_page(run, snapshot.details.get(run.id), detail.width - 2) if run else Page(())
        self.in_front = self.in_front and bool(page.stops)
        detail.active = self.in_front
        detail.show(page, detail.stop)

    def _paint_list(self) -> None:
        snapshot, view = self._snapshot, self.query_one("#runs-list", PageView)
        if snapshot is None:
            return
        if not snapshot.runs:
            view.show(Page((note(f"No run yet. {key_of('app.launch')} opens the form that launches one."),)))
            return
        ids = [one.id for one in snapshot.runs]
        view.show(list_page(snapshot.runs, self._marked, view.width), ids.index(self._selected))

    def _paint_plot(self) -> None:
        from fairnad_screens.widgets.front_plot import FrontPlot, Series

        if self._plot is None:
            self._plot = FrontPlot()
            begin(self, partial(self._mount_plot, self._plot), group="plot")
        if not self._plot.is_mounted:
            return
        colours = plot_palette(self.shell.theme)
        details = self._snapshot.details if self._snapshot else {}
        series, legend = [], []
        for place, run in enumerate(self._compared()):
            sign, style = SIGNS[place % len(SIGNS)], colours[place % len(colours)]
            front = details[run.id].front if run.id in details else ()
            points = tuple((float(one.macs if self._over_macs else one.params), one.accuracy) for one in front)
            series.append(Series(points, sign, f"{style} bold"))
            legend.append(Content.styled(f"{sign} {run.id}  ", style))
        self._plot.draw(series)
        axis, other = ("MACs", "parameters") if self._over_macs else ("parameters", "MACs")
        legend.append(Content.styled(f" {key_of('runs.axis')} {other}, {key_of('runs.unmark')} back", "dim"))
        self.query_one("#runs-legend", Static).update(Content.assemble(f"Validation % over {axis}:  ", *legend))

    async def _mount_plot(self, plot: FrontPlot) -> None:
        """Mount it when it is first wanted; a plot that is drawn before it is mounted stays empty."""
        await self.query_one("#runs-plot").mount(plot)
        self._paint_plot()

    @on(PageView.Moved)
    def _clicked(self, event: PageView.Moved) -> None:
        if event.view.id == "runs-list" and self._snapshot is not None:
            self.in_front = False
            self._choose(event.view.stop)
        elif not self._comparing:
            self.in_front = True
            self._paint()
            self.refresh_keys()

    @on(PageView.Opened)
    def _opened(self) -> None:
        self.action_do("runs.open")

    def _choose(self, place: int) -> None:
        runs = self._snapshot.runs if self._snapshot else ()
        if runs:
            self._selected = runs[max(0, min(place, len(runs) - 1))].id
            detail = self.query_one("#runs-detail", PageView)
            detail.stop = 0
            self._paint()
            detail.scroll_home(animate=False)
            self.reload()

    def front(self) -> tuple[FrontMember, ...]:
        """The selected run's front, as far as it was read."""
        found = self._snapshot.details.get(self._selected) if self._snapshot else None
        return found.front if found is not None else ()
