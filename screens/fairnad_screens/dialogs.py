"""Questions to the user: confirm, ask for a line, choose from a list. Each answers through ``push_screen_wait``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.suggester import Suggester
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from fairnad_screens.text import plain
from fairnad_screens.widgets.plain_input import PlainInput

_Answer = TypeVar("_Answer")

_CSS = """
ConfirmDialog, LineDialog, ChoiceDialog { align: center middle; }
.dialog { width: 70; max-width: 95%; height: auto; max-height: 90%; padding: 1 2;
    background: $surface; border: round $primary; }
.dialog Static { height: auto; margin-bottom: 1; }
.dialog .keys { color: $foreground 70%; margin: 1 0 0 0; }
.dialog Input { margin-bottom: 0; }
.dialog .error { color: $error; height: auto; margin: 0; }
.dialog OptionList { height: auto; max-height: 40vh; }
"""


class AnsweredOnce(Screen[_Answer]):
    """A screen upon the others that goes with its first answer; as the last base, since styles follow the first."""

    def dismiss(self, result: _Answer | None = None) -> AwaitComplete:
        """Close with an answer; a key that follows too fast for the dialog to be gone closes nothing else."""
        if self.app.screen is self:
            return super().dismiss(result)
        answered: AwaitComplete = AwaitComplete.nothing()  # type: ignore[no-untyped-call]
        return answered


class Dialog(ModalScreen[_Answer], AnsweredOnce[_Answer]):
    """A question or a text upon the screens.

    A key that follows at once can come before it has its widgets, or close it before it is mounted; so neither actions
    nor ``on_mount`` may count on them.
    """


class ConfirmDialog(Dialog[bool]):
    """Yes or no; the question names what will happen and to how many."""

    CSS = _CSS
    KEYS: ClassVar[str] = "y or Enter: yes     n or Esc: no"
    BINDINGS = [Binding("y,enter", "answer(True)", "Yes"), Binding("n,escape,q", "answer(False)", "No")]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(plain(self._question))
            yield Static(plain(self.KEYS), classes="keys")

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(yes)


class LastWordDialog(ConfirmDialog, inherit_bindings=False):
    """A question whose yes cannot be taken back: Enter alone, which a hand may press unasked, is none."""

    KEYS: ClassVar[str] = "y: yes     n or Esc: no"
    BINDINGS = [Binding("y", "answer(True)", "Yes"), Binding("n,escape,q", "answer(False)", "No")]


class LineDialog(Dialog[str | None]):
    """One line of text; Esc gives None."""

    CSS = _CSS
    KEYS: ClassVar[str] = "Enter: take it     Esc: cancel"
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
            yield PlainInput(self._value, suggester=self._suggester)
            keys = self.KEYS + ("     →: complete" if self._suggester else "")
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


class ChoiceDialog(Dialog[str | None]):
    """One of several, narrowed by typing; Esc gives None."""

    CSS = _CSS
    KEYS: ClassVar[str] = "↑ ↓: choose     Enter: take it     Esc: cancel"
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
            yield PlainInput(placeholder="type to narrow")
            options = OptionList(*self._options())
            options.can_focus = False
            yield options
            yield Static(plain(self.KEYS), classes="keys")

    def on_mount(self) -> None:
        for options in self.query(OptionList):
            options.highlighted = 0 if self._shown else None

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
        self._say(failed=not self._shown)

    def _say(self, *, failed: bool) -> None:
        """Name the next key; where nothing is left to take, say so."""
        keys = "Nothing matches; Backspace widens it     Esc: cancel" if failed else self.KEYS
        self.query_one(".keys", Static).update(plain(keys))

    def action_move(self, by: int) -> None:
        """Move the highlight."""
        for options in self.query(OptionList) if self._shown else ():
            options.highlighted = ((options.highlighted or 0) + by) % len(self._shown)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        place = self.query_one(OptionList).highlighted
        if place is not None and self._shown:
            self.dismiss(self._shown[place].value)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._shown[event.option_index].value)

    def action_cancel(self) -> None:
        """Close without an answer."""
        self.dismiss(None)
