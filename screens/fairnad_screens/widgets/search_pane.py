"""A pane of lines that repaints only the lines that changed: over SSH every cell written counts."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.segment import Segment
from textual import events
from textual.content import Content
from textual.strip import Strip
from textual.widget import Widget

from fairnad_screens.actions import key_of
from fairnad_screens.text import GLYPHS
from fairnad_screens.widgets.changed import changed_regions


class SearchPane(Widget, can_focus=True, inherit_bindings=False):
    """What the desk's panes have in common; the screen sends movement to the pane that has the focus."""

    def __init__(self, number: int, title: str) -> None:
        super().__init__(id=f"pane-{number}", classes="pane")
        self.number = number
        self.heading = title
        self.border_title = f"{number} {title}"

    def tell(self, detail: str) -> None:
        """Say something beside the title."""
        title = f"{self.number} {self.heading}" + (f" {GLYPHS.dot} {detail}" if detail else "")
        # Setting a title repaints the pane even where it is the same.
        if title != str(self.border_title):
            self.border_title = Content(title)

    def move(self, by: int) -> None:
        """Go down, or up where negative."""

    def page(self, by: int) -> None:
        """Go down by pages, or up where negative."""
        self.move(by * max(1, self.size.height - 1))

    def to_end(self, last: bool) -> None:
        """Go to the last line, or to the first."""

    def sideways(self, by: int) -> None:
        """Go right, or left where negative."""

    def chosen(self) -> str | None:
        """The candidate under the cursor."""
        return None

    def no_choice(self) -> str:
        """Why there is nothing to open."""
        return f"Nothing to open here; {key_of('search.open')} opens a point of pane 3 or a row of pane 5."

    def enter(self) -> bool:
        """Do what Enter means inside the pane; False where it means to open the chosen candidate."""
        return False


class LineView(Widget, inherit_bindings=False):
    """Lines with an offset and, where ``CURSOR`` says so, a cursor; a subclass makes the lines."""

    CURSOR: ClassVar[bool] = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on to whichever comes next
        super().__init__(*args, **kwargs)
        self._top = 0
        self._cursor = 0
        self._shown: list[Strip] = []

    # -- for subclasses ---------------------------------------------------------------------------------------

    def count(self) -> int:
        """Number of lines."""
        return 0

    def line(self, index: int, width: int) -> Content:
        """One line."""
        raise NotImplementedError

    def header(self, width: int) -> Content | None:
        """A line that stays above the others."""
        return None

    # -- movement ---------------------------------------------------------------------------------------------

    def move(self, by: int) -> None:
        """See :class:`SearchPane`."""
        if self.CURSOR:
            self._cursor += by
        else:
            self._top += by
        self.paint()

    def to_end(self, last: bool) -> None:
        """See :class:`SearchPane`."""
        self.move(self.count() if last else -self.count())

    @property
    def _room(self) -> int:
        return max(1, self.size.height - (self.header(self.size.width) is not None))

    def _settle(self) -> None:
        """Keep cursor and offset inside the lines."""
        count, room = self.count(), self._room
        if self.CURSOR:
            self._cursor = max(0, min(self._cursor, count - 1))
            self._top = max(self._cursor - room + 1, min(self._top, self._cursor))
        self._top = max(0, min(self._top, count - room))

    # -- painting ---------------------------------------------------------------------------------------------

    def paint(self) -> None:
        """Make the lines in view and repaint the cells that differ from those shown."""
        if not self.display or not self.size:
            return
        self._settle()
        width = self.size.width
        header = self.header(width)
        contents = [] if header is None else [header]
        for index in range(self._top, min(self.count(), self._top + self._room)):
            content = self.line(index, width - self.CURSOR)
            contents.append(self._marked(content, index) if self.CURSOR else content)
        before, self._shown = self._shown, [self._strip(content.truncate(width)) for content in contents]
        regions = changed_regions(self._shown, before, width)
        if regions:
            self.refresh(*regions)

    def _marked(self, content: Content, index: int) -> Content:
        here = index == self._cursor
        line = Content.assemble(GLYPHS.cursor if here else " ", content)
        if here and self.has_focus:
            return line.truncate(self.size.width, pad=True).stylize("reverse")
        return line

    def _strip(self, content: Content) -> Strip:
        base = self.visual_style
        parts = content.render(base, end="", parse_style=self.app.stylesheet.parse_style)
        strip = Strip([Segment(text, (base + style).rich_style) for text, style in parts])
        return strip.adjust_cell_length(self.size.width, base.rich_style)

    def render_line(self, y: int) -> Strip:
        """Render one line in view."""
        if y < len(self._shown):
            return self._shown[y]
        return Strip.blank(self.size.width, self.visual_style.rich_style)

    def notify_style_update(self) -> None:
        """Another theme, another look."""
        super().notify_style_update()
        if self.is_mounted:
            self._shown = []
            self.paint()

    def on_resize(self) -> None:
        """Lay the lines out for the new size."""
        self._shown = []
        self.paint()

    def on_show(self) -> None:
        """A pane that was hidden is behind."""
        self.paint()

    def on_focus(self) -> None:
        """Show the cursor line as such."""
        self.paint()

    def on_blur(self) -> None:
        """Show that keys go elsewhere now."""
        self.paint()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is."""
        offset = event.get_content_offset(self)
        if offset is not None and self.CURSOR:
            self._cursor = max(0, self._top + offset.y - (self.header(self.size.width) is not None))
            self.paint()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Go down."""
        event.stop()
        self.move(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Go up."""
        event.stop()
        self.move(-3)


class LinePane(LineView, SearchPane, can_focus=True, inherit_bindings=False):
    """A pane that is made of lines."""
