"""A paper as a row of the list and as the text of the detail pane."""

from __future__ import annotations

from rich.cells import set_cell_size
from textual.content import Content

from fairnad_engine.store.filing import IdeaCount
from fairnad_engine.store.knowledge_records import INCOMPLETE, PaperLine
from fairnad_engine.text import sanitize, single_line
from fairnad_screens.data.papers import PaperDetail, status_of
from fairnad_screens.text import GLYPHS, plain

_STATUS = 14
_IDEAS = 6


def heads(width: int) -> Content:
    """Names of the columns, above rows of the same width."""
    title = _title_width(width)
    text = f"  {'year':<5}{'title':<{title}} {'ideas':>{_IDEAS}} {'status':<{_STATUS}}"
    return Content.styled(set_cell_size(text, width), "dim")


def row(paper: PaperLine, ideas: IdeaCount, doing: str, width: int) -> Content:
    """One paper; ``doing`` is what it goes through now."""
    title = _title_width(width)
    step = doing.partition(":")[0]
    by_person = " (you)" if paper.screened_by == "person" else ""
    status = step or f"{status_of(paper)}{by_person}"
    sign = GLYPHS.running if step else {None: GLYPHS.idle, True: GLYPHS.done, False: GLYPHS.failed}[paper.relevant]
    count = f"{ideas.all:,}" if paper.structured_by or ideas.all else "-"
    name = set_cell_size(single_line(paper.title, title), title)
    colour = "$accent" if step else {None: "", True: "$success", False: "$error"}[paper.relevant]
    return Content.assemble(
        Content.styled(sign, colour),
        f" {paper.year or '-':<5}",
        Content(name),
        f" {count:>{_IDEAS}} ",
        Content.styled(f"{single_line(status, _STATUS):<{_STATUS}}", colour),
    )


def detail(found: PaperDetail, ideas: IdeaCount, doing: str, *, whole: bool = False) -> Content:
    """Everything about a paper; what the model writes about it stands in place of the abstract while it reads it."""
    paper = found.paper
    particulars = [str(paper.year or ""), paper.venue, f"arXiv:{paper.arxiv}" if paper.arxiv else ""]
    lines = [
        plain(paper.title, "bold"),
        plain(_names(paper.authors, whole)),
        plain(f" {GLYPHS.dot} ".join(one for one in particulars if one), "dim"),
        _screening(found),
        plain(_structured(found, ideas)),
    ]
    text = [line for line in lines if line.plain]
    if doing:
        step = doing.partition(":")[0]
        text.append(plain(f"{GLYPHS.running} {step} now", "bold $accent"))
        text.append(plain(found.stream or "The model has written nothing about it yet.", "" if found.stream else "dim"))
    else:
        text += [Content(""), plain(paper.abstract or "It has no abstract.")]
        if whole:
            text += [Content(""), plain(f"From {paper.source}", "dim")]
            if found.stream:
                text += [Content(""), Content.styled("What the model wrote last", "bold"), plain(found.stream)]
    return Content("\n").join(text)


def _screening(found: PaperDetail) -> Content:
    paper = found.paper
    if paper.relevant is None:
        return plain(f"{GLYPHS.idle} not screened{f': {paper.reason}' if paper.reason else ''}")
    sign, word = (GLYPHS.done, "kept") if paper.relevant else (GLYPHS.failed, "left out")
    by = "by you" if paper.screened_by == "person" else f"by {paper.screened_by}"
    colour = "$success" if paper.relevant else "$error"
    return plain(f"{sign} {word} {by}{f': {paper.reason}' if paper.reason else ''}", colour)


def _structured(found: PaperDetail, ideas: IdeaCount) -> str:
    # The stamp is the model's name and digests; only the first says something to people.
    model = found.paper.structured_by.rpartition("/")[0]
    if not model:
        return "not structured yet"
    part = " in part (structure again for the rest)" if found.paper.structured_by.endswith(INCOMPLETE) else ""
    return f"structured by {model}{part}: {ideas.all:,} ideas, {ideas.approved:,} approved"


def _names(authors: tuple[str, ...], whole: bool) -> str:
    shown = authors if whole else authors[:4]
    return sanitize(", ".join(shown)) + (f" and {len(authors) - len(shown)} more" if len(shown) < len(authors) else "")


def _title_width(width: int) -> int:
    return max(8, width - 7 - 1 - _IDEAS - 1 - _STATUS)
