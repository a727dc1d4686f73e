"""Keys of the live desk that control the run: pause, stop, resume."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from fairnad_engine.store import Store
from fairnad_screens import run_control
from fairnad_screens.actions import key_of
from fairnad_screens.data.search import RunHead, SearchSnapshot
from fairnad_screens.dialogs import Choice, ChoiceDialog, ConfirmDialog

if TYPE_CHECKING:
    from fairnad_screens.base import FairScreen

    _Base = FairScreen[SearchSnapshot]
else:
    _Base = object


class ControlKeys(_Base):
    """Asks the run's worker, or starts one; mixed into the screen."""

    def __init__(self) -> None:
        super().__init__()
        self._starting = False

    @property
    def head(self) -> RunHead | None:
        """The run that is shown, as it was last seen."""
        raise NotImplementedError

    def why_no_control(self, name: str) -> str | None:
        """Why a key that controls the run cannot be used; None where it can."""
        if self._starting:
            return "A worker is being started; wait a moment."
        if name == "control":
            return None if self._possible() else run_control.why_not("start", self.head)
        if name == "pause" and self.head and self.head.state == "paused":
            name = "resume"
        else:
            name = {"resume": "start"}.get(name, name)
        return run_control.why_not(name, self.head)

    def do_pause(self) -> None:
        """Pause, or go on."""
        self._ask("resume" if self.head and self.head.state == "paused" else "pause")

    def do_stop(self) -> None:
        """Stop, with what is in flight."""
        later = f"{key_of('search.resume')} resumes it later."
        self._confirm("stop", "Stop {run} and what it has in flight? " + later)

    def do_resume(self) -> None:
        """Start a new worker."""
        self._starting = True
        self.say("Starting a worker …")
        self.background(self._resume())

    def do_control(self) -> None:
        """Choose what to ask of the run."""

        def answered(request: str | None) -> None:
            if request == "start":
                self.action_do("search.resume")
            elif request == "stop-now":
                self._confirm("stop-now", "Stop {run} at once? Trainings in flight are lost; nothing else is.")
            elif request is not None:
                self._ask(request)

        choices = [Choice(one, run_control.REQUESTS[one]) for one in self._possible()]
        self.app.push_screen(ChoiceDialog(f"{cast(RunHead, self.head).id}: what shall it do?", choices), answered)

    def _possible(self) -> list[str]:
        return [one for one in run_control.REQUESTS if run_control.why_not(one, self.head) is None]

    def _confirm(self, request: str, question: str) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self._ask(request)

        self.app.push_screen(ConfirmDialog(question.replace("{run}", cast(RunHead, self.head).id)), answered)

    def _ask(self, request: str) -> None:
        # What was true when a dialog opened may have changed since.
        reason = run_control.why_not(request, self.head)
        if reason:
            self.say(reason)
        else:
            self.background(self._write(partial(run_control.ask, head=cast(RunHead, self.head), request=request)))

    async def _resume(self) -> None:
        try:
            # Apart: starting takes seconds, and decisions made meanwhile must not wait for it.
            told = await self.tell(self.desk.apart(partial(run_control.resume, head=cast(RunHead, self.head))))
            if told:
                self.say(told)
        finally:
            self._starting = False
            self.reload()

    async def _write(self, function: Callable[[Store], str]) -> None:
        told = await self.tell(self.desk.write(function))
        if told:
            self.say(told)
