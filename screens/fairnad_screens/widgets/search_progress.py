"""Pane 1: state of the run, trained of budget, slots by stage, what each worker does now, tokens, machine."""

from __future__ import annotations

import re
import time

from textual.content import Content

from fairnad_engine.machine import MachineLoad
from fairnad_screens.actions import key_of
from fairnad_screens.data.search import STAGES, RunHead, Screening, SearchSnapshot, Spending, StageStrip, Tokens
from fairnad_screens.figures import ago, compact, span
from fairnad_screens.text import GLYPHS, plain_line, unicode_works
from fairnad_screens.widgets.search_pane import LinePane

_CUT = "–" if unicode_works() else "-"
# Sign, style and word of each state of a slot.
SLOT_STATES = {
    "trained": (GLYPHS.done, "$success", "trained"),
    "training": (GLYPHS.running, "bold $accent", "training"),
    "designing": (GLYPHS.paused, "$accent", "designed"),
    "verified": (GLYPHS.mark, "", "verified"),
    "waiting": (GLYPHS.idle, "dim", "waiting"),
    "failed": (GLYPHS.failed, "$error", "failed"),
    "screened": (GLYPHS.down, "$warning", "screened"),
    "cut": (_CUT, "dim", "cut"),
}
WAITING = "training: waiting for a worker"
_SPEED = re.compile(r", [\d.e+-]+ epochs/s")
# A heartbeat comes twice a second; one this old is worth telling.
_LATE_SECONDS = 5.0


class ProgressPane(LinePane):
    """How far the run is."""

    def __init__(self) -> None:
        super().__init__(1, "Progress")
        self._snapshot: SearchSnapshot | None = None
        self._machine: MachineLoad | None = None
        self._lines: list[Content] = []

    def show(self, snapshot: SearchSnapshot, machine: MachineLoad | None) -> None:
        """Show a snapshot."""
        self._snapshot, self._machine = snapshot, machine
        self.paint()

    def paint(self) -> None:
        """Make the lines for the present size, then see :class:`LinePane`."""
        if self._snapshot is not None and self._snapshot.head is not None and self.display and self.size:
            self._lines = _lines(self._snapshot, self._snapshot.head, self._machine, self.size.width)
        super().paint()

    def count(self) -> int:
        """See :class:`LinePane`."""
        return len(self._lines)

    def line(self, index: int, width: int) -> Content:
        """See :class:`LinePane`."""
        return self._lines[index]


def _lines(snapshot: SearchSnapshot, head: RunHead, machine: MachineLoad | None, width: int) -> list[Content]:
    lines = [*_state(head, width), _bar(head, width)]
    if snapshot.spending is not None and snapshot.as_of is None:
        lines += _left(head, snapshot.spending, width)
    if snapshot.generation:
        lines += [Content(f"Generation {snapshot.generation}"), *(_strip(strip) for strip in snapshot.strips)]
    else:
        lines.append(Content("Training the seed backbone" if head.held else "No generation has begun"))
    lines += _activity(snapshot.activity, width)
    if snapshot.screening is not None:
        lines.append(_screening(snapshot.screening, width))
    lines.append(_tokens(head.model, snapshot.tokens, width))
    if machine is not None:
        lines += _machine(machine, width)
    lines += _legend(snapshot.strips, width)
    return lines


def _activity(activity: tuple[tuple[str, str], ...], width: int) -> list[Content]:
    """What each worker does, in few words; those that wait for one are a number."""
    waiting = sum(doing == WAITING for _, doing in activity)
    lines = []
    for subject, doing in activity:
        if doing != WAITING:
            first, *more_lines = _doing(subject, doing, max(8, width - 2))
            lines.append(Content.assemble(Content.styled(f"{GLYPHS.running} ", "$accent"), first))
            lines += [Content.assemble("  ", line) for line in more_lines]
    if waiting:
        more = " more" if lines else ""
        lines.append(Content(f"{GLYPHS.idle} {waiting}{more} wait{'s' if waiting == 1 else ''} for a worker"))
    return lines


def _doing(subject: str, doing: str, room: int) -> list[Content]:
    """What one worker does: on one line at length or in short, else its speed and memory on a line of their own."""
    told = doing.removeprefix("training: ").replace("validation", "val")
    short = told.replace("epochs/s", "ep/s").replace("epoch ", "").replace("val ", "").replace(",", "")
    for words in (told, short):
        if len(subject) + 1 + len(words) <= room:
            return [plain_line(f"{subject} {words}", room)]
    speed = _SPEED.search(told)
    if speed is None:
        return [plain_line(f"{subject} {told}", room)]
    head, rest = told[: speed.start()], told[speed.start() + 2 :]
    if len(subject) + 1 + len(head) > room:
        head = head.replace("epoch ", "").replace("val ", "").replace(",", "")
    return [plain_line(f"{subject} {head}", room), plain_line(rest, room)]


def _screening(screening: Screening, width: int) -> Content:
    """How many models went on after the short training, and how many did not."""
    told = f"{screening.promoted} promoted, {screening.stopped} screened"
    return plain_line(f"Short:{screening.epochs} first: {told}", width)


def _state(head: RunHead, width: int) -> list[Content]:
    sign = f"{GLYPHS.of_state(head.state)} "
    worker = head.worker
    if head.state == "dead":
        lines = [Content.styled(f"{sign}the worker died; {key_of('search.resume')} resumes", "bold $error")]
        if worker is not None:
            clock = time.strftime("%d %b %H:%M:%S", time.localtime(worker.heartbeat))
            lines.append(plain_line(f"  {worker.host}:{worker.pid}, last heartbeat {clock}", width))
            lines.append(plain_line(f"  {ago(worker.age)} ago", width))
        return lines
    late = ""
    if worker is not None:
        late = f"on {worker.host}:{worker.pid}"
        if worker.age > _LATE_SECONDS:
            late += f", heartbeat {ago(worker.age)} ago"
    lines = [Content.assemble(sign, Content.styled(f"{head.state} ", "bold"), plain_line(late, max(8, width - 10)))]
    if head.message:
        lines.append(plain_line(f"  {head.message}", width, "$warning" if head.state == "waiting" else "dim"))
    if head.remedy:
        lines.append(plain_line(f"  {head.remedy}", width, "$accent"))
    if head.state == "done":
        lines.append(plain_line(f"  {key_of('app.runs')} exports, compares and tests it", width, "$accent"))
    elif head.state in ("stopped", "failed"):
        lines.append(plain_line(f"  {key_of('search.resume')} resumes it", width, "$accent"))
    return lines


def _bar(head: RunHead, width: int) -> Content:
    done = head.counted
    told = f" {done}/{head.budget}"
    best = f" best {head.best:.2f} %" if head.best is not None else ""
    room = max(4, width - len("Trained ") - len(told) - len(best))
    filled = min(room, room * done // max(1, head.budget))
    bar = Content.styled(GLYPHS.bar * filled, "$success")
    return Content.assemble("Trained ", bar, Content.styled(GLYPHS.bar_rest * (room - filled), "dim"), told, best)


def _left(head: RunHead, spending: Spending, width: int) -> list[Content]:
    """How long it still takes and what holds it up; of limits of work and tokens what is spent."""
    lines = []
    if spending.left is not None and head.state != "done":
        low, middle, high = (span(one * 3600) for one in (spending.left.low, spending.left.middle, spending.left.high))
        lines.append(plain_line(f"Left about {middle}, {low} to {high}", width))
        if spending.bottleneck == "model" and spending.lanes_enough is not None:
            told = f"waits for the model; {spending.lanes_enough} lanes end it"
            lines.append(plain_line(f"  {told}", width, "$warning"))
    if spending.hours:
        lines.append(plain_line(f"Work {span(spending.total.seconds)} of {spending.hours:g} h", width))
    if spending.tokens:
        told = f"Tokens {compact(spending.total.tokens)} of {compact(spending.tokens)}"
        lines.append(plain_line(told, width))
    return lines


def _strip(strip: StageStrip) -> Content:
    signs = [Content.styled(SLOT_STATES[s][0], SLOT_STATES[s][1]) for s in strip.states if s in SLOT_STATES]
    over = sum(state in ("trained", "failed", "screened", "cut") for state in strip.states)
    return Content.assemble(f"{STAGES.get(strip.stage, str(strip.stage)):<11}", *signs, f"  {over}/{len(strip.states)}")


def _legend(strips: tuple[StageStrip, ...], width: int) -> list[Content]:
    seen = {state for strip in strips for state in strip.states}
    words = [f"{sign} {word}" for state, (sign, _, word) in SLOT_STATES.items() if state in seen]
    gap = "  " if sum(len(word) + 2 for word in words) - 2 <= width else " "
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(gap) + len(word) <= width:
            lines[-1] += gap + word
        else:
            lines.append(word)
    return [Content.styled(line, "dim") for line in lines]


def _tokens(model: str, tokens: Tokens, width: int) -> Content:
    if not tokens.completion:
        return plain_line(f"Model {model}: no tokens asked for", width)
    told = f"Model {tokens.rate:.0f} tokens/s, {compact(tokens.completion)} in {compact(tokens.calls)} calls, {model}"
    return plain_line(told, width)


def _machine(machine: MachineLoad, width: int) -> list[Content]:
    used, total = machine.used / 2**30, machine.total / 2**30
    lines = [f"Memory {used:.1f}/{total:.1f} GiB" + ("" if machine.gpus else ", no GPU")]
    for number, gpu in enumerate(machine.gpus):
        busy = "" if gpu.busy is None else f" {gpu.busy} %,"
        lines.append(f"GPU {number}{busy} {gpu.used / 1024:.1f}/{gpu.total / 1024:.1f} GiB {gpu.name}")
    return [plain_line(line, width) for line in lines]
