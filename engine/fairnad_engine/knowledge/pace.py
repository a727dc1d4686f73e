"""How far a job over papers is, and how long the rest may take at its pace."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fairnad_engine.llm.protocol import ModelCall

SUBJECT = "pace"
"""Under this name a job tells its pace, among the papers in hand."""
_FEWEST = 3  # Papers before the pace is told; the first one loads the model.


@dataclass
class Pace:
    """Counts papers and tokens of one life of a job.

    Args:
        papers: Papers that it has to read.
        clock: Seconds, for the elapsed time.
    """

    papers: int
    clock: Callable[[], float] = time.monotonic
    read: int = 0
    tokens: int = 0
    started: float = field(default=0.0)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def count(self, calls: Sequence[ModelCall]) -> None:
        """Add the tokens of calls."""
        self.tokens += sum(call.prompt_tokens + call.completion_tokens for call in calls)

    def paper(self) -> None:
        """Add a paper that was read."""
        self.read += 1

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the rest takes at the pace so far; None while too few papers were read."""
        if self.read < _FEWEST:
            return None
        return (self.clock() - self.started) / self.read * (self.papers - self.read)

    def __str__(self) -> str:
        left = self.seconds_left
        rest = f", about {_duration(left)} left" if left is not None and self.read < self.papers else ""
        tokens = f", {self.tokens:,} tokens" if self.tokens else ""
        return f"{self.read:,} of {self.papers:,} papers{tokens}{rest}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"
