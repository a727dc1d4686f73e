"""What ended a job or holds it up, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass

from fairnad_engine.faults import remedy_of


@dataclass(frozen=True)
class Fault:
    """What a job's message says: what is wrong, and the remedy; empty where it names none."""

    what: str
    remedy: str


def fault_of(message: str, name: str = "") -> Fault:
    """Take a one-line error apart: everything that a user can meet is said as ``place: what; remedy``.

    Args:
        message: What the job says.
        name: Its fault's name in the table of faults, whose remedy stands where the message has none.
    """
    what, _, remedy = message.partition("; ")
    return Fault(what, remedy or remedy_of(name))
