"""From papers to an idea library: read, screen, extract, file; then curate by a named policy (method, section 1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from fairnad_engine.knowledge.papers import PaperText, ReadProblem, Section, read_papers
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.protocol import Reader
from fairnad_engine.search.control import Control
from fairnad_engine.store import Store
from fairnad_engine.store.records import IdeaRow, PaperRow


@dataclass(frozen=True)
class Reading:
    """What became of paper sources: how many papers are new, how many were there, and what could not be read."""

    added: int
    known: int
    problems: tuple[ReadProblem, ...]


def add_papers(store: Store, sources: Iterable[str]) -> Reading:
    """Read sources into the workspace; a broken file is a problem of its own and the rest goes on."""
    added = known = 0
    problems: list[ReadProblem] = []
    for source in sources:
        for item in read_papers(source):
            if isinstance(item, ReadProblem):
                problems.append(item)
            elif store.papers.add(item):
                added += 1
            else:
                known += 1
    return Reading(added, known, tuple(problems))


async def structure(
    store: Store,
    reader: Reader,
    template: Template,
    *,
    job_id: str,
    control: Control,
    activity: Callable[[str, str], None],
) -> tuple[int, int]:
    """Screen and extract every paper not yet structured by this model and template; return papers and new ideas.

    Each paper's result is committed before the next begins, so a stop loses at most the paper in hand.
    """
    stamp = f"{reader.name}/{template.digest}"
    papers = ideas = 0
    for paper in store.papers.all():
        if paper.structured_by == stamp:
            continue
        await control.gate()
        text = paper_text(paper)
        activity(paper.id, f"screening: {paper.title}")
        if paper.screened_by != "person":
            screening = await asyncio.to_thread(reader.screen, text)
            with store.transaction():
                store.papers.set_screening(paper.id, screening.relevant, screening.reason, reader.name)
                store.calls.record(f"{job_id}/{paper.id}/screen", screening.calls, job_id=job_id, run_id=None)
        if store.papers.get(paper.id).relevant:
            activity(paper.id, f"extracting: {paper.title}")
            extraction = await asyncio.to_thread(reader.extract, text, template)
            drafts, calls = extraction.ideas, extraction.calls
        else:
            drafts, calls = (), ()
        with store.transaction():
            ideas += store.ideas.file_extracted(paper.id, drafts, template, stamp)
            store.calls.record(f"{job_id}/{paper.id}/extract", calls, job_id=job_id, run_id=None)
        activity(paper.id, "")
        papers += 1
    return papers, ideas


def apply_policy(store: Store, policy: str) -> int:
    """Decide about proposed ideas by a named policy, which is recorded as the decider; return how many it approved.

    ``grounded`` approves extracted ideas whose quote is found in the paper at its recorded span. ``none`` decides
    nothing. Ungrounded ideas are never approved by a policy.
    """
    if policy == "none":
        return 0
    texts = {paper.id: paper.text for paper in store.papers.all()}
    return store.ideas.decide(_grounded(store.ideas.all("proposed"), texts), "approved", f"policy:{policy}")


def _grounded(ideas: Iterable[IdeaRow], texts: dict[str, str]) -> Iterator[str]:
    for idea in ideas:
        if idea.origin == "extracted" and idea.span is not None and idea.paper_id in texts:
            start, end = idea.span
            if _same(texts[idea.paper_id][start:end], idea.quote):
                yield idea.id


def _same(passage: str, quote: str) -> bool:
    return bool(quote.strip()) and "".join(passage.split()).casefold() == "".join(quote.split()).casefold()


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
