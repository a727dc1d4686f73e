"""Runs compared at equal numbers of trained models: curves, confidence bands, paired differences, coverage.

The only place where a study (:mod:`fairnad_engine.search.study`) and ``make bench-search`` compute. Everything here is
a function of what was measured; resampling is seeded, so that equal measurements give equal figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 10_000
CONFIDENCE = 0.95
_SEED = 2605  # of every resampling
_EPSILON = 1e-12  # what two sums of the same volumes may differ by


@dataclass(frozen=True)
class Model:
    """A model of a run, shaped as :mod:`fairnad_engine.search.selection` reads candidates.

    Attributes:
        position: Its place in the order of its run.
        params: Parameters.
        macs: Multiply-accumulates for one image.
        accuracy: Validation accuracy in percent.
        status: ``trained``, or ``screened``: stopped after the short schedule, without an accuracy that counts.
        counts: Whether the budget counts it; the seed and, with ``stage3_counts = "last"``, first steps are not.
    """

    position: int
    params: int
    macs: int
    accuracy: float
    status: str = "trained"
    counts: bool = True
    latency: ClassVar[None] = None  # no axis here: it differs from machine to machine, and hypervolume has none


@dataclass(frozen=True)
class Reference:
    """What hypervolumes are measured against (method, section 3): the seed's accuracy in percent, and the budget."""

    seed_accuracy: float
    max_params: int
    max_macs: int


@dataclass(frozen=True)
class Curve:
    """A run by numbers of trained models: entry n is what its first n models reached, entry 0 the seed alone.

    ``best`` is the best validation accuracy within budget, in percent, the seed's included.
    """

    hypervolume: tuple[float, ...]
    best: tuple[float, ...]

    def models_to_reach(self, hypervolume: float) -> int | None:
        """The fewest trained models whose hypervolume is at least this; None where the run never reached it."""
        reached = (n for n, value in enumerate(self.hypervolume) if value >= hypervolume - _EPSILON)
        return next(reached, None)


@dataclass(frozen=True)
class Interval:
    """A mean and its bootstrap interval."""

    mean: float
    low: float
    high: float

    @property
    def above_zero(self) -> bool:
        """Whether the interval lies above 0."""
        return self.low > 0


@dataclass(frozen=True)
class Band:
    """Means with bootstrap intervals over seeds, at 0, 1, 2 ... trained models.

    Where runs are under way the later entries are means of fewer of them; ``runs`` says of how many.
    """

    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    runs: tuple[int, ...]


def curve_of(seed: Model, models: Sequence[Model], reference: Reference) -> Curve:
    """A run's curve, its models in the order of the run (the order in which the budget counts them)."""
    from fairnad_engine.search.front import front_of

    front, best = [seed], seed.accuracy
    volume = _volume(front, reference)
    volumes, bests = [volume], [best]
    for model in sorted(models, key=lambda one: one.position):
        after = front_of([*front, model])
        if any(one is model for one in after):  # otherwise the front, and so its volume, stays
            front = sorted(after, key=lambda one: one.position)
            volume = _volume(front, reference)
        if model.status == "trained":
            best = max(best, model.accuracy)
        if model.counts:
            volumes.append(volume)
            bests.append(best)
        else:
            volumes[-1], bests[-1] = volume, best
    return Curve(tuple(volumes), tuple(bests))


def _volume(front: Sequence[Model], reference: Reference) -> float:
    from fairnad_engine.search.selection import hypervolume

    return hypervolume(front, reference.seed_accuracy, reference.max_params, reference.max_macs)


def bootstrap_mean(values: Sequence[float], resamples: int = RESAMPLES, seed: int = _SEED) -> Interval:
    """The mean of values and its percentile bootstrap interval (95 %).

    A paired comparison passes the differences of the pairs, so that what a seed makes easy or hard drops out.

    Raises:
        ValueError: There is no value, or one is not finite.
    """
    import numpy as np

    if not values or not all(map(math.isfinite, values)):
        raise ValueError("a mean needs at least one value, all of them finite")
    data = np.asarray(values, dtype=np.float64)
    means = data[_resampled(len(data), resamples, seed)].mean(axis=1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(data.mean()), float(low), float(high))


def band_of(curves: Sequence[Sequence[float]], resamples: int = RESAMPLES, seed: int = _SEED) -> Band:
    """Means and 95 % intervals over runs at each number of trained models; runs may be of different lengths."""
    columns = max(map(len, curves), default=0)
    intervals, counts = [], []
    for n in range(columns):
        values = [curve[n] for curve in curves if n < len(curve)]
        intervals.append(bootstrap_mean(values, resamples, seed))
        counts.append(len(values))
    return Band(
        tuple(one.mean for one in intervals),
        tuple(one.low for one in intervals),
        tuple(one.high for one in intervals),
        tuple(counts),
    )


def _resampled(count: int, resamples: int, seed: int) -> NDArray[np.int64]:
    import numpy as np

    return np.random.default_rng(seed).integers(count, size=(resamples, count))


def coverage(mine: Iterable[Model], theirs: Iterable[Model]) -> float:
    """The C-metric (Zitzler and Thiele 1998): the share of their front that some model of mine weakly dominates.

    C(a, b) and C(b, a) say different things.

    Raises:
        ValueError: They have no trained model.
    """
    from fairnad_engine.search.front import front_of

    own, other = front_of(list(mine)), front_of(list(theirs))
    if not other:
        raise ValueError("there is no front to cover")
    return sum(any(_covers(one, model) for one in own) for model in other) / len(other)


def _covers(one: Model, other: Model) -> bool:
    return one.accuracy >= other.accuracy and one.params <= other.params and one.macs <= other.macs


def entropy_of(counts: Iterable[int]) -> float:
    """Shannon's entropy of counts, in bits; 0 where all fall on one kind."""
    positive = [count for count in counts if count > 0]
    total = sum(positive)
    return -sum(count / total * math.log2(count / total) for count in positive) + 0.0
