"""The comparisons of a report as plain text: what a terminal shows and what goes into a mail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fairnad_engine.report.facts import RunSummary
from fairnad_engine.text import one_line, sanitize

_NOTHING = "-"


def comparison_text(summary: RunSummary) -> str:
    """The control row, the tested models and the published table, each number with its protocol beside it."""
    parts = [_front(summary)]
    if summary.tests:
        parts.append(_tests(summary))
    if summary.test_columns:
        parts.append(_columns(summary))
    parts.append(_published(summary))
    return "\n\n".join(parts) + "\n"


def _front(summary: RunSummary) -> str:
    control = summary.control
    rows: list[tuple[object, ...]] = [
        (one.id, _accuracy(one.validation_accuracy), one.params, one.macs, "")
        for one in (summary.seed, summary.best)
        if one is not None
    ]
    score = _accuracy(control.validation_mean, control.validation_deviation)
    trainings = f"{len(control.validation)} trainings" if control.validation else control.note
    rows.append(("control: the seed scaled up", score, control.params, control.macs, trainings))
    head = f"Validation accuracy ({summary.protocol.label})"
    return _table(head, ("model", "validation %", "parameters", "MACs", ""), rows)


def _tests(summary: RunSummary) -> str:
    result = summary.tests[-1]
    rows = [
        (
            one.id,
            _accuracy(one.validation_mean, one.validation_deviation),
            "set aside by validation" if one.set_aside else _accuracy(one.test_mean, one.test_deviation),
            one.params,
            one.macs,
        )
        for one in result.members
    ]
    note = f"; {result.note}" if result.note else ""
    head = f"Tested once, at generation {result.generation} ({summary.protocol.label}{note})"
    return _table(head, ("model", "validation %", "test %", "parameters", "MACs"), rows)


def _columns(summary: RunSummary) -> str:
    rows = [(one.id, _accuracy(one.accuracy), one.epoch, _accuracy(one.last_accuracy)) for one in summary.test_columns]
    head = f"NADER's manner: {summary.test_columns[0].tested}; not to be read as a test score"
    return _table(head, ("model", "best epoch %", "epoch", "last epoch %"), rows)


def _published(summary: RunSummary) -> str:
    found = summary.comparison
    if found.why_not:
        return f"Published numbers do not compare with this run: {'; '.join(found.why_not)}."
    rows = [(one.method, one.trained, _accuracy(one.test, one.deviation), one.tested) for one in found.rows]
    return _table(f"Test accuracy ({found.protocol})", ("method", "trained", "test %", "tested"), rows)


def _accuracy(value: float | None, deviation: float | None = None) -> str:
    if value is None:
        return _NOTHING
    return f"{value:.2f}" if deviation is None else f"{value:.2f} +- {deviation:.2f}"


def _table(head: str, names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [tuple(names), *(tuple(_cell(one) for one in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    body = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)
    return "\n".join([sanitize(one_line(head)), *(f"  {line}" for line in body)])


def _cell(value: object) -> str:
    if value is None:
        return _NOTHING
    return f"{value:,}" if isinstance(value, int) else sanitize(one_line(str(value)))
