"""The state of a job as whoever looks on sees it, kept true while the job works, waits and is asked for things."""

from __future__ import annotations

import logging

from fairnad_engine.search.control import Control
from fairnad_engine.store import Store
from fairnad_engine.waiting import Waiting

_log = logging.getLogger("fairnad.worker")


class ShownState:
    """The state of a job as its row has it; changed in the heartbeat's thread alone."""

    def __init__(self, job_id: str, control: Control, waiting: Waiting) -> None:
        self._job_id = job_id
        self._control = control
        self._waiting = waiting
        self._wanted = "running"
        self._stored = ("running", "")
        self._line = ""
        self._told = ""

    def asked(self, request: str) -> None:
        """Show what is asked for before it is done."""
        if self._wanted != "stopping":
            self._wanted = {"pause": "paused", "resume": "running"}.get(request, "stopping")

    def wait_in_line(self, place: str) -> None:
        """Show that the job stands in line for its devices, and where; empty text ends it."""
        self._line = place

    def publish(self, store: Store) -> None:
        """Store the state where it is another one than before."""
        wanted = "stopping" if self._control.stopping else self._wanted
        reason, line = str(self._waiting), self._line
        if wanted == "running" and (reason or line):
            wanted = "waiting" if reason else "queued"
        now = (wanted, reason or line)
        if now != self._stored:
            store.jobs.set_state(self._job_id, *now, fault=self._waiting.fault)
            self._stored = now

    def unwritten(self, error: OSError) -> None:
        """Tell once why what is going on is not shown."""
        told = error.strerror or str(error)  # its whole text names another temporary file each time
        if told != self._told:
            self._told = told
            _log.warning("what is going on cannot be shown: %s", error)
