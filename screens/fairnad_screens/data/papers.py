"""What the papers screen shows: the papers as lines, one paper whole, and the structuring job."""

from __future__ import annotations

from dataclasses import dataclass

from fairnad_engine.knowledge.pace import SUBJECT as PACE
from fairnad_engine.knowledge.reading_stamps import reading_stamp
from fairnad_engine.llm.incidents import SUBJECT as INCIDENTS
from fairnad_engine.llm.models import parse_llm
from fairnad_engine.store import Store
from fairnad_engine.store.filing import IdeaCount
from fairnad_engine.store.jobs import AT_WORK
from fairnad_engine.store.knowledge_records import PaperLine, PaperRow
from fairnad_engine.workspace import read_activity, read_stream


@dataclass(frozen=True)
class StructureJob:
    """The newest structuring job; ``state`` is ``dead`` where its process is gone. ``doing`` is by paper.

    ``pace`` says in words how far it is and how long the rest may take; empty before it knows. ``incidents`` counts
    what went wrong with the model's server and was survived, ``incident`` says the last of it; empty where nothing did.
    """

    id: str
    state: str
    message: str
    llm: str
    doing: dict[str, str]
    pace: str = ""
    incidents: str = ""
    incident: str = ""

    @property
    def live(self) -> bool:
        """Whether a process works on it."""
        return self.state in ("queued", *AT_WORK)


@dataclass(frozen=True)
class PapersSnapshot:
    """The papers screen."""

    papers: tuple[PaperLine, ...]
    ideas: dict[str, IdeaCount]
    job: StructureJob | None
    template_digest: str


@dataclass(frozen=True)
class PaperDetail:
    """One paper whole, and the end of what the model wrote about it in the newest job."""

    paper: PaperRow
    stream: str


def read_papers(store: Store) -> PapersSnapshot:
    """Read what the papers screen shows."""
    newest = store.templates.newest()
    return PapersSnapshot(
        papers=tuple(store.papers.listing()),
        ideas=store.filing.per_paper(),
        job=read_job(store),
        template_digest=newest[1] if newest else "",
    )


def read_job(store: Store) -> StructureJob | None:
    """The newest structuring job."""
    job = next((one for one in store.jobs.all() if one.kind == "structure"), None)
    if job is None:
        return None
    state = store.jobs.living_state(job)
    live = state in AT_WORK
    llm = str(job.config.get("model", {}).get("llm", ""))
    doing = read_activity(store.path, job.id) if live else {}
    pace = doing.pop(PACE, "")
    incidents, _, incident = doing.pop(INCIDENTS, "").partition("; ")
    return StructureJob(job.id, state, job.message, llm, doing, pace, incidents, incident)


def read_detail(store: Store, paper_id: str, job_id: str | None) -> PaperDetail:
    """Read one paper."""
    stream = read_stream(store.path, job_id, paper_id) if job_id else ""
    return PaperDetail(store.papers.get(paper_id), stream)


def read_streams(store: Store, job_id: str, paper_ids: tuple[str, ...]) -> dict[str, str]:
    """The end of what the model wrote about papers."""
    return {one: read_stream(store.path, job_id, one) for one in paper_ids}


def status_of(paper: PaperLine) -> str:
    """A paper's screening in words."""
    return {None: "not screened", True: "kept", False: "left out"}[paper.relevant]


def to_structure(snapshot: PapersSnapshot, llm: str, weights: str) -> tuple[list[PaperLine], list[PaperLine]]:
    """Papers that no model structured yet, and those that were structured otherwise: by another model, for example.

    Args:
        snapshot: The papers.
        llm: The model.
        weights: What its server says identifies its weights; empty where it tells none.
    """
    stamp = reading_stamp(parse_llm(llm).name, snapshot.template_digest, weights)
    new = [one for one in snapshot.papers if not one.structured_by]
    other = [one for one in snapshot.papers if one.structured_by and not stamp.covers(one.structured_by)]
    return new, other
