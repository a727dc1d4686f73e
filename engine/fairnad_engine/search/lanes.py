"""Lanes: how many proposals are designed or verified at a time, and whose turn it is where more of them wait.

A unit settles its structure only after all earlier ones have, so what an early unit still needs comes before what a
late one begins with: otherwise each repair stands behind the first proposals of the whole generation, and trainers
wait with it. Chains, which take longest, begin first. Who goes first changes no outcome, only when it is known.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fairnad_engine.search.order import Unit


class Lanes:
    """So many at a time; of those that wait the earliest unit goes first, equals in turn."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._asked = itertools.count()
        self._waiting: list[tuple[tuple[int, int, bool, int], int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def lane(self, unit: Unit, *, chain: bool) -> AsyncIterator[None]:
        """Wait for a lane and hold it.

        Args:
            unit: For which it is.
            chain: Whether the unit belongs to a chain of Stage III.
        """
        await self._take((unit.generation, unit.step, not chain, unit.slot))
        try:
            yield
        finally:
            self._give_back()

    async def _take(self, place: tuple[int, int, bool, int]) -> None:
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (place, next(self._asked), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()  # it had the lane, and never used it
            raise

    def _give_back(self) -> None:
        while self._waiting:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
