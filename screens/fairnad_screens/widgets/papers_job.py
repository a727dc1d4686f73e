"""The structuring job as the lines below the list of papers: state, pace, and what it survived."""

from __future__ import annotations

from textual.content import Content

from fairnad_screens.actions import key_of
from fairnad_screens.data.papers import StructureJob
from fairnad_screens.text import GLYPHS, plain, plain_line

_DOING = 2  # papers in hand that are named; the pane shows them all


def job_lines(job: StructureJob | None, done: int, papers: int, width: int) -> list[Content]:
    """The newest structuring job.

    Args:
        job: The job, if there is one.
        done: Papers that are structured.
        papers: Papers of the workspace.
        width: Longest line, in cells.
    """
    if job is None:
        return []
    sign = GLYPHS.of_state(job.state)
    if not job.live:
        left = f"{key_of('papers.structure')} structures what is left"
        ended = {"dead": f"its process is gone; {left}", "stopped": left}
        return [plain(f"{sign} {job.id} {job.state}: {ended.get(job.state, job.message)}")]
    llm = job.llm.partition("@")[0]
    text = f"{sign} {job.id} {job.state}: {done:,} of {papers:,} papers structured with {llm}"
    lines = [plain_line(text, width), *_pace(job, width)]
    if job.state == "waiting":
        lines.append(plain_line(f"  {job.message}", 2 * width - 10, "$warning"))
    if job.incidents:
        # Two lines, since the last one names a server and what to change.
        told = f"  ! {job.incidents}; {job.incident}"
        return [*lines, plain_line(told, 2 * width - 10, "$warning")]
    return lines + [plain_line(f"  {GLYPHS.running} {doing}", width) for doing in list(job.doing.values())[:_DOING]]


def _pace(job: StructureJob, width: int) -> list[Content]:
    pause, stop = key_of("papers.pause"), key_of("papers.stop")
    keys = {
        "running": f"{pause} pauses, {stop} stops",
        "paused": f"{pause} resumes, {stop} stops",
        "waiting": f"{job.message}; goes on by itself, {stop} stops",
        "queued": f"{job.message or 'starting'}",
        "stopping": f"when the papers in hand are done; {stop} stops at once",
    }.get(job.state, "starting")
    whole = f"  this job: {job.pace}; {keys}"
    if job.pace and len(whole) <= width:
        return [plain_line(whole, width)]
    pace = [plain_line(f"  this job: {job.pace}", width)] if job.pace else []
    return [*pace, plain_line(f"  {keys}", width, "dim")]
