"""The control row: the seed, only scaled up to the budget's edge, trained as the candidates were (method, section 2).

A search that cannot beat "just scale it" has found nothing. The control is no candidate: it is not counted, no parent,
on no front and not in the run digest; it is never tested, and what it scored on validation stands in every report.
"""

from __future__ import annotations

import asyncio
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.fresh_weights import PASSING_FAILURES
from fairnad_engine.search.seeds import entropy, torch_seed
from fairnad_engine.store import Store
from fairnad_engine.store.records import CandidateRow, RunRow
from fairnad_engine.store.runs import SEED_CANDIDATE

if TYPE_CHECKING:
    from fairnad_engine.backbone.verifier import Verifier
    from fairnad_engine.search.scoring import Scorer

CONTROL = "control"  # its id, its kind, the purpose of its trainings, and the event that says why there is none
BESIDE = "beside"  # the status of a network that is no candidate


@dataclass(frozen=True)
class ControlFacts:
    """The control of a run as far as it went.

    Attributes:
        state: ``trained``, ``failed``, ``open`` (not yet), ``none`` (no wider seed fits) or ``off``.
        note: Why there is no score, or what makes one.
        width: Width of the seed at the budget's edge.
        params: Parameters.
        macs: Multiply-accumulates for one image.
        validation: Validation accuracy of each training, percent.
        validation_mean: Their mean.
        validation_deviation: Their sample standard deviation, from two on.
        failures: Classes of trainings that gave no score.
    """

    state: str
    note: str = ""
    width: float | None = None
    params: int | None = None
    macs: int | None = None
    validation: tuple[float, ...] = ()
    validation_mean: float | None = None
    validation_deviation: float | None = None
    failures: tuple[str, ...] = ()


def control_seed(run: RunRow, number: int, what: str = "train") -> int:
    """The seed of the control's training ``number``, or of its initial weights."""
    return torch_seed(entropy(run.seed, 0, CONTROL, number, what))


async def find_control(store: Store, run: RunRow, widener: Verifier) -> CandidateRow | None:
    """The seed at the budget's edge, verified once and stored; None where no wider one fits, or not this time.

    Args:
        store: The workspace.
        run: The run.
        widener: A verifier with ``fit = fill``.
    """
    found = store.beside.get(run.id, CONTROL)
    if found is not None or store.runs.latest_event(run.id, CONTROL, 0) is not None:
        return found
    source = str(run.environment["seed_source"])
    verdict = await asyncio.to_thread(widener.verify, source, 1.0, control_seed(run, 0, "init"))
    if verdict.failure in PASSING_FAILURES:
        return None
    if verdict.failure is not None or verdict.width <= 1.0:
        reason = verdict.message if verdict.failure else "no wider seed is within the budgets"
        store.runs.record_event(run.id, 0, CONTROL, {"problem": reason[:300]})
        return None
    store.beside.save(
        run.id,
        CONTROL,
        beside_columns(
            verdict.measured(), CONTROL, SEED_CANDIDATE, source, f"the seed with {verdict.width:g} times its width"
        ),
    )
    return store.beside.get(run.id, CONTROL)


async def train_control(store: Store, run: RunRow, widener: Verifier, scorer: Scorer) -> None:
    """Train the control once, at the end of a search; ``finish`` trains it with its further seeds."""
    control = await find_control(store, run, widener)
    if control is not None:
        await scorer.retrain(control, control_seed(run, 0), control.weights, CONTROL)


def beside_columns(
    measured: dict[str, object], kind: str, parent: str, source: str, change: str, position: int = 0
) -> dict[str, object]:
    """The columns of a network beside the archive."""
    return {
        "position": position,
        "generation": 0,
        "stage": 0,
        "slot": 0,
        "step": 1,
        "kind": kind,
        "parent_id": parent,
        "idea_id": None,
        "derived": None,
        "change": change,
        "edit_type": "capacity",
        "realised": "unknown",
        "source": source,
        **measured,
        "status": BESIDE,
        "failure": None,
        "accuracy": None,
    }


def control_facts(store: Store, run_id: str) -> ControlFacts:
    """What stands in the control row of a run."""
    run = store.runs.get(run_id)
    row = store.beside.get(run_id, CONTROL)
    if row is None:
        event = store.runs.latest_event(run_id, CONTROL, 0)
        if event is not None:
            return ControlFacts("none", str(event[1]["problem"]))
        if RunConfig.model_validate(run.config).search.control == "off":
            return ControlFacts("off", '[search] control = "off"')
        return ControlFacts("open", f"trained by: fairnad-tui finish {run_id}")
    trainings = [one for one in store.runs.evaluations_of(run_id, CONTROL) if one.purpose == CONTROL]
    scores = tuple(one.accuracy for one in trainings if one.accuracy is not None)
    failures = tuple(one.status for one in trainings if one.accuracy is None)
    state = "trained" if scores else "failed" if failures else "open"
    return ControlFacts(
        state=state,
        note="" if scores else f"training failed: {failures[0]}" if failures else "not trained yet",
        width=row.width,
        params=row.params,
        macs=row.macs,
        validation=scores,
        validation_mean=statistics.fmean(scores) if scores else None,
        validation_deviation=statistics.stdev(scores) if len(scores) > 1 else None,
        failures=failures,
    )
