"""Every action of every screen, and the keys they are on."""

from __future__ import annotations

from fairnad_screens.actions.action import Action, key_text
from fairnad_screens.actions.keys import clashes, key_of, moving_keys, use_keys
from fairnad_screens.actions.registry import SCOPES, action, actions_of

__all__ = ["SCOPES", "Action", "action", "actions_of", "clashes", "key_of", "key_text", "moving_keys", "use_keys"]
