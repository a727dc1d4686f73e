"""Which widths of a candidate are worth a try, from what its own child says they cost.

A width multiplies internal channels, but a source may ignore it, break divisibility or be non-monotone, so multiples
are scanned rather than bisected, and a hint never decides: the fitted network is exported and counted anew (method,
section 4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairnad_engine.backbone.analysis import Cost

_DOWN_STEPS = 16
_LEAST, _MOST, _COARSE_STEPS = 0.25, 8.0, 20  # multiples of the requested width, and how many of them
_FINE_STEPS = 8


@dataclass(frozen=True)
class Budget:
    """What a backbone may cost, and what it must fit."""

    input_shape: tuple[int, int, int]
    num_classes: int
    max_params: int
    max_macs: int

    def holds(self, params: float, macs: float) -> bool:
        """Whether both costs are within the budget."""
        return params <= self.max_params and macs <= self.max_macs


@dataclass(frozen=True)
class Hint:
    """What a child says that one width costs."""

    params: float
    macs: float


Scan = Callable[[str, list[float]], list[Hint | None]]


def widths_below(scan: Scan, source: str, width: float, cost: Cost, budget: Budget) -> list[float]:
    """Widths below the requested one that should fit, widest first."""
    # Upward, because a child leaves off where widths become far too dear.
    scanned = [round(width * (1 - step / _DOWN_STEPS), 6) for step in range(_DOWN_STEPS - 2, 0, -1)]
    return _fitting(scanned, scan(source, scanned), cost, budget)


def widths_to_fill(scan: Scan, source: str, width: float, cost: Cost, budget: Budget) -> list[float]:
    """Widths that should fit, from the budget's edge downward; the requested one may be above or below it.

    The edge lies between the widest multiple that should fit and the next that builds and does not.
    """
    ratio = (_MOST / _LEAST) ** (1 / _COARSE_STEPS)
    coarse = [round(width * _LEAST * ratio**step, 6) for step in range(_COARSE_STEPS + 1)]
    hints = scan(source, coarse)
    holding = [place for place, hint in enumerate(hints) if hint is not None and budget.holds(hint.params, hint.macs)]
    if not holding:
        return []
    edge = holding[-1]
    beyond = next((place for place in range(edge + 1, len(coarse)) if hints[place] is not None), len(coarse) - 1)
    steps = range(1, (beyond - edge) * _FINE_STEPS)
    fine = [round(coarse[edge] * ratio ** (step / _FINE_STEPS), 6) for step in steps]
    finer = _fitting(fine, scan(source, fine), cost, budget) if fine else []
    return finer + _fitting(coarse, hints, cost, budget)


def _fitting(widths: list[float], hints: list[Hint | None], cost: Cost, budget: Budget) -> list[float]:
    found = []
    for width, hint in zip(widths, hints, strict=True):
        if hint is None:
            continue
        moved = hint.macs != cost.macs or hint.params != cost.params  # else the source ignores its width
        if moved and budget.holds(hint.params, hint.macs):
            found.append(width)
    return sorted(found, reverse=True)


def read_hints(value: object, count: int) -> list[Hint | None]:
    """Check what a child replied: for each width its parameters and MACs, or nothing where it does not build."""
    if not isinstance(value, list) or len(value) != count:
        return [None] * count
    return [_hint(one) for one in value]


def _hint(value: object) -> Hint | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    if not all(isinstance(n, (int, float)) and not isinstance(n, bool) and n >= 0 for n in value):
        return None
    return Hint(*value)
