"""What a hostile module is, and how it may end.

Needs nothing but the standard library, because the same list is run by an ordinary user's bare interpreter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

REFUSED = frozenset({"EPERM", "EACCES", "ENOSYS"})


@dataclass(frozen=True)
class Attack:
    """One hostile module.

    Attributes:
        name: What it tries.
        source: The module; what it saw is in its ``seen``. It finds ``GIVEN``, ``tries`` and ``raw`` in its scope.
        answers: What each value of ``seen`` may be.
        ends: How it may end: None for a reply, otherwise the failure class.
        limits: Limits that differ from the jail's.
    """

    name: str
    source: str
    answers: frozenset[Any] = REFUSED
    ends: frozenset[str | None] = frozenset({None})
    limits: dict[str, Any] = field(default_factory=dict)


def ending(name: str, kinds: str, source: str, **limits: Any) -> Attack:
    """Return an attack that gives no reply but ends in one of the failure classes."""
    return Attack(name, source, ends=frozenset(kinds.split()), limits=limits)


def verdict(attack: Attack, result: Any) -> str:
    """Return the empty string where the attack ended as it may, else what it came to."""
    if result.failure not in attack.ends:
        return f"ended as {result.failure}: {result.message[:300]}"
    if result.ok:
        escaped = {key: value for key, value in result.data["seen"].items() if value not in attack.answers}
        return f"reached: {escaped}" if escaped else ""
    return "" if result.message else "no message"
