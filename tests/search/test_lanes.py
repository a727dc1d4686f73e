"""Lanes: as many at a time as there are, and of those that wait the earliest unit first."""

import asyncio

from fairnad_engine.search.lanes import Lanes
from fairnad_engine.search.order import Unit


async def settled():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_an_early_unit_still_needs_comes_before_what_a_late_one_begins_with():
    lanes, held, go = Lanes(1), [], asyncio.Event()

    async def work(name, unit, chain=False):
        async with lanes.lane(unit, chain=chain):
            held.append(name)
            await go.wait()

    tasks = [asyncio.create_task(work("first", Unit(1, 5, 1)))]
    await settled()
    for name, unit, chain in [
        ("next generation", Unit(2, 1, 1), False),
        ("second step", Unit(1, 8, 2), True),
        ("late", Unit(1, 6, 1), False),
        ("repair", Unit(1, 2, 1), False),
        ("again", Unit(1, 2, 1), False),
        ("chain", Unit(1, 8, 1), True),
    ]:
        tasks.append(asyncio.create_task(work(name, unit, chain)))
        await settled()
    assert held == ["first"]
    go.set()
    await asyncio.gather(*tasks)
    assert held == ["first", "chain", "repair", "again", "late", "second step", "next generation"]


async def test_a_lane_is_never_lost_whoever_is_cancelled_while_it_waits_or_is_given_it():
    lanes = Lanes(1)

    async def work(slot):
        async with lanes.lane(Unit(1, slot, 1), chain=False):
            await asyncio.sleep(0)

    async with lanes.lane(Unit(1, 1, 1), chain=False):
        waits, given, last = (asyncio.create_task(work(slot)) for slot in (2, 3, 4))
        await settled()
        waits.cancel()
        await settled()
    given.cancel()  # the lane is its own by now, and it has not run since
    await asyncio.gather(waits, given, return_exceptions=True)
    await asyncio.wait_for(last, 5)
    assert waits.cancelled() and given.cancelled() and lanes._free == 1
