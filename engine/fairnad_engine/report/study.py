"""A study's comparison, in every form it is given: tables, Markdown, CSV, JSON, curves as SVG.

The figures are those of :mod:`fairnad_engine.search.compared`, which ``make bench-search`` prints too; the pictures
and the CSV also hold what runs under way have reached so far.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fairnad_engine.artifacts import write_atomically
from fairnad_engine.report.curve_svg import curve_svg
from fairnad_engine.report.templates import prose
from fairnad_engine.search.compared import Comparison, MethodResult, Versus, compare
from fairnad_engine.search.comparison import Interval
from fairnad_engine.search.run_record import record_of
from fairnad_engine.search.study import StudyView, study_view
from fairnad_engine.store import Store
from fairnad_engine.text import csv_cell, json_text


@dataclass(frozen=True)
class Table:
    """A table as text; the first column names the row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class StudyReport:
    """A study as it stands, and its finished runs compared."""

    view: StudyView
    protocol: str
    comparison: Comparison

    @property
    def headline(self) -> str:
        """What is compared, in a line."""
        view = self.view
        done = sum(cell.status == "done" for cell in view.cells)
        return (
            f"{view.name}: {view.dataset}, protocol {self.protocol or '-'}, {len(view.methods)} methods x "
            f"{len(view.seeds)} seeds x {view.budget} models; {done} of {len(view.cells)} runs done"
        )

    def tables(self) -> tuple[Table, ...]:
        """The comparison of the finished runs, and where each run stands."""
        return (*comparison_tables(self.comparison), *self._controls(), self._cells())

    def _controls(self) -> tuple[Table, ...]:
        """What every method must beat: the seed, only scaled up; no table where no run has trained it."""
        found = self.view.controls
        if not found:
            return ()
        scores = [one.accuracy for one in found]
        spread = f"{statistics.fmean(scores):.2f} ± {statistics.stdev(scores) if len(scores) > 1 else 0.0:.2f}"
        rows = [(str(one.seed), one.run_id, f"{one.accuracy:.2f}", f"{one.params:,}", f"{one.macs:,}") for one in found]
        title = "Control: the seed scaled up to the budget's edge (not counted, no search)"
        columns = ("seed", "run", "val %", "params", "MACs")
        return (Table(title, columns, (*rows, (f"all {len(found)}", "-", spread, "-", "-"))),)

    def _cells(self) -> Table:
        rows = tuple(
            (
                cell.method,
                str(cell.seed),
                cell.status,
                cell.run_id or "-",
                str(cell.trained),
                "-" if cell.hypervolume is None else f"{cell.hypervolume:.4f}",
                "-" if cell.best is None else f"{cell.best:.2f}",
            )
            for cell in self.view.cells
        )
        return Table("Runs", ("method", "seed", "state", "run", "trained", "hypervolume", "best val %"), rows)

    def document(self) -> dict[str, Any]:
        """As ``study show --json`` prints it."""
        view = self.view
        return {
            "study": view.name,
            "dataset": view.dataset,
            "protocol": self.protocol,
            "budget": view.budget,
            "methods": list(view.methods),
            "seeds": list(view.seeds),
            "runs": [vars(cell) for cell in view.cells],
            "curves": [asdict(one) for one in view.curves],
            "compared": asdict(self.comparison),
            "controls": [vars(one) for one in view.controls],
        }


def study_report(store: Store, name: str) -> StudyReport:
    """Read a study and compare its finished runs.

    Raises:
        InputError: There is no such study.
    """
    with store.snapshot():
        view = study_view(store, name)
        started = [cell for cell in view.cells if cell.run_id]
        records = [record_of(store, cell.run_id or "", cell.method) for cell in started]
        protocol = store.runs.get(started[0].run_id or "").environment["protocol"]["name"] if started else ""
    return StudyReport(view, protocol, compare([one for one in records if one], view.methods))


def comparison_tables(found: Comparison) -> tuple[Table, ...]:
    """Methods with means and deviations, the first against each other, and how their models came about."""
    return (
        Table(
            "Methods at the end of their runs (mean ± standard deviation over seeds)",
            ("method", "seeds", "hypervolume", "best val %"),
            tuple(
                (
                    one.method,
                    str(len(one.seeds)),
                    f"{one.hypervolume.mean:.4f} ± {one.hypervolume.deviation:.4f}",
                    f"{one.best.mean:.2f} ± {one.best.deviation:.2f}",
                )
                for one in found.methods
            ),
        ),
        Table(
            f"{found.first} minus another, paired over seeds (95 % bootstrap interval)",
            (
                "against",
                "seeds",
                "hypervolume",
                "best val, points",
                "models to its hypervolume",
                "C(first, it)",
                "C(it, first)",
            ),
            tuple(_versus_row(one) for one in found.versus),
        ),
        Table(
            "How the models came about",
            ("method", "pass rate", "edits (realised)", "entropy, bits", "not realised", "hours a run", "tokens"),
            tuple(_made_row(one) for one in found.methods),
        ),
    )


def _versus_row(one: Versus) -> tuple[str, ...]:
    return (
        one.method,
        str(len(one.seeds)),
        interval(one.hypervolume, 4),
        interval(one.best, 2),
        f"{one.models.mean:.1f}, under {one.reached} of {len(one.seeds)} seeds",
        f"{one.covers:.2f}",
        f"{one.covered:.2f}",
    )


def _made_row(one: MethodResult) -> tuple[str, ...]:
    return (
        one.method,
        "-" if one.pass_rate is None else f"{one.pass_rate:.2f}",
        ", ".join(f"{count} {kind}" for kind, count in one.edits.items()) or "-",
        f"{one.edit_entropy:.2f}",
        str(one.realised.get("no", 0)),
        f"{sum(one.seconds.values()) / 3600:.2f}",
        f"{one.tokens:,}",
    )


def interval(found: Interval, digits: int) -> str:
    """A difference with its interval: ``+0.0123 [-0.0010, +0.0250]``."""
    return f"{found.mean:+.{digits}f} [{found.low:+.{digits}f}, {found.high:+.{digits}f}]"


def markdown_table(table: Table) -> str:
    """A table in Markdown, without its title."""
    lines = [_line(table.columns), "|---" + "|---:" * (len(table.columns) - 1) + "|"]
    return "\n".join([*lines, *(_line([str(prose(value)) for value in row]) for row in table.rows)])


def _line(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"


def study_markdown(report: StudyReport) -> str:
    """The comparison as a Markdown page."""
    parts = [f"# Study {prose(report.view.name)}", str(prose(report.headline))]
    for table in report.tables():
        if table.rows:
            parts += [f"## {prose(table.title)}", markdown_table(table)]
    parts.append("![hypervolume](hypervolume.svg)\n\n![best validation accuracy](accuracy.svg)")
    return "\n\n".join(parts) + "\n"


def study_csv(report: StudyReport) -> str:
    """The curves with their bands, one line for each method and number of trained models."""
    columns = "method,trained,runs,hypervolume,hypervolume_low,hypervolume_high,best,best_low,best_high"
    lines = [columns]
    for one in report.view.curves:
        for n, runs in enumerate(one.hypervolume.runs):
            bands = [band[n] for curve in (one.hypervolume, one.best) for band in (curve.mean, curve.low, curve.high)]
            lines.append(",".join([csv_cell(one.method), str(n), str(runs), *(f"{value:.6f}" for value in bands)]))
    return "\r\n".join(lines) + "\r\n"


def write_study(report: StudyReport, folder: Path) -> list[Path]:
    """Write ``study.md``, ``study.csv``, ``study.json``, ``hypervolume.svg`` and ``accuracy.svg``; their paths."""
    view = report.view
    subtitle = f"{view.dataset}, protocol {report.protocol or '-'}; means over seeds, 95 % bootstrap bands"
    volumes = [(one.method, one.hypervolume) for one in view.curves]
    bests = [(one.method, one.best) for one in view.curves]
    texts = {
        "study.md": study_markdown(report),
        "study.csv": study_csv(report),
        "study.json": json_text(report.document(), indent=2) + "\n",
        "hypervolume.svg": curve_svg(f"Study {view.name}", subtitle, "Hypervolume", volumes),
        "accuracy.svg": curve_svg(f"Study {view.name}", subtitle, "Best validation accuracy (%)", bests),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_atomically(folder / name, text.encode())
    return [folder / name for name in texts]
