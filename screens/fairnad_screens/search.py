"""Search: the live desk of a run, in panes that can be toggled and zoomed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, cast

from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Static

from fairnad_engine.store import Store
from fairnad_screens.actions import Action, key_of
from fairnad_screens.base import FairScreen
from fairnad_screens.bindings import bindings
from fairnad_screens.data.search import CLAIMS_WORK, RunHead, SearchSnapshot
from fairnad_screens.data.search_reader import SearchReader
from fairnad_screens.dialogs import Choice, ChoiceDialog
from fairnad_screens.search_aside import SideReadings
from fairnad_screens.search_control import ControlKeys
from fairnad_screens.search_panes import PaneKeys
from fairnad_screens.text import plain
from fairnad_screens.widgets.search_counts import CountsPane
from fairnad_screens.widgets.search_curve import CurvePane
from fairnad_screens.widgets.search_front import FrontPane
from fairnad_screens.widgets.search_head import HeadLine
from fairnad_screens.widgets.search_pane import SearchPane
from fairnad_screens.widgets.search_progress import ProgressPane
from fairnad_screens.widgets.search_spending import SpendingPane
from fairnad_screens.widgets.search_table import ORDERS, CandidatePane
from fairnad_screens.widgets.search_tails import FailurePane, LogPane


class SearchScreen(ControlKeys, PaneKeys, SideReadings, FairScreen[SearchSnapshot]):
    """A run as it goes on, or as it stood after one of its generations."""

    SCOPE = "search"
    BINDINGS = bindings("search")
    CSS_PATH = "search.tcss"
    AUTO_FOCUS = ""  # the layout gives the focus

    def __init__(self) -> None:
        super().__init__()
        self._reader = SearchReader()
        self._snapshot: SearchSnapshot | None = None
        self._as_of: int | None = None

    def body(self) -> Iterable[Widget]:
        """See :class:`FairScreen`."""
        yield HeadLine()
        launches = f"{key_of('app.launch')} launches one."
        yield Static(plain(f"No search has been launched in this workspace yet.\n\n{launches}"), id="empty")
        with Container(id="desk"):
            yield from (ProgressPane(), CountsPane(), FrontPane(), CurvePane(), CandidatePane())
            yield from (FailurePane(), LogPane(), SpendingPane())

    # -- snapshots --------------------------------------------------------------------------------------------

    def loader(self) -> Callable[[Store], SearchSnapshot]:
        """See :class:`FairScreen`."""
        if self.head is not None and self.shell.selected_run not in (None, self.head.id):
            self._as_of = None  # another screen chose another run; a generation of this one means nothing there
        return partial(self._reader.read, wanted=self.shell.selected_run, as_of=self._as_of)

    def tick(self) -> None:
        """See :class:`FairScreen`; a worker that died tells nobody, so one that should live is looked after."""
        if not self.frozen and self.head is not None and self.head.state in CLAIMS_WORK:
            self.reload()
        self.look_at_machine()

    def store_changed(self) -> None:
        """See :class:`FairScreen`."""
        super().store_changed()
        self.look_at_machine()

    def show(self, snapshot: SearchSnapshot) -> None:
        """See :class:`FairScreen`."""
        same = snapshot.head is not None and snapshot.head.id == self._aside_of
        self._snapshot = replace(snapshot, spending=self._spending if same else None)
        empty = snapshot.head is None
        for name, visible in (("#empty", empty), ("#desk", not empty)):
            widget = self.query_one(name)
            if widget.display != visible:
                widget.display = visible
        self._show_head()
        for pane in self.on_desk():
            self._fill(pane)
        if snapshot.head is not None:
            self.look_aside(snapshot.head, snapshot.closed)

    def _fill(self, pane: SearchPane) -> None:
        """Give a pane that is on the desk its part of the snapshot."""
        found = self._snapshot
        if found is None or found.head is None:
            return
        match pane:
            case ProgressPane():
                pane.show(found, self._machine)
            case CountsPane():
                pane.show(found.counts)
            case FrontPane():
                pane.show(found.front, found.control)
            case CurvePane():
                pane.show(found.generations, self._baseline)
            case CandidatePane():
                pane.show(found.candidates, found.ideas or {}, frozenset(found.front.front))
            case FailurePane():
                pane.show(found.failures)
            case LogPane():
                pane.show(found.log)
            case SpendingPane():
                pane.show(found.candidates, found.spending, now=found.as_of is None)

    def _show_head(self) -> None:
        if self._snapshot is not None:
            hidden = [] if self.zoomed else [pane.number for pane in self.off_desk()]
            self.query_one(HeadLine).show(self._snapshot, frozen=self.frozen, hidden=hidden)

    def lay_out(self) -> None:
        """See :class:`PaneKeys`; the headline says what is hidden."""
        super().lay_out()
        self._show_head()

    @property
    def head(self) -> RunHead | None:
        """The run that is shown, as it was last seen."""
        return self._snapshot.head if self._snapshot is not None else None

    # -- place ------------------------------------------------------------------------------------------------

    def remember(self) -> dict[str, Any]:
        """See :class:`FairScreen`."""
        front, table = self.query_one(FrontPane), self.query_one(CandidatePane)
        return {
            "run": self.shell.selected_run,
            "axis": front.axis,
            "point": front.cursor,
            "order": table.order,
            "candidate": table.chosen(),
            "opened": sorted(self.query_one(CountsPane).opened),
            **self.remember_panes(),
        }

    def restore(self, place: dict[str, Any]) -> None:
        """See :class:`FairScreen`."""
        front, table = self.query_one(FrontPane), self.query_one(CandidatePane)
        if self.shell.selected_run is None and isinstance(place.get("run"), str):
            self.shell.selected_run = place["run"]
        if place.get("axis") == "macs":
            front.change_axis()
        if isinstance(place.get("point"), str):
            front.cursor = place["point"]
        if place.get("order") in ORDERS:
            table.order_by(place["order"])
        if isinstance(place.get("candidate"), str):
            table.point_at(place["candidate"])
        if isinstance(place.get("opened"), list):
            self.query_one(CountsPane).opened.update(str(one) for one in place["opened"])
        self.restore_panes(place)

    def why_not(self, one: Action) -> str | None:
        """See :class:`FairScreen`."""
        found = self._snapshot
        if found is None or found.head is None:
            return None if one.name == "freeze" else f"There is no run yet; {key_of('app.launch')} launches one."
        match one.name:
            case "pause" | "stop" | "resume" | "control":
                return self.why_no_control(one.name)
            case "back_generation" if not found.closed:
                return "No generation has ended yet."
            case "back_generation" if self._as_of == 0:
                return "This is the beginning: the seed alone."
            case "forward_generation" | "follow" if self._as_of is None:
                return f"The desk follows the run; {key_of('search.back-generation')} goes a generation back."
            case "previous_run" | "next_run" | "choose_run" if len(found.runs) == 1:
                return f"{found.head.id} is the only run; {key_of('app.launch')} launches another."
            case "open" if self.focused_pane is None:
                return f"No pane has the focus; {key_of('search.next-pane')} gives it to one."
        return None

    # -- the run that is shown --------------------------------------------------------------------------------

    def do_previous_run(self) -> None:
        """Show the run before."""
        self._step_run(-1)

    def do_next_run(self) -> None:
        """Show the run after."""
        self._step_run(1)

    def _step_run(self, by: int) -> None:
        found = cast(SearchSnapshot, self._snapshot)
        ids = [one for one, _ in found.runs]
        shown = found.head.id if found.head else ids[-1]
        asked = self.shell.selected_run
        here = ids.index(asked if asked in ids else shown)
        if 0 <= here + by < len(ids):
            self._switch_to(ids[here + by])
        else:
            self.say(f"{ids[here]} is the {'newest' if by > 0 else 'oldest'} run.")

    def do_choose_run(self) -> None:
        """Choose from a list."""
        found = cast(SearchSnapshot, self._snapshot)
        choices = [Choice(run, f"{run}  {name}") for run, name in reversed(found.runs)]

        def answered(run: str | None) -> None:
            if run is not None:
                self._switch_to(run)

        self.app.push_screen(ChoiceDialog("Show which run?", choices), answered)

    def _switch_to(self, run: str) -> None:
        self.shell.selected_run = run
        self._as_of = None
        self.reload()

    # -- generations ------------------------------------------------------------------------------------------

    @staticmethod
    def _last_step(found: SearchSnapshot) -> int:
        """The last generation that shows something else than the live desk."""
        return found.closed if found.opened > found.closed else found.closed - 1

    def do_back_generation(self) -> None:
        """Show the state a generation before."""
        # From what was asked for last, which the snapshot in view need not have caught up with.
        asked = self._as_of
        self._as_of = self._last_step(cast(SearchSnapshot, self._snapshot)) if asked is None else max(0, asked - 1)
        self.reload()

    def do_forward_generation(self) -> None:
        """Show the state a generation later; after the last one, follow."""
        asked = self._as_of
        last = self._last_step(cast(SearchSnapshot, self._snapshot))
        self._as_of = None if asked is None or asked >= last else asked + 1
        self.reload()

    def do_follow(self) -> None:
        """Follow the run."""
        self._as_of = None
        self.reload()

    def do_freeze(self) -> None:
        """Hold the picture still, or let it move."""
        self.frozen = not self.frozen
        self._show_head()
        if not self.frozen:
            self.reload()

    # -- candidates -------------------------------------------------------------------------------------------

    def do_open(self) -> None:
        """Open what the cursor is on."""
        pane = self.focused_pane
        if pane is None or pane.enter():
            return
        candidate = pane.chosen()
        if candidate is None or self.head is None:
            self.say(pane.no_choice())
            return
        from fairnad_screens.candidate import CandidateScreen

        self.app.push_screen(CandidateScreen(self.head.id, candidate))

    def do_axis(self) -> None:
        """Change the cost axis."""
        self.query_one(FrontPane).change_axis()

    def do_order(self) -> None:
        """Sort by the next column."""
        table = self.query_one(CandidatePane)
        names = list(ORDERS)
        table.order_by(names[(names.index(table.order) + 1) % len(names)])
