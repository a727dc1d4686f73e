"""How long models of the tests wait for their servers, which share a busy machine with all else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from fairnad_engine.llm.ollama_server import Timeouts

PATIENT = Timeouts(connect=30.0, check=30.0, first=60.0, silence=60.0, retry=1.5)
"""For answers that come: more than any of them takes."""

_Model = TypeVar("_Model", bound=Any)


def hasty_once(make: Callable[..., _Model], timeouts: Timeouts, pauses: list[float]) -> _Model:
    """A model that takes a little silence for a stall until an answer was lost, and then has patience.

    For tests of a stall after which comes a good answer, which a busy machine may give late.

    Args:
        make: Takes ``timeouts`` and ``pause``.
        timeouts: Until then.
        pauses: Gets the waits before further tries.
    """

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        patient = replace(timeouts, first=PATIENT.first, silence=PATIENT.silence)
        model._timeouts, model._client = patient, None  # a client keeps the limits that it was made with

    model = make(timeouts=timeouts, pause=pause)
    return model
