"""One paper as text, from what a file or a service says about it, and the one line about what could not be read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from fairnad_engine.knowledge.paper_layout import Layout, Section, find_sections, lay_out
from fairnad_engine.knowledge.paper_particulars import listed, split_authors
from fairnad_engine.knowledge.text_bytes import clean
from fairnad_engine.text import escape


@dataclass(frozen=True)
class PaperText:
    """One paper.

    Attributes:
        id: First 16 hexadecimal digits of the SHA-256 of title and text, whatever their white space.
        title: Title.
        authors: Names, as written.
        year: Year of publication, if known.
        venue: Conference or journal, or an empty string.
        arxiv: arXiv identifier without version, or an empty string.
        abstract: Abstract, or the first paragraph where none is marked.
        text: Abstract and body; spans of quotes count in it.
        source: Where it was read: a path, ``path:line``, or ``-``.
        sections: Spans of the sections in ``text``.
    """

    id: str
    title: str
    authors: tuple[str, ...]
    year: int | None
    venue: str
    arxiv: str
    abstract: str
    text: str
    source: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class ReadProblem:
    """Something that could not be read.

    Attributes:
        source: The file, folder or ``-``.
        place: Where in it, for example ``line 3``, or an empty string.
        message: What is wrong and what to do, in one line.
        remark: Whether it only tells what was read, and nothing failed.
    """

    source: str
    place: str
    message: str
    remark: bool = False

    def __str__(self) -> str:
        """Return the line that a user sees."""
        return f"{self.source}{', ' if self.place else ''}{self.place}: {self.message}"


def record_paper(record: Mapping[str, object], source: str, place: str) -> PaperText | ReadProblem:
    """Return the paper of a record with title, abstract or text, and optional authors, year, venue and arXiv id.

    Args:
        record: Keys and values of JSON, BibTeX or a service's answer.
        source: The file or query.
        place: Where in it, for example ``line 3``, or an empty string.
    """
    for key in ("title", "abstract", "text"):
        if not isinstance(record.get(key, ""), str | None):
            return ReadProblem(source, place, f"{key} is not a string; put it in quotes")
    title, abstract, text = (clean(str(record.get(key) or "")).strip() for key in ("title", "abstract", "text"))
    given = {key: listed(record.get(key)) for key in ("authors", "year", "venue")}
    given["arxiv"] = listed(record.get("arxiv") or record.get("id"))
    layout = _record_layout(" ".join(title.split()), abstract, text)
    name = f"{source}:{place.removeprefix('line ')}" if place else source
    return paper_of(layout, given, name, place, source)


def _record_layout(title: str, abstract: str, text: str) -> Layout:
    if not text or " ".join(abstract.split()) in " ".join(text.split()):
        body = lay_out(text or abstract, title=title)
        return Layout(title, {}, " ".join(abstract.split()) or body.abstract, body.text, body.sections)
    offset = len(abstract) + 2
    rest = (Section(s.title, s.start + offset, s.end + offset) for s in find_sections(text))
    sections = (Section("Abstract", 0, len(abstract)), *rest)
    return Layout(title, {}, " ".join(abstract.split()), f"{abstract}\n\n{text}", sections)


def paper_of(
    layout: Layout, given: Mapping[str, str], source: str, place: str, file: str | None = None
) -> PaperText | ReadProblem:
    """Return the paper of a text whose parts are found.

    Args:
        layout: Its parts.
        given: Authors, year, venue and arXiv id as written.
        source: What the paper keeps as its source.
        place: Where in the file it stands.
        file: The file for a problem's line, where that is not the source.
    """
    title = " ".join(layout.title.split())
    if not title:
        return ReadProblem(file or source, place, "no title; begin with a line `# Title` or give the key title")
    if not layout.text.strip():
        return ReadProblem(file or source, place, "a title but no text; add an abstract or a body")
    content = " ".join(unicodedata.normalize("NFC", f"{title}\n{layout.text}").split())
    year = re.search(r"(?<!\d)(?:19|20)\d\d(?!\d)", given.get("year", ""))
    arxiv = re.search(r"\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7}", given.get("arxiv", ""))
    return PaperText(
        id=sha256(content.encode("utf-8")).hexdigest()[:16],
        title=title,
        authors=split_authors(given.get("authors", "")),
        year=int(year[0]) if year else None,
        venue=" ".join(given.get("venue", "").split()),
        arxiv=arxiv[0] if arxiv else "",
        abstract=layout.abstract,
        text=layout.text,
        source=escape(source),  # a file's name need not be UTF-8
        sections=layout.sections,
    )
