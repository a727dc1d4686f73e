"""Panes 3 to 5 of a candidate: its lineage, its trainings, and how it was proposed."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from fairnad_engine.store.records import AttemptRow
from fairnad_engine.text import one_line
from fairnad_screens.actions import key_of
from fairnad_screens.data.candidate import Ancestor, CandidateSnapshot, Epoch, Training
from fairnad_screens.data.candidate_ladder import ladder, meaning
from fairnad_screens.text import GLYPHS, plain, plain_line, unicode_works
from fairnad_screens.widgets.candidate_page import Page, note

_PIPE = "│" if unicode_works() else "|"
_REALISED = {"yes": GLYPHS.done, "no": GLYPHS.failed}
_BAR = 16
_PURPOSES = {"search": "In the search", "screen": "Short training before"}
_RUNG_SIGNS = {"passed": GLYPHS.done, "failed": GLYPHS.failed, "open": GLYPHS.idle}


def accuracy_text(accuracy: float | None, status: str) -> str:
    """A validation accuracy, or why there is none."""
    return f"{accuracy:.2f} % val" if accuracy is not None else status


def lineage_page(snapshot: CandidateSnapshot, width: int) -> Page:
    """Its children, itself, and its ancestors; each with the change that made it."""
    lines: list[Content] = []
    stops: list[int] = []
    children = [one for one in snapshot.lineage if one.child]
    if children:
        lines.append(note("Made from this model:"))
    for one in snapshot.lineage:
        if not one.child and lines and children and one.id == snapshot.row.id:
            lines.append(note("This model and what it comes from:"))
        stops.append(len(lines))
        lines += _node(one, one.id == snapshot.row.id, width - 2)
    return Page(tuple(lines), tuple(stops))


def _node(one: Ancestor, here: bool, width: int) -> Iterable[Content]:
    stage = f"generation {one.generation}, stage {one.stage} ({one.kind})" if one.generation else f"the {one.kind}"
    mark = f"{GLYPHS.mark} " if here else ""
    head = f"{mark}{one.id}  {accuracy_text(one.accuracy, one.status)}  {one.params:,} params  {stage}"
    yield plain_line(head, width, "bold" if here else "")
    if one.kind == "seed":
        return
    realised = f"  {_REALISED.get(one.realised, '?')} realised: {one.realised}"
    yield from _edge(f"{one.change}{realised}", width)
    if one.idea:
        yield from _edge(f"idea: {one.idea}", width)
    if one.paper:
        yield from _edge(f"paper: {one.paper}", width)


def _edge(text: str, width: int) -> Iterable[Content]:
    for piece in plain(one_line(text)).wrap(width - 4):
        yield Content.assemble(Content.styled(f"  {_PIPE} ", "dim"), piece)


def training_page(snapshot: CandidateSnapshot, width: int) -> Page:
    """Every training with its epochs."""
    lines: list[Content] = []
    for one in snapshot.trainings:
        on = " on train and validation" if one.purpose == "final" else ""
        what = _PURPOSES.get(one.purpose, f"By finish{on}, fresh weights, seed {one.seed}")
        lines.append(plain_line(f"{what}: {one.status or 'going on'}", width, "bold"))
        lines += [plain_line(text, width) for text in _score(one)]
        lines += plain(one.message).wrap(width) if one.message else []
        lines += _epochs(one, width)
        lines.append(Content(""))
    for test in snapshot.tests:
        text = f"Test once, seed {test.seed}: {test.test_accuracy:.2f} % test, {test.validation_accuracy:.2f} % val"
        lines.append(plain_line(text, width))
    if not lines:
        lines.append(note(f"Not trained yet: it is {snapshot.row.status}."))
    return Page(tuple(lines))


def _score(one: Training) -> Iterable[str]:
    """Its score with the fidelity it belongs to, and its latency where that was measured."""
    if one.accuracy is not None and one.purpose != "final":  # of the others alone it says how good they are
        schedule = "full schedule" if one.fidelity == "full" else f"short schedule ({one.fidelity})"
        yield f"{one.accuracy:.2f} % val, {schedule}"
    passes = zip((1, 256), one.latency, strict=True)
    told = [f"{found:.3g} ms at batch {size}" for size, found in passes if found is not None]
    if told:
        yield f"latency {', '.join(told)}"


def _epochs(training: Training, width: int) -> Iterable[Content]:
    if not training.epochs:
        return
    yield Content.styled(f"{'epoch':>6}{'loss':>9}{'train %':>9}{'val %':>8}{'rate':>9}{'s':>7}", "dim")
    for one in training.epochs:
        yield _epoch(one).truncate(width)


def _epoch(one: Epoch) -> Content:
    def number(value: float | None, form: str, size: int) -> str:
        return f"{value:>{size}{form}}" if value is not None else f"{'':>{size}}"

    score = one.validation_accuracy
    full = round((score or 0.0) / 100 * _BAR)
    columns = (
        f"{one.number:>6}{number(one.train_loss, '.4f', 9)}{number(one.train_accuracy, '.2f', 9)}"
        f"{number(score, '.2f', 8)}{number(one.learning_rate, '.4f', 9)}{number(one.seconds, '.2f', 7)}  "
    )
    bar = GLYPHS.bar * full + GLYPHS.bar_rest * (_BAR - full) if score is not None else ""
    return Content.assemble(columns, Content.styled(bar, "$primary"))


def attempts_page(snapshot: CandidateSnapshot, width: int) -> Page:
    """The proposals of its slot and the verifier's words."""
    if not snapshot.attempts:
        return Page((note("The seed was given; nobody proposed it."),))
    shows = f"{key_of('candidate.open')} shows reply and source."
    lines: list[Content] = [note(f"Every proposal of this slot; {shows}")]
    stops: list[int] = []
    for one in snapshot.attempts:
        stops.append(len(lines))
        lines += _attempt(one, snapshot.tokens.get((one.step, one.attempt), (0, 0, 0)), width - 2)
    return Page(tuple(lines), tuple(stops))


def _attempt(one: AttemptRow, tokens: tuple[int, int, int], width: int) -> Iterable[Content]:
    accepted = "accepted" if one.verdict is not None else "not checked yet"
    sign = GLYPHS.done if one.verdict is not None else GLYPHS.idle
    outcome = f"{GLYPHS.failed} {one.failure}" if one.failure else f"{sign} {accepted}"
    head = f"step {one.step}, attempt {one.attempt + 1}  {one.purpose}  {outcome}"
    yield plain_line(head, width, "$error" if one.failure else "")
    calls, read, written = tokens
    spent = f"{calls} model calls, {read:,} tokens read, {written:,} written" if calls else "no model call"
    yield plain_line(f"{one.design_seconds:.1f} s design, {one.verify_seconds:.1f} s check, {spent}", width, "dim")
    if rungs := ladder(one):
        yield Content("    " + "  ".join(f"{_RUNG_SIGNS[rung.state]} {rung.name}" for rung in rungs)).truncate(width)
    for piece in plain(one_line(one.message)).wrap(width - 4) if one.message else ():
        yield Content.assemble("    ", piece)
    for piece in plain(meaning(one.failure or "")).wrap(width - 4) if one.failure else ():
        yield Content.assemble("    ", piece.stylize("dim"))
