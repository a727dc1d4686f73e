"""Home: the workspace at a glance, the next sensible step, recent runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from fairnad_screens.actions import Action, key_of
from fairnad_screens.background import begin
from fairnad_screens.base import FairScreen
from fairnad_screens.bindings import bindings
from fairnad_screens.data.home import HomeSnapshot, RunLine, jail_state, model_state, next_step, read_home
from fairnad_screens.text import GLYPHS, plain, plain_line

if TYPE_CHECKING:
    from fairnad_engine.store import Store

_MOST_RUNS = 12


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
