"""The list of what a search needs: what is there, what is missing, and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from fairnad_screens.data.launch import LaunchSnapshot, device_problem, ideas_problem
from fairnad_screens.data.launch_form import FIELDS
from fairnad_screens.text import GLYPHS, plain

if TYPE_CHECKING:
    from fairnad_engine.preflight import Check


def missing_text(
    snapshot: LaunchSnapshot | None,
    stage_one: int,
    problems: Mapping[str, str],
    checks: Sequence[Check] | None,
    gpus: Sequence[str] | None,
    devices: str = "auto",
) -> Content:
    """Every need with its sign, those that are missing first."""
    lines: list[tuple[bool | None, str]] = []
    labels = [field.label for field in FIELDS if field.place in problems]
    if labels:
        lines.append((False, f"settings: mend {', '.join(labels)}"))
    if snapshot is not None:
        problem = ideas_problem(snapshot, stage_one)
        lines.append((not problem, f"ideas: {problem or f'{snapshot.approved:,} approved'}"))
    if snapshot is not None and snapshot.disk:
        lines.append((None, f"workspace disk: {snapshot.disk}"))
    lines += [(one.ready, f"{one.name}: {one.problem or one.detail}") for one in checks or ()]
    if problem := device_problem(devices, gpus):
        lines.append((False, f"devices: {problem}"))
    if checks is None and not labels:
        lines.append((None, "looking at model, data and jail …"))
    if gpus is not None:
        lines.append((True, f"GPU: {', '.join(gpus) or 'none; trainings run on the CPU'}"))
    lines.sort(key=lambda line: line[0] is not False)
    missing = sum(line[0] is False for line in lines)
    title = f"{missing} missing" if missing else "Nothing is missing" if checks is not None else "What is missing"
    return Content("\n").join([Content.styled(title, "bold"), *(_line(ready, text) for ready, text in lines)])


def _line(ready: bool | None, text: str) -> Content:
    glyph = GLYPHS.idle if ready is None else GLYPHS.done if ready else GLYPHS.failed
    style = "" if ready is None else "$success" if ready else "$error"
    return Content.assemble(Content.styled(f"{glyph} ", style), plain(text))
