"""Where screens meet the store: two threads, each with a connection of its own, so that nothing blocks the keyboard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from fairnad_engine.store import Store

_Result = TypeVar("_Result")


class Desk:
    """Reads and writes the workspace off the event loop; functions get a store and return immutable data."""

    def __init__(self, path: Path) -> None:
        """Begin to open the workspace on both threads; the screens can paint meanwhile."""
        self.path = path
        self._reader = _StoreThread(path, "reader")
        self._writer = _StoreThread(path, "writer", after=self._reader)

    async def opened(self) -> None:
        """Wait until the workspace is open.

        Raises:
            StoreError: It cannot be opened.
        """
        await self._reader.run(lambda _: None)
        await self._writer.run(lambda _: None)

    async def read(self, function: Callable[[Store], _Result]) -> _Result:
        """Run a function that only reads."""
        return await self._reader.run(function)

    def write(self, function: Callable[[Store], _Result]) -> Awaitable[_Result]:
        """Run a function that writes; writes happen in the order they were asked for.

        It is handed over at once and carried out also where nobody waits for it any more, so that leaving the
        application loses no decision.
        """
        return asyncio.shield(self._writer.run(function))

    async def apart(self, function: Callable[[Store], _Result]) -> _Result:
        """Run a function that takes seconds, with a store of its own, so that no read or write waits for it."""
        # Before it is up to date, a third connection would bring it up to date as well, and they lock each other out.
        await self.opened()

        def work() -> _Result:
            from fairnad_engine.store import Store

            with Store(self.path) as store:
                return function(store)

        return await asyncio.to_thread(work)

    def close(self) -> None:
        """Finish what was asked for and close both connections."""
        self._writer.close()
        self._reader.close()


class _StoreThread:
    def __init__(self, path: Path, name: str, after: _StoreThread | None = None) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"store-{name}")
        # Opened on its own thread: an SQLite connection belongs to the thread that made it, and the import takes a
        # tenth of a second that the first paint need not wait for.
        self._store = self._executor.submit(_open, path, after)

    def run(self, function: Callable[[Store], _Result]) -> asyncio.Future[_Result]:
        def work() -> _Result:
            return function(self._store.result())

        return asyncio.get_running_loop().run_in_executor(self._executor, work)

    def wait(self) -> None:
        """Return when the store is open, or cannot be."""
        self._store.exception()

    def close(self) -> None:
        if self._store.exception() is None:
            self._executor.submit(self._store.result().close).result()
        self._executor.shutdown()


def _open(path: Path, after: _StoreThread | None) -> Store:
    from fairnad_engine.store import Store

    if after is not None:
        # A new or older workspace is brought up to date by the first one; two at once would lock each other out.
        after.wait()
    return Store(path)
