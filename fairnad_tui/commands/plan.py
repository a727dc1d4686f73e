"""``run --dry-run``: plan, protocol, cost forecast and what is missing; nothing is trained and nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fairnad_engine.errors import FairnadError
from fairnad_tui.options import DEFAULT_DB
from fairnad_tui.output import print_json, print_table, remark, tell

if TYPE_CHECKING:
    from fairnad_engine.preflight import Check
    from fairnad_engine.search.config import RunConfig
    from fairnad_engine.search.costs import Figure, SeedTiming
    from fairnad_engine.search.forecast import Forecast
    from fairnad_engine.training.protocol import Protocol

_DAYS_WITHOUT_GPU = 2.0
_STAGES = ("I, fair ideas", "II, Pareto-aware", "III, chains of two")


def dry_run(settings: RunConfig, db: Path | None, *, as_json: bool) -> None:
    """Print what a run with these settings would be."""
    from fairnad_engine.machine import accelerators
    from fairnad_engine.preflight import checks, disk_check
    from fairnad_engine.search.outlook import look_ahead, protocol_of

    gpus = len(accelerators())
    remark("timing the seed backbone for moments on images of noise; nothing is trained")
    timing, why_not = _timed(settings)
    protocol = protocol_of(settings)
    expected = look_ahead(settings, timing, why_not, gpus=gpus)
    here = (_gpu(settings, expected, gpus),) if settings.machine.executor == "local" else ()  # a cluster has its own
    needs = (*checks(settings), *here, disk_check(_workspace(db)), _ideas(settings, db))
    if as_json:
        print_json(_document(settings, protocol, expected, needs))
    else:
        _show(settings, protocol, expected, needs)


def _timed(settings: RunConfig) -> tuple[SeedTiming | None, str]:
    from fairnad_engine.search.costs import time_seed

    try:
        return time_seed(settings), ""
    except FairnadError as error:
        return None, str(error)


def _gpu(settings: RunConfig, expected: Forecast, gpus: int) -> Check:
    from fairnad_engine.machine import accelerators
    from fairnad_engine.preflight import Check

    days = expected.hours.middle / 24 if expected.hours else 0.0
    if gpus:
        return Check("GPU", detail=", ".join(accelerators()))
    if expected.hours is None or days > _DAYS_WITHOUT_GPU:
        told = f"about {days:,.0f} days" if expected.hours else "far too long"
        return Check("GPU", f"none is visible, and the CPU would take {told}; use a GPU, or a small-* preset")
    return Check("GPU", detail="none; the CPU is enough")


def _ideas(settings: RunConfig, db: Path | None) -> Check:
    """The approved ideas of the workspace, if there is one; none is made."""
    from fairnad_engine.preflight import Check
    from fairnad_engine.store import Store
    from fairnad_engine.store.local_copy import there_is

    path = _workspace(db)
    remedy = "add papers, structure them and approve ideas, see: fairnad-tui papers add, structure, ideas approve"
    if not settings.search.draws_ideas:
        return Check("approved ideas", detail="none are needed: no slot draws one")
    if not there_is(path):
        return Check("approved ideas", f"{path}: there is no workspace yet; {remedy}")
    with Store(path) as store:
        count = len(store.ideas.approved())
    return Check("approved ideas", detail=f"{count:,}") if count else Check("approved ideas", f"{path}: none; {remedy}")


def _workspace(db: Path | None) -> Path:
    context = click.get_current_context(silent=True)
    return db or (context.find_root().obj if context else None) or DEFAULT_DB


def _plan(settings: RunConfig, expected: Forecast) -> dict[str, Any]:
    from fairnad_engine.search.forecast import Pipeline

    search = settings.search
    return {
        "name": settings.name,
        "papers": list(settings.papers.sources),
        "model": settings.model.llm,
        "seed_backbone": search.seed_backbone,
        "stages": list(search.stages),
        "slots_per_generation": sum(search.slots),
        "models_per_generation": Pipeline.models_of(search.slots),
        "models": expected.models,
        "generations": expected.generations,
        "search": search.model_dump(mode="json"),
        "budget": settings.budget.model_dump(mode="json"),
        "fidelity": settings.fidelity.mode,
        "lanes": expected.lanes,
        "streams": expected.streams,
    }


def _document(
    settings: RunConfig, protocol: Protocol | None, expected: Forecast, needs: tuple[Check, ...]
) -> dict[str, Any]:
    return {
        "plan": _plan(settings, expected),
        "dataset": settings.data.dataset,
        "protocol": protocol.model_dump(mode="json") if protocol else None,
        "forecast": expected.as_dict(),
        "published": _published(settings),
        "needs": [
            {"name": one.name, "ready": one.ready, "problem": one.problem, "detail": one.detail} for one in needs
        ],
        "ready": all(one.ready for one in needs),
    }


def _published(settings: RunConfig) -> str | None:
    from fairnad_engine.search.costs import published_training

    figure = published_training(settings)
    return figure.source if figure else None


def _show(settings: RunConfig, protocol: Protocol | None, expected: Forecast, needs: tuple[Check, ...]) -> None:
    plan = _plan(settings, expected)
    search, budget = settings.search, settings.budget
    print_table(
        "Plan",
        ("what", "value"),
        (
            ("run", f"{settings.name}, seed {search.seed}"),
            ("papers", _papers(settings)),
            ("language model", f"{settings.model.llm}, {expected.lanes} proposals at a time"),
            *((f"slots of stage {name}", count) for name, count in zip(_STAGES, search.slots, strict=True)),
            ("generations", f"{plan['generations']} or more, of up to {plan['models_per_generation']} models each"),
            ("models to train", f"{_models(settings, expected)}, and the seed {search.seed_backbone}"),
            ("budget of a model", f"{budget.max_params:,} parameters, {budget.max_macs:,} MACs"),
            ("method, fairness", f"{search.method}, {search.fairness}"),
            ("proposals see", search.proposals),
            ("fit to the budget", search.fit),
        ),
    )
    tell("")
    tell(_protocol_line(settings, protocol))
    tell("")
    print_table("Forecast", ("what", "likely", "from", "to", "by"), _forecast_rows(expected))
    tell("")
    tell(expected.advice)
    if published := _published(settings):
        tell(published)
    tell("")
    print_table(
        "What it needs",
        ("what", "state", "detail"),
        ((one.name, "there" if one.ready else "MISSING", one.problem or one.detail) for one in needs),
    )
    missing = sum(not one.ready for one in needs)
    remark("nothing was trained; " + (f"{missing} missing" if missing else "everything is there"))


def _papers(settings: RunConfig) -> str:
    """Which library the settings name; the samples are few, and nobody should take them for the paper's."""
    sources = settings.papers.sources
    if sources == ("samples",):
        return "the sample papers that come with the program; [papers] sources names files or folders of your own"
    return ", ".join(sources) or "those of the workspace; [papers] sources names none"


def _models(settings: RunConfig, expected: Forecast) -> str:
    """How many are trained; more than the budget counts where a chain counts once."""
    counted = settings.budget.trained
    if expected.models == counted:
        return f"{counted:,}"
    return f"{counted:,} as the budget counts (of a chain the last), up to {expected.models:,} trainings"


def _split_label(settings: RunConfig) -> str:
    from fairnad_engine.training.datasets import splits_problem

    if settings.data.splits is None:
        return "own-split"
    missing = splits_problem(settings.data.dataset, settings.data.splits)
    return "the index files for nb201-split are MISSING" if missing else "nb201-split"


def _protocol_line(settings: RunConfig, protocol: Protocol | None) -> str:
    if protocol is None:
        return f"protocol {settings.data.protocol}: MISSING"
    return (
        f"protocol {protocol.name}: {settings.data.dataset}, {protocol.epochs} epochs, batch {protocol.batch_size}, "
        f"learning rate {protocol.learning_rate:g}, weight decay {protocol.weight_decay:g}, {_split_label(settings)}; "
        "selection reads validation accuracy only"
    )


def _forecast_rows(expected: Forecast) -> list[tuple[str, ...]]:
    costs = expected.costs
    return [
        _row("hours", expected.hours, _number),
        _row("hours of trainings, summed", expected.stream_hours, _number),
        _row("seconds a training", costs.training, _number),
        _row("seconds a proposal", costs.call, _number),
        _row("trained models a proposal", costs.passing, lambda value: f"{value:.2f}"),
        _row("proposals", expected.proposals, _count),
        _row("tokens read", expected.prompt_tokens, _count),
        _row("tokens written", expected.completion_tokens, _count),
        _row("disk: weights", expected.weights_bytes, _size),
        _row("disk: graphs", expected.graphs_bytes, _size),
        _row("disk: workspace file", expected.store_bytes, _size),
    ]


def _row(name: str, figure: Figure | None, told: Any) -> tuple[str, ...]:  # noqa: ANN401
    if figure is None:
        return (name, "-", "-", "-", "nothing is known here")
    return (name, told(figure.middle), told(figure.low), told(figure.high), figure.source)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _size(value: float) -> str:
    return f"{value / 1e9:.2g} GB" if value >= 1e9 else f"{value / 1e6:,.1f} MB"
