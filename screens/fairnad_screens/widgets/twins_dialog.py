"""Near-duplicates beside each other: choose the one that stays, and merge the others into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from fairnad_screens.data.ideas_duplicates import Twin
from fairnad_screens.dialogs import Dialog
from fairnad_screens.text import GLYPHS, plain, plain_line
from fairnad_screens.widgets.ideas_list import STATUS_SIGNS

_MOST = 200  # shown of a group; merging takes all of it
_QUOTE = 400


class TwinsDialog(Dialog[str | None]):
    """Shows a group; the answer is the idea that the others are merged into, or None."""

    CSS = """
    TwinsDialog { align: center middle; }
    TwinsDialog > Vertical { width: 110; max-width: 96%; height: auto; max-height: 94%; padding: 1 2;
        background: $surface; border: round $primary; }
    TwinsDialog OptionList { height: auto; padding: 0; border: none; }
    TwinsDialog Static { height: auto; }
    TwinsDialog .title { text-style: bold; margin-bottom: 1; }
    TwinsDialog .keys { color: $foreground 70%; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "cancel", "Close"),
        Binding("enter", "merge", "Merge"),
        Binding("j,down", "move(1)", "Down"),
        Binding("k,up", "move(-1)", "Up"),
    ]

    def __init__(self, twins: Sequence[Twin], here: str) -> None:
        """Show a group.

        Args:
            twins: The group, the one to keep first.
            here: The idea under the cursor, which is named as such.
        """
        super().__init__()
        self._twins = tuple(twins)
        self._here = here
        self._chosen = 0

    def compose(self) -> ComposeResult:
        """Title, the ideas, keys."""
        with Vertical():
            yield Static(plain(f"{len(self._twins):,} ideas that say the same: which one stays?"), classes="title")
            options = OptionList(*(Option(self._told(place)) for place in range(len(self._twins[:_MOST]))))
            options.can_focus = False
            yield options
            more = len(self._twins) - _MOST
            note = f"and {more:,} more, which merging takes too\n" if more > 0 else ""
            yield Static(
                plain(f"{note}j k: choose     Enter: merge the others into it     Esc: leave them"), classes="keys"
            )

    def _told(self, place: int) -> Content:
        twin = self._twins[place]
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

    def on_mount(self) -> None:
        """Choose the one to keep, and fit the height."""
        for options in self.query(OptionList):
            options.highlighted = 0
        self.on_resize()

    def on_resize(self) -> None:
        """Leave room for title and keys, whatever the height."""
        for options in self.query(OptionList):
            options.styles.max_height = max(4, int(self.app.size.height * 0.94) - 9)

    def action_move(self, by: int) -> None:
        """Choose another one."""
        self._choose((self._chosen + by) % len(self._twins[:_MOST]))

    def _choose(self, place: int) -> None:
        """Choose by a sign too, for terminals without colour."""
        before, self._chosen = self._chosen, place
        for options in self.query(OptionList):
            for changed in (before, place):
                options.replace_option_prompt_at_index(changed, self._told(changed))
            options.highlighted = place

    def action_merge(self) -> None:
        """Answer with the chosen one."""
        self.dismiss(self._twins[self._chosen].id)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        # A click chooses; only Enter merges.
        self._choose(event.option_index)

    def action_cancel(self) -> None:
        """Leave them as they are."""
        self.dismiss(None)
