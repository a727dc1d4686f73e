"""Order among a generation's units, so that timing decides nothing.

A *unit* is one candidate that may come to be: the first steps of all slots in slot order, then the second steps of
the Stage III chains. Duplicates are decided in this order, and the budget cuts the last generation in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from fairnad_engine.search.control import StopRequestedError

Unit = tuple[int, int]  # slot, step


class UnitOrder:
    """Who may decide next, and who still fits the budget."""

    def __init__(self, units: Sequence[Unit], remaining: int) -> None:
        """Set up.

        Args:
            units: Every unit in order.
            remaining: Models that the budget still allows.
        """
        self._units = list(units)
        self._index = {unit: place for place, unit in enumerate(units)}
        self._remaining = remaining
        self._decided: set[Unit] = set()
        self._trained: dict[Unit, bool] = {}
        self._changed = asyncio.Condition()
        self._aborted = False

    async def admitted(self, unit: Unit) -> bool:
        """Wait until it is certain whether the unit is within the budget."""
        before = self._units[: self._index[unit]]

        def verdict() -> bool | None:
            done = sum(self._trained.get(u, False) for u in before)
            if done >= self._remaining:
                return False
            open_ = sum(u not in self._trained for u in before)
            return True if done + open_ < self._remaining else None

        await self._wait(lambda: verdict() is not None)
        return bool(verdict())

    async def my_turn(self, unit: Unit) -> None:
        """Wait until every earlier unit has settled its structure."""
        before = self._units[: self._index[unit]]
        await self._wait(lambda: all(u in self._decided for u in before))

    async def earlier(self, unit: Unit, window: int) -> frozenset[Unit]:
        """Wait until every unit that is ``window`` or more places earlier is over, and return those.

        A decision that reads these and no others is the same however many trainings run at a time.
        """
        before = self._units[: max(0, self._index[unit] - window + 1)]
        await self._wait(lambda: all(u in self._trained for u in before))
        return frozenset(before)

    async def settle(self, unit: Unit) -> None:
        """The unit's structure is settled: accepted, or given up."""
        async with self._changed:
            self._decided.add(unit)
            self._changed.notify_all()

    async def finish(self, unit: Unit, was_trained: bool) -> None:
        """The unit is over; ``was_trained`` where the budget counts it."""
        async with self._changed:
            self._decided.add(unit)
            self._trained[unit] = was_trained
            self._changed.notify_all()

    async def abort(self) -> None:
        """Let no unit decide any more; units that wait are ended."""
        async with self._changed:
            self._aborted = True
            self._changed.notify_all()

    async def _wait(self, condition: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._aborted or condition())
        if self._aborted:
            raise StopRequestedError
