"""How long a run still takes, as ``status`` and a followed run tell it; the forecast is the search screen's."""

from __future__ import annotations

from fairnad_engine.store import Store

HoursLeft = dict[str, float]  # low, middle, high


def hours_left(store: Store, run_id: str) -> HoursLeft | None:
    """Hours that a run still takes; None where it is over, or nothing is known of a training's cost."""
    from fairnad_engine.machine import accelerators
    from fairnad_engine.search.forecast import time_left

    if store.runs.get(run_id).ended_at:
        return None
    try:
        ahead = time_left(store, run_id, gpus=len(accelerators()))
    except ValueError:
        return None  # settings of a version that is not this one's
    if ahead.hours is None or not ahead.models:
        return None
    return {"low": ahead.hours.low, "middle": ahead.hours.middle, "high": ahead.hours.high}


def left_text(hours: HoursLeft | None) -> str:
    """In words, such as ``about 2.3 h, 1.9 h to 4 h``; ``-`` where there is nothing to tell."""
    if hours is None:
        return "-"
    low, middle, high = (_span(hours[name]) for name in ("low", "middle", "high"))
    return f"about {middle}, {low} to {high}"


def _span(hours: float) -> str:
    seconds = 3600 * hours
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
