"""The job that reads papers for attributes which the template lacks (method, section 1.1). A person decides about them.

Each paper's suggestions are stored as soon as it was read, so a stop loses at most the paper in hand; papers that the
same model has read with the same template are not read again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fairnad_engine.errors import InputError
from fairnad_engine.knowledge.reply_keeper import reading_step
from fairnad_engine.knowledge.structuring import paper_text
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.kept import not_kept
from fairnad_engine.llm.protocol import Author
from fairnad_engine.search.control import Control
from fairnad_engine.store import Store

_log = logging.getLogger("fairnad.proposing")


@dataclass
class Proposing:
    """What a job did.

    Attributes:
        papers: Papers read.
        suggested: Suggestions stored.
        ungrounded: Attributes that were dropped because their evidence does not stand in the paper.
        unread: Papers about which the model gave no usable reply; they are read again next time.
    """

    papers: int = 0
    suggested: int = 0
    ungrounded: int = 0
    unread: int = 0


def reference_papers(store: Store, names: Sequence[str] = ()) -> list[str]:
    """The papers to read: those named, else all that were not screened out.

    Raises:
        InputError: A name is no paper of the workspace, or there is none to read.
    """
    papers = store.papers.listing()
    for name in names:
        if not any(one.id == name for one in papers):
            raise InputError(f"there is no paper {name!r}; see: fairnad-tui papers list")
    chosen = [one.id for one in papers if (one.id in names if names else one.relevant is not False)]
    if not chosen:
        raise InputError("there are no papers to read; add some with: fairnad-tui papers add FOLDER")
    return chosen


async def propose(
    store: Store,
    author: Author,
    template: Template,
    papers: Sequence[str],
    *,
    job_id: str,
    control: Control,
    activity: Callable[[str, str], None],
) -> Proposing:
    """Read papers, one after the other, and store what they suggest.

    Raises:
        StopRequestedError: The user asked to stop.
        ModelUnavailableError: The model's server is gone.
    """
    done = Proposing()
    stamp = f"{author.name}/{template.digest}"
    known = store.proposals.read_by(stamp)
    for paper_id in papers:
        if paper_id in known:
            continue
        await control.gate()
        paper = store.papers.get(paper_id)
        activity(paper_id, f"reading: {paper.title}")
        key = f"{job_id}/{paper_id}/propose"
        try:
            with reading_step(key):
                found = await asyncio.to_thread(author.propose, paper_text(paper), template)
        finally:
            activity(paper_id, "")
        for failure in found.failures:
            _log.warning("%s: %s: %s", paper_id, failure.kind, failure.message)
        with store.transaction():
            store.calls.record(key, not_kept(found.calls), job_id=job_id, run_id=None)
            if found.usable:
                store.proposals.add(paper_id, stamp, author.name, found.drafts, found.ungrounded)
        done.papers += found.usable
        done.unread += not found.usable
        done.suggested += len(found.drafts)
        done.ungrounded += found.ungrounded
    return done
