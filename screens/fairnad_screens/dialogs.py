"""Questions to the user: confirm, ask for a line, choose from a list. Each answers through ``push_screen_wait``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from fairnad_screens.text import plain

_CSS = """
ConfirmDialog, LineDialog, ChoiceDialog { align: center middle; background: $background 60%; }
.dialog { width: 70; max-width: 95%; height: auto; max-height: 90%; padding: 1 2;
    background: $surface; border: round $primary; }
.dialog Static { height: auto; margin-bottom: 1; }
.dialog .keys { color: $foreground 70%; margin: 1 0 0 0; }
.dialog Input { margin-bottom: 0; }
.dialog .error { color: $error; height: auto; margin: 0; }
.dialog OptionList { height: auto; max-height: 40vh; }
"""


class ConfirmDialog(ModalScreen[bool]):
    """Yes or no; the question names what will happen and to how many."""

    CSS = _CSS
    BINDINGS = [Binding("y,enter", "answer(True)", "Yes"), Binding("n,escape,q", "answer(False)", "No")]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(plain(self._question))
            yield Static(plain("y or Enter: yes     n or Esc: no"), classes="keys")

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(yes)


class LineDialog(ModalScreen[str | None]):
    """One line of text; Esc gives None."""

    CSS = _CSS
    BINDINGS = [Binding("escape", "cancel", "Cancel")]

    def __init__(self, title: str, value: str = "", *, hint: str = "", suggester: Suggester | None = None) -> None:
        super().__init__()
        self._title = title
        self._value = value
        self._hint = hint
        self._suggester = suggester

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(plain(self._title))
            yield Input(self._value, suggester=self._suggester)
            keys = "Enter: take it     Esc: cancel" + ("     →: complete" if self._suggester else "")
            yield Static(plain(f"{self._hint}\n{keys}" if self._hint else keys), classes="keys")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_cancel(self) -> None:
        """Close without an answer."""
        self.dismiss(None)


@dataclass(frozen=True)
class Choice:
    """One entry of a list; ``value`` is the answer."""

    value: str
    label: str


class ChoiceDialog(ModalScreen[str | None]):
    """One of several, narrowed by typing; Esc gives None."""

    CSS = _CSS
    BINDINGS = [
        Binding("escape", "cancel", "Cancel"),
        Binding("down", "move(1)", "Down", priority=True),
        Binding("up", "move(-1)", "Up", priority=True),
    ]

    def __init__(self, title: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._title = title
        self._choices = tuple(choices)
        self._shown: tuple[Choice, ...] = self._choices

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(plain(self._title))
            yield Input(placeholder="type to narrow")
            options = OptionList(*self._options())
            options.can_focus = False
            yield options
            yield Static(plain("↑ ↓: choose     Enter: take it     Esc: cancel"), classes="keys")

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = 0 if self._shown else None

    def _options(self) -> list[Option]:
        return [Option(plain(choice.label)) for choice in self._shown]

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        words = event.value.casefold().split()
        self._shown = tuple(
            c for c in self._choices if all(word in f"{c.value} {c.label}".casefold() for word in words)
        )
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(self._options())
        options.highlighted = 0 if self._shown else None

    def action_move(self, by: int) -> None:
        """Move the highlight."""
        options = self.query_one(OptionList)
        if self._shown:
            options.highlighted = ((options.highlighted or 0) + by) % len(self._shown)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        place = self.query_one(OptionList).highlighted
        self.dismiss(self._shown[place].value if place is not None and self._shown else None)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._shown[event.option_index].value)

    def action_cancel(self) -> None:
        """Close without an answer."""
        self.dismiss(None)
