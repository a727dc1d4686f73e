"""Near-duplicates beside each other: choose the one that stays, and merge the others into it; group by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from fairnad_screens.data.ideas_duplicates import Twin
from fairnad_screens.dialogs import Dialog
from fairnad_screens.text import GLYPHS, plain, plain_line
from fairnad_screens.widgets.ideas_list import STATUS_SIGNS

_MOST = 200  # shown of a group; merging takes all of it
_QUOTE = 400
_WIDE = 100  # columns of the terminal from which two ideas stand side by side


@dataclass(frozen=True)
class Kept:
    """The idea that the others of its group are merged into, and the group's place."""

    idea: str
    group: int


class TwinCard(Static):
    """One idea of a group; a click chooses it."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place


class TwinsDialog(Dialog[Kept | None]):
    """Shows groups, one at a time; the answer is the idea that the others of its group are merged into, or None."""

    CSS = """
    TwinsDialog { align: center middle; }
    TwinsDialog > Vertical { width: 150; max-width: 96%; height: auto; max-height: 94%; padding: 1 2;
        background: $surface; border: round $primary; }
    TwinsDialog VerticalScroll { height: auto; scrollbar-size-vertical: 1; }
    TwinsDialog.-columns VerticalScroll { layout: grid; grid-size: 2; grid-rows: auto; grid-gutter: 0 2; }
    TwinsDialog Static { height: auto; }
    TwinsDialog .title { text-style: bold; margin-bottom: 1; }
    TwinsDialog .keys { color: $foreground 70%; margin-top: 1; }
    TwinsDialog TwinCard.-chosen { background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "cancel", "Close"),
        Binding("enter", "merge", "Merge"),
        Binding("j,down,l,right", "move(1)", "Next idea", priority=True),
        Binding("k,up,h,left", "move(-1)", "Idea before", priority=True),
        Binding("n,right_square_bracket,pagedown", "group(1)", "Next group", priority=True),
        Binding("p,left_square_bracket,pageup", "group(-1)", "Group before", priority=True),
    ]

    def __init__(self, groups: Sequence[Sequence[Twin]], here: str, place: int = 0) -> None:
        """Show groups.

        Args:
            groups: Each with the one to keep first.
            here: The idea under the cursor, which is named as such.
            place: Which group comes first.
        """
        super().__init__()
        self._groups = tuple(tuple(group) for group in groups)
        self._here = here
        self._place = min(place, len(self._groups) - 1)
        self._chosen = 0

    @property
    def twins(self) -> tuple[Twin, ...]:
        """The group that is shown."""
        return self._groups[self._place]

    def compose(self) -> ComposeResult:
        """Title, the ideas, keys."""
        with Vertical():
            yield Static(classes="title")
            with VerticalScroll(can_focus=False):
                for place in range(min(_MOST, max(map(len, self._groups)))):
                    yield TwinCard(place)
            yield Static(classes="keys")

    def on_mount(self) -> None:
        """Show the first group, and fit the height."""
        self.on_resize()
        self._show()

    def on_resize(self) -> None:
        """Leave room for title and keys, whatever the height; two columns where there is room for them."""
        self.set_class(self.app.size.width >= _WIDE, "-columns")
        for view in self.query(VerticalScroll):
            view.styles.max_height = max(4, int(self.app.size.height * 0.94) - 9)

    def _show(self) -> None:
        """Show the group anew."""
        count, groups = len(self.twins), len(self._groups)
        which = f"Group {self._place + 1:,} of {groups:,}, {self.twins[0].sub}: " if groups > 1 else ""
        for title in self.query(".title").results(Static):
            title.update(plain(f"{which}{count:,} ideas that say the same: which one stays?"))
        more = f"and {count - _MOST:,} more, which merging takes too\n" if count > _MOST else ""
        keys = "j k: choose     Enter: merge the others into it     Esc: leave them"
        if groups > 1:
            keys = "j k: choose  Enter: merge into it  n p: next, previous group  Esc: close"
        for said in self.query(".keys").results(Static):
            said.update(plain(f"{more}{keys}"))
        for card in self.query(TwinCard):
            card.display = card.place < count
            if card.display:
                card.update(self._told(card.place))
                card.set_class(card.place == self._chosen, "-chosen")

    def _told(self, place: int) -> Content:
        twin = self.twins[place]
        # Chosen by a sign too, for terminals without colour.
        sign = GLYPHS.cursor if place == self._chosen else " "
        alike = "the one to keep" if twin.alike is None else f"{twin.alike:.1f} % alike"
        here = ", under the cursor" if twin.id == self._here else ""
        quote = f"“{' '.join(twin.quote.split())}”" if twin.quote else "no quote"
        return Content("\n").join(
            (
                plain(f"{sign} {twin.instruction}", "bold"),
                plain(f"  {STATUS_SIGNS.get(twin.status, '?')} {twin.status}, {twin.grounding}, {alike}{here}"),
                plain_line(f"  {twin.paper}", 90),
                plain_line(f"  {quote}", _QUOTE, "dim"),
            )
        )

    def action_move(self, by: int) -> None:
        """Choose another one."""
        self._choose((self._chosen + by) % len(self.twins[:_MOST]))

    def _choose(self, place: int) -> None:
        self._chosen = place
        self._show()
        for card in self.query(TwinCard):
            if card.place == place:
                card.scroll_visible(animate=False)

    def action_group(self, by: int) -> None:
        """Go to another group."""
        self._place = (self._place + by) % len(self._groups)
        self._choose(0)

    def action_merge(self) -> None:
        """Answer with the chosen one."""
        self.dismiss(Kept(self.twins[self._chosen].id, self._place))

    def on_click(self, event: events.Click) -> None:
        """A click chooses; only Enter merges."""
        if isinstance(event.widget, TwinCard):
            self._choose(event.widget.place)

    def action_cancel(self) -> None:
        """Leave them as they are."""
        self.dismiss(None)
