"""Order among units: timing decides nothing."""

import asyncio
import random

import pytest

from fairnad_engine.search.control import StopRequestedError
from fairnad_engine.search.order import UnitOrder


async def _play(units, remaining, fails, rng):
    """Every unit in its own task with random delays; returns the order of decisions and who was trained."""
    order = UnitOrder(units, remaining)
    decided, trained, cut = [], set(), set()

    async def wander():
        for _ in range(rng.randrange(4)):
            await asyncio.sleep(0)

    async def one(unit):
        if not await order.admitted(unit):
            cut.add(unit)
            await order.finish(unit, False)
            return
        await wander()
        await order.my_turn(unit)
        decided.append(unit)
        await order.settle(unit)
        await wander()
        if unit not in fails:
            trained.add(unit)
        await order.finish(unit, unit not in fails)

    tasks = [asyncio.create_task(one(u)) for u in units]
    rng.shuffle(tasks)
    await asyncio.gather(*tasks)
    return decided, trained, cut


@pytest.mark.parametrize("seed", range(30))
def test_decisions_come_in_order_and_the_budget_cuts_in_order(seed):
    rng = random.Random(seed)
    units = [(slot, 1) for slot in range(1, 9)] + [(slot, 2) for slot in (7, 8)]
    fails = {u for u in units if rng.random() < 0.3}
    remaining = rng.randrange(1, 12)
    results = [asyncio.run(_play(units, remaining, fails, random.Random(k))) for k in range(5)]
    decided, trained, cut = results[0]
    assert all(r == results[0] for r in results)
    assert decided == [u for u in units if u not in cut]
    assert len(trained) <= remaining
    good = [u for u in units if u not in fails]
    assert trained == set(good[:remaining])


def test_abort_ends_those_who_wait():
    async def go():
        order = UnitOrder([(1, 1), (2, 1)], 2)
        waiting = asyncio.create_task(order.my_turn((2, 1)))
        await asyncio.sleep(0)
        await order.abort()
        with pytest.raises(StopRequestedError):
            await waiting

    asyncio.run(go())
