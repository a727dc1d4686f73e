"""Candidate: one backbone with its source, its changes, where it comes from, and how it was trained and proposed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from textual import on
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from fairnad_engine.store import Store
from fairnad_engine.text import one_line
from fairnad_screens.actions import Action, key_of
from fairnad_screens.base import FairScreen
from fairnad_screens.bindings import bindings
from fairnad_screens.data.candidate import CandidateSnapshot, export, read_attempt, read_candidate, write_copy
from fairnad_screens.dialogs import LineDialog
from fairnad_screens.text import GLYPHS, plain, plain_line
from fairnad_screens.viewer import TextViewer
from fairnad_screens.widgets.candidate_history import accuracy_text, attempts_page, lineage_page, training_page
from fairnad_screens.widgets.candidate_page import Page, PageView
from fairnad_screens.widgets.candidate_source import changes_page, source_page
from fairnad_screens.widgets.candidate_tabs import CandidateTabs

PANES = ("source", "changes", "lineage", "training", "attempts")


class CandidateScreen(FairScreen[CandidateSnapshot]):
    """One candidate; pushed upon the screen that it was chosen on."""

    SCOPE = "candidate"
    BINDINGS = bindings("candidate")
    CSS_PATH = "candidate.tcss"
    STACKED = True
    TITLE_TEXT = "Candidate"

    def __init__(self, run_id: str, candidate_id: str) -> None:
        super().__init__()
        self._run_id = run_id
        self._candidate = candidate_id
        self._pane = PANES[0]
        self._snapshot: CandidateSnapshot | None = None
        # Where each pane was left: (cursor, first line shown).
        self._left: dict[str, tuple[int, float]] = {}

    def body(self) -> Iterable[Widget]:
        """See :class:`FairScreen`."""
        yield Static(id="head")
        yield CandidateTabs(PANES)
        yield PageView()

    def loader(self) -> Callable[[Store], CandidateSnapshot]:
        """See :class:`FairScreen`."""
        run_id, candidate_id = self._run_id, self._candidate
        return lambda store: read_candidate(store, run_id, candidate_id)

    def restore(self, place: dict[str, Any]) -> None:
        """See :class:`FairScreen`."""
        pane = place.get("pane")
        self._pane = pane if pane in PANES else PANES[0]

    def remember(self) -> dict[str, Any]:
        """See :class:`FairScreen`."""
        return {"pane": self._pane}

    def show(self, snapshot: CandidateSnapshot) -> None:
        """See :class:`FairScreen`."""
        if snapshot.row.id != self._candidate:
            return  # the user has gone on to another one meanwhile
        if snapshot == self._snapshot:
            return
        self._snapshot = snapshot
        self._show_head()
        self._show_pane()

    def on_resize(self) -> None:
        """Lay the lines out anew."""
        if self._snapshot is not None:
            self._show_head()
            self.call_after_refresh(self._show_pane)

    def why_not(self, one: Action) -> str | None:
        """See :class:`FairScreen`."""
        snapshot = self._snapshot
        if snapshot is None:
            return None if one.name in PANES else "The candidate is being read."
        if one.name == "parent" and snapshot.parent is None:
            return "This is the seed; nothing is above it."
        if one.name == "export" and snapshot.row.status != "trained":
            return f"Only trained models are exported; this one is {snapshot.row.status}."
        if one.name in ("following", "previous") and len(snapshot.neighbours) < 2:
            return "The run has no other candidate yet."
        if one.name == "open" and (self._pane not in ("lineage", "attempts") or not self._page().stops):
            lineage, attempts = key_of("candidate.lineage"), key_of("candidate.attempts")
            return f"Nothing to open here; {lineage} shows the lineage, {attempts} the attempts."
        return None

    # -- showing ----------------------------------------------------------------------------------------------

    def _show_head(self) -> None:
        snapshot = self._snapshot
        if snapshot is None:
            return
        row = snapshot.row
        width = max(20, self.size.width - 2)
        stage = f"generation {row.generation}, stage {row.stage} ({row.kind})" if row.generation else "the seed"
        sign = {"trained": GLYPHS.done, "failed": GLYPHS.failed, "screened": GLYPHS.down}.get(
            row.status, GLYPHS.running
        )
        front = f"  {GLYPHS.mark} front of generation {snapshot.on_front}" if snapshot.on_front is not None else ""
        failure = f" ({row.failure})" if row.failure else ""
        accuracy = accuracy_text(row.accuracy, row.status)
        lines = [
            plain_line(f"{row.id}  {sign} {row.status}{failure}  {stage}{front}", width, "bold"),
            plain_line(f"{accuracy} ({snapshot.protocol})", width),
            plain_line(
                f"{row.params:,} params {GLYPHS.dot} {row.macs:,} MACs {GLYPHS.dot} width {row.width:g} {GLYPHS.dot} "
                f"idea realised: {row.realised}",
                width,
            ),
            *plain(one_line(f"Change: {row.change}")).wrap(width)[:3],
        ]
        self.query_one("#head", Static).update(Content("\n").join(lines))
        self._show_tabs()

    def _show_tabs(self) -> None:
        self.query_one(CandidateTabs).show(self._pane)

    @on(CandidateTabs.Chosen)
    def _clicked(self, event: CandidateTabs.Chosen) -> None:
        self._go(event.pane)

    @on(PageView.Moved)
    def _moved(self) -> None:
        self._leave_pane()

    @on(PageView.Opened)
    def _opened(self) -> None:
        self.action_do("candidate.open")

    def _page(self) -> Page:
        snapshot = self._snapshot
        if snapshot is None:
            return Page(())
        width = self.query_one(PageView).width
        match self._pane:
            case "source":
                return source_page(snapshot.row.source, width)
            case "changes":
                return changes_page(snapshot, width)
            case "lineage":
                return lineage_page(snapshot, width)
            case "training":
                return training_page(snapshot, width)
            case _:
                return attempts_page(snapshot, width)

    def _show_pane(self) -> None:
        if not self.there:
            return  # it was left before a new size was laid out
        view = self.query_one(PageView)
        stop = self._left.get(self._pane, (self._first_stop(), 0.0))[0]
        view.show(self._page(), stop)

    def _first_stop(self) -> int:
        """Lineage begins at the shown model, below its children."""
        if self._pane != "lineage" or self._snapshot is None:
            return 0
        return next((i for i, one in enumerate(self._snapshot.lineage) if one.id == self._candidate), 0)

    def _leave_pane(self) -> None:
        view = self.query_one(PageView)
        self._left[self._pane] = (view.stop, view.scroll_y)

    def _go(self, pane: str) -> None:
        self._leave_pane()
        self._pane = pane
        self._show_tabs()
        self._show_pane()
        view = self.query_one(PageView)
        top = self._left.get(pane, (0, 0.0))[1]
        view.call_after_refresh(view.scroll_to, y=top, animate=False)

    def _open(self, candidate_id: str) -> None:
        """Show another candidate in place of this one."""
        if candidate_id != self._candidate:
            self._candidate = candidate_id
            self._left = {}
            self._snapshot = None
            self.query_one(PageView).scroll_home(animate=False)
            self.reload()

    # -- actions ----------------------------------------------------------------------------------------------

    def do_source(self) -> None:
        """Show the source."""
        self._go("source")

    def do_changes(self) -> None:
        """Show what changed."""
        self._go("changes")

    def do_lineage(self) -> None:
        """Show where it comes from."""
        self._go("lineage")

    def do_training(self) -> None:
        """Show its training."""
        self._go("training")

    def do_attempts(self) -> None:
        """Show how it was proposed."""
        self._go("attempts")

    def do_down(self) -> None:
        """Go down."""
        self._move(1)

    def do_up(self) -> None:
        """Go up."""
        self._move(-1)

    def _move(self, by: int) -> None:
        view = self.query_one(PageView)
        view.move(by)
        self._leave_pane()

    def do_page_down(self) -> None:
        """Go down a page."""
        self.query_one(PageView).turn(1)

    def do_page_up(self) -> None:
        """Go up a page."""
        self.query_one(PageView).turn(-1)

    def do_top(self) -> None:
        """Go to the first line."""
        self.query_one(PageView).to_end(False)

    def do_bottom(self) -> None:
        """Go to the last line."""
        self.query_one(PageView).to_end(True)

    def do_parent(self) -> None:
        """Go up to the parent."""
        if self._snapshot is not None and self._snapshot.parent is not None:
            self._open(self._snapshot.parent.id)

    def do_following(self) -> None:
        """Go to the next candidate."""
        self._step(1)

    def do_previous(self) -> None:
        """Go to the previous candidate."""
        self._step(-1)

    def _step(self, by: int) -> None:
        if self._snapshot is not None:
            ids = self._snapshot.neighbours
            self._open(ids[(ids.index(self._candidate) + by) % len(ids)])

    def do_open(self) -> None:
        """Open what the cursor is on."""
        if self._snapshot is None:
            return
        stop = self.query_one(PageView).stop
        if self._pane == "lineage":
            self._open(self._snapshot.lineage[stop].id)
        else:
            self.background(self._show_attempt(stop))

    async def _show_attempt(self, place: int) -> None:
        if self._snapshot is None:
            return
        one = self._snapshot.attempts[place]
        text = await self.desk.read(lambda store: read_attempt(store, one))
        self.shell.push_screen(TextViewer(f"{self._candidate}: step {one.step}, attempt {one.attempt + 1}", text))

    def do_export(self) -> None:
        """Write it as a folder."""
        self.background(self._export())

    async def _export(self) -> None:
        path = self.desk.path
        folder = path.with_name(f"{path.stem}-exports") / self._run_id
        title = f"Export {self._candidate} into which folder? A folder {self._candidate} is made in it."
        answer = await self.shell.push_screen_wait(LineDialog(title, str(folder)))
        if answer:
            run_id, candidate_id, target = self._run_id, self._candidate, answer
            self.say(f"Exporting {candidate_id} …")
            written = await self.desk.apart(lambda store: export(store, run_id, candidate_id, target))
            self.say(f"Exported to {written}")

    def do_copy(self) -> None:
        """Copy the source."""
        if self._snapshot is not None:
            self.shell.copy_to_clipboard(self._snapshot.row.source)
            self.background(self._write_copy(self._snapshot.row.source))

    async def _write_copy(self, source: str) -> None:
        target = self.desk.path.with_name(f"{self.desk.path.stem}-exports") / "copied.py"
        written = await self.desk.write(lambda store: write_copy(target, source))
        self.say(f"Copied, where the terminal allows it; also in {written}")
