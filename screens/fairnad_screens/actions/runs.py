"""Actions of the runs screen."""

from __future__ import annotations

from fairnad_screens.actions.action import Action

ACTIONS: tuple[Action, ...] = ()
