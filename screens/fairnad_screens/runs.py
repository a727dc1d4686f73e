"""Runs and reports: every run of the workspace, compared, reported, finished, run again, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from fairnad_screens.actions import Action, key_of
from fairnad_screens.bindings import bindings
from fairnad_screens.data.runs import RunEntry, deletion_question, report_text, start_finish, write_run_report
from fairnad_screens.dialogs import ConfirmDialog, LastWordDialog, LineDialog
from fairnad_screens.runs_control import WorkerKeys
from fairnad_screens.runs_sheet import RunsSheet
from fairnad_screens.viewer import TextViewer
from fairnad_screens.widgets.candidate_page import PageView

if TYPE_CHECKING:
    from fairnad_screens.launch import LaunchScreen

_NEEDS_RUN = (
    "resume",
    "take_over",
    "open",
    "mark",
    "compare",
    "again",
    "export",
    "view",
    "finish",
    "delete",
    "axis",
    "front",
)
FINISH_TOP = 3


class RunsScreen(WorkerKeys, RunsSheet):
    """What the keys of the runs screen do."""

    BINDINGS = bindings("runs")
    CSS_PATH = "runs.tcss"

    def why_not(self, one: Action) -> str | None:
        """See :class:`FairScreen`."""
        run = self._current()
        if one.name == "backup":
            return self.why_no_backup()
        if run is None:
            if one.name not in _NEEDS_RUN:
                return None
            return f"There is no run yet; {key_of('app.launch')} opens the form that launches one."
        if one.name in ("resume", "take_over"):
            return self.why_no_worker(one.name, run)
        if one.name == "front":
            if self._comparing:
                return f"{key_of('runs.unmark')} leaves the comparison first."
            return None if self.front() else f"{run.id} has no front yet: nothing is trained."
        if one.name == "compare" and len(self._marked) < 2 and not self._comparing:
            return f"Mark two or more runs with {key_of('runs.mark')} first."
        if one.name == "axis" and not self._comparing:
            mark, compare = key_of("runs.mark"), key_of("runs.compare")
            return f"The axis is that of the comparison; mark runs with {mark} and press {compare}."
        if one.name == "delete" and run.held:
            return f"{run.id} is being worked on; open it with {key_of('runs.open')} and stop it first."
        if one.name == "finish":
            return self._why_no_finish(run)
        if one.name in ("export", "view") and not run.trained and run.best is None:
            return f"{run.id} has trained nothing yet, so there is nothing to report."
        return None

    def _why_no_finish(self, run: RunEntry) -> str | None:
        if run.state != "done":
            return f"{run.id} is {run.state}; only a search that is done is finished."
        if run.held:
            return f"{run.id} is being finished."
        if run.finish == "done":
            return f"{run.id} was finished; a test is made once, {key_of('runs.view')} shows its scores."
        return None

    # -- movement and marks -----------------------------------------------------------------------------------

    def _move(self, by: int) -> None:
        if self._comparing or self.in_front:
            self.query_one("#runs-detail", PageView).move(by)
            return
        view = self.query_one("#runs-list", PageView)
        view.move(by)
        self._choose(view.stop)

    def do_down(self) -> None:
        """Go down."""
        self._move(1)

    def do_up(self) -> None:
        """Go up."""
        self._move(-1)

    def do_top(self) -> None:
        """Go to the first."""
        self._move(-1_000_000)

    def do_bottom(self) -> None:
        """Go to the last."""
        self._move(1_000_000)

    def do_front(self) -> None:
        """Go to the front's models, or back to the runs."""
        self.in_front = not self.in_front
        self._paint()
        if self.in_front:
            self.query_one("#runs-detail", PageView).move(0)

    def do_page_down(self) -> None:
        """Scroll the details down."""
        self.query_one("#runs-detail", PageView).turn(1)

    def do_page_up(self) -> None:
        """Scroll the details up."""
        self.query_one("#runs-detail", PageView).turn(-1)

    def do_mark(self) -> None:
        """Mark the selected run."""
        if self._comparing:
            self.say(f"{key_of('runs.unmark')} leaves the comparison; then {key_of('runs.mark')} marks.")
            return
        if self._selected in self._marked:
            self._marked.remove(self._selected)
        else:
            self._marked.append(self._selected)
        self._move(1)

    def do_unmark(self) -> None:
        """Leave the comparison, or take all marks back."""
        if self._comparing:
            self._comparing = False
        elif self.in_front:
            self.in_front = False
        elif self._marked:
            self._marked = []
        else:
            self.say("There is no mark to take back.")
        self._paint()

    def do_compare(self) -> None:
        """Compare the marked runs."""
        self._comparing = not self._comparing
        self.query_one("#runs-detail").scroll_home(animate=False)
        self._paint()
        self.call_after_refresh(self._paint)
        self.reload()

    def do_axis(self) -> None:
        """Compare over parameters or MACs."""
        self._over_macs = not self._over_macs
        self._paint()

    # -- actions ----------------------------------------------------------------------------------------------

    def do_open(self) -> None:
        """Open the run's desk, or a model of its front."""
        if self.in_front and not self._comparing:
            from fairnad_screens.candidate import CandidateScreen

            place = self.query_one("#runs-detail", PageView).stop
            self.app.push_screen(CandidateScreen(self._selected, self.front()[place].id))
            return
        self.shell.selected_run = self._selected
        self.shell.goto("search")

    def do_studies(self) -> None:
        """Show the studies."""
        from fairnad_screens.study import StudyScreen

        self.app.push_screen(StudyScreen())

    def do_again(self) -> None:
        """Launch another run with this one's settings."""
        run = self._current()
        if run is not None:
            cast("LaunchScreen", self.shell.goto("launch")).take(run.row.config, f"those of {run.id}")

    def do_export(self) -> None:
        """Write the report."""
        self.background(self._export(self._selected))

    async def _export(self, run_id: str) -> None:
        path = self.desk.path
        default = path.with_name(f"{path.stem}-reports") / run_id
        answer = await self.shell.push_screen_wait(LineDialog(f"Write the report of {run_id} into", str(default)))
        if answer:
            self.say(f"Writing the report of {run_id} …")
            written = await self.desk.apart(lambda store: write_run_report(store, run_id, answer))
            self.say(f"Report written to {written / 'report.md'}")

    def do_view(self) -> None:
        """Read the report."""
        self.background(self._view(self._selected))

    async def _view(self, run_id: str) -> None:
        text = await self.desk.apart(lambda store: report_text(store, run_id))
        self.shell.push_screen(TextViewer(f"Report of {run_id}", text))

    def do_finish(self) -> None:
        """Retrain and test the best."""
        self.background(self._finish(self._selected))

    async def _finish(self, run_id: str) -> None:
        hint = "Each is trained anew with 3 seeds; that takes three trainings a model."
        title = f"How many of the front of {run_id} shall be retrained and tested (1 to 50)?"
        answer = await self.shell.push_screen_wait(LineDialog(title, str(FINISH_TOP), hint=hint))
        if answer is None:
            return
        if not answer.strip().isdigit() or not 1 <= int(answer) <= 50:
            self.say(f"{answer!r} is no number from 1 to 50; nothing was begun.", failed=True)
            return
        top = int(answer)
        question = (
            f"Finish {run_id}? Its {top} best are trained anew and then each is scored once on the test split. "
            "No number of this run has seen that split so far; a test is made once and cannot be taken back."
        )
        if await self.shell.push_screen_wait(ConfirmDialog(question)):
            await self.desk.apart(lambda store: start_finish(store, run_id, top))
            self.say(f"{run_id} is being finished in the background; its scores will stand here.")

    def do_delete(self) -> None:
        """Delete the run."""
        self.background(self._delete(self._selected))

    async def _delete(self, run_id: str) -> None:
        question = await self.desk.read(lambda store: deletion_question(store, run_id))
        if await self.shell.push_screen_wait(LastWordDialog(question)):
            await self.desk.write(lambda store: store.deletion.delete(run_id))
            self.say(f"{run_id} is deleted.")
            self.reload()
