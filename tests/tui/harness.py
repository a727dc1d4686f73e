"""What tests of the screens share: an application over a store, keys, and waiting for what must come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.segment import Segment
from textual._context import visible_screen_stack
from textual.pilot import Pilot

from fairnad_screens.shell import Shell

LONGEST_WAIT = 30.0


async def wait_for(true: Callable[[], Any], what: str = "") -> Any:
    """Wait until something holds, and return it.

    Raises:
        AssertionError: It does not come to hold.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + LONGEST_WAIT
    while loop.time() < end:
        found = true()
        if found:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"waited in vain for {what or 'it'}")


@asynccontextmanager
async def opened(
    path: Path, place: str = "home", *, size: tuple[int, int] = (80, 24), **arguments: Any
) -> AsyncIterator[tuple[Shell, Pilot[None]]]:
    """The application at a place, polling fast."""
    app = Shell(path, poll=0.05, **arguments)
    async with app.run_test(size=size) as pilot:
        if place != "home":
            app.goto(place)
        await pilot.pause()
        yield app, pilot


def drawn(app: Shell) -> list[list[Segment]]:
    """The screen's lines, a dialog with what lies below it.

    Textual keeps what a screen draws; without being told what is below, a dialog would keep an empty ground.
    """
    visible_screen_stack.set(app._background_screens)
    return [list(strip) for strip in app.screen._compositor.render_strips()]


def shown(app: Shell) -> str:
    """The screen as text."""
    return "\n".join("".join(segment.text for segment in line) for line in drawn(app))


async def said_to(app: Shell, pilot: Pilot[None], *keys: str) -> list[str]:
    """What each key is answered, also where it is the same as before."""
    answers = []
    for key in keys:
        app._said = ""
        before = len(app._notifications)
        await pilot.press(key)
        answers.append(" ".join(messages(app)[before:]))
    return answers


def messages(app: Shell) -> list[str]:
    """What the user was told."""
    return [one.message for one in app._notifications]
