"""The papers screen's pane: the paper under the cursor, or what the model writes about each paper in hand."""

from __future__ import annotations

from functools import partial

from textual import work
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from fairnad_engine.store.filing import IdeaCount
from fairnad_screens.data.papers import PaperDetail, read_detail, read_streams
from fairnad_screens.papers_work import PapersWork
from fairnad_screens.widgets.papers_rows import detail
from fairnad_screens.widgets.papers_streams import InHand, streams
from fairnad_screens.widgets.rows import Rows
from fairnad_screens.widgets.text_dialog import TextDialog


class PapersPane(PapersWork):
    """What stands in the pane."""

    def __init__(self) -> None:
        super().__init__()
        self.looks_on = False  # at all papers in hand, wherever the cursor is
        self._detail: PaperDetail | None = None
        self._streamed = False
        self._reading: str | None = None
        self._read_again = False

    def read_detail_soon(self) -> None:
        """Show the pane anew; asked for while the same paper is being read, it is read once more after that."""
        selected = self.query_one(Rows).selected
        if selected is None:
            self._detail = None
            self.query_one("#detail", Static).update(Content(""))
        elif selected == self._reading:
            # Begun anew each time, a reading that takes longer than the timer's interval would never be shown.
            self._read_again = True
        else:
            self._reading = selected
            self._fetch_detail(selected)

    @work(group="detail", exclusive=True)
    async def _fetch_detail(self, paper_id: str) -> None:
        try:
            while True:
                self._read_again = False
                await self._read_detail(paper_id)
                if not self._read_again:
                    break
        finally:
            if self._reading == paper_id:
                self._reading = None

    async def _read_detail(self, paper_id: str) -> None:
        job = self.job.id if self.job else None
        found = await self.tell(self.desk.read(partial(read_detail, paper_id=paper_id, job_id=job)))
        if found is None or not self.there or self.query_one(Rows).selected != paper_id:
            return
        if self._all_in_hand(paper_id):
            self._detail = found
            await self._show_streams(paper_id)
        else:
            self._show_detail(found)

    def _all_in_hand(self, paper_id: str) -> bool:
        """Whether the pane shows what is written about every paper in hand, rather than the one under the cursor."""
        doing = self.job.doing if self.job else {}
        return bool(doing) and (self.looks_on or (paper_id in doing and len(doing) > 1))

    async def _show_streams(self, here: str) -> None:
        if (job := self.job) is None:
            return
        read = partial(read_streams, job_id=job.id, paper_ids=tuple(job.doing))
        found = await self.tell(self.desk.read(read))
        if found is None or not self.there:
            return
        pane = self.query_one("#pane", VerticalScroll)
        room = pane.scrollable_content_region
        in_hand = [InHand(id, doing, found.get(id, "")) for id, doing in job.doing.items()]
        self.query_one("#detail", Static).update(streams(in_hand, here, max(20, room.width), room.height))
        pane.scroll_home(animate=False)
        self._streamed = True

    def _show_detail(self, found: PaperDetail) -> None:
        doing = self.doing(found.paper.id)
        another = self._detail is None or self._detail.paper.id != found.paper.id
        self._detail = found
        self.query_one("#detail", Static).update(detail(found, self.ideas_of(found.paper.id), doing))
        pane = self.query_one("#pane", VerticalScroll)
        if another:
            pane.scroll_home(animate=False)
        elif doing and found.stream:
            pane.scroll_end(animate=False)  # the model's newest words
        elif self._streamed:
            pane.scroll_home(animate=False)
        self._streamed = bool(doing)

    def look_on(self) -> None:
        """Show what the model has written meanwhile."""
        if not self.there:
            return  # the timer may ring once more while the screen goes
        selected = self.query_one(Rows).selected
        if self.is_current and selected is not None and (self.looks_on or self.doing(selected)):
            self.read_detail_soon()

    def ideas_of(self, paper_id: str) -> IdeaCount:
        """How many ideas a paper has."""
        return self.snapshot.ideas.get(paper_id, IdeaCount()) if self.snapshot else IdeaCount()

    def doing(self, paper_id: str) -> str:
        """What a paper goes through now; empty where it is not in hand."""
        return self.job.doing.get(paper_id, "") if self.job else ""

    def do_open(self) -> None:
        """Show everything about the paper."""
        if self._detail is not None:
            paper = self._detail.paper
            text = detail(self._detail, self.ideas_of(paper.id), self.doing(paper.id), whole=True)
            self.app.push_screen(TextDialog("Paper", text))

    def do_streams(self) -> None:
        """Look on at all papers in hand, or at the paper under the cursor again."""
        self.looks_on = not self.looks_on
        self.read_detail_soon()
