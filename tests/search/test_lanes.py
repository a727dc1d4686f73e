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
    lanes, under_way, most = Lanes(2), 0, 0

    async def work(slot):
        nonlocal under_way, most
        async with lanes.lane(Unit(1, slot, 1), chain=False):
            under_way += 1
            most = max(most, under_way)
            try:
                await asyncio.sleep(0)
            finally:
                under_way -= 1

    for pattern in range(64):
        tasks = [asyncio.create_task(work(slot)) for slot in range(6)]
        for turn in range(6):
            await asyncio.sleep(0)
            if pattern >> turn & 1:
                tasks[turn].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert lanes._free == 2
    assert most == 2
