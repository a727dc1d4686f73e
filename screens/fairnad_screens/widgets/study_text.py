"""What the study screen says: its headline, a line for each method, and the cells of one."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from textual.content import Content

from fairnad_engine.search.comparison import Band
from fairnad_engine.search.study import Cell
from fairnad_screens.actions import key_of
from fairnad_screens.data.study import MethodSums, StudySnapshot
from fairnad_screens.text import GLYPHS, plain_line
from fairnad_screens.widgets.candidate_page import Page

_NAME = 14
_WIDE = 100


def head_line(found: StudySnapshot, width: int) -> Content:
    """Which study it is, and how far it is."""
    view = found.view
    if view is None:
        return Content("")
    done = sum(one.status == "done" for one in view.cells)
    place = [one.name for one in found.studies].index(view.name) + 1
    which = f", study {place} of {len(found.studies)} ({key_of('study.previous')} {key_of('study.next')})"
    told = f"{view.name} {GLYPHS.dot} {view.dataset}, {view.budget} models a run, {done} of {len(view.cells)} done"
    return plain_line(told + (which if len(found.studies) > 1 else ""), width, "bold")


def methods_page(found: StudySnapshot, width: int) -> Page:
    """A line for each method: how far, means with bands at the end, trained of proposed, edits; then its cells."""
    assert found.view is not None  # noqa: S101 - the screen has looked
    wide = width >= _WIDE
    edits = f"{'edits':<22}" if wide else ""
    at = _compared_at(found)
    head = f"  {'method':<{_NAME}}{f'volume at {at}':<23}{'best val %':<20}{'pass':>5}  {edits}cells"
    rows = [_method(found, method, at, wide).truncate(width) for method in found.view.methods]
    lines = (Content.styled(head, "dim").truncate(width), *rows, *_control(found, width))
    return Page(lines, tuple(range(1, len(rows) + 1)))


def _control(found: StudySnapshot, width: int) -> list[Content]:
    """The seed only scaled up, where a run has trained it: what every method above must beat."""
    assert found.view is not None  # noqa: S101 - the screen has looked
    scores = [one.accuracy for one in found.view.controls]
    if not scores:
        return []
    best = f"{statistics.fmean(scores):.2f} {min(scores):.2f}-{max(scores):.2f}"
    told = f"  {'control':<{_NAME}}{'seed scaled up':<23}{best:<20}{len(scores)} of {len(found.view.seeds)} seeds"
    return [Content.styled(told, "dim").truncate(width)]


def _compared_at(found: StudySnapshot) -> int:
    """Trained models at which methods are compared: as many as every run that has begun has trained."""
    assert found.view is not None  # noqa: S101 - the screen has looked
    bands = [curves.best for one in found.view.methods if (curves := found.curves(one)) is not None]
    return min((max(n for n, runs in enumerate(band.runs) if runs == max(band.runs)) for band in bands), default=0)


def _method(found: StudySnapshot, method: str, at: int, wide: bool) -> Content:
    curves, sums = found.curves(method), found.sums.get(method, MethodSums())
    volume = _at(curves.hypervolume, at, "{:.4f}") if curves else "-"
    best = _at(curves.best, at, "{:.2f}") if curves else "-"
    passing = "-" if sums.passing is None else f"{sums.passing:.2f}"
    edits = f"{_shares(sums):<22}" if wide else ""
    signs = "".join(_sign(one.status) for one in found.cells(method))
    name = plain_line(method, _NAME - 1).truncate(_NAME, pad=True)
    return Content.assemble(name, f"{volume:<23}{best:<20}{passing:>5}  {edits}", signs)


def _at(band: Band, place: int, form: str) -> str:
    """A mean with its band at a number of trained models."""
    low, high = form.format(band.low[place]), form.format(band.high[place])
    return f"{form.format(band.mean[place])} {low}-{high}"


def _shares(sums: MethodSums) -> str:
    total = sum(sums.edits.values())
    if not total:
        return "-"
    told = " ".join(f"{kind[:3]} {100 * count / total:.0f}" for kind, count in sums.edits.items())
    return f"{told} %"[:21]


def cells_page(found: StudySnapshot, method: str, width: int) -> Page:
    """What the method made of its proposals, then one line for each seed."""
    sums, cells = found.sums.get(method, MethodSums()), found.cells(method)
    states = Counter(one.status for one in cells)
    told = ", ".join(f"{count} {state}" for state, count in states.most_common())
    lines = [plain_line(f"{method}: {told}; {_made(sums)}", width, "bold")]
    head = f"  {'seed':<11}{'state':<11}{'run':<10}{'trained':>8}{'hypervolume':>13}{'best val %':>12}"
    lines.append(Content.styled(head, "dim").truncate(width))
    return Page((*lines, *_rows(cells)), tuple(range(2, 2 + len(cells))))


def _made(sums: MethodSums) -> str:
    if not sums.proposed:
        return "nothing proposed yet"
    edits = ", ".join(f"{count} {kind}" for kind, count in sums.edits.items()) or "none realised"
    return f"{sums.trained:,} trained of {sums.proposed:,} proposed; edits {edits} ({sums.entropy:.2f} bits)"


def _rows(cells: Sequence[Cell]) -> list[Content]:
    return [
        Content(
            f"{one.seed:<11}{_sign(one.status)} {one.status:<9}{one.run_id or '-':<10}{one.trained:>8}"
            f"{_figure(one.hypervolume, '{:.4f}'):>13}{_figure(one.best, '{:.2f}'):>12}"
        )
        for one in cells
    ]


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _sign(status: str) -> str:
    """The sign of a cell: one that waits has not begun, one whose job waits is held up."""
    return {"waiting": GLYPHS.idle, "held-up": GLYPHS.paused}.get(status, GLYPHS.of_state(status))
