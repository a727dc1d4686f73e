"""The list of ideas: a line API widget, so that fifty thousand rows cost as much as those that are seen."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from fairnad_engine.store.outcomes import IdeaOutcome
from fairnad_engine.text import single_line
from fairnad_screens.data.ideas import DeskLine
from fairnad_screens.data.ideas_book import IdeaBook
from fairnad_screens.text import GLYPHS, plain

BROUGHT = 20  # cells of the column of what ideas brought
STATUS_SIGNS = {
    "proposed": GLYPHS.idle,
    "approved": GLYPHS.done,
    "rejected": GLYPHS.failed,
    "imported": GLYPHS.down,
}


class IdeaList(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows the rows of an :class:`IdeaBook`; the screen moves the cursor."""

    DEFAULT_CSS = """
    IdeaList { height: 1fr; overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1; }
    IdeaList > .ideas--cursor { text-style: reverse; }
    IdeaList > .ideas--marked { color: $accent; text-style: bold; }
    IdeaList > .ideas--sub { color: $secondary; }
    IdeaList > .ideas--brought { color: $accent; }
    IdeaList > .ideas--approved { color: $success; }
    IdeaList > .ideas--rejected { color: $error; }
    IdeaList > .ideas--proposed { color: $warning; }
    IdeaList > .ideas--imported { color: $warning; }
    IdeaList > .ideas--done { text-style: dim; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"ideas--{one}"
        for one in ("cursor", "marked", "sub", "brought", "approved", "rejected", "proposed", "imported", "done")
    }

    class Picked(Message):
        """A row was clicked."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    def __init__(self, book: IdeaBook) -> None:
        super().__init__(id="ideas")
        self._book = book
        self.empty = "Reading the ideas …"
        self._ranged = range(0)
        self._drawn: list[object] = []

    def show_book(self) -> None:
        """Draw what the book shows now, with its cursor in sight."""
        size = Size(self.scrollable_content_region.width, len(self._book.shown))
        if size != self.virtual_size:
            # As assigning it does, but without laying the whole screen out anew for one row more or less.
            self.set_reactive(IdeaList.virtual_size, size)
            self._scroll_update(size)
        self._ranged = self._book.ranged()
        self.keep_in_sight()
        drawn = [self._seen(y) for y in range(self.scrollable_content_region.height)]
        if len(drawn) != len(self._drawn):
            self.refresh()
        else:
            for y, (now, before) in enumerate(zip(drawn, self._drawn, strict=True)):
                if now != before:
                    self.refresh(Region(0, y, size.width, 1))
        self._drawn = drawn

    def _seen(self, y: int) -> object:
        """What a row of the screen depends on; one that is as it was is not sent to the terminal again."""
        row = y + self.scroll_offset.y
        if row >= len(self._book.shown):
            return None if self._book.shown else self.empty
        line = self._book.lines[self._book.shown[row]]
        brought = self._book.outcomes.get(line.id) if self._book.outcomes else None
        return (
            line,
            brought,
            self._book.order,
            row == self._book.cursor,
            line.id in self._book.marks or row in self._ranged,
        )

    def keep_in_sight(self) -> None:
        """Scroll as little as shows the cursor with a row around it."""
        height = max(1, self.scrollable_content_region.height)
        around = 1 if height > 4 else 0
        top, row = self.scroll_offset.y, self._book.cursor
        if row - around < top:
            top = row - around
        elif row + around >= top + height:
            top = row + around - height + 1
        top = max(0, min(top, len(self._book.shown) - height))
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, force=True)

    @property
    def page(self) -> int:
        """Rows that a page key moves by."""
        return max(1, self.scrollable_content_region.height - 1)

    def on_resize(self) -> None:
        """The place is kept."""
        self.show_book()

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor on a row."""
        row = event.y + self.scroll_offset.y
        if row < len(self._book.shown):
            self.post_message(self.Picked(row))

    def render_line(self, y: int) -> Strip:
        """Draw one row."""
        width = self.scrollable_content_region.width
        row = y + self.scroll_offset.y
        base = self.rich_style
        if row >= len(self._book.shown):
            said = [] if self._book.shown else plain(self.empty).wrap(max(10, width - 2))
            text = said[y].plain if y < len(said) else ""
            return Strip([Segment(f" {text}", base)]).adjust_cell_length(width, base)
        line = self._book.lines[self._book.shown[row]]
        marked = line.id in self._book.marks or row in self._ranged
        here = row == self._book.cursor
        segments = self._segments(line, width, base, marked, GLYPHS.cursor if here else " ")
        if here:  # one bar: signs and letters say what the colours do
            base += self._style("cursor")
            segments = [Segment(segment.text, base) for segment in segments]
        return Strip(segments).adjust_cell_length(width, base)

    def _segments(self, line: DeskLine, width: int, base: Style, marked: bool, cursor: str) -> list[Segment]:
        sub_width, words = columns(width, brought=bool(self._book.outcomes))
        sign = f"{STATUS_SIGNS.get(line.status, '?')}{line.status[:1].upper()} "
        rest = base if line.undecided else base + self._style("done")
        parts = [
            Segment(cursor, base),
            Segment(f"{GLYPHS.mark if marked else ' '}", base + self._style("marked")),
            Segment(sign, base + self._style(line.status)),
        ]
        if sub_width:
            parts.append(Segment(f"{single_line(line.sub, sub_width):<{sub_width}} ", base + self._style("sub")))
        if self._book.outcomes:
            told = brought(self._book.outcomes.get(line.id), self._book.order)
            parts.append(Segment(told, base + self._style("brought")))
        # Wide characters are cut again by the strip; more than this is never seen.
        parts.append(Segment(_one_line(line.text, max(1, words)), base + self._style("marked") if marked else rest))
        return parts

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"ideas--{name}", partial=True)


def columns(width: int, *, brought: bool = False) -> tuple[int, int]:
    """Cells of the sub-category and of the instruction; narrow lists leave the first out."""
    room = width - BROUGHT if brought else width
    sub = 0 if room < 40 else 16 if room < 64 else 22
    return sub, room - 5 - (sub + 1 if sub else 0)


def header(width: int, order: str) -> str:
    """Names of the columns, where there is something in that of what ideas brought."""
    sub, _ = columns(width, brought=True)
    place = f"{'sub-category':<{sub}} " if sub else ""
    figure = "best %" if order == "best" else "gain"
    return f"     {place}{'tra/tried':>10}{figure:>8}  idea, by {order}"


def brought(outcome: IdeaOutcome | None, order: str) -> str:
    """What an idea brought, in ``BROUGHT`` cells: trained of tried, ``*`` on a front, gain or best accuracy."""
    if outcome is None:
        return " " * BROUGHT
    share = f"{outcome.trained}/{outcome.tried}{'*' if outcome.on_front else ' '}"
    value = outcome.best if order == "best" else outcome.gain
    figure = "-" if value is None else f"{value:.2f}" if order == "best" else f"{value:+.2f}"
    return f"{share:>11}{figure:>7}  "


@lru_cache(maxsize=512)
def _one_line(text: str, width: int) -> str:
    return single_line(text, width)
