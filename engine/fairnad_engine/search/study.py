"""A study as it stands: methods by seeds, each cell an ordinary run, and their curves with confidence bands.

Nothing is written here, and nothing that a look at a list needs imports numpy. What starts the runs is
:mod:`fairnad_engine.search.study_runs`; the whole comparison for a report is :mod:`fairnad_engine.report.study`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairnad_engine.search.comparison import Band, Curve
    from fairnad_engine.store import Store

WAITING = "waiting"
HELD_UP = "held-up"


@dataclass(frozen=True)
class Cell:
    """One method under one seed.

    Attributes:
        method: A method's name, or a variant's.
        seed: The seed of its run.
        status: ``waiting`` (not started), ``held-up`` (its job waits for a disk or a server), or the state of its job:
            ``queued``, ``running``, ``paused``, ``stopping``, ``stopped``,
            ``dead`` (its process is gone; the study goes on with it), ``failed`` or ``done``.
        run_id: Its run, once it is started.
        trained: Models that the budget counts so far.
        hypervolume: Of its front now; None before the seed is trained.
        best: Best validation accuracy within budget, in percent.
    """

    method: str
    seed: int
    status: str
    run_id: str | None
    trained: int
    hypervolume: float | None
    best: float | None


@dataclass(frozen=True)
class MethodCurves:
    """Means over seeds with 95 % bootstrap bands, at 0, 1, 2 ... trained models; empty before anything is trained."""

    method: str
    hypervolume: Band
    best: Band


@dataclass(frozen=True)
class StudyControl:
    """The seed only scaled up to the budget's edge, as some run under a seed trained it.

    Attributes:
        seed: The seed of that run.
        run_id: The run; runs of one seed and one budget would all give the same.
        accuracy: Validation accuracy, percent.
        params: Parameters.
        macs: Multiply-accumulates for one image.
    """

    seed: int
    run_id: str
    accuracy: float
    params: int
    macs: int


@dataclass(frozen=True)
class StudyView:
    """A study as it stands.

    Attributes:
        name: Its name.
        dataset: What its runs train on.
        methods: In the order of the study.
        seeds: In the order of the study; cells are run seed by seed.
        budget: Trained models of each run.
        cells: One for each method and seed, in the order in which they are run.
        curves: One for each method.
        controls: At most one for each seed; none where no run has trained it.
    """

    name: str
    dataset: str
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    budget: int
    cells: tuple[Cell, ...]
    curves: tuple[MethodCurves, ...]
    controls: tuple[StudyControl, ...] = ()

    def cell(self, method: str, seed: int) -> Cell:
        """The cell of a method and a seed."""
        return next(one for one in self.cells if (one.method, one.seed) == (method, seed))


@dataclass(frozen=True)
class StudyLine:
    """A study as a list shows it: its name, data set, number of cells and how many of them are done."""

    name: str
    dataset: str
    cells: int
    done: int


def studies(store: Store) -> tuple[StudyLine, ...]:
    """Every study of a workspace, oldest first."""
    from fairnad_engine.search.study_config import StudyConfig

    found = []
    for row in store.studies.all():
        config = StudyConfig.model_validate(row.config)
        runs = {(one.method, one.seed): one.run_id for one in store.studies.runs(row.name)}
        wanted = [(method, seed) for seed in config.seeds for method in config.methods]
        done = sum(_status(store, runs.get(key)) == "done" for key in wanted)
        found.append(StudyLine(row.name, config.dataset, len(wanted), done))
    return tuple(found)


def study_view(store: Store, name: str) -> StudyView:
    """A study as it stands, read as of one moment.

    Raises:
        InputError: There is no such study.
    """
    from fairnad_engine.search.study_config import StudyConfig

    with store.snapshot():
        config = StudyConfig.model_validate(store.studies.get(name).config)
        runs = {(one.method, one.seed): one.run_id for one in store.studies.runs(name)}
        cells: list[Cell] = []
        curves: dict[str, list[Curve]] = {method: [] for method in config.methods}
        for seed in config.seeds:
            for method in config.methods:
                run_id = runs.get((method, seed))
                curve = run_curve(store, run_id) if run_id else None
                cells.append(_cell(method, seed, _status(store, run_id), run_id, curve))
                if curve is not None:
                    curves[method].append(curve)
        controls = _controls(store, cells)
    return StudyView(
        name=name,
        dataset=config.dataset,
        methods=config.methods,
        seeds=config.seeds,
        budget=config.trained,
        cells=tuple(cells),
        curves=tuple(_curves(method, found) for method, found in curves.items()),
        controls=controls,
    )


def _controls(store: Store, cells: list[Cell]) -> tuple[StudyControl, ...]:
    """Of each seed the first run's that has trained it, in the order of the study's methods."""
    from fairnad_engine.search.control_row import control_facts

    found: dict[int, StudyControl] = {}
    for cell in cells:
        if cell.run_id is None or cell.seed in found:
            continue
        facts = control_facts(store, cell.run_id)
        if facts.validation_mean is not None and facts.params is not None and facts.macs is not None:
            found[cell.seed] = StudyControl(cell.seed, cell.run_id, facts.validation_mean, facts.params, facts.macs)
    return tuple(found.values())


def run_curve(store: Store, run_id: str) -> Curve | None:
    """A run's curve over its trained models; None before its seed is trained."""
    from fairnad_engine.search.comparison import curve_of
    from fairnad_engine.search.run_record import run_models

    found = run_models(store, run_id)
    if found is None:
        return None
    reference, start, models = found
    return curve_of(start, models, reference)


def _status(store: Store, run_id: str | None) -> str:
    job = store.jobs.of_run(run_id) if run_id else None
    if job is None:
        return WAITING
    state = store.jobs.living_state(job)
    return HELD_UP if state == "waiting" else state


def _cell(method: str, seed: int, status: str, run_id: str | None, curve: Curve | None) -> Cell:
    if curve is None:
        return Cell(method, seed, status, run_id, 0, None, None)
    return Cell(method, seed, status, run_id, len(curve.best) - 1, curve.hypervolume[-1], curve.best[-1])


def _curves(method: str, curves: list[Curve]) -> MethodCurves:
    from fairnad_engine.search.comparison import band_of

    return MethodCurves(method, band_of([one.hypervolume for one in curves]), band_of([one.best for one in curves]))
