"""The line above every screen (where you are) and the line below it (what keys do)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.content import Content
from textual.widgets import Static

from fairnad_engine.text import single_line
from fairnad_screens.actions import Action, action, actions_of, key_of

if TYPE_CHECKING:
    from fairnad_screens.base import FairScreen

_PLACES = ("home", "papers", "template", "ideas", "launch", "search", "runs")
MAX_FOOTER_KEYS = 6


class TopBar(Static):
    """Names the places with their keys, and marks the one shown."""

    DEFAULT_CSS = """
    TopBar { dock: top; height: 1; background: $panel; color: $foreground; }
    """

    def __init__(self, scope: str, title: str) -> None:
        super().__init__()
        self._scope = scope
        self._title = title

    def on_mount(self) -> None:
        self.update(self._text())

    def _text(self) -> Content:
        parts: list[Content | tuple[str, str]] = [Content(" ")]
        for place in _PLACES:
            one = action(f"app.{place}")
            here = place == self._scope
            parts.append(Content.styled(f" {key_of(one.id)} {one.label} ", "reverse bold" if here else ""))
        if self._title:
            parts.append(Content.styled(f"  {single_line(self._title, 40)}", "bold"))
        return Content.assemble(*parts)


class KeyBar(Static):
    """At most six keys; one that cannot be used now is dim, and says why when it is pressed."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $panel; color: $foreground; }
    """

    def __init__(self, scope: str) -> None:
        super().__init__()
        self._scope = scope
        self._shown = Content("")

    def on_mount(self) -> None:
        self.refresh_keys()

    def on_click(self) -> None:
        """A click on the bar opens the help, which lists everything."""
        cast("FairScreen[object]", self.screen).shell.action_do("app.help")

    def refresh_keys(self) -> None:
        """Show which keys work now."""
        screen = cast("FairScreen[object]", self.screen)
        own = [one for one in actions_of(self._scope) if one.footer]
        everywhere = [one for one in actions_of("app") if one.footer]
        shown = [*own[: MAX_FOOTER_KEYS - len(everywhere)], *everywhere]
        text = Content.assemble(*(part for one in shown for part in self._parts(one, screen)))
        # This is called after every snapshot, and an update lays the whole screen out anew.
        if not text.is_same(self._shown):
            self._shown = text
            self.update(text, layout=False)

    def _parts(self, one: Action, screen: FairScreen[object]) -> tuple[Content, ...]:
        possible = one.scope == "app" or screen.why_not(one) is None
        key = key_of(one.id)
        return (
            Content.styled(f" {key} ", "bold $accent" if possible else "dim"),
            Content.styled(f"{one.label} ", "" if possible else "dim"),
        )
