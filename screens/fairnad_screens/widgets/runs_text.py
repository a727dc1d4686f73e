"""What the runs screen says: rows of the list, details of one run, the comparison of several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from textual.content import Content

from fairnad_engine.text import one_line
from fairnad_screens.actions import key_of
from fairnad_screens.data.runs import FrontMember, RunDetail, RunEntry, comparable, differing_settings
from fairnad_screens.figures import compact
from fairnad_screens.text import GLYPHS, fold, plain, plain_line, unicode_works
from fairnad_screens.widgets.candidate_page import Page, note
from fairnad_screens.widgets.runs_worker import fault_facts, node_lines, worker_facts

# A sign of its own for each run of a comparison: colour is never alone.
SIGNS = ("●", "▲", "■", "◆", "+", "x", "*") if unicode_works() else ("o", "^", "#", "+", "x", "*", "=")
_WIDE, _WIDEST = 108, 126


def header_line(width: int) -> Content:
    """Names of the columns."""
    line = f"     {'run':<8}{'name':<16}{'state':<10}{'trained':>10}{'best val':>9}{'volume':>9}  "
    more = f"{'model':<18}{'begun (UTC)':<18}" if width >= _WIDE else "model"
    more += "digest" if width >= _WIDEST else ""
    return Content.styled(line + more, "dim").truncate(width)


def list_page(runs: Sequence[RunEntry], marked: Sequence[str], width: int) -> Page:
    """One line for each run."""
    lines = tuple(_row(run, run.id in marked, width - 2) for run in runs)
    return Page(lines, tuple(range(len(lines))))


def _row(run: RunEntry, marked: bool, width: int) -> Content:
    best = f"{run.best:.2f} %" if run.best is not None else "-"
    volume = f"{run.hypervolume:.4f}" if run.hypervolume is not None else "-"
    trained = f"{run.trained}/{run.budget}"
    name, model = plain_line(run.row.name, 15).plain, plain_line(run.row.model, 20).plain
    mark = GLYPHS.mark if marked else " "
    text = f"{mark}{GLYPHS.of_state(run.state)} {run.id:<8}{_cells(name, 16)}{run.state:<10}"
    line = f"{text}{trained:>10}{best:>9}{volume:>9}  "
    if width >= _WIDE:
        line += f"{_cells(model, 18)}{_when(run.row.created_at)}"
    else:
        line += model
    if width >= _WIDEST:
        line += f"  {run.row.digest or '-'}"
    return Content(line).truncate(width, ellipsis=True)


def _cells(text: str, width: int) -> str:
    """A text that takes exactly so many cells, wide characters counted."""
    return Content(text).truncate(width - 1).plain + " " * (width - min(width - 1, Content(text).cell_length))


def _when(time: str) -> str:
    return time[:16].replace("T", " ")


def detail_page(run: RunEntry, detail: RunDetail | None, width: int) -> Page:
    """Everything worth knowing of one run; the cursor can stand on the models of its front."""
    row = run.row
    environment = row.environment
    protocol = environment.get("protocol", {})
    lines = list(plain(one_line(f"{run.id}: {row.name}"), "bold").wrap(width))
    told = run.message and not row.digest and run.state not in ("waiting", "queued", "failed")
    state = f"{run.state}, generation {run.generation}" + (f"; {run.message}" if told else "")
    limits = row.config["budget"]
    facts = [
        ("State", state, ""),
        *worker_facts(run),
        *fault_facts(run),
        ("Begun", f"{_when(row.created_at)} UTC" + (f", ended {_when(row.ended_at)}" if row.ended_at else ""), ""),
        ("Model", f"{row.model} ({row.model_digest or 'no digest'})", ""),
        ("Scores", f"validation, protocol {protocol.get('name')}, {protocol.get('epochs')} epochs, "
                   f"{environment.get('dataset', {}).get('name')}, {environment.get('split_label')}", ""),
        ("Budgets", f"{compact(limits['max_params'])} params, {compact(limits['max_macs'])} MACs", ""),
        ("Digest", row.digest or "none before the end", ""),
    ]  # fmt: skip
    if run.finish:
        facts.append(("Finish", run.finish, ""))
    for name, text, style in facts:
        for place, piece in enumerate(plain(one_line(text), style).wrap(width - 9)):
            lines.append(Content.assemble(Content.styled(f"{name if not place else '':<9}", "dim"), piece))
    lines += _next(run, width)
    stops: tuple[int, ...] = ()
    if detail is not None:
        lines += node_lines(detail.nodes, width)
        lines += _tests(detail, width)
        lines += _front(detail.front, width)
        stops = tuple(range(len(lines) - len(detail.front), len(lines)))
    return Page(tuple(lines), stops)


def _next(run: RunEntry, width: int) -> Iterable[Content]:
    """What can be done with it, named."""
    export, finish, again = key_of("runs.export"), key_of("runs.finish"), key_of("runs.again")
    if run.state == "done" and not run.finish:
        text = f"{export} exports the report, {finish} retrains and tests the best, {again} begins another run like it"
    elif run.state == "done":
        text = f"{export} exports the report with the test scores, {again} begins another run like it"
    else:
        resume = "" if run.held else f", {key_of('runs.resume')} resumes it"
        text = f"{key_of('runs.open')} opens its desk, where it can be watched and stopped{resume}"
    yield from Content(f"{text}; {key_of('runs.front')} goes to its front.").wrap(width)


def _front(front: Sequence[FrontMember], width: int) -> Iterable[Content]:
    yield Content("")
    if not front:
        yield note("No front yet: nothing is trained.")
        return
    yield Content.styled(f"{f'Front ({len(front)})':<14}{'val %':>7}{'params':>9}{'MACs':>9}  change", "bold")
    for one in front:
        numbers = f"{one.id:<14}{one.accuracy:>7.2f}{compact(one.params):>9}{compact(one.macs):>9}  "
        yield Content.assemble(numbers, plain_line(one.change, max(1, width - len(numbers))))


def _tests(detail: RunDetail, width: int) -> Iterable[Content]:
    for result in detail.tests:
        yield Content("")
        state = "" if result.tested_split == "train" else ", tested when trained on validation too"
        state += "" if result.complete else ", going on or interrupted"
        yield plain_line(f"Finish: {result.seeds} new trainings each{state} {result.note}", width, "bold")
        for one in result.members:
            val = _mean(one.validation_mean, one.validation_deviation)
            test = _mean(one.test_mean, one.test_deviation)
            yield plain_line(f"{one.id} {GLYPHS.dot} val {val} {GLYPHS.dot} test {test}", width)


def _mean(mean: float | None, deviation: float | None) -> str:
    if mean is None:
        return "-"
    return f"{mean:.2f}" + (f" ± {deviation:.2f}" if deviation is not None else "") + " %"


def comparison_page(runs: list[RunEntry], details: Mapping[str, RunDetail], width: int) -> Page:
    """Figures side by side, then the settings that differ."""
    lines: list[Content] = []
    if warning := comparable(runs):
        lines += [piece.stylize("$error") for piece in plain(f"{GLYPHS.failed} {warning}").wrap(width)]
    name = 20
    column = max(10, (width - name) // len(runs))
    heads = [f"{SIGNS[place % len(SIGNS)]} {run.id}" for place, run in enumerate(runs)]
    lines.append(_columns("", heads, name, column, "bold"))
    fronts = [details[run.id].front if run.id in details else () for run in runs]
    figures: list[tuple[str, list[str]]] = [
        ("name", [run.row.name for run in runs]),
        ("state", [run.state for run in runs]),
        ("trained", [f"{run.trained}/{run.budget}" for run in runs]),
        ("best validation", [f"{run.best:.2f} %" if run.best is not None else "-" for run in runs]),
        ("hypervolume", [f"{run.hypervolume:.4f}" if run.hypervolume is not None else "-" for run in runs]),
        ("models on the front", [str(len(front)) for front in fronts]),
    ]
    lines += [_columns(label, values, name, column) for label, values in figures]
    lines += [Content(""), Content.styled("Settings that differ", "bold")]
    different = [(label, values) for label, values in differing_settings(runs) if label != "name"]
    if not different:
        lines.append(note("None; equal runs have equal digests."))
    lines += [line for label, values in different for line in _wrapped(label, values, name, column)]
    return Page(tuple(lines))


def _columns(label: str, values: Sequence[str], name: int, column: int, style: str = "") -> Content:
    cells = "".join(_cells(plain_line(value, column - 1).plain, column) for value in values)
    return Content.styled(f"{_cells(label, name)}{cells}", style)


def _wrapped(label: str, values: Sequence[str], name: int, column: int) -> Iterable[Content]:
    """A row whose long values go on below, so that nothing is cut off."""
    pieces = [fold(plain(one_line(value)), column - 1) if value else [Content("-")] for value in values]
    labels = Content(label).fold(name - 1)
    for place in range(max(len(labels), *(len(one) for one in pieces))):
        cells = "".join(_cells(one[place].plain if place < len(one) else "", column) for one in pieces)
        yield Content(f"{_cells(labels[place].plain if place < len(labels) else '', name)}{cells}")
