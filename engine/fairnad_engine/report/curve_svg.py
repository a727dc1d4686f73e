"""Curves with confidence bands over numbers of trained models, one for each method, as an SVG picture.

Colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/); dashes say the same again for print without colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fairnad_engine.report.templates import render_xml
from fairnad_engine.search.comparison import Band
from fairnad_engine.text import single_line

WIDTH, HEIGHT = 760, 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 80.0, 560.0, 50.0, 420.0
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D1F")
_DASHES = ("", "7 3", "2 3", "9 3 2 3")


@dataclass(frozen=True)
class Drawn:
    """One method's curve: its line, the outline of its band, and how both look."""

    label: str
    line: str
    band: str
    colour: str
    dash: str


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    label: str


def curve_svg(title: str, subtitle: str, quantity: str, curves: Sequence[tuple[str, Band]]) -> str:
    """Draw means with bands; methods without a point are left out, and without any the axes stand alone."""
    drawn = [(name, band) for name, band in curves if band.mean]
    most = max((len(band.mean) - 1 for _, band in drawn), default=1) or 1
    low = min((min(band.low) for _, band in drawn), default=0.0)
    high = max((max(band.high) for _, band in drawn), default=1.0)
    margin = 0.05 * (high - low) or 0.01 * max(1.0, abs(high))
    low, high = low - margin, high + margin

    def x(n: float) -> float:
        return round(_LEFT + n / most * (_RIGHT - _LEFT), 2)

    def y(value: float) -> float:
        return round(_BOTTOM - (value - low) / (high - low) * (_BOTTOM - _TOP), 2)

    def points(values: Sequence[float], *, back: bool = False) -> str:
        pairs = [f"{x(n)},{y(value)}" for n, value in enumerate(values)]
        return " ".join(reversed(pairs) if back else pairs)

    return render_xml(
        "curve.svg.j2",
        width=WIDTH,
        height=HEIGHT,
        left=_LEFT,
        right=_RIGHT,
        top=_TOP,
        bottom=_BOTTOM,
        title=single_line(title, 60),
        subtitle=single_line(subtitle, 110),
        quantity=quantity,
        x_ticks=[Tick(x(n), f"{n:g}") for n in _round_values(0.0, float(most)) if n == int(n)],
        y_ticks=[Tick(y(value), f"{value:g}") for value in _round_values(low, high)],
        curves=[
            Drawn(
                label=single_line(name, 24),
                line=points(band.mean),
                band=f"{points(band.high)} {points(band.low, back=True)}",
                colour=_COLOURS[place % len(_COLOURS)],
                dash=_DASHES[place % len(_DASHES)],
            )
            for place, (name, band) in enumerate(drawn)
        ],
    )


def _round_values(low: float, high: float) -> list[float]:
    """About six round values of a range."""
    raw = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    return [round(n * step, 9) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
