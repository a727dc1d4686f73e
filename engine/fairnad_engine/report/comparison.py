"""The published table beside a run's own row, and only where the two were made alike (method, section 6).

A number compares where data set, protocol and split are the same. Where one of them differs there is no table: the
reasons are given in its place.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from fairnad_engine.search.finish_results import FinishResult
from fairnad_engine.search.nader_column import NADER
from fairnad_engine.store import Store
from fairnad_engine.store.records import RunRow, TestColumnRow
from fairnad_engine.training.protocol import load_protocol

_PROTOCOL, _SPLIT = "nasbench201", "nb201-split"
_DATASETS = ("cifar10", "cifar100", "imagenet16-120")
LAST_EPOCH = "last epoch, test split"
BEST_EPOCH = "best epoch, whole test set (chosen by test)"
AS_PUBLISHED = "as published"
OWN = "this run"

# Method, trained models, how it was tested, and test accuracy in percent for each data set, with the spread given.
_PUBLISHED: tuple[tuple[str, str, str, tuple[float, ...], tuple[float | None, ...]], ...] = (
    ("ResNet of NAS-Bench-201", "-", LAST_EPOCH, (93.97, 70.86, 43.63), (None, None, None)),
    ("optimum of NAS-Bench-201", "15,625", LAST_EPOCH, (94.37, 73.51, 47.31), (None, None, None)),
    ("LLMatic", "2000", AS_PUBLISHED, (94.26, 71.62, 45.87), (None, None, None)),
    ("NADER", "500", BEST_EPOCH, (94.62, 76.00, 50.52), (None, None, None)),
    ("RevoNAD", "?", AS_PUBLISHED, (95.22, 76.38, 50.72), (None, None, None)),
    ("LLMasTool (arXiv 2604.16555)", "500", AS_PUBLISHED, (95.31, 77.83, 53.20), (None, None, None)),
    ("FairNAD", "500, 3 runs", AS_PUBLISHED, (95.46, 78.17, 52.87), (0.10, 1.25, 1.32)),
)


@dataclass(frozen=True)
class ComparedRow:
    """One line of the table.

    Attributes:
        method: Whose number it is.
        trained: Models that were trained for it.
        test: Test accuracy, percent; None where this run is not tested yet.
        deviation: As far as one was given.
        tested: How it was tested.
        own: Whether it is this run's.
    """

    method: str
    trained: str
    test: float | None
    deviation: float | None
    tested: str
    own: bool = False


@dataclass(frozen=True)
class ComparisonFacts:
    """The published table beside a run.

    Attributes:
        dataset: Data set of the run.
        protocol: What every number of the table was made under; empty where there is none.
        why_not: Why nothing published compares; empty where it does.
        rows: The published ones, then the run's own; empty where nothing compares.
    """

    dataset: str
    protocol: str
    why_not: tuple[str, ...]
    rows: tuple[ComparedRow, ...]


@dataclass(frozen=True)
class TestColumn:
    """A tested model scored in NADER's manner: best epoch on the whole test set, so chosen by the test.

    Attributes:
        id: Model.
        kind: ``nader``.
        epoch: The best epoch.
        accuracy: Of that epoch, percent.
        last_accuracy: Of the last one on the same images, percent.
        images: How many were scored.
        tested: The mark that stands beside the number.
    """

    __test__ = False  # not a test class

    id: str
    kind: str
    epoch: int
    accuracy: float
    last_accuracy: float
    images: int
    tested: str = BEST_EPOCH


def columns_of_test(store: Store, run_id: str) -> tuple[TestColumn, ...]:
    """Every such score of a run."""
    return tuple(_column(row) for row in store.tests.columns_of(run_id))


def _column(row: TestColumnRow) -> TestColumn:
    return TestColumn(row.candidate_id, row.kind, row.epoch, row.accuracy, row.last_accuracy, row.images)


def comparison_facts(store: Store, run: RunRow, results: tuple[FinishResult, ...], trained: int) -> ComparisonFacts:
    """Set a run beside what was published.

    Args:
        store: The workspace.
        run: The run.
        results: Its finishes.
        trained: Models that it has trained.
    """
    environment = run.environment
    dataset, protocol = str(environment["dataset"]["name"]), environment["protocol"]
    why = []
    if dataset not in _DATASETS:
        why.append(f"nothing was published on {dataset}; the table is of {', '.join(_DATASETS)}")
    if run.protocol_digest != load_protocol(_PROTOCOL).digest:
        why.append(
            f"its protocol is {protocol['name']} ({protocol['epochs']} epochs); the table's is {_PROTOCOL} (200 epochs)"
        )
    if environment["split_label"] != _SPLIT:
        why.append(f"its split is {environment['split_label']}; the table's is {_SPLIT}")
    if why:
        return ComparisonFacts(dataset, "", tuple(why), ())
    place = _DATASETS.index(dataset)
    rows = [
        ComparedRow(name, count, test[place], spread[place], tested) for name, count, tested, test, spread in _PUBLISHED
    ]
    return ComparisonFacts(
        dataset,
        f"protocol {_PROTOCOL}, 200 epochs, {dataset}, {_SPLIT}",
        (),
        (*rows, *_own(store, run, results, trained)),
    )


def _own(store: Store, run: RunRow, results: tuple[FinishResult, ...], trained: int) -> list[ComparedRow]:
    """The member that validation ranks first, as it was tested; and as NADER would have, where that was asked for."""
    tested = [one for result in results[-1:] for one in result.members if one.test and not one.set_aside]
    if not tested:
        return [ComparedRow(f"{OWN}, {run.id}", f"{trained}", None, None, "not tested yet: fairnad-tui finish", True)]
    best, note = tested[0], results[-1].note
    how = LAST_EPOCH + (f"; {note}" if note else "")
    rows = [ComparedRow(f"{OWN}, {best.id}", f"{trained}", best.test_mean, best.test_deviation, how, True)]
    scores = [
        row.accuracy for row in store.tests.columns_of(run.id) if row.kind == NADER and row.candidate_id == best.id
    ]
    if scores:
        name = f"{OWN}, {best.id}, in NADER's manner"
        rows.append(ComparedRow(name, f"{trained}", statistics.fmean(scores), None, BEST_EPOCH, True))
    return rows
