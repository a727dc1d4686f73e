"""Help: what every key of a screen does, from the registry."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from fairnad_screens.actions import Action, actions_of


class HelpDialog(ModalScreen[None]):
    """Lists the keys of one screen and those that work everywhere; the arrow keys scroll."""

    CSS = """
    HelpDialog { align: center middle; background: $background 60%; }
    HelpDialog VerticalScroll { width: 76; max-width: 96%; height: auto; max-height: 92%; padding: 1 2;
        background: $surface; border: round $primary; }
    HelpDialog Static { height: auto; }
    """
    BINDINGS = [
        Binding("escape,q,question_mark", "dismiss", "Close"),
        Binding("j", "scroll_by(1)", "Down"),
        Binding("k", "scroll_by(-1)", "Up"),
    ]

    def __init__(self, scope: str, key_of: dict[str, str], intro: str = "") -> None:
        super().__init__()
        self._scope = scope
        self._key_of = key_of
        self._intro = intro

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            if self._intro:
                yield Static(Content(self._intro + "\n"))
            yield Static(Content.styled("On this screen", "bold"))
            yield Static(self._lines(actions_of(self._scope)))
            yield Static(Content.styled("\nEverywhere", "bold"))
            yield Static(self._lines(actions_of("app")))
            yield Static(Content.styled("\nEsc closes this help.", "dim"))

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_scroll_by(self, lines: int) -> None:
        """Scroll the list."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def _lines(self, actions: tuple[Action, ...]) -> Content:
        shown = [one for one in actions if not one.hidden]
        return Content("\n").join(
            Content.assemble(Content.styled(f"{self._key_of[one.id]:>8}  ", "bold $accent"), Content(one.help))
            for one in shown
        )
