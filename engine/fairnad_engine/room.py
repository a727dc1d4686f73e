"""A worker on a full disk: its reserve is given up, it waits, and goes on when there is room."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from fairnad_engine import clock
from fairnad_engine.faults import is_disk_full
from fairnad_engine.search.control import Control, StopRequestedError
from fairnad_engine.store.local_copy import working_file
from fairnad_engine.store.reserve import RESERVE_BYTES, Reserve
from fairnad_engine.waiting import DISK, Waiting

LOOK_SECONDS = 3.0
_MOST_ROOM = 1 << 30
_log = logging.getLogger("fairnad.worker")


class Room:
    """Whether the workspace's disk has room; asked and told by the job's own thread and the heartbeat's.

    Args:
        store: The workspace.
        waiting: Told while there is none.
        hold: Called with whether nothing new may begin, lest the reserve be used up before the state is written.
        size: Bytes of the reserve.
    """

    def __init__(
        self, store: Path, waiting: Waiting, hold: Callable[[bool], object], size: int = RESERVE_BYTES
    ) -> None:
        places = dict.fromkeys([store.resolve(), working_file(store).resolve()])  # two where it works in a local copy
        self._folders = " and in ".join(dict.fromkeys(str(place.parent) for place in places))
        self._reserves = [Reserve(place, size) for place in places]
        self._waiting = waiting
        self._hold = hold
        self._wanted = size  # free besides the reserve before work goes on
        self._out = False
        self._looked = clock.steady()
        self._lock = threading.Lock()
        for reserve in self._reserves:
            reserve.hold()

    def heard(self, error: BaseException) -> bool:
        """Give the reserve up where an error says that the disk is full; whether it does."""
        if not is_disk_full(error):
            return False
        with self._lock:
            self._give_up()
            if not self._out:
                self._out, self._looked = True, clock.steady()
                told = f"disk full: free some space in {self._folders}; it goes on by itself"
                self._waiting.begin(DISK, told)
                self._hold(True)
                _log.warning("%s (%s)", told, error)
        return True

    def look(self) -> bool:
        """Whether there is room; the disk is asked every few seconds, and holds the reserve again from then on."""
        with self._lock:
            if clock.steady() - self._looked >= LOOK_SECONDS:
                self._looked = clock.steady()
                more = self._wanted if self._out else 0
                if all(reserve.hold(more) for reserve in self._reserves) and self._out:
                    self._out = False
                    # What is written next may need more than this: one that fills again must offer twice as much.
                    self._wanted = min(2 * self._wanted, _MOST_ROOM)
                    self._waiting.end(DISK)
                    self._hold(False)
                    _log.info("there is room again")
            return not self._out

    async def returns(self, control: Control) -> None:
        """Wait until there is room.

        Raises:
            StopRequestedError: The job is asked to stop.
        """
        while not self.look():
            if control.stopping:
                raise StopRequestedError
            await asyncio.sleep(min(LOOK_SECONDS, 0.5))

    def end(self) -> None:
        """Give the reserve back; other workers of the workspace take theirs again when they look."""
        self._give_up()

    def _give_up(self) -> None:
        for reserve in self._reserves:
            reserve.give_up()
