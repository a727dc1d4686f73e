"""A page of finished lines that scrolls, with a cursor on those lines where Enter does something."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from fairnad_screens.text import GLYPHS


@dataclass(frozen=True)
class Page:
    """Lines no wider than the view.

    Attributes:
        lines: The lines.
        stops: Lines on which the cursor can stand, in order.
    """

    lines: tuple[Content, ...]
    stops: tuple[int, ...] = ()


class PageView(VerticalScroll, can_focus=False):
    """Shows a page; the screen moves its cursor, or scrolls it where it has none."""

    DEFAULT_CSS = """
    PageView { height: 1fr; scrollbar-gutter: stable; }
    PageView Static { height: auto; width: 100%; }
    """

    class Opened(Message):
        """The mouse chose the stop under the cursor once more."""

        def __init__(self, view: PageView) -> None:
            super().__init__()
            self.view = view

    class Moved(Message):
        """The mouse chose a stop."""

        def __init__(self, view: PageView) -> None:
            super().__init__()
            self.view = view

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._page = Page(())
        self._text = Static()
        self.stop = 0
        # Whether keys go to the cursor; one that is not active is not shown.
        self.active = True

    def compose(self) -> ComposeResult:
        """All lines in one text."""
        yield self._text

    @property
    def width(self) -> int:
        """Columns that a line may have."""
        return max(20, self.size.width - 2)

    def show(self, page: Page, stop: int = 0) -> None:
        """Show a page with the cursor on one of its stops."""
        self._page = page
        self.stop = max(0, min(stop, len(page.stops) - 1))
        self._paint()

    def move(self, by: int) -> None:
        """Move the cursor, or scroll."""
        stops = self._page.stops
        if not stops:
            self.scroll_relative(y=by, animate=False)
            return
        self.stop = max(0, min(self.stop + by, len(stops) - 1))
        self._paint()
        self._reveal()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse points."""
        line = event.y + round(self.scroll_y)
        before = [place for place, stop in enumerate(self._page.stops) if stop <= line]
        if before:
            again = self.active and self.stop == before[-1] and event.chain > 1
            self.stop = before[-1]
            self._paint()
            self.post_message(self.Opened(self) if again else self.Moved(self))

    def turn(self, pages: int) -> None:
        """Scroll by pages."""
        self.scroll_relative(y=pages * max(1, self.size.height - 1), animate=False)

    def to_end(self, last: bool) -> None:
        """Go to the last line or the first."""
        if self._page.stops:
            self.move(len(self._page.stops) if last else -len(self._page.stops))
        if last:
            self.scroll_end(animate=False)
        else:
            self.scroll_home(animate=False)

    def _paint(self) -> None:
        lines = list(self._page.lines)
        if self._page.stops:
            here = self._page.stops[self.stop] if self.active else -1
            if self.active:
                lines[here] = Content.assemble(GLYPHS.cursor, " ", lines[here].stylize("reverse"))
            others = set(range(len(lines))) - {here}
            for place in others:
                lines[place] = Content.assemble("  ", lines[place])
        self._text.update(Content("\n").join(lines))

    def _reveal(self) -> None:
        """Keep the cursor's line, and what belongs to it below, in view."""
        stops = self._page.stops
        here = stops[self.stop]
        end = stops[self.stop + 1] if self.stop + 1 < len(stops) else len(self._page.lines)
        top, height = round(self.scroll_y), self.size.height
        if here < top or self.stop == 0:
            self.scroll_to(y=here if self.stop else 0, animate=False)
        elif end > top + height:
            self.scroll_to(y=min(here, end - height), animate=False)


def note(text: str) -> Content:
    """A line that says why there is nothing."""
    return Content.styled(text, "dim")
