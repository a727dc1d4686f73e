"""Runs and reports: every run of the workspace, compared, reported, finished, run again, deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from textual import on
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from fairnad_engine.store import Store
from fairnad_screens.actions import Action
from fairnad_screens.base import FairScreen
from fairnad_screens.bindings import bindings
from fairnad_screens.data.runs import (
    RunEntry,
    RunsSnapshot,
    deletion_question,
    read_runs,
    report_text,
    start_finish,
    write_run_report,
)
from fairnad_screens.dialogs import ConfirmDialog, LineDialog
from fairnad_screens.themes import plot_palette
from fairnad_screens.viewer import TextViewer
from fairnad_screens.widgets.candidate_page import Page, PageView, note
from fairnad_screens.widgets.runs_text import SIGNS, comparison_page, detail_page, header_line, list_page

if TYPE_CHECKING:
    from fairnad_screens.launch import LaunchScreen
    from fairnad_screens.widgets.front_plot import FrontPlot

_NEEDS_RUN = ("open", "mark", "again", "export", "view", "finish", "delete")
FINISH_TOP = 3


class RunsScreen(FairScreen[RunsSnapshot]):
    """The list of runs above the details of the selected one; marked runs are compared in their place."""

    SCOPE = "runs"
    BINDINGS = bindings("runs")
    CSS_PATH = "runs.tcss"

    def __init__(self) -> None:
        super().__init__()
        self._snapshot: RunsSnapshot | None = None
        self._selected = ""
        self._marked: list[str] = []
        self._comparing = False
        self._over_macs = False
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

    def on_resize(self) -> None:
        """Lay the lines out anew."""
        self.call_after_refresh(self._paint)

    def why_not(self, one: Action) -> str | None:
        """See :class:`FairScreen`."""
        run = self._run()
        if run is None:
            return "There is no run yet; L opens the form that launches one." if one.name in _NEEDS_RUN else None
        if one.name == "compare" and len(self._marked) < 2 and not self._comparing:
            return "Mark two or more runs with Space first."
        if one.name == "axis" and not self._comparing:
            return "The axis is that of the comparison; mark runs with Space and press c."
        if one.name == "delete" and run.held:
            return f"{run.id} is being worked on; open it with Enter and stop it first."
        if one.name == "finish":
            return self._why_no_finish(run)
        if one.name in ("export", "view") and not run.trained and run.best is None:
            return f"{run.id} has trained nothing yet, so there is nothing to report."
        return None

    def _why_no_finish(self, run: RunEntry) -> str | None:
        if run.state != "done":
            return f"{run.id} is {run.state}; only a search that is done is finished."
        if run.held:
            return f"{run.id} is being finished."
        if run.finish == "done":
            return f"{run.id} was finished; a test is made once, v shows its scores."
        return None

    # -- showing ----------------------------------------------------------------------------------------------

    def _run(self) -> RunEntry | None:
        runs = self._snapshot.runs if self._snapshot else ()
        return next((one for one in runs if one.id == self._selected), None)

    def _compared(self) -> list[RunEntry]:
        runs = self._snapshot.runs if self._snapshot else ()
        return [one for mark in self._marked for one in runs if one.id == mark]

    def _paint(self) -> None:
        snapshot = self._snapshot
        if snapshot is None:
            return
        self.set_class(self._comparing, "-comparing")
        self.query_one("#runs-head", Static).update(header_line(max(20, self.size.width - 2)))
        self._paint_list()
        detail = self.query_one("#runs-detail", PageView)
        if self._comparing:
            detail.show(comparison_page(self._compared(), snapshot.details, detail.width))
            self._paint_plot()
            return
        run = self._run()
        detail.show(detail_page(run, snapshot.details.get(run.id), detail.width) if run else Page(()))

    def _paint_list(self) -> None:
        snapshot, view = self._snapshot, self.query_one("#runs-list", PageView)
        if snapshot is None:
            return
        if not snapshot.runs:
            view.show(Page((note("No run yet. L opens the form that launches one."),)))
            return
        ids = [one.id for one in snapshot.runs]
        view.show(list_page(snapshot.runs, self._marked, view.width), ids.index(self._selected))

    def _paint_plot(self) -> None:
        from fairnad_screens.widgets.front_plot import FrontPlot, Series

        if self._plot is None:
            self._plot = FrontPlot()
            self.run_worker(self._mount_plot(self._plot))
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
        axis = "MACs" if self._over_macs else "parameters"
        self.query_one("#runs-legend", Static).update(Content.assemble(f"Validation % over {axis}:  ", *legend))

    async def _mount_plot(self, plot: FrontPlot) -> None:
        """Mount it when it is first wanted; a plot that is drawn before it is mounted stays empty."""
        await self.query_one("#runs-plot").mount(plot)
        self._paint_plot()

    @on(PageView.Moved)
    def _clicked(self, event: PageView.Moved) -> None:
        if event.view.id == "runs-list" and self._snapshot is not None:
            self._choose(event.view.stop)

    # -- movement and marks -----------------------------------------------------------------------------------

    def _choose(self, place: int) -> None:
        runs = self._snapshot.runs if self._snapshot else ()
        if runs:
            self._selected = runs[max(0, min(place, len(runs) - 1))].id
            self._paint()
            self.query_one("#runs-detail").scroll_home(animate=False)
            self.reload()

    def _move(self, by: int) -> None:
        if self._comparing:
            self.query_one("#runs-detail", PageView).move(by)
            return
        view = self.query_one("#runs-list", PageView)
        view.move(by)
        self._choose(view.stop)

    def do_down(self) -> None:
        """Go down."""
        self._move(1)

    def do_up(self) -> None:
        """Go up."""
        self._move(-1)

    def do_top(self) -> None:
        """Go to the first."""
        self._move(-1_000_000)

    def do_bottom(self) -> None:
        """Go to the last."""
        self._move(1_000_000)

    def do_page_down(self) -> None:
        """Scroll the details down."""
        self.query_one("#runs-detail", PageView).turn(1)

    def do_page_up(self) -> None:
        """Scroll the details up."""
        self.query_one("#runs-detail", PageView).turn(-1)

    def do_mark(self) -> None:
        """Mark the selected run."""
        if self._comparing:
            self.say("Esc leaves the comparison; then Space marks.")
            return
        if self._selected in self._marked:
            self._marked.remove(self._selected)
        else:
            self._marked.append(self._selected)
        self._move(1)

    def do_unmark(self) -> None:
        """Leave the comparison, or take all marks back."""
        if self._comparing:
            self._comparing = False
        else:
            self._marked = []
        self._paint()

    def do_compare(self) -> None:
        """Compare the marked runs."""
        self._comparing = not self._comparing
        self.query_one("#runs-detail").scroll_home(animate=False)
        self._paint()
        self.call_after_refresh(self._paint)
        self.reload()

    def do_axis(self) -> None:
        """Compare over parameters or MACs."""
        self._over_macs = not self._over_macs
        self._paint()

    # -- actions ----------------------------------------------------------------------------------------------

    def do_open(self) -> None:
        """Open the run's desk."""
        self.shell.selected_run = self._selected
        self.shell.goto("search")

    def do_again(self) -> None:
        """Launch another run with this one's settings."""
        run = self._run()
        if run is not None:
            cast("LaunchScreen", self.shell.goto("launch")).take(run.row.config, f"those of {run.id}")

    def do_export(self) -> None:
        """Write the report."""
        self.background(self._export(self._selected))

    async def _export(self, run_id: str) -> None:
        path = self.desk.path
        default = path.with_name(f"{path.stem}-reports") / run_id
        answer = await self.shell.push_screen_wait(LineDialog(f"Write the report of {run_id} into", str(default)))
        if answer:
            folder = Path(answer).expanduser()
            self.say(f"Writing the report of {run_id} …")
            written = await self.desk.apart(lambda store: write_run_report(store, run_id, folder))
            self.say(f"Report written to {written / 'report.md'}")

    def do_view(self) -> None:
        """Read the report."""
        self.background(self._view(self._selected))

    async def _view(self, run_id: str) -> None:
        text = await self.desk.apart(lambda store: report_text(store, run_id))
        self.shell.push_screen(TextViewer(f"Report of {run_id}", text))

    def do_finish(self) -> None:
        """Retrain and test the best."""
        self.background(self._finish(self._selected))

    async def _finish(self, run_id: str) -> None:
        hint = "Each is trained anew with 3 seeds; that takes three trainings a model."
        title = f"How many of the front of {run_id} shall be retrained and tested (1 to 50)?"
        answer = await self.shell.push_screen_wait(LineDialog(title, str(FINISH_TOP), hint=hint))
        if answer is None:
            return
        if not answer.strip().isdigit() or not 1 <= int(answer) <= 50:
            self.say(f"{answer!r} is no number from 1 to 50; nothing was begun.", failed=True)
            return
        top = int(answer)
        question = (
            f"Finish {run_id}? Its {top} best are trained anew and then each is scored once on the test split. "
            "No number of this run has seen that split so far; a test is made once and cannot be taken back."
        )
        if await self.shell.push_screen_wait(ConfirmDialog(question)):
            await self.desk.apart(lambda store: start_finish(store, run_id, top))
            self.say(f"{run_id} is being finished in the background; its scores will stand here.")

    def do_delete(self) -> None:
        """Delete the run."""
        self.background(self._delete(self._selected))

    async def _delete(self, run_id: str) -> None:
        question = await self.desk.read(lambda store: deletion_question(store, run_id))
        if await self.shell.push_screen_wait(ConfirmDialog(question)):
            await self.desk.write(lambda store: store.deletion.delete(run_id))
            self.say(f"{run_id} is deleted.")
            self.reload()
