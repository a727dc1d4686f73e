"""What tests of the screens share: an application over a store, keys, and waiting for what must come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from rich.segment import Segment
from textual._context import visible_screen_stack
from textual.css.query import NoMatches
from textual.pilot import Pilot

from fairnad_screens.shell import Shell

LONGEST_WAIT = 30.0
# What a question raises whose screen, widget or message is not there yet.
_NOT_YET = (AttributeError, IndexError, StopIteration, NoMatches)
_pilots: list[Pilot[None]] = []
_told: WeakKeyDictionary[Shell, list[str]] = WeakKeyDictionary()


async def wait_for(true: Callable[[], Any], what: str = "") -> Any:
    """Wait until something holds and what came with it is on the screen, and return it.

    Raises:
        AssertionError: It does not come to hold.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + LONGEST_WAIT
    problem: Exception | None = None
    while loop.time() < end:
        try:
            found, problem = true(), None
        except _NOT_YET as error:
            found, problem = None, error
        if found:
            if _pilots:
                await settled(_pilots[-1])  # a dialog, say, is there before it has its widgets
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"waited in vain for {what or 'it'}") from problem


async def settled(pilot: Pilot[None]) -> None:
    """Wait until every message was handled, and those that followed from them; what other threads do may come later.

    A pilot's own waits end where the process sleeps, as it also does where the machine gives it no time.
    """
    app = pilot.app
    calm = 0
    while calm < 2 and app.is_running and app._screen_stack and not app._exit and app._exception is None:
        pumps = [app, *app.screen.walk_children(with_self=True)]
        quiet = all(one._message_queue.empty() for one in pumps) and not app.screen._callbacks
        quiet = quiet and app._resize_event is None
        await pilot._wait_for_screen()
        if app._screen_stack and not app._exit:
            app.screen._on_timer_update()  # lays out and paints what is due
        calm = calm + 1 if quiet else 0


@asynccontextmanager
async def opened(
    path: Path, place: str = "home", *, size: tuple[int, int] = (80, 24), **arguments: Any
) -> AsyncIterator[tuple[Shell, Pilot[None]]]:
    """The application at a place, polling fast."""
    app = Shell(path, poll=0.05, **arguments)
    told, notify = _told.setdefault(app, []), app.notify

    def note(message: str, **named: Any) -> None:
        told.append(message)
        notify(message, **named)

    app.notify = note
    async with app.run_test(size=size) as pilot:
        for name in ("click", "pause", "resize_terminal"):
            setattr(pilot, name, _then_settled(pilot, getattr(pilot, name)))
        press = _then_settled(pilot, pilot.press)

        async def each(*keys: str) -> None:
            for key in keys:
                await press(key)

        pilot.press = each
        _pilots.append(pilot)
        try:
            if place != "home":
                app.goto(place)
            await pilot.pause()
            yield app, pilot
        finally:
            _pilots.remove(pilot)


def _then_settled(pilot: Pilot[None], act: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def done(*arguments: Any, **named: Any) -> Any:
        found = await act(*arguments, **named)
        await settled(pilot)
        return found

    return done


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
        before = len(messages(app))
        await pilot.press(key)
        answers.append(" ".join(messages(app)[before:]))
    return answers


def messages(app: Shell) -> list[str]:
    """What the user was told, also what is on the screen no longer: it leaves after seconds."""
    return list(_told[app])
