"""What ended a job or holds it up, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """What a job's message says: what is wrong, and the remedy; empty where it names none."""

    what: str
    remedy: str


def fault_of(message: str) -> Fault:
    """Take a one-line error apart: everything that a user can meet is said as ``place: what; remedy``."""
    what, _, remedy = message.partition("; ")
    return Fault(what, remedy)
