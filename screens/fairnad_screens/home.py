"""Home: the workspace at a glance, the next sensible step, recent runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from fairnad_screens.actions import Action
from fairnad_screens.base import FairScreen
from fairnad_screens.bindings import bindings
from fairnad_screens.text import GLYPHS, plain, plain_line

if TYPE_CHECKING:
    from fairnad_engine.store import Store


@dataclass(frozen=True)
class RunLine:
    """One run as home lists it."""

    id: str
    name: str
    state: str
    trained: int
    budget: int
    best: float | None


@dataclass(frozen=True)
class HomeSnapshot:
    """The workspace at a glance."""

    papers: int
    unstructured: int
    ideas: dict[str, int]
    runs: tuple[RunLine, ...]
    structuring: str
    gpus: tuple[str, ...]


def read_home(store: Store) -> HomeSnapshot:
    """Read what home shows."""
    from fairnad_engine.machine import accelerators

    runs = []
    for run in reversed(store.runs.all()):
        job = store.jobs.of_run(run.id)
        progress = store.runs.progress(run.id)
        state = store.jobs.living_state(job) if job else "unknown"
        runs.append(RunLine(run.id, run.name, state, progress.trained, progress.budget, progress.best_accuracy))
    structuring = [j for j in store.jobs.all() if j.kind == "structure" and store.jobs.is_held(j.id)]
    return HomeSnapshot(
        papers=store.papers.count(),
        unstructured=store.papers.count_unstructured(),
        ideas=store.ideas.counts(),
        runs=tuple(runs),
        structuring=structuring[0].id if structuring else "",
        gpus=accelerators(),
    )


def next_step(snapshot: HomeSnapshot) -> tuple[str, str]:
    """The place of the next sensible step, and what it is."""
    running = [run for run in snapshot.runs if run.state in ("running", "paused", "stopping")]
    if not snapshot.papers and not sum(snapshot.ideas.values()):
        return "papers", "Add papers, or press d for a demo on the papers that ship with the program."
    if snapshot.structuring:
        return "papers", "Papers are being structured; look on."
    if snapshot.unstructured:
        return "papers", f"Structure {snapshot.unstructured:,} papers into ideas."
    if running:
        return "search", f"Look on as {running[0].id} searches."
    if snapshot.ideas["proposed"]:
        return "ideas", f"Decide about {snapshot.ideas['proposed']:,} proposed ideas."
    if not snapshot.runs:
        return "launch", f"Launch a search from {snapshot.ideas['approved']:,} approved ideas."
    return "runs", "Compare runs, export winners, or launch another search with L."


class HomeScreen(FairScreen[HomeSnapshot]):
    """The first screen."""

    SCOPE = "home"
    BINDINGS = bindings("home")
    CSS_PATH = "home.tcss"
    SHOWN_RUNS: ClassVar[int] = 12

    def __init__(self) -> None:
        super().__init__()
        self._snapshot: HomeSnapshot | None = None
        self._selected = 0

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
            ("GPU", ", ".join(snapshot.gpus) or "none; trainings run on the CPU"),
        ]
        width = max(20, self.size.width - 16)
        self.query_one("#glance", Static).update(
            Content("\n").join(
                Content.assemble(Content.styled(f"{name:<11}", "dim"), plain_line(text, width)) for name, text in lines
            )
        )
        self.query_one("#step", Static).update(
            Content.assemble(Content.styled("Next  ", "bold $accent"), plain(next_step(snapshot)[1]))
        )
        self._show_runs()

    def _show_runs(self) -> None:
        assert self._snapshot is not None  # noqa: S101 - only shown with a snapshot
        runs = self._snapshot.runs
        if not runs:
            text = Content.styled("No search yet. L opens the form that launches one.", "dim")
        else:
            first = max(0, self._selected - self.SHOWN_RUNS + 1)
            shown = list(enumerate(runs))[first : first + self.SHOWN_RUNS]
            text = Content("\n").join([Content.styled("Runs", "bold"), *(self._run(i, run) for i, run in shown)])
        self.query_one("#runs", Static).update(text)

    def _run(self, place: int, run: RunLine) -> Content:
        here = place == self._selected
        best = f"best {run.best:.2f} % val" if run.best is not None else ""
        progress = f"{run.state:<9}{run.trained:>5}/{run.budget:<5}"
        line = f"{GLYPHS.of_state(run.state)} {run.id:<7} {run.name:<18.18} {progress} {best}"
        cursor = GLYPHS.cursor if here else " "
        return plain_line(f"{cursor} {line}", max(20, self.size.width - 4), "reverse" if here else "")

    def why_not(self, one: Action) -> str | None:
        """See :class:`FairScreen`."""
        if one.name == "open" and not (self._snapshot and self._snapshot.runs):
            return "There is no run yet; launch one with L."
        return None

    def do_next(self) -> None:
        """Take the step that is named as next."""
        if self._snapshot is not None:
            self.shell.goto(next_step(self._snapshot)[0])

    def do_demo(self) -> None:
        """Prepare the demo."""
        self.background(self._demo())

    async def _demo(self) -> None:
        from fairnad_engine.workspace import prepare_demo

        self.say("Adding the sample papers and structuring them with the built-in rules …")
        await self.desk.apart(prepare_demo)
        self.shell.goto("papers")

    def do_add(self) -> None:
        """Go and add papers."""
        screen = self.shell.goto("papers")
        screen.call_after_refresh(screen.action_do, "papers.add")

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
