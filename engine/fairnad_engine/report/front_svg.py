"""The Pareto front over generations as an SVG picture: validation accuracy against a cost on a logarithmic axis.

Colours are safe for colour-blind readers (Okabe and Ito's palette, https://jfly.uni-koeln.de/color/, and one hue
from light to dark for time); shape, dash and width say the same again for print without colour.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from fairnad_engine.report.facts import ModelLine, RunSummary
from fairnad_engine.report.templates import render_xml
from fairnad_engine.store.runs import SEED_CANDIDATE
from fairnad_engine.text import single_line

Cost = Literal["params", "macs"]

WIDTH, HEIGHT = 760, 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 70.0, 580.0, 50.0, 420.0
_COLOURS = ("#a6cee3", "#6baed6", "#3182bd", "#08519c", "#08306b")
_DASHES = ("2 4", "4 3", "7 3", "10 3", "")
_BELOW = 10.0  # points below the seed under which weak models, front members too, would squash the picture
_NAMES = {"params": "Parameters", "macs": "Multiply-accumulates (MACs)"}


@dataclass(frozen=True)
class Mark:
    """A point of the picture; ``text`` is its tooltip."""

    x: float
    y: float
    text: str
    label: str = ""


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """The front of a generation as a staircase."""

    points: str
    colour: str
    dash: str
    width: float
    label: str


class _Axis:
    """Maps a value range onto pixels."""

    def __init__(self, low: float, high: float, start: float, end: float, logarithmic: bool) -> None:
        self._scale = math.log10 if logarithmic else float
        self.low, self.high = low, high
        self._from, self._to = self._scale(low), self._scale(high)
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        share = (self._scale(value) - self._from) / (self._to - self._from)
        return round(self._start + share * (self._end - self._start), 2)


def front_svg(summary: RunSummary, cost: Cost = "params") -> str:
    """Draw all trained models, the fronts of up to five generations, the front now, and the seed."""
    drawn = [m for m in summary.models if m.status == "trained" and m.validation_accuracy is not None]
    if not drawn:
        return render_xml("empty.svg.j2", width=WIDTH, height=HEIGHT, run=summary.run)
    y_low, y_high = _accuracy_range(drawn)
    shown = [m for m in drawn if _accuracy(m) >= y_low]
    costs = [_cost(m, cost) for m in shown]
    x = _Axis(min(costs) / 1.2, max(costs) * 1.2, _LEFT, _RIGHT, logarithmic=True)
    y = _Axis(y_low, y_high, _BOTTOM, _TOP, logarithmic=False)
    return render_xml(
        "front.svg.j2",
        width=WIDTH,
        height=HEIGHT,
        left=_LEFT,
        right=_RIGHT,
        top=_TOP,
        bottom=_BOTTOM,
        title=single_line(f"{summary.run.id}: {summary.run.name}", 60),
        run=summary.run,
        protocol=summary.protocol.label,
        cost_name=_NAMES[cost],
        x_ticks=[Tick(x(value), _short(value)) for value in _log_ticks(x.low, x.high)],
        y_ticks=[Tick(y(value), f"{value:g}") for value in _linear_ticks(y_low, y_high)],
        lines=_lines(summary, shown, cost, x, y),
        dominated=[_mark(m, cost, x, y) for m in shown if not m.on_front and m.id != SEED_CANDIDATE],
        front=[_mark(m, cost, x, y, label=m.id) for m in shown if m.on_front and m.id != SEED_CANDIDATE],
        seed=next((_mark(m, cost, x, y) for m in shown if m.id == SEED_CANDIDATE), None),
        hidden=len(drawn) - len(shown),
    )


def _accuracy_range(models: Sequence[ModelLine]) -> tuple[float, float]:
    everything = [_accuracy(m) for m in models]
    high = max(everything)
    seed = min((_accuracy(m) for m in models if m.id == SEED_CANDIDATE), default=high)
    low = max(min(everything), seed - _BELOW)
    margin = max(0.5, 0.06 * (high - low))
    return low - margin, min(high + margin, 100.5)


def _lines(summary: RunSummary, shown: Sequence[ModelLine], cost: Cost, x: _Axis, y: _Axis) -> list[Line]:
    by_id = {model.id: model for model in shown}
    fronts = [(f"generation {g.number}", g.front) for g in summary.generations if g.front]
    chosen = _spread(fronts, len(_COLOURS))
    lines = []
    for place, (label, ids) in enumerate(chosen, start=len(_COLOURS) - len(chosen)):
        steps = _staircase([by_id[one] for one in ids if one in by_id], cost)
        if not steps:
            continue
        points = [(x(steps[0][0]), y(steps[0][1]))]
        for value, accuracy in steps[1:]:
            points += [(x(value), points[-1][1]), (x(value), y(accuracy))]
        points.append((x(x.high), points[-1][1]))
        text = " ".join(f"{px},{py}" for px, py in points)
        width = 2.2 if label == chosen[-1][0] else 1.4
        lines.append(Line(text, _COLOURS[place], _DASHES[place], width, f"front, {label}"))
    return lines


def _spread(items: Sequence[tuple[str, tuple[str, ...]]], most: int) -> list[tuple[str, tuple[str, ...]]]:
    """At most ``most`` items, evenly spread, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def _staircase(models: Iterable[ModelLine], cost: Cost) -> list[tuple[float, float]]:
    """What is best at each cost: the front on three objectives, seen on two."""
    steps: list[tuple[float, float]] = []
    for model in sorted(models, key=lambda m: (_cost(m, cost), -_accuracy(m))):
        if not steps or _accuracy(model) > steps[-1][1]:
            steps.append((_cost(model, cost), _accuracy(model)))
    return steps


def _mark(model: ModelLine, cost: Cost, x: _Axis, y: _Axis, label: str = "") -> Mark:
    text = f"{model.id}: {_accuracy(model):.2f} %, {model.params:,} parameters, {model.macs:,} MACs"
    return Mark(x(_cost(model, cost)), y(_accuracy(model)), text, label)


def _cost(model: ModelLine, cost: Cost) -> float:
    return float(max(1, model.params if cost == "params" else model.macs))


def _accuracy(model: ModelLine) -> float:
    return model.validation_accuracy or 0.0


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten; powers alone where the range is wide."""
    steps = (1, 2, 5) if high / low < 300 else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]


def _linear_ticks(low: float, high: float) -> list[float]:
    """About six round values."""
    raw = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(f * power for f in (1, 2, 5, 10) if f * power >= raw)
    first = math.ceil(low / step)
    return [round(n * step, 6) for n in range(first, math.floor(high / step) + 1)]


def _short(value: float) -> str:
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:g}{suffix}"
    return f"{value:g}"
