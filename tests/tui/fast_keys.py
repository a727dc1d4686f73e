"""Keys and sizes as a terminal's driver sends them; unlike the pilot's they wait for nothing."""

from __future__ import annotations

import asyncio
import unicodedata

from textual.events import Key, Resize
from textual.geometry import Size
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key

from fairnad_screens.shell import Shell
from tests.tui.harness import LONGEST_WAIT


def send(app: Shell, key: str) -> None:
    """Press a key."""
    if len(key) == 1 and not key.isalnum():
        key = _character_to_key(key)
    try:
        character: str | None = unicodedata.lookup(_get_unicode_name_from_key(REPLACED_KEYS.get(key, key)))
    except KeyError:
        character = key if len(key) == 1 else None
    app.post_message(Key(key, character))


def resize(app: Shell, size: tuple[int, int]) -> None:
    """The terminal has another size."""
    assert app._driver is not None
    app._driver._size = size
    app.post_message(Resize(Size(*size), Size(*size)))


def quiet(app: Shell) -> bool:
    """Whether every message was handled; what runs on other threads may come later."""
    busy = (app, app.screen, app.focused)
    return all(one is None or one._message_queue.empty() for one in busy)


async def answered(app: Shell) -> None:
    """Wait until every message was handled."""
    end = asyncio.get_running_loop().time() + LONGEST_WAIT
    while not quiet(app) and app._exception is None:
        await asyncio.sleep(0)
        assert asyncio.get_running_loop().time() < end, "waited in vain for an answer"


async def press(app: Shell, *keys: str) -> None:
    """Press keys, each after the one before was answered."""
    for key in keys:
        send(app, key)
        await answered(app)
