"""How fast ideas are decided."""

from __future__ import annotations

from collections import deque

WINDOW_SECONDS = 300.0
# Below this a rate says nothing yet.
_LEAST_SECONDS = 30.0


class Pace:
    """Decisions of this session's last minutes."""

    def __init__(self) -> None:
        self._made: deque[tuple[float, int]] = deque()

    def note(self, ideas: int, at: float) -> None:
        """Note decisions.

        Args:
            ideas: How many ideas were decided.
            at: Seconds of a clock that only grows.
        """
        self._made.append((at, ideas))

    def per_minute(self, at: float) -> int | None:
        """Ideas a minute, or None where nothing was decided lately."""
        while self._made and self._made[0][0] < at - WINDOW_SECONDS:
            self._made.popleft()
        if not self._made:
            return None
        seconds = max(_LEAST_SECONDS, at - self._made[0][0])
        return max(1, round(sum(ideas for _, ideas in self._made) * 60 / seconds))
