"""The application: places, themes, keys, the one poller of the store, and what happens when something breaks."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import tempfile
import traceback
from pathlib import Path
from typing import Any, ClassVar, cast
from weakref import WeakKeyDictionary

from textual import events
from textual.app import App
from textual.binding import Binding, BindingType
from textual.widget import Widget

from fairnad_engine import clock
from fairnad_engine.errors import FairnadError
from fairnad_engine.text import sanitize
from fairnad_screens.actions import action, use_keys
from fairnad_screens.background import begin
from fairnad_screens.base import FairScreen
from fairnad_screens.bindings import bindings
from fairnad_screens.desk import Desk
from fairnad_screens.memory import UserSettings, load_places, save_places
from fairnad_screens.palette import ActionProvider, Palette
from fairnad_screens.themes import DARK, LIGHT, THEMES

POLL_SECONDS = 1.0
# Where each place lives; a screen is imported when it is first opened.
PLACES: dict[str, tuple[str, str]] = {
    "home": ("fairnad_screens.home", "HomeScreen"),
    "papers": ("fairnad_screens.papers", "PapersScreen"),
    "template": ("fairnad_screens.template", "TemplateScreen"),
    "ideas": ("fairnad_screens.ideas", "IdeasScreen"),
    "launch": ("fairnad_screens.launch", "LaunchScreen"),
    "search": ("fairnad_screens.search", "SearchScreen"),
    "runs": ("fairnad_screens.runs", "RunsScreen"),
}


class Shell(App[None]):
    """fairnad-tui on the screen."""

    TITLE = "fairnad-tui"
    # Messages take as few lines of a small terminal as they can: below them is what they are about.
    CSS = "Toast { width: auto; max-width: 100%; padding: 0 1; margin-top: 0; }"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    COMMANDS: ClassVar[set[Any]] = {ActionProvider}
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("app"),
        Binding("ctrl+c", "do('app.quit')", "Leave", show=False, priority=True),
    ]

    def __init__(
        self, path: Path, settings: UserSettings | None = None, *, llm: str | None = None, poll: float = POLL_SECONDS
    ) -> None:
        """Open the workspace.

        Args:
            path: The workspace file.
            settings: The user's theme and keys.
            llm: The model that the user named on the command line, if any.
            poll: Seconds between looks at the store.
        """
        super().__init__()
        self.settings = settings or UserSettings()
        use_keys(self.settings.keys)
        self.desk = Desk(path)
        self.workspace = path
        self._poll_seconds = poll
        self._version = -1
        self._places = load_places(path)
        chosen = self.place_of("papers").get("llm")
        # The model that reads papers and designs: from the command line, else as chosen last in this workspace.
        self.llm = llm or (chosen if isinstance(chosen, str) else None)
        self._opened: dict[str, FairScreen[Any]] = {}
        self._aimed: WeakKeyDictionary[events.Key, Widget] = WeakKeyDictionary()
        self._said, self._said_until = "", 0.0
        # What a screen hands to another one: the run to show, the category to filter by.
        self.selected_run: str | None = None

    def on_mount(self) -> None:
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        self.theme = self.settings.theme
        if self.settings.keys:
            self.set_keymap(self.settings.keys)
        last = self._places.get("place")
        self.push_screen(self._screen("home"))
        if last in PLACES and last != "home":
            self.goto(cast(str, last))
        self.set_interval(self._poll_seconds, self._poll)
        begin(self, self._open_workspace, group="open")
        if not self.is_headless:
            for number in (signal.SIGHUP, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, self._told_to_end, number)

    def _told_to_end(self, number: signal.Signals) -> None:
        """A connection that was lost, or a kill: where one was is kept as it is when one leaves by a key."""
        self._remember()
        save_places(self.workspace, self._places)
        if number == signal.SIGHUP:  # there is no terminal to give back
            asyncio.get_running_loop().remove_signal_handler(number)
            os.kill(os.getpid(), number)
        else:
            self.exit(return_code=128 + number)

    async def _open_workspace(self) -> None:
        """Leave with one line where the workspace cannot be opened."""
        try:
            await self.desk.opened()
        except FairnadError as error:
            self.exit(return_code=error.exit_code, message=f"fairnad-tui: {sanitize(str(error))}")

    # -- places -----------------------------------------------------------------------------------------------

    def goto(self, place: str) -> FairScreen[Any]:
        """Show a place."""
        self._remember()
        while not isinstance(self.screen, FairScreen) or self.screen.STACKED:
            # Dialogs are answered with nothing: who asked must not wait for ever.
            self.screen.dismiss()
        screen = self._screen(place)
        if self.screen is not screen:
            self.switch_screen(screen)
        self._places["place"] = place
        return screen

    def _screen(self, place: str) -> FairScreen[Any]:
        if place not in self._opened:
            module, name = PLACES[place]
            self._opened[place] = getattr(importlib.import_module(module), name)()
            self.install_screen(self._opened[place], name=place)
        return self._opened[place]

    def place_of(self, scope: str) -> dict[str, Any]:
        """Where a screen was left."""
        found = self._places.get("screens", {})
        place = found.get(scope, {}) if isinstance(found, dict) else {}
        return place if isinstance(place, dict) else {}

    def _remember(self) -> None:
        screens = self._places.setdefault("screens", {})
        stacked = {one.SCOPE: one for one in self.screen_stack if isinstance(one, FairScreen) and one.STACKED}
        for scope, screen in {**self._opened, **stacked}.items():
            if screen.is_mounted:
                screens[scope] = screen.remember()

    def says_already(self, text: str, seconds: float) -> bool:
        """Whether a message is on the screen since it was said last; else it is from now on."""
        moment = clock.steady()
        said = self._said == text and moment < self._said_until
        if not said:
            self._said, self._said_until = text, moment + seconds
        return said

    # -- the store --------------------------------------------------------------------------------------------

    async def _poll(self) -> None:
        """Look whether another connection wrote, and tell the screen that is shown."""
        screen = self.screen_below()
        if screen is None:
            return
        version = await screen.tell(self.desk.read(lambda store: store.data_version()))
        if version is not None and version != self._version:
            self._version = version
            screen.store_changed()
        else:
            screen.tick()

    def screen_below(self) -> FairScreen[Any] | None:
        """The topmost screen that is no dialog."""
        return next((one for one in reversed(self.screen_stack) if isinstance(one, FairScreen)), None)

    # -- actions ----------------------------------------------------------------------------------------------

    async def on_event(self, event: events.Event) -> None:
        """See :class:`App`."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            self._aimed[event] = self.focused or self.screen
        await super().on_event(event)

    async def _on_key(self, event: events.Key) -> None:
        """A key that came before the one before it had moved the focus goes where the focus is now.

        Over a slow connection ``/conv`` comes at once; its letters are no keys of the list that had the focus.
        """
        target = self.focused or self.screen
        if self._aimed.pop(event, target) is not target:
            event.prevent_default()
            target._forward_event(event.copy())

    def action_do(self, action_id: str) -> None:
        """Do what a key stands for."""
        one = action(action_id)
        if one.name in PLACES:
            self.goto(one.name)
        else:
            getattr(self, f"do_{one.name}")()

    def do_help(self) -> None:
        """Show the keys of the screen."""
        from fairnad_screens.help import HelpDialog

        screen = self.screen_below()
        if screen is not None:
            self.push_screen(HelpDialog(screen.SCOPE))

    def do_palette(self) -> None:
        """Open the command palette."""
        self.action_command_palette()

    def action_command_palette(self) -> None:
        """See :class:`App`."""
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def do_back(self) -> None:
        """Go back, or leave from home."""
        screen = self.screen
        if isinstance(screen, FairScreen) and screen.STACKED:
            self._remember()
            self.pop_screen()
        elif isinstance(screen, FairScreen) and screen.SCOPE != "home":
            self.goto("home")
        else:
            self.do_quit()

    def do_quit(self) -> None:
        """Leave; detached workers go on."""
        self._remember()
        save_places(self.workspace, self._places)
        self.exit()

    def do_theme(self) -> None:
        """Change to the next theme."""
        place = THEMES.index(self.theme) if self.theme in THEMES else -1
        self.theme = THEMES[(place + 1) % len(THEMES)]

    def on_unmount(self) -> None:
        self.desk.close()

    def _handle_exception(self, error: Exception) -> None:
        """A defect ends the application with one line; the searches, which are other processes, go on."""
        if self.is_headless:  # under test the error itself is wanted
            super()._handle_exception(error)
            return
        with tempfile.NamedTemporaryFile("w", prefix="fairnad-tui-", suffix=".log", delete=False) as file:
            traceback.print_exception(error, file=file)
        text = sanitize(f"{type(error).__name__}: {error}")
        save_places(self.workspace, self._places)
        self.exit(
            return_code=1,
            message=f"fairnad-tui: a defect of the screens: {text}; searches go on; please report it with {file.name}",
        )
