"""Rows of the store as frozen dataclasses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class PaperRow:
    """A paper of the workspace; ``relevant`` is None before screening."""

    id: str
    title: str
    authors: tuple[str, ...]
    year: int | None
    venue: str
    arxiv: str
    abstract: str
    text: str
    sections: tuple[tuple[str, int, int], ...]
    source: str
    added_at: str
    relevant: bool | None
    reason: str
    screened_by: str
    structured_by: str


@dataclass(frozen=True)
class PaperLine:
    """A paper as a list shows it, without its text."""

    id: str
    title: str
    authors: tuple[str, ...]
    year: int | None
    relevant: bool | None
    reason: str
    screened_by: str
    structured_by: str


@dataclass(frozen=True)
class IdeaRow:
    """An idea of the library.

    Attributes:
        origin: ``extracted``, ``own``, ``imported`` or ``derived``.
        status: ``proposed``, ``approved``, ``rejected`` or ``imported``.
        span: Characters of the quote in the paper's text; None where it is not grounded.
        decided_by: ``person`` or ``policy:NAME``.
    """

    id: str
    paper_id: str | None
    level: str
    main: str
    sub: str
    name: str
    instruction: str
    quote: str
    span: tuple[int, int] | None
    origin: str
    status: str
    decided_by: str
    decided_at: str
    created_at: str

    @property
    def grounded(self) -> bool:
        """Whether the quote was found in the paper."""
        return self.span is not None


@dataclass(frozen=True)
class JobRow:
    """A long job: ``structure``, ``search`` or ``finish``; ``exit_code`` says what kind of failure ended it."""

    id: str
    kind: str
    run_id: str | None
    state: str
    config: Row
    message: str
    exit_code: int
    created_at: str
    updated_at: str


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
    """

    trained: int
    budget: int
    generation: int
    best_accuracy: float | None
    screened: int = 0


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
    """A verified backbone; ``accuracy`` is on the validation split, percent."""

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
class CountRow:
    """How often fair sampling gave a category its turn; effective = turns + join offset."""

    node: str
    kind: str
    turns: int
    join_offset: int
    active: bool

    @property
    def effective(self) -> int:
        """Turns as fairness compares them."""
        return self.turns + self.join_offset


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
