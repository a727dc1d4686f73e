"""Panes 1 and 2 of a candidate: its source, and what changed against its parent."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pygments.token import Token  # type: ignore[import-untyped]
from textual.content import Content
from textual.highlight import HighlightTheme, highlight

from fairnad_engine.text import sanitize
from fairnad_screens.data.candidate import CandidateSnapshot
from fairnad_screens.text import fold, plain, plain_line
from fairnad_screens.widgets.candidate_page import Page, note

if TYPE_CHECKING:
    from fairnad_engine.backbone.summary import CountChange

_NUMBERS = 5


class _Theme(HighlightTheme):
    """Few styles, all of which every theme has; a reader without colour still sees bold, dim and italic."""

    STYLES = {
        Token.Comment: "dim italic",
        Token.Keyword: "bold $accent",
        Token.Operator.Word: "bold $accent",
        Token.Literal.String: "$success",
        Token.Literal.Number: "$warning",
        Token.Name.Class: "bold",
        Token.Name.Function: "bold",
        Token.Name.Builtin: "$secondary",
        Token.Name.Decorator: "$secondary",
    }


def source_page(source: str, width: int) -> Page:
    """The source with line numbers; long lines go on below."""
    text = highlight(sanitize(source, keep_newlines=True), language="python", theme=_Theme)
    lines: list[Content] = []
    for number, line in enumerate(text.split(), start=1):
        pieces = fold(line, width - _NUMBERS) if line.plain else [line]
        for place, piece in enumerate(pieces):
            margin = f"{number:>{_NUMBERS - 1}} " if place == 0 else " " * _NUMBERS
            lines.append(Content.assemble(Content.styled(margin, "dim"), piece))
    return Page(tuple(lines))


def changes_page(snapshot: CandidateSnapshot, width: int) -> Page:
    """Operations counted in both graphs, then the sources' difference."""
    row, parent = snapshot.row, snapshot.parent
    if parent is None:
        return Page((note("This is the seed; nothing came before it."), Content(""), *_graph(snapshot, width)))
    lines = [*_graph(snapshot, width), Content("")]
    names = (f"parent {parent.id}", f"this model {row.id}")
    found = difflib.unified_diff(parent.source.split("\n"), row.source.split("\n"), *names, lineterm="")
    changed = list(found)
    if not changed:
        width_note = f"; the width went from {parent.width:g} to {row.width:g}" if parent.width != row.width else ""
        lines.append(note(f"The source equals the parent's{width_note}."))
    lines += _coloured(changed, width)
    return Page(tuple(lines))


def _graph(snapshot: CandidateSnapshot, width: int) -> Iterable[Content]:
    if snapshot.graph_problem:
        return [plain(one) for one in plain(snapshot.graph_problem).plain.splitlines()]
    different = [one for one in snapshot.graph if one.change]
    shown: Sequence[CountChange] = different if snapshot.parent else snapshot.graph
    if snapshot.parent is None:
        return [Content.styled("Operations", "bold"), *(Content(f"{one.after:>9,}  {one.name}") for one in shown)]
    lines = [Content.styled(f"{'Graph':<34}{'parent':>10}{'this':>10}{'change':>10}", "bold")]
    for one in shown:
        style = "$success" if one.change > 0 else "$error"
        text = f"{plain_line(one.name, 33).plain:<34}{one.before:>10,}{one.after:>10,}"
        lines.append(Content.assemble(text, Content.styled(f"{one.change:>+10,}", style)))
    same = len(snapshot.graph) - len(different)
    lines.append(note(f"{same} more counts are equal in both." if different else "Every count equals the parent's."))
    return [line.truncate(width) for line in lines]


def _coloured(lines: Sequence[str], width: int) -> Iterable[Content]:
    styles = {"+": "$success", "-": "$error", "@": "bold $accent"}
    for line in lines:
        style = "bold" if line.startswith(("+++", "---")) else styles.get(line[:1], "")
        yield from (
            (piece.stylize(style) if style else piece for piece in fold(plain(line), width)) if line else [Content("")]
        )
