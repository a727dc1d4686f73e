"""Keys as texts on the screen name them: the user's own where there is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fairnad_screens.actions.action import key_text
from fairnad_screens.actions.registry import SCOPES, action, actions_of

# One keymap a process, as there is one keyboard; the application sets it before anything is shown.
_own: dict[str, str] = {}


def use_keys(own: Mapping[str, str]) -> None:
    """Take the user's keys: a key for each action id that has another one than the registry says."""
    _own.clear()
    _own.update(own)


def key_of(action_id: str) -> str:
    """The key of an action as people read it; texts ask for it when they are shown, not before."""
    return key_text(_own.get(action_id, action(action_id).key))


def moving_keys(scope: str) -> str:
    """The keys that help keeps to one line since every list has them: ``j ↓ down, k ↑ up``."""
    found = [one for one in actions_of(scope) if one.hidden]
    keys = [" ".join(key_text(key) for key in _own.get(one.id, one.key).split(",")) for one in found]
    return ", ".join(f"{key} {one.label.lower()}" for key, one in zip(keys, found, strict=True))


def clashes(own: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Two actions of one screen that a keymap puts on the same key: (action, action, key)."""
    for scope, actions in SCOPES.items():
        taken: dict[str, str] = {}
        for one in actions if scope == "app" else (*SCOPES["app"], *actions):
            for key in own.get(one.id, one.key).split(","):
                if key in taken and (one.id in own or taken[key] in own):
                    yield taken[key], one.id, key_text(key)
                taken.setdefault(key, one.id)
