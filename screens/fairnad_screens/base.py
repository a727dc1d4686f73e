"""What all screens share: bars, dispatch of actions, reading the store, and how failures are told."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from fairnad_engine.errors import FairnadError
from fairnad_screens.actions import Action, action, actions_of
from fairnad_screens.background import begin
from fairnad_screens.desk import Desk
from fairnad_screens.widgets.bars import KeyBar, TopBar

if TYPE_CHECKING:
    from fairnad_engine.store import Store
    from fairnad_screens.shell import Shell

_Snapshot = TypeVar("_Snapshot")
_Result = TypeVar("_Result")


class FairScreen(Screen[None], Generic[_Snapshot]):
    """A screen that shows an immutable snapshot of the store and is told when to take a new one.

    A subclass names its ``SCOPE``, yields its widgets from :meth:`body`, returns a function from :meth:`loader` that
    reads a snapshot on another thread, and shows it in :meth:`show`. Its actions are methods ``do_NAME``.
    """

    SCOPE: ClassVar[str]
    TITLE_TEXT: ClassVar[str] = ""
    # Screens of this scope are stacked upon another one; ``q`` goes back to that.
    STACKED: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self._loading = False
        self._stale = False
        self._flowing = False
        self._restored = False
        self.frozen = False

    # -- for subclasses ---------------------------------------------------------------------------------------

    def body(self) -> Iterable[Widget]:
        """Yield the widgets between the two bars."""
        return ()

    def loader(self) -> Callable[[Store], _Snapshot] | None:
        """Return a function that reads what the screen shows; it must not touch widgets."""
        return None

    def show(self, snapshot: _Snapshot) -> None:
        """Show a snapshot."""

    def why_not(self, one: Action) -> str | None:
        """Why an action cannot be done now, as a sentence for the user; None where it can."""
        return None

    def remember(self) -> dict[str, Any]:
        """What to restore when this screen opens next time (JSON-able)."""
        return {}

    def restore(self, place: dict[str, Any]) -> None:
        """Take up a remembered place; called before the first snapshot."""

    # -- shared -----------------------------------------------------------------------------------------------

    @property
    def shell(self) -> Shell:
        """The application."""
        return cast("Shell", self.app)

    @property
    def desk(self) -> Desk:
        """The way to the store."""
        return self.shell.desk

    @property
    def there(self) -> bool:
        """Whether it has its widgets: what was read on another thread can come after it was left."""
        # Attached it is to the end; while it or the application closes, its widgets go before it does.
        return self.is_attached and self.app.is_running and self.display

    def compose(self) -> ComposeResult:
        yield TopBar(self.SCOPE, self.TITLE_TEXT)
        yield from self.body()
        yield KeyBar(self.SCOPE)

    def on_mount(self) -> None:
        self.restore(self.shell.place_of(self.SCOPE))
        self._restored = True
        self.reload()

    def on_screen_resume(self) -> None:
        self.reload()

    def reload(self) -> None:
        """Take a new snapshot soon; asked for while one is being taken, it is taken after that."""
        if not self._restored:
            return  # the poller can come before the mount, and restore() comes before the first snapshot
        if self._loading:
            self._stale = True
            return
        self._loading = True
        begin(self, self._reload, group="reload")

    def store_changed(self) -> None:
        """The store has new rows."""
        if not self.frozen:
            self.reload()

    def tick(self) -> None:
        """A second passed and the store is as it was; for what changes without it."""

    async def _reload(self) -> None:
        try:
            while True:
                self._stale = False
                function = self.loader()
                if function is not None:
                    snapshot = await self.tell(self.desk.read(function))
                    if not self.there:
                        break
                    if snapshot is not None:
                        with self.app.batch_update():
                            self.show(snapshot)
                self.refresh_keys()
                if not self._stale:
                    break
        finally:
            self._loading = False

    def refresh_keys(self) -> None:
        """Show anew which keys work."""
        for bar in self.query(KeyBar):
            bar.refresh_keys()

    async def tell(self, work: Awaitable[_Result]) -> _Result | None:
        """Await something; a failure a user can meet becomes a message and None."""
        try:
            return await work
        except FairnadError as error:
            self.say(str(error), failed=True)
        except (OSError, sqlite3.Error) as error:
            self.say(f"{error}; nothing was lost, mend it and try again", failed=True)
        return None

    def say(self, text: str, *, failed: bool = False) -> None:
        """Tell the user something; the text may be foreign."""
        from fairnad_engine.text import sanitize

        told, seconds = sanitize(text), 8 if failed else 4
        if self.shell.says_already(told, seconds):
            return  # a key pressed again and again fills no small terminal with the same words
        self.notify(told, severity="error" if failed else "information", markup=False, timeout=seconds)

    def background(self, work: Awaitable[object]) -> None:
        """Do something without waiting for it; failures are told."""

        async def run() -> None:
            await self.tell(work)

        begin(self, run, group="background")

    def flow(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that asks the user on the way; one such thing at a time."""
        if self._flowing:
            work.close()
            return
        self._flowing = True

        async def run() -> None:
            try:
                await work
            finally:
                self._flowing = False

        self.background(run())

    def action_do(self, action_id: str) -> None:
        """Do what a key stands for, or say why it cannot be done."""
        if not (self._restored and self.there):
            return  # a key that came before the screen was there, or after
        one = action(action_id)
        reason = self.why_not(one)
        if reason:
            self.say(reason)
            return
        getattr(self, f"do_{one.name}")()
        self.refresh_keys()

    def own_actions(self) -> tuple[Action, ...]:
        """The actions of this screen."""
        return actions_of(self.SCOPE)
