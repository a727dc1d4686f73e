"""From papers to an idea library: read, screen, extract, file; then curate by a named policy (method, section 1)."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TypeVar

from fairnad_engine.knowledge.near_duplicates import duplicate_groups
from fairnad_engine.knowledge.pace import SUBJECT, Pace
from fairnad_engine.knowledge.paper_streams import PaperStreams
from fairnad_engine.knowledge.papers import PaperText, ReadProblem, Section, read_papers
from fairnad_engine.knowledge.reading_stamps import ReadingStamp, Reread, reading_stamp, to_read
from fairnad_engine.knowledge.reply_keeper import reading_step
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.kept import not_kept
from fairnad_engine.llm.protocol import Extraction, ModelCall, Reader
from fairnad_engine.search.control import Control
from fairnad_engine.store import Store
from fairnad_engine.store.knowledge_records import INCOMPLETE, IdeaRow, PaperRow

_Result = TypeVar("_Result")
_log = logging.getLogger("fairnad.structuring")


@dataclass(frozen=True)
class Reading:
    """What became of paper sources: how many papers are new, how many were there, what failed, and remarks."""

    added: int
    known: int
    problems: tuple[ReadProblem, ...]
    remarks: tuple[ReadProblem, ...] = ()


def add_papers(store: Store, sources: Iterable[str], limit: int | None = None) -> Reading:
    """Read sources into the workspace; a broken file is a problem of its own and the rest goes on."""
    added = known = 0
    problems: list[ReadProblem] = []
    remarks: list[ReadProblem] = []
    for source in sources:
        for item in read_papers(source, limit=limit):
            if isinstance(item, ReadProblem):
                (remarks if item.remark else problems).append(item)
            elif store.papers.add(item):
                added += 1
            else:
                known += 1
    return Reading(added, known, tuple(problems), tuple(remarks))


@dataclass
class Structured:
    """What a structuring job did: papers read, new ideas, and papers about which the model said nothing usable.

    ``incomplete`` papers were read, but for some part of them: a further job asks for what is missing. ``left`` papers
    were not begun because the job's tokens were spent.
    """

    papers: int = 0
    ideas: int = 0
    refused: int = 0
    incomplete: int = 0
    left: int = 0


async def structure(
    store: Store,
    reader: Reader,
    template: Template,
    *,
    job_id: str,
    control: Control,
    activity: Callable[[str, str], None],
    lanes: int = 1,
    weights: str = "",
    reread: Reread = True,
    streams: PaperStreams | None = None,
    max_tokens: int = 0,
) -> Structured:
    """Screen and extract every paper not yet structured so (:mod:`~fairnad_engine.knowledge.reading_stamps`).

    Each reply is kept before it is used (:mod:`fairnad_engine.llm.kept`) and each paper's result is committed as soon
    as it is there, so an end loses at most the calls in flight; a stop waits for the papers in hand. What is
    stored does not depend on the number of lanes. A paper of which some part had no usable reply is marked so, and
    the next job asks for that part alone.

    Args:
        store: The workspace.
        reader: The model; it is called on threads of its own, one a lane.
        template: Under what ideas are filed.
        job_id: For the accounts.
        control: What the user asks for; every paper passes its gate.
        activity: Told what each paper goes through; empty text ends it.
        lanes: Papers at a time.
        weights: What identifies the model's weights, where its server tells.
        reread: Whether papers that were structured otherwise are read again; ``all`` reads every paper.
        streams: Where the model's text goes while it is written.
        max_tokens: No further paper is begun when the job's calls took this many; 0 for no bound.

    Raises:
        StopRequestedError: The user asked to stop.
        ModelUnavailableError: The model's server is gone.
    """
    threads = ThreadPoolExecutor(max_workers=lanes, thread_name_prefix="reader")
    try:
        stamp = reading_stamp(reader.name, template.digest, weights)
        papers = to_read(store.papers.listing(), stamp, reread)
        pace = Pace(len(papers))
        work = _Structuring(
            store, reader, template, job_id, control, activity, streams, threads, stamp, pace, max_tokens
        )
        pending = iter(papers)
        results = await asyncio.gather(*(work.lane(pending) for _ in range(lanes)), return_exceptions=True)
    finally:
        # Not waited for: a thread that keeps a reply needs this loop, which a wait would stop.
        threads.shutdown(wait=False, cancel_futures=True)
        activity(SUBJECT, "")
    for error in (one for one in results if isinstance(one, BaseException)):
        raise error
    work.done.left = len(list(pending))
    return work.done


@dataclass
class _Structuring:
    store: Store
    reader: Reader
    template: Template
    job_id: str
    control: Control
    activity: Callable[[str, str], None]
    streams: PaperStreams | None
    threads: ThreadPoolExecutor
    stamp: ReadingStamp
    pace: Pace
    max_tokens: int
    done: Structured = field(default_factory=Structured)
    broken: bool = False

    async def lane(self, pending: Iterator[str]) -> None:
        while not self._spent():
            await self.control.gate()
            # What ends one lane ends the job: no other one begins a further paper.
            paper_id = None if self.broken else next(pending, None)
            if paper_id is None:
                return
            try:
                await self._paper(paper_id)
            except BaseException:
                self.broken = True
                raise
            finally:
                self.activity(paper_id, "")
            self.pace.paper()
            self.activity(SUBJECT, str(self.pace))

    def _spent(self) -> bool:
        return bool(self.max_tokens) and self.store.calls.tokens_of_job(self.job_id) >= self.max_tokens

    async def _paper(self, paper_id: str) -> None:
        from fairnad_engine.llm.chat_reader import ReadRefusedError

        paper = self.store.papers.get(paper_id)
        try:
            if paper.screened_by != "person":
                await self._screen(paper)
            await self._extract(paper)
        except ReadRefusedError as refused:
            self.done.refused += 1
            step = "extract" if self.store.papers.get(paper_id).screened_by else "screen"
            _log.warning("%s: %s: %s: %s", paper_id, step, refused.kind, refused)
            self._account(paper_id, step, refused.calls)
            if step == "screen":
                self.store.papers.note_refusal(paper_id, f"the model gave no usable reply: {refused.kind}")

    async def _screen(self, paper: PaperRow) -> None:
        self.activity(paper.id, f"screening: {paper.title}")
        screening = await self._ask(paper, "screen", self.reader.screen, paper_text(paper))
        with self.store.transaction():
            # A person may have decided while the model was reading.
            if self.store.papers.get(paper.id).screened_by != "person":
                self.store.papers.set_screening(paper.id, screening.relevant, screening.reason, self.reader.name)
            self._account(paper.id, "screen", screening.calls)

    async def _extract(self, paper: PaperRow) -> None:
        extraction = Extraction(())
        if self.store.papers.get(paper.id).relevant:
            self.activity(paper.id, f"extracting: {paper.title}")
            extraction = await self._ask(paper, "extract", self.reader.extract, paper_text(paper), self.template)
            for failure in getattr(extraction, "failures", ()):
                _log.warning("%s: %s: %s", paper.id, failure.kind, failure.message)
        whole = all(one.kind == "too-long" for one in getattr(extraction, "failures", ()))
        stamp = str(self.stamp) if whole else f"{self.stamp}{INCOMPLETE}"
        with self.store.transaction():
            self.done.ideas += self.store.ideas.file_extracted(paper.id, extraction.ideas, self.template, stamp)
            self._account(paper.id, "extract", extraction.calls)
        self.done.papers += 1
        self.done.incomplete += not whole

    def _key(self, paper_id: str, step: str) -> str:
        return f"{self.job_id}/{paper_id}/{step}"

    def _account(self, paper_id: str, step: str, calls: Sequence[ModelCall]) -> None:
        """Store the calls of a step that were not stored when they were made."""
        self.pace.count(calls)
        left = not_kept(tuple(calls))
        self.store.calls.record(self._key(paper_id, step), left, job_id=self.job_id, run_id=None)

    async def _ask(self, paper: PaperRow, step: str, function: Callable[..., _Result], *arguments: object) -> _Result:
        with self.streams.of(paper.id) if self.streams else nullcontext(), reading_step(self._key(paper.id, step)):
            # The stream is a context variable, which the thread takes over.
            context = contextvars.copy_context()
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.threads, lambda: context.run(function, *arguments))


def apply_policy(store: Store, policy: str) -> int:
    """Decide about proposed ideas by a named policy, which is recorded as the decider; return how many it approved.

    ``grounded`` approves extracted ideas whose quote stands in the paper at its recorded span, character by character:
    of a quote that a model wrote down with slips that is the paper's wording, which is what is stored.
    ``grounded-unique`` approves of those that say the same, with what is approved already, only the representative
    (:mod:`fairnad_engine.knowledge.near_duplicates`); the others stay proposed. ``none`` decides nothing. Ungrounded
    ideas are never approved by one of these. ``imported`` is about others: it approves imported and hand-written ideas
    that nobody has decided about, which have no paper and no quote.
    """
    if policy == "none":
        return 0
    if policy == "imported":
        waiting = (*store.ideas.all("imported"), *store.ideas.all("proposed"))
        given = [one.id for one in waiting if one.origin in ("imported", "own")]
        return store.ideas.decide(given, "approved", "policy:imported")
    texts = {paper.id: paper.text for paper in store.papers.all()}
    chosen = list(_grounded(store.ideas.all("proposed"), texts))
    if policy == "grounded-unique":
        groups = duplicate_groups(_in_order(store.ideas.all("approved"), chosen))
        repeated = {idea.id for group in groups for idea, _ in group.others}
        chosen = [idea for idea in chosen if idea.id not in repeated]
    return store.ideas.decide((idea.id for idea in chosen), "approved", f"policy:{policy}")


def apply_policies(store: Store, policy: str, imported: str) -> tuple[int, int]:
    """Decide as ``[curation]`` says; how many ideas its policy approved, and how many imported and hand-written ones.

    What people brought along comes first: of ideas that say the same, a policy then leaves out the papers' own.
    """
    given = apply_policy(store, "imported") if imported == "approve" else 0
    return apply_policy(store, policy), given


def _in_order(*parts: Sequence[IdeaRow]) -> list[IdeaRow]:
    """Ideas of several lists, the oldest first."""
    return sorted((idea for part in parts for idea in part), key=lambda idea: idea.created_at)


def _grounded(ideas: Iterable[IdeaRow], texts: dict[str, str]) -> Iterator[IdeaRow]:
    for idea in ideas:
        if idea.origin == "extracted" and idea.span is not None and idea.paper_id in texts:
            start, end = idea.span
            if idea.quote.strip() and texts[idea.paper_id][start:end] == idea.quote:
                yield idea


def paper_text(paper: PaperRow) -> PaperText:
    """A stored paper as the readers take it."""
    return PaperText(
        id=paper.id,
        title=paper.title,
        authors=paper.authors,
        year=paper.year,
        venue=paper.venue,
        arxiv=paper.arxiv,
        abstract=paper.abstract,
        text=paper.text,
        source=paper.source,
        sections=tuple(Section(title, start, end) for title, start, end in paper.sections),
    )
