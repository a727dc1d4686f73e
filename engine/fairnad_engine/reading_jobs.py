"""Jobs that read papers with a model, as the worker carries them out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from fairnad_engine.llm.incidents import SUBJECT, IncidentCounts, reported_to
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.control import Control
from fairnad_engine.store import Store
from fairnad_engine.store.records import JobRow
from fairnad_engine.workspace import stream_folder, template_of

_log = logging.getLogger("fairnad.worker")


def create_proposing_job(store: Store, config: RunConfig, papers: Sequence[str] = ()) -> JobRow:
    """Store a job that reads papers for categories which the template lacks.

    Raises:
        InputError: A paper is not there, there is none, or the model cannot propose.
    """
    from fairnad_engine.knowledge.proposing import reference_papers
    from fairnad_engine.llm.models import make_author

    reference_papers(store, papers)
    make_author(config.model.llm)
    return store.jobs.create("propose", {"run": config.model_dump(mode="json"), "papers": list(papers)}, None)


async def structure_papers(store: Store, job: JobRow, control: Control, activity: Callable[[str, str], None]) -> str:
    """Screen and extract the papers not yet structured, then decide by policy; return what was done in one line."""
    return await _counting(activity, _structure(store, job, control, activity))


async def propose_categories(store: Store, job: JobRow, control: Control, activity: Callable[[str, str], None]) -> str:
    """Read papers for categories that the template lacks; return what was found in one line."""
    return await _counting(activity, _propose(store, job, control, activity))


async def _counting(activity: Callable[[str, str], None], work: Awaitable[str]) -> str:
    """Do a job's work and tell what went wrong with the model's server on the way, which it survived."""
    incidents = IncidentCounts(partial(activity, SUBJECT))
    with reported_to(incidents):
        message = await work
    return "; ".join(filter(None, (message, str(incidents))))


async def _structure(store: Store, job: JobRow, control: Control, activity: Callable[[str, str], None]) -> str:
    from fairnad_engine.knowledge.paper_streams import PaperStreams
    from fairnad_engine.knowledge.reply_keeper import ReplyKeeper
    from fairnad_engine.knowledge.structuring import apply_policies, structure
    from fairnad_engine.llm.guards import recorded_guards
    from fairnad_engine.llm.kept import KeptChat
    from fairnad_engine.llm.models import make_models

    config = RunConfig.model_validate(job.config)
    template, _ = template_of(store)
    streams = PaperStreams(stream_folder(store.path, job.id))
    keeper = ReplyKeeper(store, job.id, asyncio.get_running_loop())
    models = await asyncio.to_thread(
        make_models,
        config.model.llm,
        template,
        on_text=streams.write,
        keep_alive=config.model.keep_alive,
        timeouts=config.model.timeouts,
        max_context=config.model.max_context,
        pause=control.wait,
        around=lambda model, digest: KeptChat(model, digest, keeper),
        ask_by=config.papers.ask_by,
    )
    store.jobs.note_model(job.id, models.digest)
    await log_server_warnings(config.model.llm)
    for guard in recorded_guards(models.digest):
        _log.info("guard: %s: %s; %s", guard["name"], {True: "yes", False: "no"}.get(guard["held"], "-"), guard["how"])
    done = await structure(
        store,
        models.reader,
        template,
        job_id=job.id,
        control=control,
        activity=activity,
        lanes=config.model.lanes,
        weights=models.digest,
        reread=config.papers.reread,
        streams=streams,
        max_tokens=config.papers.max_tokens,
    )
    approved, given = apply_policies(store, config.curation.policy, config.curation.imported)
    refused = f", {done.refused} without a usable reply of the model" if done.refused else ""
    if done.incomplete:
        refused += f", {done.incomplete} of them in part (structure again to ask for the rest)"
    if done.left:
        refused += f", {done.left} not begun: {config.papers.max_tokens:,} tokens are spent (structure again for more)"
    return (
        f"{done.papers} papers structured{refused}, {done.ideas} new ideas, "
        f"{approved} approved by policy {config.curation.policy}"
        + (f", {given} imported or hand-written ones by policy imported" if given else "")
    )


async def log_server_warnings(llm: str) -> None:
    """Write what is wrong with a model's servers into the job's log."""
    from fairnad_engine.llm.models import parse_llm
    from fairnad_engine.llm.server_warnings import warnings_of

    for warning in await asyncio.to_thread(warnings_of, parse_llm(llm)):
        _log.warning("%s", warning)


async def _propose(store: Store, job: JobRow, control: Control, activity: Callable[[str, str], None]) -> str:
    from fairnad_engine.knowledge.paper_streams import PaperStreams
    from fairnad_engine.knowledge.proposing import propose, reference_papers
    from fairnad_engine.knowledge.reply_keeper import ReplyKeeper
    from fairnad_engine.llm.kept import KeptChat
    from fairnad_engine.llm.models import make_author

    config = RunConfig.model_validate(job.config["run"])
    template, _ = template_of(store)
    keeper = ReplyKeeper(store, job.id, asyncio.get_running_loop())
    author = await asyncio.to_thread(
        make_author,
        config.model.llm,
        on_text=PaperStreams(stream_folder(store.path, job.id)).write,
        keep_alive=config.model.keep_alive,
        timeouts=config.model.timeouts,
        max_context=config.model.max_context,
        pause=control.wait,
        around=lambda model, digest: KeptChat(model, digest, keeper),
    )
    await log_server_warnings(config.model.llm)
    papers = reference_papers(store, job.config["papers"])
    done = await propose(store, author, template, papers, job_id=job.id, control=control, activity=activity)
    dropped = f", {done.ungrounded} without evidence dropped" if done.ungrounded else ""
    unread = f", {done.unread} papers without a usable reply of the model" if done.unread else ""
    return f"{done.papers} papers read, {done.suggested} categories proposed{dropped}{unread}"
