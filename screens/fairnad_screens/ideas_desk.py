"""The curation desk as one looks at it: list, filter line, detail pane, progress.

``ideas_moves`` moves among the ideas, ``ideas`` does something to them.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from textual.containers import Container, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from fairnad_engine import clock
from fairnad_engine.store import Store
from fairnad_engine.store.curation import SubPlace
from fairnad_screens.actions import key_of
from fairnad_screens.background import begin
from fairnad_screens.base import FairScreen
from fairnad_screens.data.ideas import DeskLine, IdeasSnapshot, Known, read_ideas, read_story
from fairnad_screens.data.ideas_book import ORDERS, IdeaBook
from fairnad_screens.data.ideas_filter import IdeaFilter
from fairnad_screens.data.ideas_pace import Pace
from fairnad_screens.text import GLYPHS, plain_line
from fairnad_screens.widgets.ideas_detail import IdeaPane
from fairnad_screens.widgets.ideas_filter import FilterLine
from fairnad_screens.widgets.ideas_list import IdeaList, header

_MANY = 5000
_FILTERS = "filters: words status: cat: paper: grounded: origin:"
_FILTERS_AT_LENGTH = "filters: words, status:proposed, cat:conv, paper:title, grounded:no, origin:own"


class IdeaDesk(FairScreen[IdeasSnapshot]):
    """Shows the ideas of the workspace."""

    SCOPE = "ideas"
    AUTO_FOCUS = "#ideas"
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-narrow"), (100, "-wide")]

    def __init__(self) -> None:
        super().__init__()
        self.book = IdeaBook()
        # Kept by name: a read that ends while the application is left finds no widget by looking for it.
        self.filter_line = FilterLine("ideas", _FILTERS, _FILTERS_AT_LENGTH)
        self.idea_list = IdeaList(self.book)
        self.pane = IdeaPane()
        self._header = Static(id="ideas-head")
        self._headed: tuple[int, str] | None = None
        self._progress_line = Static(id="idea-progress")
        self.subs: tuple[SubPlace, ...] = ()
        self.pace = Pace()
        self._known = Known()
        self._read_all_again = False
        # What was changed here and is on its way to the store; what a read says about it is out of date.
        self._on_the_way: Counter[str] = Counter()
        self._arrived: dict[str, int] = {}
        self.filter_text = ""
        self.pane_open = True
        self._go_to: str | None = None
        self._deed = ""
        self._progress = ""
        self._reading_story = False
        self._story_is_stale = False

    def body(self) -> Iterable[Widget]:
        """See :class:`FairScreen`."""
        yield self.filter_line
        with Container(id="idea-desk"):
            with Vertical(id="idea-side"):
                yield self._header
                yield self.idea_list
            yield self.pane
        yield self._progress_line

    def restore(self, place: dict[str, Any]) -> None:
        """See :class:`FairScreen`."""
        text, cursor, pane = place.get("filter"), place.get("cursor"), place.get("pane")
        self._go_to = cursor if isinstance(cursor, str) else None
        self.pane_open = pane if isinstance(pane, bool) else True
        self.book.order = place["order"] if place.get("order") in ORDERS else self.book.order
        self.pane.display = self.pane_open
        self.filter_by(text if isinstance(text, str) else "")

    def remember(self) -> dict[str, Any]:
        """See :class:`FairScreen`."""
        here = self.book.current
        return {
            "filter": self.filter_text,
            "cursor": here.id if here else self._go_to,
            "pane": self.pane_open,
            "order": self.book.order,
        }

    # -- snapshots --------------------------------------------------------------------------------------------

    def loader(self) -> Callable[[Store], IdeasSnapshot]:
        """See :class:`FairScreen`."""
        return partial(read_ideas, known=Known() if self._read_all_again else self._known)

    def show(self, snapshot: IdeasSnapshot) -> None:
        """See :class:`FairScreen`."""
        if self._read_all_again and not snapshot.whole:
            self.reload()
            return
        self._read_all_again, self._known = False, snapshot.known
        self.subs = self.subs if snapshot.subs is None else snapshot.subs
        if snapshot.papers is not None:
            self.book.set_papers(snapshot.papers)
        brought = snapshot.outcomes is not None and self.book.set_outcomes(snapshot.outcomes)
        different = self._take(snapshot) or brought
        if different or snapshot.papers is not None:
            if snapshot.papers is not None:
                self.book.refilter()
            self._went()
            self.show_all()
        elif snapshot.lines:  # what lists do not show of them may be different
            self.read_story_soon()

    def _take(self, snapshot: IdeasSnapshot) -> bool:
        mine = self._on_the_way.keys() | {i for i, n in self._arrived.items() if n > snapshot.sequence}
        self._arrived = {i: n for i, n in self._arrived.items() if n > snapshot.sequence}
        if snapshot.whole:
            self.book.load([self.book.get(line.id) or line if line.id in mine else line for line in snapshot.lines])
            if len(self.book.lines) > _MANY:
                # The collector would go through all of them time and again (50 ms with 50,000) and find nothing.
                gc.collect()
                gc.freeze()
            return True
        return self.book.merge([line for line in snapshot.lines if line.id not in mine])

    def _went(self) -> None:
        if self._go_to is not None and self.book.get(self._go_to) is not None:
            if not self.book.go(self._go_to) and self.is_current:
                self.deed(f"{self._deed}; the filter hides it".lstrip("; "))
            self._go_to = None

    def go_to(self, idea: str) -> None:
        """Put the cursor on an idea as soon as it is read."""
        self._go_to = idea
        self.reload()

    # -- what is seen -----------------------------------------------------------------------------------------

    def show_all(self) -> None:
        """Draw everything anew."""
        self.idea_list.empty = (self.book.filter.problem or _no_match()) if self.book.lines else _no_ideas()
        self._show_header()
        self.idea_list.show_book()
        self.show_matches()
        self.show_progress()
        self.read_story_soon()

    def _show_header(self) -> None:
        """Name the columns once an idea was tried; before, there is one less."""
        if not self.book.outcomes:
            self._header.display = False
            return
        headed = self.idea_list.scrollable_content_region.width, self.book.order
        if headed != self._headed:
            self._headed = headed
            self._header.display = True
            self._header.update(Content.styled(header(*headed), "dim").truncate(max(20, headed[0])), layout=False)

    def show_matches(self) -> None:
        """Draw how many match."""
        all_, found = len(self.book.lines), len(self.book.shown)
        self.filter_line.show_matches(f"{found:,} of {all_:,}" if self.filter_text.strip() else f"{all_:,} ideas")

    def deed(self, text: str) -> None:
        """Say on the progress line what was just done."""
        self._deed = text
        self.show_progress()

    def show_progress(self) -> None:
        """Draw the progress line where it says something else."""
        rate = self.pace.per_minute(clock.steady())
        pace = f", {rate:,} a minute" if rate else ""
        decided, all_ = self.book.decided, len(self.book.lines)
        parts = [f"{decided:,} of {all_:,} decided{pace}"]
        if self.filter_line.drafting:
            parts.append("Enter takes it, Esc restores")
        elif all_ and decided == all_:
            parts.append(f"{key_of('app.launch')} launches a search")
        if self.book.anchor is not None:
            marks, leaves = key_of("ideas.range"), key_of("ideas.clear")
            parts.append(f"range of {len(self.book.ranged()):,}: {marks} marks it, {leaves} leaves it")
        if self.book.marks:
            parts.append(f"{GLYPHS.mark} {len(self.book.marks):,} marked")
        if self._deed:
            parts.append(self._deed)
        text = f" {GLYPHS.dot} ".join(parts)
        if text != self._progress:
            self._progress = text
            self._progress_line.update(plain_line(text, max(20, self.size.width - 2)), layout=False)

    def tick(self) -> None:
        """See :class:`FairScreen`."""
        self.show_progress()

    def on_resize(self) -> None:
        """The progress line is cut at the new width."""
        self._progress = ""
        self.show_progress()
        self.call_after_refresh(self._show_header)

    def read_story_soon(self) -> None:
        """Show what is under the cursor in the detail pane; of several asked for only the last is read."""
        if not self.pane_open:
            return
        if self._reading_story:
            self._story_is_stale = True
            return
        self._reading_story = True
        begin(self, self._read_story, group="story")

    async def _read_story(self) -> None:
        try:
            while True:
                self._story_is_stale = False
                here = self.book.current
                story = await self.tell(self.desk.read(partial(read_story, idea=here.id))) if here else None
                if not self.there:
                    break
                if not self._story_is_stale:
                    self.pane.show_story(story, self.book.outcomes.get(story.idea.id) if story else None)
                    break
        finally:
            self._reading_story = False

    # -- for what moves and what is done ----------------------------------------------------------------------

    def filter_by(self, text: str) -> None:
        """Show what matches a filter."""
        self.filter_line.set_text(text)
        self.apply_filter(text)

    def apply_filter(self, text: str) -> None:
        """Find what matches a filter that its line shows already."""
        self.filter_text = text
        self.book.filter = IdeaFilter.parse(text)
        self.book.refilter()
        if self.book.lines:
            self.show_all()

    def moved(self) -> None:
        """Draw the cursor at its new row."""
        self.idea_list.show_book()
        if self.book.anchor is not None:
            self.show_progress()
        self.read_story_soon()

    def chosen(self) -> list[DeskLine]:
        """The marked ideas, with the range that is being chosen, or else the one under the cursor."""
        if self.book.anchor is not None:
            self.book.end_range()
        here = self.book.current
        found = map(self.book.get, self.book.marked()) if self.book.marks else [here]
        return [line for line in found if line is not None]


def _no_ideas() -> str:
    papers, own = key_of("app.papers"), key_of("ideas.new")
    return f"No ideas yet. {papers} goes to the papers, which become ideas; {own} writes one of your own."


def _no_match() -> str:
    return f"Nothing matches. {key_of('ideas.clear')} clears the filter, {key_of('ideas.status')} changes the status."
