"""Work beside the screen."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from textual.dom import DOMNode


def begin(
    node: DOMNode, work: Callable[[], Coroutine[Any, Any, object]], *, group: str, exclusive: bool = False
) -> None:
    """Do ``work`` beside the screen, until it is done or ``node`` is gone.

    Its coroutine is made as it starts, so that none is left unawaited where one leaves before that.
    """
    worker: Callable[[], object] = work  # Textual's own type takes no function whose coroutine may yield anything
    node.run_worker(worker, group=group, exclusive=exclusive)
