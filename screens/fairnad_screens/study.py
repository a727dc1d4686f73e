"""Studies: methods over seeds compared, as tables and as curves with their bands."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from textual import on
from textual.widget import Widget
from textual.widgets import Static

from fairnad_engine import clock
from fairnad_screens.actions import Action, key_of
from fairnad_screens.base import FairScreen
from fairnad_screens.bindings import bindings
from fairnad_screens.data.study import StudySnapshot, read_study
from fairnad_screens.text import plain_line
from fairnad_screens.widgets.candidate_page import Page, PageView, note
from fairnad_screens.widgets.study_curve import StudyCurve
from fairnad_screens.widgets.study_text import cells_page, head_line, methods_page

_SECONDS = 20.0  # between two comparisons of a study under way


class StudyScreen(FairScreen[StudySnapshot]):
    """Methods above, the curve of the selected one beside the first one's, its cells below."""

    SCOPE = "study"
    STACKED = True
    TITLE_TEXT = "Studies"
    BINDINGS = bindings("study")
    CSS_PATH = "study.tcss"

    def __init__(self, name: str = "") -> None:
        super().__init__()
        self._study = name
        self._snapshot: StudySnapshot | None = None
        self._method = 0
        self._cell = 0
        self._in_cells = False
        self._measure = "hypervolume"
        self._comparing = False
        self._compared_at = 0.0

    def body(self) -> Iterable[Widget]:
        """See :class:`FairScreen`."""
        yield Static(plain_line("Comparing …", 40), id="study-head")
        yield PageView(id="study-methods")
        yield StudyCurve()
        yield PageView(id="study-cells")

    def restore(self, place: dict[str, Any]) -> None:
        """See :class:`FairScreen`."""
        self._study = self._study or str(place.get("name", ""))
        self._measure = "best" if place.get("measure") == "best" else "hypervolume"
        self._compare()

    def remember(self) -> dict[str, Any]:
        """See :class:`FairScreen`."""
        return {"name": self._study, "measure": self._measure}

    # -- comparing --------------------------------------------------------------------------------------------

    def store_changed(self) -> None:
        """See :class:`FairScreen`; a comparison takes seconds, so not every row that is written asks for one."""
        found = self._snapshot
        due = clock.steady() - self._compared_at >= _SECONDS
        if due and (found is None or found.view is None or found.going_on):
            self._compare()

    def _compare(self) -> None:
        if not self._comparing:
            self._comparing = True
            self.background(self._read())

    async def _read(self) -> None:
        wanted = self._study
        try:
            found = await self.tell(self.desk.apart(partial(read_study, wanted=wanted)))
        finally:
            self._comparing, self._compared_at = False, clock.steady()
        if found is None or not self.there:
            return
        if wanted != self._study:
            self._compare()  # another one was asked for meanwhile
            return
        self._snapshot = found
        self._study = found.view.name if found.view else ""
        self._paint()
        self.refresh_keys()

    # -- showing ----------------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """Lay the lines out anew."""
        self.call_after_refresh(self._paint)

    def _paint(self) -> None:
        found = self._snapshot
        if found is None or not self.there:
            return
        methods, cells = self.query_one("#study-methods", PageView), self.query_one("#study-cells", PageView)
        self.query_one("#study-head", Static).update(head_line(found, max(20, self.size.width - 2)))
        curve = self.query_one(StudyCurve)
        curve.display = cells.display = found.view is not None
        if found.view is None:
            told = "No study yet. It compares methods over seeds; begin one with: fairnad-tui study --config FILE"
            methods.show(Page(tuple(note(line.plain) for line in plain_line(told, 200).wrap(methods.width))))
            return
        self._method = min(self._method, len(found.view.methods) - 1)
        method = self._chosen()
        methods.active, cells.active = not self._in_cells, self._in_cells
        methods.show(methods_page(found, methods.width - 2), self._method)
        cells.show(cells_page(found, method, cells.width - 2), self._cell)
        self._cell = cells.stop
        curve.show(found, method, self._measure)

    def _chosen(self) -> str:
        assert self._snapshot is not None and self._snapshot.view is not None  # noqa: S101 - why_not has looked
        return self._snapshot.view.methods[self._method]

    @on(PageView.Moved)
    def _clicked(self, event: PageView.Moved) -> None:
        self._in_cells = event.view.id == "study-cells"
        if self._in_cells:
            self._cell = event.view.stop
        else:
            self._method = event.view.stop
        self._paint()

    @on(PageView.Opened)
    def _opened(self) -> None:
        self.action_do("study.open")

    # -- actions ----------------------------------------------------------------------------------------------

    def why_not(self, one: Action) -> str | None:
        """See :class:`FairScreen`."""
        found = self._snapshot
        if one.name == "refresh":
            return "It is being compared." if self._comparing else None
        if found is None:
            return "The studies are being compared."
        if found.view is None:
            return "There is no study yet; begin one with: fairnad-tui study --config FILE"
        if one.name in ("next", "previous") and len(found.studies) == 1:
            return f"{found.view.name} is the only study."
        if one.name == "open" and self._in_cells and found.cells(self._chosen())[self._cell].run_id is None:
            return "This cell's run is not started yet."
        return None

    def _move(self, by: int) -> None:
        if self._in_cells:
            view = self.query_one("#study-cells", PageView)
            view.move(by)
            self._cell = view.stop
        else:
            view = self.query_one("#study-methods", PageView)
            view.move(by)
            if view.stop != self._method:
                self._method, self._cell = view.stop, 0
                self._paint()
        self.refresh_keys()

    def do_down(self) -> None:
        """Go down."""
        self._move(1)

    def do_up(self) -> None:
        """Go up."""
        self._move(-1)

    def do_top(self) -> None:
        """Go to the first line."""
        self._move(-1_000_000)

    def do_bottom(self) -> None:
        """Go to the last line."""
        self._move(1_000_000)

    def do_cells(self) -> None:
        """Go to the cells, or back."""
        self._in_cells = not self._in_cells
        self._paint()

    def do_open(self) -> None:
        """Go to the cells, or open a cell's run."""
        if not self._in_cells:
            self.do_cells()
            return
        assert self._snapshot is not None  # noqa: S101 - why_not has looked
        self.shell.selected_run = self._snapshot.cells(self._chosen())[self._cell].run_id
        self.shell.goto("search")

    def do_curve(self) -> None:
        """Draw the other curve."""
        self._measure = "best" if self._measure == "hypervolume" else "hypervolume"
        self._paint()

    def do_refresh(self) -> None:
        """Compare anew."""
        self.say("Comparing …")
        self._compare()

    def do_next(self) -> None:
        """Show the next study."""
        self._step(1)

    def do_previous(self) -> None:
        """Show the study before."""
        self._step(-1)

    def _step(self, by: int) -> None:
        assert self._snapshot is not None  # noqa: S101 - why_not has looked
        names = [one.name for one in self._snapshot.studies]
        place = names.index(self._study) + by
        if not 0 <= place < len(names):
            older, newer = key_of("study.previous"), key_of("study.next")
            self.say(f"{self._study} is the {'newest' if by > 0 else 'oldest'}; {older} and {newer} change the study.")
            return
        self._study, self._method, self._cell, self._in_cells = names[place], 0, 0, False
        self._compare()
