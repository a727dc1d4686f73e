"""The names of a candidate's pages with their keys; a click turns to one."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from fairnad_screens.actions import action, key_of


class CandidateTabs(Static):
    """One line."""

    class Chosen(Message):
        """A name was clicked."""

        def __init__(self, pane: str) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, panes: Sequence[str]) -> None:
        super().__init__(id="tabs")
        self._panes = tuple(panes)

    def show(self, pane: str) -> None:
        """Mark the page that is shown."""
        names = (Content.styled(self._name_of(one), "reverse bold" if one == pane else "") for one in self._panes)
        self.update(Content.assemble(*names))

    def _name_of(self, pane: str) -> str:
        one = action(f"candidate.{pane}")
        return f" {key_of(one.id)} {one.label} "

    def on_click(self, event: events.Click) -> None:
        """Find the name under the mouse."""
        offset = event.get_content_offset(self)
        end = 0
        for pane in self._panes if offset is not None else ():
            end += len(self._name_of(pane))
            if offset is not None and offset.x < end:
                self.post_message(self.Chosen(pane))
                return
