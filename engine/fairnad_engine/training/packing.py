"""How many trainings a device takes at a time: as many as measured memory allows, fewer where more do not pay.

A policy without a clock or a device: it is told what was measured and answers whether one more may start. The
number climbs one by one. A further training is admitted once those that run have been timed at the present number;
when the same trainings, timed with it, have slowed down so much that the device does less than before in all, the
number goes back, and is tried anew after some trainings have ended. Method: the paper packs two streams on each GPU;
here the number is found.
"""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass, field

_MIN_GAIN = 1.05  # work done with one more training, over work done without
_TIMED = 2  # undisturbed epochs before a number counts as timed; the first of a training holds its start-up
_TRY_AGAIN = 20  # trainings that end before a number that did not pay is tried again
_MARGIN = 1.1  # on the expected peak of a training that has not been measured
_REMEMBERED = 32  # trainings whose peaks say what to expect


@dataclass
class _Running:
    peak: int = 0
    undisturbed: bool = False
    seconds: dict[int, list[float]] = field(default_factory=dict)  # of epochs, by trainings at the time

    def timed(self, streams: int) -> float | None:
        found = self.seconds.get(streams, [])
        return min(found) if len(found) >= _TIMED else None


class Packing:
    """The trainings on one device.

    Attributes:
        capacity: Bytes that trainings may take together; None until a trainer has told.
        streams: Trainings at a time that are known to pay (all of a fixed number).
    """

    def __init__(self, streams: int | None) -> None:
        """Begin with nothing running.

        Args:
            streams: A fixed number of trainings at a time; None finds it.
        """
        self._fixed = streams
        self.capacity: int | None = None
        self.streams = streams or 1
        self._running: dict[int, _Running] = {}
        self._peaks: deque[int] = deque(maxlen=_REMEMBERED)
        self._sole: int | None = None
        self._ended = 0
        self._refused_at: int | None = None

    def __len__(self) -> int:
        """Trainings that run."""
        return len(self._running)

    def admits(self, alone: bool = False) -> bool:
        """Whether one more training may start now; ``alone`` asks for the whole device."""
        count = len(self._running)
        if self._sole is not None or (alone and count):
            return False
        if self._fixed is not None:
            return count < self._fixed
        if count == 0:
            return True
        if count > self.streams or not self._has_room():
            return False
        return count < self.streams or self._may_climb()

    def enter(self, job: int, alone: bool = False) -> None:
        """A training starts."""
        self._running[job] = _Running()
        self._sole = job if alone else None
        self._disturb()

    def leave(self, job: int) -> None:
        """A training ended."""
        gone = self._running.pop(job)
        if gone.peak:
            self._peaks.append(gone.peak)
        if self._sole == job:
            self._sole = None
        self._ended += 1
        self._disturb()

    def observe(self, job: int, seconds: float, peak: int) -> None:
        """A training finished an epoch in ``seconds`` and has taken at most ``peak`` bytes so far."""
        one = self._running[job]
        one.peak = max(one.peak, peak)
        if not one.undisturbed:
            one.undisturbed = True  # this epoch saw a neighbour come or go
            return
        one.seconds.setdefault(len(self._running), []).append(seconds)
        if self._fixed is None and len(self._running) == self.streams + 1:
            self._judge()

    def _disturb(self) -> None:
        for one in self._running.values():
            one.undisturbed = False

    def _has_room(self) -> bool:
        if self.capacity is None or any(one.peak == 0 for one in self._running.values()):
            return False
        taken = [one.peak for one in self._running.values()]
        return sum(taken) + max([*taken, *self._peaks]) * _MARGIN <= self.capacity

    def _may_climb(self) -> bool:
        if self._refused_at is not None and self._ended - self._refused_at < _TRY_AGAIN:
            return False
        return all(one.timed(self.streams) is not None for one in self._running.values())

    def _judge(self) -> None:
        """Compare trainings that were timed both at the known number and with one more."""
        more = self.streams + 1
        pairs = [(one.timed(self.streams), one.timed(more)) for one in self._running.values()]
        slower = [after / before for before, after in pairs if before and after]
        if len(slower) < self.streams:
            return
        if more / self.streams / statistics.median(slower) >= _MIN_GAIN:
            self.streams = more
            self._refused_at = None
        else:
            self._refused_at = self._ended
