"""The report's tables as CSV (RFC 4180, UTF-8, one header line).

Texts are written by :func:`fairnad_engine.text.csv_cell`: exactly, but for what would act on a terminal or in a
spreadsheet, and that reversibly.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from fairnad_engine.report.facts import ModelLine, RunSummary
from fairnad_engine.report.turn_facts import CategoryLine
from fairnad_engine.text import csv_cell

_MODEL = (
    "id", "generation", "stage", "slot", "step", "kind", "parent", "status", "failure", "validation_accuracy",
    "params", "macs", "latency", "width", "on_front", "idea", "sub", "idea_name", "change", "edit_type", "realised",
    "exact_hash", "protocol",
)  # fmt: skip
_COST = (
    "proposals", "design_seconds", "verify_seconds", "training_seconds", "finish_seconds", "prompt_tokens",
    "completion_tokens",
)  # fmt: skip
_SAMPLING = (
    "kind", "id", "name", "level", "ideas", "active", "turns", "join_offset", "effective", "tried", "valid",
    "realised", "trained", "on_front",
)  # fmt: skip
_REALISATION = ("yes", "no", "unknown", "rate")  # of every backbone of the category's ideas, Stage III's too


def candidates_csv(summary: RunSummary) -> str:
    """Every verified backbone, the seed first, with what it took, failed proposals of its step included."""
    taken = {one.id: vars(one) for one in summary.ledger.candidates} if summary.ledger else {}

    def line(model: ModelLine) -> dict[str, object]:
        return {**_model(model, summary), **{key: taken.get(model.id, {}).get(key) for key in _COST}}

    return _table((*_MODEL, *_COST), (line(model) for model in summary.models))


def front_csv(summary: RunSummary) -> str:
    """The Pareto front, best validation accuracy first."""
    return _table(_MODEL, (_model(model, summary) for model in summary.front))


def sampling_csv(summary: RunSummary) -> str:
    """Turns of every main and sub-category; what they became stands with the main categories."""
    outcomes = {turn.main: turn for turn in summary.turns}
    realised = {one.id: one for one in summary.realisation}

    def line(category: CategoryLine) -> dict[str, object]:
        outcome = None if category.main else outcomes.get(category.id)
        return {
            "kind": "sub" if category.main else "main",
            **{key: getattr(category, key) for key in _SAMPLING[1:9]},
            **{key: getattr(outcome, key) if outcome else None for key in _SAMPLING[9:]},
            **{f"realised_{key}": getattr(realised.get(category.id), key, None) for key in _REALISATION},
        }

    columns = (*_SAMPLING, *(f"realised_{key}" for key in _REALISATION))
    return _table(columns, (line(c) for c in (*summary.sampling.mains, *summary.sampling.subs)))


def _model(model: ModelLine, summary: RunSummary) -> dict[str, object]:
    idea = model.idea
    own = {key: getattr(model, key) for key in _MODEL if key not in ("idea", "sub", "idea_name", "protocol")}
    return {
        **own,
        "idea": idea.id if idea else None,
        "sub": idea.sub if idea else None,
        "idea_name": idea.name if idea else None,
        "protocol": summary.protocol.label,
    }


def _table(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return stream.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        return csv_cell(value)
    return value
