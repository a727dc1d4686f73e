"""Rows of the store as frozen dataclasses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]

FORGIVEN = 2  # failed turns of a category beyond its trained models that are given again


@dataclass(frozen=True)
class JobRow:
    """A long job: ``structure``, ``search`` or ``finish``; ``exit_code`` says what kind of failure ended it.

    ``model_digest`` identifies the weights of the model that read papers in it; empty where that is not known.
    ``fault`` names what ended it, or what it waits for, in :mod:`fairnad_engine.fault_table`; empty for none of those.
    """

    id: str
    kind: str
    run_id: str | None
    state: str
    config: Row
    message: str
    exit_code: int
    created_at: str
    updated_at: str
    model_digest: str
    fault: str = ""


@dataclass(frozen=True)
class RunRow:
    """A search with everything it was started with, frozen."""

    id: str
    name: str
    config: Row
    environment: Row
    template_version: int
    model: str
    model_digest: str
    dataset_digest: str
    protocol_digest: str
    seed: int
    digest: str | None
    created_at: str
    ended_at: str | None


@dataclass(frozen=True)
class RunProgress:
    """How far a run is.

    Attributes:
        trained: Models trained, the seed not counted.
        budget: Models to train; those that were stopped after a short schedule count too.
        generation: The last one.
        best_accuracy: Best validation accuracy, percent.
        screened: Models stopped after the short schedule.
        counted: Models as the budget counts them: where it counts a chain's last model alone, one of both.
    """

    trained: int
    budget: int
    generation: int
    best_accuracy: float | None
    screened: int = 0
    counted: int = 0


@dataclass(frozen=True)
class GenerationRow:
    """One generation and the front as it stood at its end."""

    run_id: str
    number: int
    state: str
    front: tuple[str, ...]
    hypervolume: float | None
    best_accuracy: float | None
    trained: int
    started_at: str
    ended_at: str | None


@dataclass(frozen=True)
class SlotRow:
    """One of a generation's slots; ``ideas`` are the turn's idea and its two alternates."""

    run_id: str
    generation: int
    slot: int
    stage: int
    kind: str
    main: str | None
    sub: str | None
    ideas: tuple[str, ...]
    parent_id: str | None
    state: str
    failure: str | None


@dataclass(frozen=True)
class TurnCounts:
    """What became of the turns of one category or idea; of an idea also turns in which it stood in for another.

    Attributes:
        turns: Turns given; cut ones included.
        tried: Of them, a proposal was made.
        valid: Came to a verified backbone.
        realised: Whose graph shows the idea.
        trained: Came to a score.
        on_front: Whose model stands on the front of the last generation that ended.
    """

    turns: int = 0
    tried: int = 0
    valid: int = 0
    realised: int = 0
    trained: int = 0
    on_front: int = 0


@dataclass(frozen=True)
class AttemptRow:
    """One proposal of a slot and what the verifier said."""

    run_id: str
    generation: int
    slot: int
    step: int
    attempt: int
    purpose: str
    idea_id: str | None
    parent_id: str | None
    task_hash: str
    design: Row | None
    source: str | None
    verdict: Row | None
    failure: str | None
    message: str
    design_seconds: float
    verify_seconds: float


@dataclass(frozen=True)
class CandidateRow:
    """A verified backbone; ``accuracy`` is on the validation split, percent, ``latency`` in milliseconds.

    Latency is there only where the run selects by it.
    """

    run_id: str
    id: str
    position: int
    generation: int
    stage: int
    slot: int
    step: int
    kind: str
    parent_id: str | None
    idea_id: str | None
    derived: Row | None
    change: str
    edit_type: str
    realised: str
    source: str
    width: float
    params: int
    macs: int
    exact_hash: str
    width_hash: str
    graph: str
    weights: str
    status: str
    failure: str | None
    accuracy: float | None
    created_at: str
    latency: float | None = None


@dataclass(frozen=True)
class EvaluationRow:
    """One training of a candidate; ``fidelity`` is ``full`` or ``short:N``, and scores of two are never compared."""

    run_id: str
    candidate_id: str
    purpose: str
    seed: int
    protocol: str
    protocol_digest: str
    status: str
    accuracy: float | None
    weights: str | None
    message: str
    seconds: float
    at: str
    fidelity: str = "full"
    latency_1: float | None = None
    latency_256: float | None = None


@dataclass(frozen=True)
class TestRow:
    """A test score, made once by ``finish``."""

    run_id: str
    candidate_id: str
    seed: int
    generation_seen: int
    validation_accuracy: float
    test_accuracy: float
    protocol: str
    at: str


@dataclass(frozen=True)
class TestColumnRow:
    """A score made as another paper makes its own, beside the run's.

    Attributes:
        kind: ``nader``: the best epoch on the whole test set, so chosen by the test.
        generation_seen: Generation of the finish that made it.
        epoch: The best one.
        accuracy: Of that epoch, percent.
        last_accuracy: Of the last one, on the same images, percent.
        images: How many were scored.
    """

    run_id: str
    candidate_id: str
    seed: int
    kind: str
    generation_seen: int
    epoch: int
    accuracy: float
    last_accuracy: float
    images: int
    protocol: str
    at: str


@dataclass(frozen=True)
class CountRow:
    """How often fair sampling gave a category its turn.

    Attributes:
        node: Id of the category.
        kind: ``level``, ``main`` or ``sub``.
        turns: Turns given.
        join_offset: What was added when it joined, so that it entered at the minimum.
        active: Whether it has approved ideas.
        trained: Turns that came to a trained model; None where turns are what is kept equal.
        open: Turns whose end the draw does not know yet, where trained models are kept equal.
    """

    node: str
    kind: str
    turns: int
    join_offset: int
    active: bool
    trained: int | None = None
    open: int = 0

    @property
    def effective(self) -> int:
        """What fairness compares: turns, or trained models; plus the join offset.

        Of trained models: those so far plus the open turns. Failed turns are given again as long as there are not
        ``FORGIVEN`` more of them than trained models; beyond, they count in the models' place, lest a category that
        never comes to a model takes every turn.
        """
        if self.trained is None:
            return self.turns + self.join_offset
        failed = self.turns - self.open - self.trained
        return max(self.trained, failed - FORGIVEN) + self.open + self.join_offset


def decode(row: Any) -> Row:  # noqa: ANN401
    """Turn a row into keyword arguments: ``x_json`` columns become ``x``."""
    values: Row = {}
    for key in row.keys():  # noqa: SIM118 - sqlite3.Row is no mapping
        value = row[key]
        if key.endswith("_json"):
            values[key.removesuffix("_json")] = None if value is None else json.loads(value)
        else:
            values[key] = value
    return values


def encode(values: Row, json_columns: tuple[str, ...]) -> Row:
    """The reverse of :func:`decode` for the named columns."""
    row: Row = {}
    for key, value in values.items():
        if key in json_columns:
            row[f"{key}_json"] = None if value is None else json.dumps(value, sort_keys=True)
        else:
            row[key] = value
    return row
