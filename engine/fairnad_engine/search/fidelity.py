"""Which candidates are worth the full schedule: short training first, and a Pareto-safe rule (method, section 7).

A candidate is stopped after its short schedule only where it is confidently dominated: a *finished* candidate of no
more parameters and no more MACs is at least as accurate as the upper bound of what this one can be expected to reach.
The expectation comes from the candidates of the same run that were trained under both schedules. Short scores are
never compared with full ones, and a stopped candidate has no accuracy: it is in no front and no parent.

While the search runs there are few such pairs, and stopping too much costs only a parent. So decisions have two
confidences: when the budget is spent, every stopped candidate is looked at again with all that is known by then, the
likeliest front member first, and is trained in full after all unless it is dominated with the higher confidence.

Everything here is a function of its arguments; which candidates a decision may see is settled in slot order by
:mod:`fairnad_engine.search.order`, so that timing decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from fairnad_engine.errors import InputError
from fairnad_engine.training.protocol import Protocol

if TYPE_CHECKING:
    from fairnad_engine.search.config import FidelitySection

FULL = "full"
_FLOOR = 0.5  # points added to an error before its logarithm, so that 100 % has one
_SLOPE, _SLOPE_SD = 0.5, 0.25  # before there are pairs: halving the short error takes a factor 0.7 off the full one
_LEVEL_SD = 1.0
_SPREAD, _SPREAD_PAIRS = 0.5, 4.0  # residual deviation in log error, worth this many pairs
_HUBER = 1.5
_REWEIGHTINGS = 5


def short_name(epochs: int) -> str:
    """How a short schedule is named beside its scores, such as ``short:4``."""
    return f"short:{epochs}"


def short_length(short_epochs: int, epochs: int) -> int:
    """Epochs of the short schedule of a protocol of ``epochs``: as set, or a tenth of them where 0 is set."""
    return short_epochs or max(1, round(epochs / 10))


def short_protocol(protocol: Protocol, epochs: int) -> Protocol:
    """The same protocol over fewer epochs, with its own cosine to zero."""
    warmup = min(protocol.warmup_epochs, epochs - 1)
    return protocol.model_copy(update={"epochs": epochs, "warmup_epochs": warmup})


def check_short_epochs(mode: str, short_epochs: int, protocol: Protocol) -> None:
    """Refuse a short schedule that is none.

    Raises:
        InputError: It is not shorter than the protocol.
    """
    short_epochs = short_length(short_epochs, protocol.epochs)
    if mode != "off" and short_epochs >= protocol.epochs:
        raise InputError(
            f"fidelity.short_epochs: {short_epochs} is no short schedule of protocol {protocol.name} with "
            f'{protocol.epochs} epochs; choose fewer, or mode = "off"'
        )


@dataclass(frozen=True)
class Seen:
    """An earlier candidate as a decision sees it: costs, and accuracies in percent where there are any."""

    id: str
    params: int
    macs: int
    short: float | None
    full: float | None


@dataclass(frozen=True)
class Decision:
    """Whether a candidate is trained in full, and why.

    Attributes:
        promoted: Trained in full.
        reason: One line for people.
        expected: Accuracy in percent that full training is expected to give; None without a model of it.
        bound: Upper bound of it.
        rival: The finished candidate that it was held against.
    """

    promoted: bool
    reason: str
    expected: float | None = None
    bound: float | None = None
    rival: str | None = None


@dataclass(frozen=True)
class PromotionRule:
    """Promote, unless confidently dominated.

    Attributes:
        epochs: Epochs of the short schedule.
        confidence: Of the upper bound while the search runs, one-sided.
        last_confidence: Of the upper bound in the last look, one-sided.
        tolerance: Standard errors of accuracy that a stopped candidate may be better than what dominates it; a
            smaller difference cannot be told on this validation split.
        warm_up: Pairs of short and full scores before anything is stopped.
        images: Images of the validation split.
    """

    epochs: int
    confidence: float
    last_confidence: float
    tolerance: float
    warm_up: int
    images: int

    @classmethod
    def of(cls, chosen: FidelitySection, epochs: int, images: int) -> PromotionRule:
        """The rule of a run's settings, for a protocol of so many epochs and a validation split of so many images."""
        short = short_length(chosen.short_epochs, epochs)
        return cls(short, chosen.confidence, chosen.last_confidence, chosen.tolerance, chosen.warm_up, images)

    def decide(self, params: int, macs: int, short: float, seen: Sequence[Seen]) -> Decision:
        """Decide about one candidate.

        Args:
            params: Its parameters.
            macs: Its MACs.
            short: Its accuracy after the short schedule, percent.
            seen: The candidates that the decision may see.
        """
        pairs = _pairs(seen)
        if len(pairs) < self.warm_up:
            return Decision(True, f"promoted: warm-up, {len(pairs)} of {self.warm_up} pairs")
        expected, bound = predict(pairs, short, self.confidence)
        rival = _rival(params, macs, seen)
        if rival is None:
            return Decision(True, "promoted: nothing finished costs as little", expected, bound)
        best = rival.full or 0.0
        limit = self._limit(best)
        told = (
            f"at most {bound:.2f} % expected ({100 * self.confidence:.0f} %), {rival.id} has {best:.2f} % for no more"
        )
        if bound > limit:
            return Decision(True, f"promoted: {told}", expected, bound, rival.id)
        return Decision(False, f"stopped: {told}", expected, bound, rival.id)

    def look_again(self, stopped: Sequence[Seen], seen: Sequence[Seen]) -> list[tuple[str, str]]:
        """Name the stopped candidates that are not confidently dominated after all, the likeliest front member first.

        Args:
            stopped: Candidates with a short score alone.
            seen: The candidates of the whole run.

        Returns:
            (candidate, reason) each; empty when every one is dominated with ``last_confidence``.
        """
        pairs = _pairs(seen)
        found = []
        for place, one in enumerate(stopped):
            rival = _rival(one.params, one.macs, seen)
            if one.short is None or rival is None or not pairs:
                continue
            limit = self._limit(rival.full or 0.0)
            expected, bound = predict(pairs, one.short, self.last_confidence)
            if bound > limit:
                deviation = _log_error(expected) - _log_error(bound)
                gap = (_log_error(expected) - _log_error(min(limit, 100.0))) / max(deviation, 1e-9)
                told = f"at most {bound:.2f} % expected ({100 * self.last_confidence:.0f} %), {rival.id} has "
                found.append((gap, place, one.id, f"promoted at the end: {told}{rival.full:.2f} % for no more"))
        return [(candidate, reason) for _, _, candidate, reason in sorted(found)]

    def _limit(self, best: float) -> float:
        return best + self.tolerance * standard_error(best, self.images)


def _pairs(seen: Sequence[Seen]) -> list[tuple[float, float]]:
    return [(one.short, one.full) for one in seen if one.short is not None and one.full is not None]


def _rival(params: int, macs: int, seen: Sequence[Seen]) -> Seen | None:
    """The most accurate finished candidate of no more cost, if any."""
    rivals = [one for one in seen if one.full is not None and one.params <= params and one.macs <= macs]
    return max(rivals, key=lambda one: one.full or 0.0, default=None)


def standard_error(accuracy: float, images: int) -> float:
    """Standard error of an accuracy in points, with one right and one wrong answer added so that 100 % has one."""
    share = (accuracy / 100.0 * images + 1.0) / (images + 2.0)
    return 100.0 * math.sqrt(share * (1.0 - share) / images)


def predict(pairs: Sequence[tuple[float, float]], short: float, confidence: float) -> tuple[float, float]:
    """Full accuracy that a short one leads to, and its upper bound, in percent.

    A line between the logarithms of the two errors, by Bayesian least squares with Huber weights: the prior carries
    it while there are few pairs, and one candidate that trained badly does not turn it.

    Args:
        pairs: (short, full) accuracies of candidates trained under both.
        short: The short accuracy to predict from.
        confidence: One-sided confidence of the bound.
    """
    xs = [_log_error(s) for s, _ in pairs]
    ys = [_log_error(f) for _, f in pairs]
    centre = sum(xs) / len(xs)
    level = sorted(ys)[len(ys) // 2]
    weights = [1.0] * len(pairs)
    line = _Line(level, _SLOPE, _SPREAD, 1.0, 0.0, 1.0)
    for _ in range(_REWEIGHTINGS):
        line = _fit([x - centre for x in xs], [y - level for y in ys], weights, line.spread)
        gaps = [abs(y - level - line.at(x - centre)) / line.spread for x, y in zip(xs, ys, strict=True)]
        weights = [1.0 if gap <= _HUBER else _HUBER / gap for gap in gaps]
    x = _log_error(short) - centre
    low = line.at(x) - NormalDist().inv_cdf(confidence) * line.deviation(x)
    return _accuracy(line.at(x) + level), _accuracy(low + level)


@dataclass(frozen=True)
class _Line:
    """A line with the deviation about it and the (co)variances of its two coefficients."""

    intercept: float
    slope: float
    spread: float
    intercept_variance: float
    covariance: float
    slope_variance: float

    def at(self, x: float) -> float:
        return self.intercept + self.slope * x

    def deviation(self, x: float) -> float:
        own = self.intercept_variance + 2 * x * self.covariance + x * x * self.slope_variance
        return math.sqrt(self.spread**2 + max(own, 0.0))


def _fit(xs: Sequence[float], ys: Sequence[float], weights: Sequence[float], spread: float) -> _Line:
    """Posterior of intercept and slope under Gaussian priors, for a known spread; then the spread of the residuals."""
    precision = spread**-2
    rows = list(zip(xs, ys, weights, strict=True))
    a = _LEVEL_SD**-2 + precision * sum(weights)
    b = precision * sum(w * x for x, _, w in rows)
    d = _SLOPE_SD**-2 + precision * sum(w * x * x for x, _, w in rows)
    p = precision * sum(w * y for _, y, w in rows)
    q = _SLOPE * _SLOPE_SD**-2 + precision * sum(w * x * y for x, y, w in rows)
    determinant = a * d - b * b
    intercept, slope = (d * p - b * q) / determinant, (a * q - b * p) / determinant
    squares = sum(w * (y - intercept - slope * x) ** 2 for x, y, w in rows)
    spread = math.sqrt((_SPREAD_PAIRS * _SPREAD**2 + squares) / (_SPREAD_PAIRS + sum(weights)))
    return _Line(intercept, slope, spread, d / determinant, -b / determinant, a / determinant)


def _log_error(accuracy: float) -> float:
    return math.log(100.0 - accuracy + _FLOOR)


def _accuracy(log_error: float) -> float:
    return min(100.0, 100.0 + _FLOOR - math.exp(log_error))
