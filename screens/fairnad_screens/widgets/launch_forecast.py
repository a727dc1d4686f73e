"""The forecast of a search that is not started: models, hours, disk, tokens, and what it would wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from textual.content import Content

from fairnad_screens.actions import key_of
from fairnad_screens.figures import compact, size, span
from fairnad_screens.text import GLYPHS, plain

if TYPE_CHECKING:
    from fairnad_engine.search.config import RunConfig
    from fairnad_engine.search.costs import Figure
    from fairnad_engine.search.forecast import Forecast

_LABEL = 11


def forecast_line(ahead: Forecast) -> Content:
    """One line for the list of what is missing."""
    key = key_of("launch.forecast")
    hours = f"about {_hours(ahead.hours.middle)}" if ahead.hours else "time unknown"
    return plain(f"{GLYPHS.dot} {ahead.models:,} models, {hours}: {key} forecasts")


def forecast_text(ahead: Forecast | None, config: RunConfig, *, timed: bool, timing: bool, problem: str) -> Content:
    """Everything that is known.

    Args:
        ahead: The forecast; None while it is worked out.
        config: The settings it is of.
        timed: Whether the seed was timed, or it was tried.
        timing: Whether it is being timed.
        problem: Why it could not be.
    """
    lines = [Content.styled("Forecast", "bold")]
    if timing:
        lines.append(
            plain(f"{GLYPHS.running} Timing the seed for moments on images of noise; nothing is trained.", "$accent")
        )
    elif problem:
        lines.append(plain(f"{GLYPHS.failed} The seed could not be timed: {problem}", "$error"))
    elif not timed:
        lines.append(
            plain(f"{GLYPHS.idle} The seed is not timed for these settings; {key_of('launch.forecast')} times it.")
        )
    lines += _figures(ahead, config) if ahead is not None else [plain("working it out …")]
    return Content("\n").join(lines)


def _figures(ahead: Forecast, config: RunConfig) -> Iterable[Content]:
    trainings = f"{ahead.generations:,} generations or more, {ahead.streams} at a time"
    yield _row("Models", f"{ahead.models:,} in {trainings}")
    yield _row("Proposals", _range(ahead.proposals, lambda value: f"{value:,.0f}"))
    if ahead.hours is None:
        yield _row("Time", "unknown: nothing is known of a training's cost here")
    else:
        yield _row("Time", _range(ahead.hours, _hours))
    if ahead.costs.training is not None:
        yield _row("A training", _range(ahead.costs.training, span))
        yield _note(ahead.costs.training.source)
    yield _row("A proposal", _range(ahead.costs.call, span))
    yield _note(ahead.costs.call.source)
    yield _row("Disk", _range(ahead.disk_bytes, size))
    if ahead.prompt_tokens.high:
        yield _row(
            "Tokens", f"{compact(ahead.prompt_tokens.middle)} read, {compact(ahead.completion_tokens.middle)} written"
        )
    limits = [f"{config.budget.hours:g} hours of work"] if config.budget.hours else []
    limits += [f"{compact(config.budget.tokens)} tokens"] if config.budget.tokens else []
    if limits:
        yield _row("Ends at", f"{' or '.join(limits)}, if that comes first")
    if ahead.bottleneck is not None:
        yield plain(f"{ahead.advice[:1].upper()}{ahead.advice[1:]}.", "$warning" if ahead.bottleneck == "model" else "")


def _row(name: str, text: str) -> Content:
    return Content.assemble(Content.styled(f"{name:<{_LABEL}}", "dim"), plain(text))


def _note(source: str) -> Content:
    return Content.assemble(" " * _LABEL, plain(source, "dim"))


def _range(figure: Figure, told: Callable[[float], str]) -> str:
    low, middle, high = (told(one) for one in (figure.low, figure.middle, figure.high))
    return middle if low == middle == high else f"about {middle}, {low} to {high}"


def _hours(hours: float) -> str:
    return span(3600 * hours)
