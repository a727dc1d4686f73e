"""The report as Markdown."""

from __future__ import annotations

from fairnad_engine.report.facts import RunSummary
from fairnad_engine.report.templates import render_markdown


def report_markdown(summary: RunSummary) -> str:
    """Render ``report.md``; texts of papers and models are shown, never interpreted."""
    return render_markdown("report.md.j2", s=summary)
