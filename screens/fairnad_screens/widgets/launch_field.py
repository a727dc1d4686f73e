"""One setting of the launch form: label, control, and what is wrong with it or what it means."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.suggester import SuggestFromList
from textual.widgets import Input, Static

from fairnad_screens.actions import key_of
from fairnad_screens.data.launch_form import Field
from fairnad_screens.text import GLYPHS, plain, plain_line
from fairnad_screens.widgets.plain_input import PlainInput


class LaunchChoice(Static, can_focus=True):
    """One of a closed list of values; left and right change it, Enter lists them."""

    def __init__(self, options: tuple[str, ...]) -> None:
        super().__init__()
        self._options = options
        self.value = ""

    def set_value(self, value: str) -> None:
        """Show a value."""
        self.value = value
        self.update(Content.assemble(Content("< "), plain_line(value, 20), Content(" >")))


class LaunchField(Horizontal):
    """A row of the form."""

    DEFAULT_CSS = """
    LaunchField { height: auto; min-height: 1; }
    LaunchField .label { width: 20; height: 1; }
    LaunchField Input { width: 24; }
    LaunchField LaunchChoice { width: 24; height: 1; }
    LaunchField LaunchChoice:focus { text-style: reverse; }
    LaunchField .note { width: 1fr; height: auto; padding: 0 0 0 1; color: $foreground 60%; }
    LaunchField .note.-wrong { color: $error; }
    LaunchField.-here .label { text-style: bold; }
    """

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.field = field
        self._label = Static(classes="label")
        options = field.options()
        self.control: Input | LaunchChoice = (
            LaunchChoice(options)
            if field.closed
            else PlainInput(compact=True, suggester=SuggestFromList(options) if options else None)
        )
        self._note = Static(classes="note")

    def compose(self) -> ComposeResult:
        """Label, control, note."""
        yield self._label
        yield self.control
        yield self._note

    def on_mount(self) -> None:
        """Show the label."""
        self.mark(False)

    @property
    def value(self) -> str:
        """The field's text."""
        return self.control.value

    def set_value(self, value: str) -> None:
        """Show a text without telling that it was typed."""
        if isinstance(self.control, LaunchChoice):
            self.control.set_value(value)
        elif self.control.value != value:
            with self.prevent(Input.Changed):
                self.control.value = value

    def mark(self, here: bool) -> None:
        """Show whether this is the selected row."""
        self.set_class(here, "-here")
        self._label.update(plain_line(f"{GLYPHS.cursor if here else ' '} {self.field.label}", 20))

    def note(self, problem: str, reading: str) -> None:
        """Say what is wrong, or how the text was understood, or what the setting means."""
        self._note.set_class(bool(problem), "-wrong")
        self._note.update(plain(f"{GLYPHS.failed} {problem}" if problem else reading or _hint(self.field)))


def _hint(field: Field) -> str:
    """What the setting means, with the key that helps to choose it."""
    return field.hint.replace("{launch.model}", key_of("launch.model"))


class LaunchButton(Static, can_focus=True):
    """The last row: launches."""

    DEFAULT_CSS = """
    LaunchButton { width: auto; height: 1; margin: 1 0 0 0; }
    LaunchButton:focus { text-style: reverse; }
    LaunchButton.-here { text-style: bold; }
    """

    def on_mount(self) -> None:
        """Show the label."""
        self.mark(False)

    def mark(self, here: bool) -> None:
        """Show whether this is the selected row."""
        self.set_class(here, "-here")
        self.update(Content(f"{GLYPHS.cursor if here else ' '} [ Launch the search ]"))
