"""Home: the workspace at a glance, the next sensible step, recent runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from fairnad_engine.errors import InputError, JailError
from fairnad_engine.store.jobs import AT_WORK
from fairnad_screens.actions import Action, key_of
from fairnad_screens.background import begin
from fairnad_screens.base import FairScreen
from fairnad_screens.bindings import bindings
from fairnad_screens.text import GLYPHS, plain, plain_line

if TYPE_CHECKING:
    from fairnad_engine.backbone.jail.probe import Layer
    from fairnad_engine.store import Store

_MOST_RUNS = 12


@dataclass(frozen=True)
class RunLine:
    """One run as home lists it."""

    id: str
    name: str
    state: str
    trained: int
    budget: int
    best: float | None
    message: str = ""


@dataclass(frozen=True)
class HomeSnapshot:
    """The workspace at a glance."""

    papers: int
    unstructured: int
    ideas: dict[str, int]
    runs: tuple[RunLine, ...]
    structuring: str
    gpus: tuple[str, ...]
    disk: str = ""


def read_home(store: Store) -> HomeSnapshot:
    """Read what home shows."""
    from fairnad_engine.machine import accelerators
    from fairnad_engine.store.filesystem import short_advice
    from fairnad_engine.store.snapshots import told_of

    runs = []
    for run in reversed(store.runs.all()):
        job = store.jobs.of_run(run.id)
        progress = store.runs.progress(run.id)
        state = store.jobs.living_state(job) if job else "unknown"
        told = job.message if job and state in ("waiting", "queued") else ""
        runs.append(RunLine(run.id, run.name, state, progress.counted, progress.budget, progress.best_accuracy, told))
    structuring = [j for j in store.jobs.all() if j.kind == "structure" and store.jobs.is_held(j.id)]
    return HomeSnapshot(
        papers=store.papers.count(),
        unstructured=store.papers.count_unstructured(),
        ideas=store.ideas.counts(),
        runs=tuple(runs),
        structuring=structuring[0].id if structuring else "",
        gpus=accelerators(),
        disk=told_of(store.path) or short_advice(store.path),
    )


@dataclass(frozen=True)
class Step:
    """The next sensible step: its place, what it is in words, and the run it is about."""

    place: str
    words: str
    run: str | None = None


def next_step(snapshot: HomeSnapshot) -> Step:
    """The next sensible step."""
    if not snapshot.papers and not sum(snapshot.ideas.values()):
        return Step("papers", f"Add papers, or press {key_of('home.demo')} for a demo on the papers that ship.")
    if snapshot.structuring:
        return Step("papers", "Papers are being structured; look on.")
    if snapshot.unstructured:
        return Step("papers", f"Structure {snapshot.unstructured:,} papers into ideas.")
    for run in snapshot.runs:
        if run.state in AT_WORK and run.state != "waiting":
            return Step("search", f"Look on as {run.id} searches.", run.id)
    for run in snapshot.runs:
        if run.state == "waiting":
            return Step("search", f"{run.id} waits: {run.message or 'no reason is given'}.", run.id)
        if run.state == "stalled":
            return Step("runs", f"The worker of {run.id} hangs; {key_of('runs.take_over')} among the runs takes over.")
    # An older one that died was left so.
    for run in snapshot.runs[:1]:
        if run.state == "dead":
            return Step("search", f"Resume {run.id}, whose worker died, on its desk.", run.id)
        if run.state == "queued" and run.message:
            return Step("search", f"{run.id} is queued: {run.message}.", run.id)
    if snapshot.ideas["proposed"]:
        return Step("ideas", f"Decide about {snapshot.ideas['proposed']:,} proposed ideas.")
    if not snapshot.runs:
        return Step("launch", f"Launch a search from {snapshot.ideas['approved']:,} approved ideas.")
    return Step("runs", f"Compare runs, export winners, or launch another search with {key_of('app.launch')}.")


def model_state(llm: str | None) -> str:
    """The chosen model in words, and whether something listens where its server should; asks the network."""
    from fairnad_engine.llm.models import DEFAULT_LLM, parse_llm
    from fairnad_engine.llm.ollama_server import is_local, listens, server_url

    if llm is None:
        return f"{DEFAULT_LLM} by default; {key_of('papers.model')} among the papers ({key_of('app.papers')}) chooses"
    try:
        spec = parse_llm(llm)
        urls = [server_url(url) for url in spec.urls or (None,)]
    except InputError as error:
        return str(error)
    if spec.kind == "rules":
        return "rules, built in"
    silent = [url for url in urls if not listens(url)]
    if not silent:
        return f"{spec.name}, {'its server listens' if len(urls) == 1 else f'all {len(urls)} servers listen'}"
    if len(silent) < len(urls):
        return f"{spec.name}, {len(urls) - len(silent)} of {len(urls)} servers listen, not {silent[0]}"
    starts = spec.kind == "ollama" and is_local(silent[0])
    remedy = "start it with: ollama serve" if starts else f"nothing answers at {silent[0]}"
    return f"{spec.name}: {remedy}"


def jail_state() -> str:
    """Which layers of the jail are live, by trying each in processes of its own; takes seconds the first time."""
    from fairnad_engine.backbone.jail.probe import probe

    try:
        return jail_words(probe())
    except JailError as error:
        return f"{GLYPHS.failed} {error}"


def jail_words(layers: Sequence[Layer]) -> str:
    """The state of the jail in a sentence."""
    lacking = [one.name for one in layers if one.required and not one.live]
    if lacking:
        return f"{GLYPHS.failed} lacks {'; '.join(lacking)}: model-written code is refused; fairnad-tui doctor says why"
    away = [one.name for one in layers if not one.live]
    if away:
        return f"{GLYPHS.done} all needed layers live; not there: {'; '.join(away)}"
    return f"{GLYPHS.done} all {len(layers)} layers live"


class HomeScreen(FairScreen[HomeSnapshot]):
    """The first screen."""

    SCOPE = "home"
    BINDINGS = bindings("home")
    CSS_PATH = "home.tcss"

    def __init__(self) -> None:
        super().__init__()
        self._snapshot: HomeSnapshot | None = None
        self._selected = 0
        self._model = ""
        self._jail = ""
        self._jail_asked = False
        self._glance_lines = 0

    def body(self) -> Iterable[Widget]:
        """See :class:`FairScreen`."""
        with Vertical(id="home"):
            yield Static(id="glance")
            yield Static(id="step")
            yield Static(id="runs")

    def loader(self) -> Callable[[Store], HomeSnapshot]:
        """See :class:`FairScreen`."""
        return read_home

    def restore(self, place: dict[str, Any]) -> None:
        """See :class:`FairScreen`."""
        selected = place.get("selected", 0)
        self._selected = selected if isinstance(selected, int) else 0

    def remember(self) -> dict[str, Any]:
        """See :class:`FairScreen`."""
        return {"selected": self._selected}

    def show(self, snapshot: HomeSnapshot) -> None:
        """See :class:`FairScreen`."""
        self._snapshot = snapshot
        self._selected = max(0, min(self._selected, len(snapshot.runs) - 1))
        ideas = ", ".join(f"{n:,} {status}" for status, n in snapshot.ideas.items() if n) or "none yet"
        papers = f"{snapshot.papers:,}" + (
            f" ({snapshot.unstructured:,} not structured)" if snapshot.unstructured else ""
        )
        lines = [
            ("Workspace", str(Path(self.shell.workspace))),
            ("Papers", papers if snapshot.papers else "none yet"),
            ("Ideas", ideas),
            ("Model", self._model or self.shell.llm or "…"),
            ("GPU", ", ".join(snapshot.gpus) or "none; trainings run on the CPU"),
        ]
        width = max(20, self.size.width - 16)
        glance = [
            Content.assemble(Content.styled(f"{name:<11}", "dim"), plain_line(text, width)) for name, text in lines
        ]
        long = [("Disk", snapshot.disk)] if snapshot.disk else []
        for name, text in (*long, ("Jail", self._jail or "trying its layers …")):
            for place, piece in enumerate(plain(text).wrap(width)):
                glance.append(Content.assemble(Content.styled(f"{'' if place else name:<11}", "dim"), piece))
        self._glance_lines = len(glance)
        self.query_one("#glance", Static).update(Content("\n").join(glance))
        self.query_one("#step", Static).update(
            Content.assemble(Content.styled("Next  ", "bold $accent"), plain(next_step(snapshot).words))
        )
        self._show_runs()
        if not self._jail_asked:
            self._jail_asked = True
            # After this paint, and once: what the machine allows does not change while one looks on.
            self.call_after_refresh(begin, self, self._try_jail, group="jail")

    async def _try_jail(self) -> None:
        self._jail = await asyncio.to_thread(jail_state)
        if self._snapshot is not None and self.there:
            self.show(self._snapshot)

    @property
    def _shown_runs(self) -> int:
        """Runs that there is room for below the glance, the step with its frame, and the bars."""
        return max(3, min(_MOST_RUNS, self.size.height - 2 - 2 - self._glance_lines - 4 - 1))

    def _show_runs(self) -> None:
        assert self._snapshot is not None  # noqa: S101 - only shown with a snapshot
        runs = self._snapshot.runs
        if not runs:
            text = Content.styled(f"No search yet. {key_of('app.launch')} opens the form that launches one.", "dim")
        else:
            first = max(0, self._selected - self._shown_runs + 1)
            shown = list(enumerate(runs))[first : first + self._shown_runs]
            text = Content("\n").join([Content.styled("Runs", "bold"), *(self._run(i, run) for i, run in shown)])
        self.query_one("#runs", Static).update(text)

    def _run(self, place: int, run: RunLine) -> Content:
        here = place == self._selected
        best = f"best {run.best:.2f} % val" if run.best is not None else ""
        best = plain_line(run.message, 60).plain if run.message else best
        cursor = GLYPHS.cursor if here else " "
        name = plain_line(run.name, 18)
        line = Content.assemble(
            f"{cursor} {GLYPHS.of_state(run.state)} {run.id:<8}",
            name,
            f"{'':<{19 - name.cell_length}}{run.state:<9}{run.trained:>5}/{run.budget:<5} {best}",
        )
        return line.truncate(max(20, self.size.width - 4)).stylize("reverse" if here else "")

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        begin(self, self._ask_model, group="model", exclusive=True)

    async def _ask_model(self) -> None:
        self._model = await asyncio.to_thread(model_state, self.shell.llm)
        if self._snapshot is not None and self.there:
            self.show(self._snapshot)

    def why_not(self, one: Action) -> str | None:
        """See :class:`FairScreen`."""
        if one.name == "open" and not (self._snapshot and self._snapshot.runs):
            return f"There is no run yet; launch one with {key_of('app.launch')}."
        return None

    def do_next(self) -> None:
        """Take the step that is named as next."""
        if self._snapshot is not None:
            step = next_step(self._snapshot)
            self.shell.selected_run = step.run or self.shell.selected_run
            self.shell.goto(step.place)

    def do_demo(self) -> None:
        """Prepare the demo."""
        self.background(self._demo())

    async def _demo(self) -> None:
        from fairnad_engine.workspace import prepare_demo

        self.say("Adding the sample papers and structuring them with the built-in rules …")
        await self.desk.apart(prepare_demo)
        if self.is_current:  # else the user has gone somewhere else meanwhile
            self.shell.goto("papers")

    def do_add(self) -> None:
        """Go and add papers."""
        screen = self.shell.goto("papers")
        screen.call_after_refresh(screen.action_do, "papers.add")

    def do_studies(self) -> None:
        """Show the studies."""
        from fairnad_screens.study import StudyScreen

        self.app.push_screen(StudyScreen())

    def do_open(self) -> None:
        """Open the selected run."""
        assert self._snapshot is not None  # noqa: S101 - why_not has looked
        self.shell.selected_run = self._snapshot.runs[self._selected].id
        self.shell.goto("search")

    def do_down(self) -> None:
        """Select the next run."""
        self._move(1)

    def do_up(self) -> None:
        """Select the previous run."""
        self._move(-1)

    def _move(self, by: int) -> None:
        if self._snapshot and self._snapshot.runs:
            self._selected = (self._selected + by) % len(self._snapshot.runs)
            self._show_runs()

    def on_resize(self) -> None:
        """Lay the lines out anew."""
        if self._snapshot is not None:
            self.show(self._snapshot)
