"""Keys of the runs screen that act on a run's worker, and the backup: resume, take over, copy."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Static

from fairnad_engine import clock
from fairnad_engine.places import expanded
from fairnad_engine.store.jobs import STALE_SECONDS
from fairnad_screens import run_control
from fairnad_screens.actions import key_of
from fairnad_screens.data.runs import Keeper, RunEntry, RunsSnapshot
from fairnad_screens.dialogs import ConfirmDialog, Dialog, LineDialog
from fairnad_screens.figures import ago, size
from fairnad_screens.text import plain

if TYPE_CHECKING:
    from fairnad_engine.backup import Moved
    from fairnad_screens.base import FairScreen

    _Base = FairScreen[RunsSnapshot]
else:
    _Base = object


class WatchDialog(Dialog[None]):
    """Says that a worker is being watched, for how long already; Esc gives it up, and so does leaving."""

    CSS = """
    WatchDialog { align: center middle; }
    WatchDialog Vertical { width: 70; max-width: 95%; height: auto; padding: 1 2;
        background: $surface; border: round $primary; }
    WatchDialog Static { height: auto; }
    """
    BINDINGS = [Binding("escape,q", "give_up", "Cancel")]

    def __init__(self, who: str) -> None:
        super().__init__()
        self._who = who
        self._since = clock.steady()
        self.given_up = threading.Event()

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(self._told())

    def on_mount(self) -> None:
        self.set_interval(1.0, self._tick)

    def on_unmount(self) -> None:
        self.given_up.set()  # a thread must not outlive the application

    def _told(self) -> str:
        seconds = min(clock.steady() - self._since, STALE_SECONDS)
        return (
            f"Watching {self._who}: {seconds:.0f} of {STALE_SECONDS:.0f} s. Where it beats in that time it is left "
            "alone.\n\nEsc: give it up"
        )

    def _tick(self) -> None:
        for text in self.query(Static):
            text.update(plain(self._told()))

    def action_give_up(self) -> None:
        """Leave the worker alone."""
        self.given_up.set()
        self.dismiss(None)


class WorkerKeys(_Base):
    """Resume, take over and backup; mixed into the screen."""

    def __init__(self) -> None:
        super().__init__()
        self._starting = False
        self._copying = False

    if TYPE_CHECKING:

        def _current(self) -> RunEntry | None: ...

    def why_no_worker(self, name: str, run: RunEntry) -> str | None:
        """Why a run cannot be resumed or taken over; None where it can."""
        if self._starting:
            return "A worker is being started; wait a moment."
        keeper = run.keeper
        if name == "resume":
            if keeper is not None and keeper.elsewhere and run.state != "done":
                over = key_of("runs.take_over")
                return f"{run.id} is held by process {keeper.pid} on {keeper.host}; {over} takes over if it is gone."
            return run_control.why_not("start", run)
        if keeper is None or (keeper.lease == "stale" and not keeper.elsewhere):
            done = run.state == "done"
            return f"No process holds {run.id}" + ("." if done else f"; {key_of('runs.resume')} resumes it.")
        if keeper.lease == "live":
            return (
                f"{run.id} is worked on by process {keeper.pid} on {keeper.host}, which beats; its desk "
                f"({key_of('runs.open')}) stops it."
            )
        return None

    # -- resume and take over ---------------------------------------------------------------------------------

    def do_resume(self) -> None:
        """Start a new worker."""
        run = self._current()
        if run is not None:
            self._starting = True
            self.say("Starting a worker …")
            self.background(self._resume(run))

    async def _resume(self, run: RunEntry) -> None:
        try:
            self.say(await self.desk.apart(partial(run_control.resume, head=run)))
        finally:
            self._starting = False
            self.reload()

    def do_take_over(self) -> None:
        """Take the run over from a worker that hangs."""
        run = self._current()
        if run is not None and run.keeper is not None:
            self.flow(self._take_over(run, run.keeper))

    async def _take_over(self, run: RunEntry, keeper: Keeper) -> None:
        who = f"process {keeper.pid} on {keeper.host}"
        fate = (
            f"it cannot be ended from here; where {keeper.host} lives on, it finds its lease gone and ends by itself"
            if keeper.elsewhere
            else "it is ended"
        )
        question = (
            f"Take {run.id} over from {who}, last heartbeat {ago(keeper.age)} ago? It is watched for "
            f"{STALE_SECONDS:.0f} s; where it beats, nothing is done. Where it stays quiet {fate}, it can write "
            "nothing more, and a new worker goes on here from what is stored: trainings in flight from their last "
            "checkpoint."
        )
        if not await self.shell.push_screen_wait(ConfirmDialog(question)):
            return
        dialog = WatchDialog(who)
        self.app.push_screen(dialog)
        self._starting = True
        try:
            told = await self.desk.apart(
                partial(run_control.take_over, run_id=run.id, job_id=keeper.job, given_up=dialog.given_up.is_set)
            )
            self.say(told)
        finally:
            self._starting = False
            dialog.dismiss(None)
            self.reload()

    # -- backup -----------------------------------------------------------------------------------------------

    def why_no_backup(self) -> str | None:
        """Why no backup can be begun; None where one can."""
        return "A backup is being made; its end is told." if self._copying else None

    def do_backup(self) -> None:
        """Copy the workspace."""
        self.flow(self._backup())

    async def _backup(self) -> None:
        path = self.desk.path
        default = path.with_name(f"{path.stem}-backup{path.suffix}")
        hint = "A workspace of its own, made while this one is used; better on another disk."
        answer = await self.shell.push_screen_wait(LineDialog("Copy the workspace to", str(default), hint=hint))
        if not answer or not answer.strip():
            return
        target, known = await asyncio.to_thread(_there, answer.strip())
        question = f"{target} is there already. Bring it up to date? What it holds now is replaced."
        if known and not await self.shell.push_screen_wait(ConfirmDialog(question)):
            return
        self.background(self._copy(target, force=known))

    async def _copy(self, target: Path, *, force: bool) -> None:
        from fairnad_engine.backup import backup

        self._copying = True
        self.say(f"Copying the workspace to {target} …")
        try:
            done: Moved = await asyncio.to_thread(backup, self.desk.path, target, force=force)
            files = f"{done.files:,} files beside it, {done.known:,} of them there already"
            self.say(f"The backup is {done.path}: {size(done.bytes)} and {files}.")
        finally:
            self._copying = False


def _there(name: str) -> tuple[Path, bool]:
    """A path as the user means it, and whether something is there."""
    path = expanded(name)
    return path, path.exists()
