"""The heartbeat of a worker: a thread with a connection of its own, which neither a slow step nor an error stops."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from fairnad_engine.errors import LeaseLostError
from fairnad_engine.store import Store

BEAT_SECONDS = 0.5
_log = logging.getLogger("fairnad.heartbeat")


class Heartbeat:
    """Beats from its start to its end, and looks at the store each time.

    Args:
        path: The workspace.
        job_id: The job whose lease is beaten.
        token: Of the lease.
        look: Called after each beat, in the thread, with the thread's own store.
        lost: Called once, in the thread, where another process has taken the job over; nothing is beaten after.
        troubled: Called, in the thread, with each other error; the beat is tried again.
    """

    def __init__(
        self,
        path: Path,
        job_id: str,
        token: str,
        look: Callable[[Store], None],
        lost: Callable[[], None],
        troubled: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self._path = path
        self._job_id = job_id
        self._token = token
        self._look = look
        self._lost = lost
        self._troubled = troubled
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Stop, and wait until the thread is out of the store, though not for ever."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=15)

    def _beat_on(self) -> None:
        store: Store | None = None
        told = ""
        while not self._over.is_set():
            try:
                if store is None:
                    store = Store(self._path)
                    store.jobs.act_under(self._job_id, self._token)
                store.jobs.beat(self._job_id)
                self._look(store)
                told = ""
            except LeaseLostError:
                self._lost()
                return
            except Exception as error:  # whatever it is, the job's own work goes on, and so does this
                if str(error) != told:
                    told = str(error)
                    _log.warning("no heartbeat: %s", told)
                self._troubled(error)
                if store is not None:
                    store.close()
                    store = None
            self._over.wait(BEAT_SECONDS)
        if store is not None:
            store.close()
