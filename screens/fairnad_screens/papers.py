"""Papers: what is there and what became of it. Work is in ``papers_work``, the pane in ``papers_pane``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from textual import on, work
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from fairnad_engine.llm.models import MOST_LANES
from fairnad_engine.store import Store
from fairnad_engine.store.knowledge_records import PaperLine
from fairnad_screens.actions import Action, key_of
from fairnad_screens.bindings import bindings
from fairnad_screens.data.papers import PapersSnapshot, read_job, read_papers, status_of
from fairnad_screens.papers_pane import PapersPane
from fairnad_screens.text import GLYPHS, plain_line
from fairnad_screens.widgets.ideas_filter import FilterLine
from fairnad_screens.widgets.papers_job import job_lines
from fairnad_screens.widgets.papers_rows import heads, row
from fairnad_screens.widgets.rows import Rows
from fairnad_screens.widgets.rows_keys import RowsKeys

_STREAM_SECONDS = 0.5


class PapersScreen(RowsKeys, PapersPane):
    """The papers screen."""

    BINDINGS = bindings("papers")
    CSS_PATH = "papers.tcss"
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-narrow"), (110, "-wide")]

    def __init__(self) -> None:
        super().__init__()
        self._by_id: dict[str, PaperLine] = {}
        self._search: dict[str, str] = {}
        self._go_to: str | None = None
        self._asks_job = False

    def body(self) -> Iterable[Widget]:
        """See :class:`FairScreen`."""
        with Vertical(id="papers"):
            yield FilterLine("papers", "filters: words of title, authors, year, status")
            yield Static(id="heads")
            with Container(id="desk"):
                yield Rows()
                with VerticalScroll(id="pane", can_focus=False):
                    yield Static(id="detail")
            yield Static(id="state")

    def on_mount(self) -> None:
        """Look at the model's text oftener than at the store."""
        super().on_mount()
        self.set_interval(_STREAM_SECONDS, self.look_on)

    def restore(self, place: dict[str, Any]) -> None:
        """See :class:`FairScreen`."""
        text, cursor = place.get("filter"), place.get("cursor")
        self.filter_text = text if isinstance(text, str) else ""
        self._go_to = cursor if isinstance(cursor, str) else None
        lanes = place.get("lanes")
        self.lanes = lanes if isinstance(lanes, int) and 1 <= lanes <= MOST_LANES else None
        self.query_one(FilterLine).set_text(self.filter_text)

    def remember(self) -> dict[str, Any]:
        """See :class:`FairScreen`."""
        cursor = self.query_one(Rows).selected if self.snapshot else self._go_to
        return {"filter": self.filter_text, "cursor": cursor, "llm": self.shell.llm, "lanes": self.lanes}

    # -- showing ----------------------------------------------------------------------------------------------

    def loader(self) -> Callable[[Store], PapersSnapshot]:
        """See :class:`FairScreen`."""
        return read_papers

    def show(self, snapshot: PapersSnapshot) -> None:
        """See :class:`FairScreen`."""
        self.snapshot = snapshot
        self._by_id = {one.id: one for one in snapshot.papers}
        self._search = {one.id: _search_text(one) for one in snapshot.papers}
        self._show_rows()
        self._show_state()
        self.read_detail_soon()

    def _show_rows(self) -> None:
        assert self.snapshot is not None  # noqa: S101 - only shown with a snapshot
        papers = self.snapshot.papers
        words = self.filter_text.casefold().split()
        shown = [one for one in papers if all(word in self._search[one.id] for word in words)] if words else papers
        rows = self.query_one(Rows)
        rows.empty = _nothing(no_papers=not papers)
        rows.show_rows([one.id for one in shown], partial(self._paint, shown), self._go_to)
        self._go_to = None
        self.query_one(FilterLine).show_matches(
            f"{len(shown):,} of {len(papers):,}" if words else f"{len(papers):,} papers"
        )
        self.call_after_refresh(self._show_heads)

    def _show_heads(self) -> None:
        if not self.there:
            return
        # The list's width is known once it was laid out.
        width = self.query_one(Rows).scrollable_content_region.width
        self.query_one("#heads", Static).update(heads(max(10, width - 1)))

    def _paint(self, papers: tuple[PaperLine, ...] | list[PaperLine], place: int, width: int) -> Content:
        paper = papers[place]
        return row(paper, self.ideas_of(paper.id), self.doing(paper.id), width)

    def _show_state(self) -> None:
        assert self.snapshot is not None  # noqa: S101 - only shown with a snapshot
        width = max(20, self.size.width - 2)
        papers = self.snapshot.papers
        counts = [
            f"{sum(one.relevant is True for one in papers):,} kept",
            f"{sum(one.relevant is False for one in papers):,} left out",
            f"{sum(one.relevant is None for one in papers):,} not screened",
        ]
        found = f"{', '.join(counts) if papers else 'no papers'}; model "
        lanes = f", {self.lanes} at a time" if self.lanes else ""
        # The server is left out where it would be cut off.
        llm = self.llm if len(found) + len(self.llm) + len(lanes) <= width else self.llm.partition("@")[0]
        lines = [plain_line(f"{found}{llm}{lanes}", width)]
        if following := self._following():
            lines.append(plain_line(following, width, "$accent"))
        if self.busy:
            lines.append(plain_line(f"{GLYPHS.running} {self.busy}", width, "$accent"))
        done = sum(bool(one.structured_by) for one in papers)
        lines += job_lines(self.job, done, len(papers), width)
        self.query_one("#state", Static).update(Content("\n").join(lines))

    def _following(self) -> str:
        """The next step, once there are papers and no job works on them."""
        snapshot, job = self.snapshot, self.job
        if snapshot is None or not snapshot.papers or self.busy or (job is not None and job.live):
            return ""
        waiting = sum(not one.structured_by and one.relevant is not False for one in snapshot.papers)
        if waiting:
            some = "1 paper" if waiting == 1 else f"{waiting:,} papers"
            return f"Next: {key_of('papers.structure')} lets the model read {some}"
        return f"Next: {key_of('app.ideas')} decides about the ideas, {key_of('app.launch')} launches a search"

    # -- the job ----------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Show what the job does, which the store does not hold."""
        if self.job is not None and self.job.live and not self._asks_job:
            self._asks_job = True
            self._fetch_job()

    @work(group="job")
    async def _fetch_job(self) -> None:
        try:
            job = await self.tell(self.desk.read(read_job))
        finally:
            self._asks_job = False
        if job is not None and job != self.job and self.snapshot is not None and self.there:
            self.job = job
            self.query_one(Rows).repaint()
            self._show_state()
            if self.looks_on:
                self.read_detail_soon()
            self.refresh_keys()

    @on(Rows.Moved)
    def _moved(self) -> None:
        self.read_detail_soon()
        self.refresh_keys()

    @on(Rows.Opened)
    def _opened(self) -> None:
        self.action_do("papers.open")

    # -- actions ----------------------------------------------------------------------------------------------

    @property
    def selected(self) -> PaperLine | None:
        """The paper under the cursor."""
        key = self.query_one(Rows).selected
        return self._by_id.get(key) if key else None

    def why_not(self, one: Action) -> str | None:
        """See :class:`FairScreen`."""
        if one.name in ("override", "ideas", "open") and (self.snapshot is None or self.selected is None):
            return (
                f"No paper is selected; {key_of('papers.add')} adds papers."
                if not self._by_id
                else f"No paper matches; {key_of('papers.clear')} clears the filter."
            )
        if one.name == "streams" and not (self.looks_on or (self.job and self.job.doing)):
            return f"No paper is in hand; {key_of('papers.structure')} lets the model read papers."
        if one.name == "ideas" and not (self.selected and self.ideas_of(self.selected.id).all):
            return f"This paper has no ideas yet; {key_of('papers.structure')} structures papers."
        return self.why_no_work(one)

    def do_override(self) -> None:
        """Keep a paper that was left out, or leave it out."""
        if self.selected is not None:
            self.background(self._override(self.selected))

    async def _override(self, paper: PaperLine) -> None:
        keep = paper.relevant is not True
        await self.desk.write(lambda store: store.papers.override(paper.id, keep))
        read = "" if not keep or self.ideas_of(paper.id).all else f"; {key_of('papers.structure')} reads it"
        self.say(f"{'Kept' if keep else 'Left out'}: {paper.title}{read}")
        self.reload()

    def do_ideas(self) -> None:
        """Go to the ideas of this paper."""
        if self.selected is not None:
            title = self.selected.title.replace('"', " ")
            self.show_ideas(f'paper:"{title}"')

    def show_filtered(self) -> None:
        """See :class:`RowsKeys`."""
        if self.snapshot is not None:
            self._show_rows()
            self.read_detail_soon()
            self.refresh_keys()

    def on_resize(self) -> None:
        """Lay the lines out anew."""
        if self.snapshot is not None:
            self.call_after_refresh(self._show_heads)
            self._show_state()


def _nothing(*, no_papers: bool) -> str:
    if no_papers:
        return f"No papers yet. {key_of('papers.add')} adds a file or a folder; type samples for those that ship."
    return f"Nothing matches. {key_of('papers.clear')} clears the filter."


def _search_text(paper: PaperLine) -> str:
    """What the filter looks in."""
    parts = (paper.title, *paper.authors, str(paper.year or ""), status_of(paper), paper.structured_by)
    return " ".join(parts).casefold()
