"""Generations that overlap: one begins when the one before the last is closed (``proposals = lookahead``).

Its proposals read the run as it stood then, so that they never wait for trainings that are still under way. In which
order generations are opened and closed does not depend on when trainings end: 1, 2, then each is closed after its
successor was opened, which is what lets whatever is drawn at an opening be the same after an interruption.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

from fairnad_engine.search.control import StopRequestedError
from fairnad_engine.search.order import UnitOrder
from fairnad_engine.search.slot import SlotRun


async def overlap(
    number: int,
    order: UnitOrder,
    *,
    is_wanted: Callable[[int], Awaitable[bool]],
    begin: Callable[[int], Coroutine[None, None, list[SlotRun]]],
    close: Callable[[int, list[SlotRun]], None],
) -> int:
    """Run generations, two at a time.

    Args:
        number: The first one.
        order: Of all their units; aborted where one fails.
        is_wanted: Whether there is to be a generation; waits until that is certain.
        begin: Opens a generation at once, and gives what runs it.
        close: Records that one is over.

    Returns:
        The number behind the last one.
    """
    under_way: dict[int, asyncio.Task[list[SlotRun]]] = {}
    try:
        while await is_wanted(number):
            under_way[number] = asyncio.create_task(begin(number))
            if number - 1 in under_way:
                close(number - 1, await under_way[number - 1])
                del under_way[number - 1]
            number += 1
        if number - 1 in under_way:
            close(number - 1, await under_way[number - 1])
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError):
            for task in under_way.values():
                task.cancel()
        await order.abort()
        ended = await asyncio.gather(*under_way.values(), return_exceptions=True)
        # A stop is the consequence of an error where there is one; the error is what the user needs to see.
        causes = [one for one in ended if isinstance(one, Exception) and not isinstance(one, StopRequestedError)]
        if causes and isinstance(error, StopRequestedError):
            raise causes[0] from None
        raise
    return number
