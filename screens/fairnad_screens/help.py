"""Help: what every key of a screen does, from the registry."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from fairnad_screens.actions import actions_of, key_of, moving_keys
from fairnad_screens.dialogs import Dialog

_KEY_WIDTH = 11


class HelpDialog(Dialog[None]):
    """Lists the keys of one screen and those that work everywhere; it scrolls like the lists do."""

    CSS = """
    HelpDialog { align: center middle; }
    HelpDialog VerticalScroll { width: 76; max-width: 96%; height: auto; max-height: 92%; padding: 1 2;
        background: $surface; border: round $primary; }
    HelpDialog Static { height: auto; }
    """
    BINDINGS = [
        Binding("escape,q,question_mark", "dismiss", "Close"),
        Binding("j", "scroll_by(1)", "Down"),
        Binding("k", "scroll_by(-1)", "Up"),
        Binding("g", "scroll_by(-1000000)", "Top"),
        Binding("G", "scroll_by(1000000)", "End"),
    ]

    def __init__(self, scope: str) -> None:
        super().__init__()
        self._scope = scope
        self._here = Static()
        self._everywhere = Static()

    def compose(self) -> ComposeResult:
        with VerticalScroll() as lines:
            # In the frame, where it is seen however long the list is.
            lines.border_subtitle = "j k g G: scroll     Esc: close"
            yield Static(Content.styled("On this screen", "bold"))
            yield self._here
            yield Static(Content.styled("\nEverywhere", "bold"))
            yield self._everywhere

    def on_mount(self) -> None:
        self.on_resize()
        self.query(VerticalScroll).focus()

    def on_resize(self) -> None:
        """Wrap the explanations beside their keys."""
        # Frame, padding and scroll bar.
        width = min(76, self.app.size.width * 96 // 100) - 8
        self._here.update(_lines(self._scope, width))
        self._everywhere.update(_lines("app", width))

    def action_scroll_by(self, lines: int) -> None:
        """Scroll the list."""
        for view in self.query(VerticalScroll):
            view.scroll_relative(y=lines, animate=False)


def _lines(scope: str, width: int) -> Content:
    shown = [one for one in actions_of(scope) if not one.hidden]
    lines = [line for one in shown for line in _explained(key_of(one.id), one.help, width)]
    if moving := moving_keys(scope):
        lines += _explained("moving", f"{moving}.", width)
    return Content("\n").join(lines)


def _explained(key: str, text: str, width: int) -> list[Content]:
    pieces = Content(text).wrap(max(10, width - _KEY_WIDTH - 2))
    keys = [f"{key:>{_KEY_WIDTH}}  ", *[" " * (_KEY_WIDTH + 2)] * (len(pieces) - 1)]
    return [
        Content.assemble(Content.styled(one, "bold $accent"), piece) for one, piece in zip(keys, pieces, strict=True)
    ]
