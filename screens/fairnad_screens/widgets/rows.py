"""A plain list on the line API: thousands of rows cost as much as those that are seen. Papers and template use it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.style import Style
from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from fairnad_screens.text import GLYPHS, plain

_HERE = Style(reverse=True)
Paint = Callable[[int, int], Content]
"""Makes the row at a place for a width in cells."""


class Rows(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows rows by key and keeps the cursor on its key when they change; the screen's keys move it."""

    DEFAULT_CSS = """
    Rows { height: 1fr; overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1;
        text-wrap: nowrap; text-overflow: clip; }
    """

    class Moved(Message):
        """The cursor is on another row."""

    class Opened(Message):
        """The row under the cursor was clicked again."""

    def __init__(self, id: str = "rows") -> None:
        super().__init__(id=id)
        self._keys: tuple[str, ...] = ()
        self._paint: Paint = lambda place, width: Content("")
        self._cursor = 0
        # Rows as they were drawn, by place and width; dropped whenever they may look different.
        self._drawn: dict[tuple[int, int], Strip] = {}
        self.empty = "Reading …"

    @property
    def selected(self) -> str | None:
        """The key under the cursor."""
        return self._keys[self._cursor] if self._keys else None

    @property
    def place(self) -> int:
        """The cursor's place."""
        return self._cursor

    def show_rows(self, keys: Sequence[str], paint: Paint, select: str | None = None) -> None:
        """Show other rows.

        Args:
            keys: A key for each row.
            paint: Makes a row when it is seen.
            select: Where the cursor goes; by default it stays on its key, or near its place where that is gone.
        """
        wanted = select if select is not None else self.selected
        self._keys, self._paint = tuple(keys), paint
        if wanted in self._keys:
            self._cursor = self._keys.index(wanted)
        self._cursor = max(0, min(self._cursor, len(self._keys) - 1))
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._keys))
        self._keep_in_sight()
        self.repaint()

    def repaint(self) -> None:
        """Draw the rows anew, since what they show is another."""
        self._drawn.clear()
        self.refresh()

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        self._drawn.clear()

    def move(self, by: int) -> None:
        """Move the cursor; it stops at the ends."""
        self.move_to(self._cursor + by)

    def move_to(self, place: int) -> None:
        """Put the cursor on a row; negative places count from the end."""
        if not self._keys:
            return
        new = max(0, min(place, len(self._keys) - 1))
        if new != self._cursor:
            former, self._cursor = self._cursor, new
            self._drawn = {key: strip for key, strip in self._drawn.items() if key[0] not in (former, new)}
            top = self.scroll_offset.y
            self._keep_in_sight()
            if self.scroll_offset.y == top:
                width = self.scrollable_content_region.width
                self.refresh(*(Region(0, place - top, width, 1) for place in (former, new)))
            else:
                self.refresh()
            self.post_message(self.Moved())

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self._keys)

    @property
    def page(self) -> int:
        """Rows that a page key moves by."""
        return max(1, self.scrollable_content_region.height - 1)

    def _keep_in_sight(self) -> None:
        height = max(1, self.scrollable_content_region.height)
        around = 1 if height > 4 else 0
        top = self.scroll_offset.y
        if self._cursor - around < top:
            top = self._cursor - around
        elif self._cursor + around >= top + height:
            top = self._cursor + around - height + 1
        top = max(0, min(top, len(self._keys) - height))
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, force=True)

    def on_resize(self) -> None:
        """The place is kept."""
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._keys))
        self._keep_in_sight()
        self.repaint()

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor on a row, a second one opens it."""
        place = event.y + self.scroll_offset.y
        if place < len(self._keys):
            if place == self._cursor and event.chain > 1:
                self.post_message(self.Opened())
            self.move_to(place)

    def render_line(self, y: int) -> Strip:
        """Draw one row."""
        width = self.scrollable_content_region.width
        place = y + self.scroll_offset.y
        if place >= len(self._keys):
            said = [] if self._keys else plain(self.empty).wrap(max(10, width - 2))
            return self._strip(Content.assemble(" ", said[y]) if y < len(said) else Content(""), width)
        found = self._drawn.get((place, width))
        if found is None:
            found = self._drawn[place, width] = self._draw(place, width)
        return found

    def _draw(self, place: int, width: int) -> Strip:
        here = place == self._cursor
        row = Content.assemble(GLYPHS.cursor if here else " ", self._paint(place, width - 1))
        strip = self._strip(row, width)
        return strip.apply_style(_HERE) if here else strip

    def _strip(self, row: Content, width: int) -> Strip:
        strips = Visual.to_strips(self, row, width, 1, self.visual_style)
        return (strips[0] if strips else Strip.blank(width)).adjust_cell_length(width, self.rich_style)
