"""Methods compared over the seeds that they share: one result for a study's report and for ``make bench-search``.

Only finished runs are compared, pair by pair at the number of trained models that both have. The first method is the
one whose differences to each other are given.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fairnad_engine.search.comparison import (
    Band,
    Curve,
    Interval,
    band_of,
    bootstrap_mean,
    coverage,
    curve_of,
    entropy_of,
)
from fairnad_engine.search.run_record import RunRecord


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over runs (of a sample; 0 where there is one run)."""

    mean: float
    deviation: float


@dataclass(frozen=True)
class MethodResult:
    """One method over its finished runs.

    Attributes:
        method: Its name.
        seeds: Seeds of its finished runs.
        hypervolume: At the end of a run.
        best: Best validation accuracy within budget, in percent.
        pass_rate: Proposals that became trained models, as a share; None without proposals.
        rejected: Rejected proposals by class, all runs together.
        edits: Realised edits of trained models by type, all runs together.
        edit_entropy: Their entropy in bits.
        realised: Trained models by whether their idea was realised, all runs together.
        seconds: Of work a run, by kind: means over runs.
        tokens: Read and written, all runs together.
        curve: Hypervolume at 0, 1, 2 ... trained models.
        best_curve: Best accuracy likewise.
    """

    method: str
    seeds: tuple[int, ...]
    hypervolume: Spread
    best: Spread
    pass_rate: float | None
    rejected: dict[str, int]
    edits: dict[str, int]
    edit_entropy: float
    realised: dict[str, int]
    seconds: dict[str, float]
    tokens: int
    curve: Band
    best_curve: Band


@dataclass(frozen=True)
class Versus:
    """The first method against another, paired over the seeds that both have finished.

    Attributes:
        method: The other one.
        seeds: The shared seeds.
        hypervolume: First minus other.
        best: First minus other, in points.
        models: Models that the first needs for the other's final hypervolume; where it never got there, all it trained.
        reached: Under how many seeds it got there.
        covers: The share of the other's front that the first's covers (C-metric), mean over seeds.
        covered: The other way round.
    """

    method: str
    seeds: tuple[int, ...]
    hypervolume: Interval
    best: Interval
    models: Interval
    reached: int
    covers: float
    covered: float


@dataclass(frozen=True)
class Comparison:
    """Methods in the order asked for, those without a finished run left out; and the first against each other."""

    first: str
    methods: tuple[MethodResult, ...]
    versus: tuple[Versus, ...]


def compare(records: Iterable[RunRecord], methods: Sequence[str]) -> Comparison:
    """Compare the finished runs among ``records``."""
    runs: dict[str, dict[int, tuple[RunRecord, Curve]]] = {method: {} for method in methods}
    for one in records:
        if one.method in runs and one.digest is not None:
            runs[one.method][one.seed] = (one, curve_of(one.start, one.models, one.reference))
    first = methods[0]
    found = [
        _result(method, [runs[method][seed] for seed in sorted(runs[method])]) for method in methods if runs[method]
    ]
    versus = [_versus(method, runs[first], runs[method]) for method in methods[1:] if runs[first].keys() & runs[method]]
    return Comparison(first, tuple(found), tuple(versus))


def _result(method: str, runs: Sequence[tuple[RunRecord, Curve]]) -> MethodResult:
    records, curves = [one for one, _ in runs], [curve for _, curve in runs]
    edits = _summed(one.edits for one in records)
    proposed = sum(one.proposed for one in records)
    kinds = sorted({kind for one in records for kind in one.seconds})
    return MethodResult(
        method=method,
        seeds=tuple(one.seed for one in records),
        hypervolume=_spread([curve.hypervolume[-1] for curve in curves]),
        best=_spread([curve.best[-1] for curve in curves]),
        pass_rate=sum(one.trained for one in records) / proposed if proposed else None,
        rejected=_summed(one.rejected for one in records),
        edits=edits,
        edit_entropy=entropy_of(edits.values()),
        realised=_summed(one.realised for one in records),
        seconds={kind: statistics.fmean(one.seconds.get(kind, 0.0) for one in records) for kind in kinds},
        tokens=sum(one.tokens for one in records),
        curve=band_of([curve.hypervolume for curve in curves]),
        best_curve=band_of([curve.best for curve in curves]),
    )


def _versus(
    method: str, mine: dict[int, tuple[RunRecord, Curve]], theirs: dict[int, tuple[RunRecord, Curve]]
) -> Versus:
    seeds = sorted(mine.keys() & theirs.keys())
    volumes, bests, models, reached, covers, covered = [], [], [], 0, [], []
    for seed in seeds:
        (own, curve), (other, rival) = mine[seed], theirs[seed]
        end = min(len(curve.hypervolume), len(rival.hypervolume)) - 1
        volumes.append(curve.hypervolume[end] - rival.hypervolume[end])
        bests.append(curve.best[end] - rival.best[end])
        needed = curve.models_to_reach(rival.hypervolume[end])
        models.append(float(len(curve.hypervolume) - 1 if needed is None else needed))
        reached += needed is not None
        covers.append(coverage((own.start, *own.models), (other.start, *other.models)))
        covered.append(coverage((other.start, *other.models), (own.start, *own.models)))
    return Versus(
        method=method,
        seeds=tuple(seeds),
        hypervolume=bootstrap_mean(volumes),
        best=bootstrap_mean(bests),
        models=bootstrap_mean(models),
        reached=reached,
        covers=statistics.fmean(covers),
        covered=statistics.fmean(covered),
    )


def _spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0)


def _summed(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))
