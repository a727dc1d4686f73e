"""What the application remembers: the user's settings, and where each workspace's screens were left."""

from __future__ import annotations

import json
import os
import tomllib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairnad_engine.artifacts import write_atomically
from fairnad_engine.errors import InputError
from fairnad_screens.actions import SCOPES, clashes
from fairnad_screens.themes import THEMES


@dataclass(frozen=True)
class UserSettings:
    """``config.toml`` of the user: ``theme = "…"`` and ``[keys]`` with ``"ideas.approve" = "o"``."""

    theme: str = THEMES[0]
    keys: dict[str, str] = field(default_factory=dict)


def settings_path() -> Path:
    """Where the user's settings lie."""
    named = os.environ.get("FAIRNAD_CONFIG")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "fairnad-tui" / "config.toml"


def load_settings() -> UserSettings:
    """Read the user's settings; none is as good as an empty file.

    Raises:
        InputError: The file is not valid.
    """
    path = settings_path()
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return UserSettings()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}; mend or remove it") from error
    theme = document.get("theme", THEMES[0])
    if theme not in THEMES:
        raise InputError(f"{path}: theme: {theme!r} does not exist; choose one of: {', '.join(THEMES)}")
    keys = document.get("keys", {})
    known = {one.id for group in SCOPES.values() for one in group}
    if not isinstance(keys, dict):
        raise InputError(f"{path}: keys: is no table; write [keys]")
    for action_id, key in keys.items():
        if action_id not in known or not isinstance(key, str):
            raise InputError(f"{path}: keys: {action_id!r} is no action with a key; docs/keys.md lists them")
    return UserSettings(theme, _checked_keys(keys, path))


def _checked_keys(keys: dict[str, str], path: Path) -> dict[str, str]:
    """Keys as Textual spells them, no two of one screen the same."""
    from textual.binding import Binding, InvalidBinding

    spelt = {}
    for action_id, key in keys.items():
        try:
            spelt[action_id] = ",".join(one.key for one in Binding.make_bindings([Binding(key, "")]))
        except InvalidBinding as error:
            raise InputError(f"{path}: keys: {action_id}: {key!r} is no key; write one like y, ctrl+y or f2") from error
    for one, other, key in clashes(spelt):
        raise InputError(f"{path}: keys: {one} and {other} are both on {key}; give one of them another key")
    return spelt


def load_places(workspace: Path) -> dict[str, Any]:
    """Where the screens of a workspace were left; empty where nothing is known."""
    with suppress(OSError, ValueError):
        found = json.loads(_places_path(workspace).read_text("utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def save_places(workspace: Path, places: dict[str, Any]) -> None:
    """Remember where the screens of a workspace were left; losing this loses nothing else."""
    with suppress(OSError):
        write_atomically(_places_path(workspace), json.dumps(places).encode())


def _places_path(workspace: Path) -> Path:
    return workspace.with_name(f"{workspace.stem}-files") / "screens.json"
