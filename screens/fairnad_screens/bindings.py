"""From the registry to Textual's bindings."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from fairnad_screens.actions import actions_of


def bindings(scope: str) -> list[BindingType]:
    """A screen's bindings; the user's ``[keys]`` table changes them by the action's id."""
    return [
        Binding(one.key, f"do('{one.id}')", one.label, show=False, id=one.id, priority=one.key.startswith("ctrl+"))
        for one in actions_of(scope)
    ]
