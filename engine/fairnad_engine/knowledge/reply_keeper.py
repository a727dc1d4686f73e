"""Keeps a structuring job's replies in the workspace, from the threads on which papers are read."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from fairnad_engine.llm.kept import KeptReply
from fairnad_engine.llm.protocol import ModelCall

if TYPE_CHECKING:
    from fairnad_engine.store import Store

_Result = TypeVar("_Result")
_step: contextvars.ContextVar[str] = contextvars.ContextVar("reading_step", default="")


class ReplyKeeper:
    """Replies of one job. The store is used on the thread of the event loop alone.

    Args:
        store: The workspace.
        job_id: The job, in whose accounts new calls stand.
        loop: The event loop that owns the store.
    """

    def __init__(self, store: Store, job_id: str, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._job_id = job_id
        self._loop = loop

    def find(self, request: str) -> KeptReply | None:
        """See :class:`fairnad_engine.llm.kept.Keeper`."""
        return self._on_loop(lambda: self._store.calls.kept(request, self._job_id))

    def keep(self, calls: tuple[ModelCall, ...]) -> None:
        """See :class:`fairnad_engine.llm.kept.Keeper`; each call is one of the step in hand."""
        step = _step.get() or self._job_id

        def store() -> None:
            # A request is asked once in a job, so its hash tells a step's calls apart.
            key = f"{step}/{calls[-1].request[:24]}"
            self._store.calls.record(key, calls, job_id=self._job_id, run_id=None)

        self._on_loop(store)

    def _on_loop(self, function: Callable[[], _Result]) -> _Result:
        async def call() -> _Result:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result()


@contextmanager
def reading_step(key: str) -> Iterator[None]:
    """Name the step, such as ``job-1/PAPER/extract``, that calls inside and on threads of this context belong to."""
    token = _step.set(key)
    try:
        yield
    finally:
        _step.reset(token)
