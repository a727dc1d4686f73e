"""The papers screen's work: adding papers, and the structuring job."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from fairnad_engine.errors import InputError, ModelMissingError, ModelUnavailableError
from fairnad_engine.llm.models import check_llm
from fairnad_engine.places import expanded
from fairnad_engine.store import Store
from fairnad_screens.actions import Action, key_of
from fairnad_screens.data.papers import PapersSnapshot, StructureJob, to_structure
from fairnad_screens.dialogs import Choice, ChoiceDialog, ConfirmDialog, LineDialog
from fairnad_screens.papers_model import PapersModel
from fairnad_screens.text import plain
from fairnad_screens.widgets.path_suggester import SAMPLES, PathSuggester
from fairnad_screens.widgets.text_dialog import TextDialog

_RETRY, _CHOOSE, _PULL = "retry", "choose", "pull"


class PapersWork(PapersModel):
    """What takes a dialog or a process; the screen itself is in ``papers``."""

    def __init__(self) -> None:
        super().__init__()
        self._mistyped = ""

    @property
    def job(self) -> StructureJob | None:
        """The newest structuring job."""
        return self.snapshot.job if self.snapshot else None

    @job.setter
    def job(self, job: StructureJob) -> None:
        if self.snapshot is not None:
            self.snapshot = PapersSnapshot(
                self.snapshot.papers, self.snapshot.ideas, job, self.snapshot.template_digest
            )

    def why_no_work(self, one: Action) -> str | None:
        """Why an action that this class knows cannot be done now."""
        job = self.job
        live = job is not None and job.live
        if one.name == "stop" and self.pulling:
            return None
        if one.name in ("model", "probe") and self.busy:
            return f"Busy: {self.busy}."
        if one.name in ("pause", "stop") and not live:
            return f"No structuring is running; {key_of('papers.structure')} starts one."
        if one.name == "pause" and job is not None and job.state == "stopping":
            return f"It is stopping; wait for the papers in hand, or stop it at once with {key_of('papers.stop')}."
        if one.name == "structure":
            if self.snapshot is None or not self.snapshot.papers:
                return f"There are no papers yet; {key_of('papers.add')} adds some."
            if live and job is not None:
                pause, stop = key_of("papers.pause"), key_of("papers.stop")
                return f"{job.id} is structuring already; {pause} pauses it, {stop} stops it."
        return None

    # -- adding -----------------------------------------------------------------------------------------------

    def do_add(self) -> None:
        """Add papers."""
        self.flow(self._add())

    async def _add(self) -> None:
        hint = (
            "samples stands for the papers that ship. Otherwise a .pdf, .md, .txt, .tex, .bib or .jsonl file, "
            "a folder, arxiv:ID, or arxiv:WORDS."
        )
        dialog = LineDialog("Add papers", self._mistyped, hint=hint, suggester=PathSuggester())
        typed = await self.app.push_screen_wait(dialog)
        source = (typed or "").strip()
        if not source:
            return
        self._mistyped = source  # offered again until it could be read
        if source == "-":
            raise InputError("- is standard input, which the screens use; give a file or a folder")
        self.set_busy(f"reading {source}")
        try:
            reading = await self.desk.apart(partial(_add_papers, source=source))
        finally:
            self.set_busy("")
        if reading.added or reading.known:
            self._mistyped = ""
        self.reload()
        known = f", {reading.known:,} were there already" if reading.known else ""
        if reading.added or not reading.problems:
            following = f" {key_of('papers.structure')} structures them." if reading.added else ""
            told = "".join(f" {one}." for one in reading.remarks[:2])
            self.say(f"{reading.added:,} papers added{known}.{following}{told}")
        if reading.problems:
            lines = "\n".join(str(problem) for problem in reading.problems)
            rest = "the rest was added" if reading.added else "nothing was added"
            title = f"{len(reading.problems):,} could not be read; {rest}"
            await self.app.push_screen_wait(TextDialog(title, plain(lines)))

    # -- structuring ------------------------------------------------------------------------------------------

    def do_structure(self) -> None:
        """Screen papers and extract their ideas."""
        self.flow(self._structure())

    async def _structure(self) -> None:
        while True:
            self.set_busy(f"asking for {self.llm}")
            try:
                weights = (await asyncio.to_thread(check_llm, self.llm)).digest
            except ModelUnavailableError as error:
                self.set_busy("")
                if not await self._mend_model(error):
                    return
            else:
                self.set_busy("")
                await self._start(await self._reread(weights))
                return
            finally:
                self.set_busy("")

    async def _mend_model(self, error: ModelUnavailableError) -> bool:
        """Say what to run; nothing falls back to another model by itself. False where the user gives up."""
        missing = isinstance(error, ModelMissingError)
        choices = [
            *([Choice(_PULL, f"Get {self.llm} now, from Ollama's library")] if missing else ()),
            Choice(_RETRY, "Try again, once that is done"),
            Choice(_CHOOSE, "Choose another model"),
        ]
        answer = await self.app.push_screen_wait(ChoiceDialog(str(error), choices))
        if answer == _PULL:
            return await self.pull()
        if answer == _CHOOSE:
            return await self.ask_model() is not None
        return answer == _RETRY

    async def _reread(self, weights: str) -> bool | None:
        """Whether papers that were structured otherwise are read again; None where nothing is to be started."""
        assert self.snapshot is not None  # noqa: S101 - why_not has looked
        new, other = to_structure(self.snapshot, self.llm, weights)
        if not new and not other:
            self.say(
                f"Every paper is structured by {self.llm} already. "
                f"{key_of('papers.add')} adds papers, {key_of('papers.model')} chooses another model."
            )
            return None
        if not other:
            return False
        before = (
            f"{len(other):,} papers were structured by another model, with an earlier template or prompt, or in part"
        )
        if not new:
            question = f"{before}. Read them again with {self.llm}? Ideas that are there stay."
            return True if await self.app.push_screen_wait(ConfirmDialog(question)) else None
        choices = [
            Choice("new", f"Only the {len(new):,} that nothing has structured yet"),
            Choice("all", f"All {len(new) + len(other):,}; ideas that are there stay"),
        ]
        answer = await self.app.push_screen_wait(
            ChoiceDialog(f"{before}. Which papers shall {self.llm} read?", choices)
        )
        return None if answer is None else answer == "all"

    async def _start(self, reread: bool | None) -> None:
        if reread is None:
            return
        self.set_busy(f"starting to structure with {self.llm}")
        try:
            await self.desk.apart(partial(_start_job, llm=self.llm, reread=reread, lanes=self.lanes))
        finally:
            self.set_busy("")
        self.reload()

    def do_pause(self) -> None:
        """Pause or resume."""
        if self.job is not None:
            self._ask_job(self.job, "resume" if self.job.state == "paused" else "pause")

    def do_stop(self) -> None:
        """Stop after the papers in hand; the second time at once. While a model is pulled, stop that."""
        if self.pulling:
            self.stop_pulling()
        elif self.job is not None and self.job.state == "stopping":
            self.flow(self._stop_now(self.job))
        elif self.job is not None:
            self._ask_job(self.job, "stop")

    async def _stop_now(self, job: StructureJob) -> None:
        question = f"Stop {job.id} at once? The {len(job.doing)} papers in hand are begun anew next time."
        if await self.app.push_screen_wait(ConfirmDialog(question)):
            self._ask_job(job, "stop-now")

    def _ask_job(self, job: StructureJob, what: str) -> None:
        done = {
            "pause": "pauses after the papers in hand",
            "resume": "goes on",
            "stop": "stops after the papers in hand",
        }

        async def ask() -> None:
            await self.desk.write(lambda store: store.jobs.request(job.id, what))
            self.say(f"{job.id} {done.get(what, 'stops at once')}.")

        self.background(ask())


def _add_papers(store: Store, source: str) -> Any:  # noqa: ANN401
    from fairnad_engine.knowledge.structuring import add_papers
    from fairnad_engine.resources import data_folder

    return add_papers(store, [str(data_folder("sample_papers")) if source == SAMPLES else _expanded(source)])


def _expanded(source: str) -> str:
    return source if source.startswith("arxiv:") else str(expanded(source))


def _start_job(store: Store, llm: str, reread: bool, lanes: int | None) -> None:
    from fairnad_engine.search.config import CurationSection, PapersSection, RunConfig
    from fairnad_engine.search.config_model import ModelSection
    from fairnad_engine.workspace import create_structure_job, start_worker, template_of

    # Decisions are made at the desk, not by a policy.
    config = RunConfig(
        papers=PapersSection(reread=reread),
        model=ModelSection.model_validate({"llm": llm, **({"lanes": lanes} if lanes else {})}),
        curation=CurationSection(policy="none"),
    )
    template_of(store)
    start_worker(store, create_structure_job(store, config))
