"""Where screens meet the store: two threads, each with a connection of its own, so that nothing blocks the keyboard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from fairnad_engine.store import Store

_Result = TypeVar("_Result")


class Desk:
    """Reads and writes the workspace off the event loop; functions get a store and return immutable data."""

    def __init__(self, path: Path) -> None:
        """Open the workspace on both threads.

        Raises:
            StoreError: It cannot be opened.
        """
        self.path = path
        self._reader = _StoreThread(path, "reader")
        self._writer = _StoreThread(path, "writer")

    async def read(self, function: Callable[[Store], _Result]) -> _Result:
        """Run a function that only reads."""
        return await self._reader.run(function)

    async def write(self, function: Callable[[Store], _Result]) -> _Result:
        """Run a function that writes; writes happen in the order they were asked for."""
        return await self._writer.run(function)

    def close(self) -> None:
        """Finish what was asked for and close both connections."""
        self._writer.close()
        self._reader.close()


class _StoreThread:
    def __init__(self, path: Path, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"store-{name}")
        # Opened on its own thread: an SQLite connection belongs to the thread that made it.
        self._store = self._executor.submit(Store, path).result()

    async def run(self, function: Callable[[Store], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, self._store)

    def close(self) -> None:
        self._executor.submit(self._store.close).result()
        self._executor.shutdown()
