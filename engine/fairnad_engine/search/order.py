"""Order among units, so that timing decides nothing.

A *unit* is one candidate that may come to be. Those of a generation stand in slot order: the first steps of all slots,
then the second steps of the Stage III chains. Duplicates are settled in this order, and the budget cuts in it. Where
generations overlap (``proposals = lookahead``) one order holds them all, one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from fairnad_engine.search.control import StopRequestedError

PURSE_WINDOW = 4  # units a unit is ahead of those whose costs decide whether it is still begun


class Unit(NamedTuple):
    """Where a candidate may come to be."""

    generation: int
    slot: int
    step: int


class _Slot(Protocol):
    @property
    def slot(self) -> int: ...

    @property
    def stage(self) -> int: ...


def units_of(generation: int, slots: Sequence[_Slot], *, chains_lead: bool = False) -> list[Unit]:
    """The units of slots in their order; ``chains_lead`` puts the first steps of the chains before all others."""
    first = sorted(slots, key=lambda one: (chains_lead and one.stage != 3, one.slot))
    chains = [one for one in first if one.stage == 3]
    return [Unit(generation, one.slot, 1) for one in first] + [Unit(generation, one.slot, 2) for one in chains]


Affordable = Callable[[frozenset[Unit]], bool]


class UnitOrder:
    """Who may decide next, and who still fits the budget."""

    def __init__(self, remaining: int, *, chains_count_once: bool = False) -> None:
        """Set up without a unit.

        Args:
            remaining: Models that the budget still allows.
            chains_count_once: Of a chain's two models the budget counts one; its second step then needs no room of
                its own.
        """
        self._remaining = remaining
        self._chains_count_once = chains_count_once
        self._units: list[Unit] = []
        self._index: dict[Unit, int] = {}
        self._affordable: dict[Unit, Affordable] = {}
        self._decided: set[Unit] = set()
        self._trained: dict[Unit, bool] = {}
        # The units before these places are all decided, or all over; of the latter so many were trained.
        self._first_undecided = self._first_open = self._trained_before = 0
        self._changed = asyncio.Condition()
        self._aborted = False

    @property
    def units(self) -> tuple[Unit, ...]:
        """All units in order."""
        return tuple(self._units)

    def extend(self, units: Iterable[Unit], affordable: Affordable | None = None) -> None:
        """Add units behind those that are there.

        Args:
            units: In their order.
            affordable: Whether there is still time and tokens after given units; None where nothing limits these.
        """
        for unit in units:
            self._index[unit] = len(self._units)
            self._units.append(unit)
            if affordable is not None:
                self._affordable[unit] = affordable

    async def admitted(self, unit: Unit) -> bool:
        """Wait until it is certain whether the unit is within the budget."""
        if not self._is_counted(unit) and not await self._room(self._index[unit], unit):
            return False
        affordable = self._affordable.get(unit)
        # Costs are known when a unit is over. To read those of a fixed number of units back is the same decision
        # however many of them work at a time.
        return affordable is None or affordable(await self.earlier(unit, PURSE_WINDOW))

    async def room_behind(self) -> bool:
        """Wait until it is certain whether the budget allows a model behind all units that are there."""
        return await self._room(len(self._units))

    async def all_over(self) -> None:
        """Wait until every unit that is there is over."""
        end = len(self._units)
        await self._wait(lambda: self._first_open >= end)

    async def my_turn(self, unit: Unit) -> None:
        """Wait until every earlier unit has settled its structure."""
        await self._wait(lambda: self._first_undecided >= self._index[unit])

    async def earlier(self, unit: Unit, window: int) -> frozenset[Unit]:
        """Wait until every unit that is ``window`` or more places earlier is over, and return those.

        A decision that reads these and no others is the same however many trainings run at a time.
        """
        end = max(0, self._index[unit] - window + 1)
        await self._wait(lambda: self._first_open >= end)
        return frozenset(self._units[:end])

    async def settle(self, unit: Unit) -> None:
        """The unit's structure is settled: accepted, or given up."""
        async with self._changed:
            self._decide(unit)
            self._changed.notify_all()

    async def finish(self, unit: Unit, was_trained: bool) -> None:
        """The unit is over; ``was_trained`` where the budget counts it."""
        async with self._changed:
            self.note(unit, was_trained)
            self._changed.notify_all()

    def note(self, unit: Unit, was_trained: bool) -> None:
        """The same where nobody waits yet: the unit was over before."""
        self._decide(unit)
        self._trained[unit] = was_trained and not self._is_counted(unit)
        while self._first_open < len(self._units) and self._units[self._first_open] in self._trained:
            self._trained_before += self._trained[self._units[self._first_open]]
            self._first_open += 1

    async def abort(self) -> None:
        """Let no unit decide any more; units that wait are ended."""
        async with self._changed:
            self._aborted = True
            self._changed.notify_all()

    def _decide(self, unit: Unit) -> None:
        self._decided.add(unit)
        while self._first_undecided < len(self._units) and self._units[self._first_undecided] in self._decided:
            self._first_undecided += 1

    def _is_counted(self, unit: Unit) -> bool:
        """Whether the budget has counted the unit's chain already."""
        return self._chains_count_once and unit.step > 1 and self._trained.get(unit._replace(step=1), False)

    async def _room(self, end: int, unit: Unit | None = None) -> bool:
        """Wait until it is certain whether the units before a place leave room for one more model."""

        def verdict() -> bool | None:
            if unit is not None and self._is_counted(unit):
                return True
            left = self._units[self._first_open : end]
            done = self._trained_before + sum(self._trained.get(one, False) for one in left)
            if done >= self._remaining:
                return False
            open_ = sum(one not in self._trained for one in left)
            return True if done + open_ < self._remaining else None

        await self._wait(lambda: verdict() is not None)
        return bool(verdict())

    async def _wait(self, condition: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._aborted or condition())
        if self._aborted:
            raise StopRequestedError
