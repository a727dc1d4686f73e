"""Order among units: timing decides nothing."""

import asyncio
import random
from dataclasses import dataclass

import pytest

from fairnad_engine.search.control import StopRequestedError
from fairnad_engine.search.order import Unit, UnitOrder, units_of


@dataclass(frozen=True)
class Slot:
    slot: int
    stage: int


SLOTS = [Slot(slot, 3 if slot > 6 else 1 + slot // 4) for slot in range(1, 9)]


async def _play(generations, remaining, fails, rng):
    """Every unit in its own task with random delays; returns the order of decisions and who was trained."""
    order = UnitOrder(remaining)
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

    tasks = []
    for units in generations:  # a later one is added while the others are under way
        order.extend(units)
        added = [asyncio.create_task(one(u)) for u in units]
        rng.shuffle(added)
        tasks += added
        await wander()
    await asyncio.gather(*tasks)
    await order.all_over()
    assert await order.room_behind() == (len(trained) < remaining)
    return decided, trained, cut


@pytest.mark.parametrize("seed", range(30))
def test_decisions_come_in_order_and_the_budget_cuts_in_order(seed):
    rng = random.Random(seed)
    generations = [units_of(number, SLOTS, chains_lead=seed % 2 == 1) for number in range(1, rng.randrange(2, 4))]
    units = [unit for one in generations for unit in one]
    fails = {u for u in units if rng.random() < 0.3}
    remaining = rng.randrange(1, 12)
    results = [asyncio.run(_play(generations, remaining, fails, random.Random(k))) for k in range(5)]
    decided, trained, cut = results[0]
    assert all(r == results[0] for r in results)
    assert decided == [u for u in units if u not in cut]
    good = [u for u in units if u not in fails]
    assert trained == set(good[:remaining])


def test_units_stand_in_slot_order_and_where_chains_lead_their_first_steps_come_before():
    plain, leading = units_of(3, SLOTS), units_of(3, SLOTS, chains_lead=True)
    assert [u.slot for u in plain] == [1, 2, 3, 4, 5, 6, 7, 8, 7, 8]
    assert [u.slot for u in leading] == [7, 8, 1, 2, 3, 4, 5, 6, 7, 8]
    assert [u.step for u in plain] == [u.step for u in leading] == [1] * 8 + [2] * 2
    assert {u.generation for u in plain} == {3}


async def test_of_a_chain_one_model_counts_and_its_second_step_needs_no_room():
    for once in (False, True):
        order = UnitOrder(1, chains_count_once=once)
        order.extend(units_of(1, [Slot(1, 3)]))
        order.note(Unit(1, 1, 1), was_trained=True)
        assert await order.admitted(Unit(1, 1, 2)) is once
        await order.finish(Unit(1, 1, 2), was_trained=once)
        assert not await order.room_behind()


async def test_room_behind_waits_until_it_is_certain():
    order = UnitOrder(2)
    order.extend(units_of(1, SLOTS[:3]))
    asked = asyncio.create_task(order.room_behind())
    for slot in (1, 2):
        await asyncio.sleep(0)
        assert not asked.done()
        await order.finish(Unit(1, slot, 1), was_trained=slot == 1)
    await order.finish(Unit(1, 3, 1), was_trained=False)
    assert await asked


async def test_abort_ends_those_who_wait():
    order = UnitOrder(2)
    order.extend(units_of(1, SLOTS[:2]))
    waiting = asyncio.create_task(order.my_turn(Unit(1, 2, 1)))
    await asyncio.sleep(0)
    await order.abort()
    with pytest.raises(StopRequestedError):
        await waiting
