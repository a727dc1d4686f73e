"""Where title, particulars, abstract and sections lie in a paper's plain or Markdown text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """A section; ``start`` and ``end`` bound its body, heading excluded, in the paper's text."""

    title: str
    start: int
    end: int


@dataclass(frozen=True)
class Layout:
    """What one text says about itself.

    Attributes:
        title: Title, or an empty string where none was found.
        particulars: ``authors``, ``year``, ``venue``, ``arxiv`` as written.
        abstract: Abstract, or the first paragraph.
        text: The text without title and particulars.
        sections: Its sections, in order.
    """

    title: str
    particulars: Mapping[str, str]
    abstract: str
    text: str
    sections: tuple[Section, ...]


_KNOWN = (
    r"abstract|summary|introduction|background|related\s+works?|preliminar(?:y|ies)|(?:our\s+)?(?:method|approach)"
    r"(?:s|es|ology)?|architectures?|experiments?(?:al\s+results)?|results|ablations?(?:\s+stud(?:y|ies))?|"
    r"discussion|limitations|conclusions?|references|bibliography|acknowledge?ments?|appendix"
)
_MARKDOWN_HEADING = re.compile(r"^(#{1,6})[ \t]+(.+?)[ \t#]*$")
_PLAIN_HEADING = re.compile(
    rf"^(?:(?:\d{{1,2}}(?:\.\d{{1,2}})*|[IVX]{{1,5}})[.)]?[ \t]+[A-Z][^.!?;]{{1,79}}"
    rf"|(?i:(?:\d{{1,2}}[.)]?[ \t]+)?(?:{_KNOWN})[ \t]*:?))$"
)
_INLINE_ABSTRACT = re.compile(r"^[*_]*abstract[*_]*[ \t]*[.:—–-][*_]*[ \t]*(?=\S)", re.IGNORECASE)
_PARTICULAR = re.compile(
    r"^(?:[-*+][ \t]+)?[*_]*(authors?|year|venue|journal|conference|arxiv(?:[ \t]+id)?)[*_]*[ \t]*:"
    r"[*_]*(.*)$",
    re.IGNORECASE,
)
_FENCE = re.compile(r"^\s*(```|~~~)")
_MAX_TITLE = 300


def lay_out(text: str, *, title: str = "") -> Layout:
    """Find the parts of a text with LF line ends.

    Args:
        text: The text; front matter already taken off.
        title: The title where it is known from elsewhere; then the text's own first lines are kept as text.
    """
    lines = text.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    own, after = _title(lines, first)
    if title and _plain(own) != _plain(title):
        own, after = title, first
    particulars, after = _particulars(lines, after)
    body = "\n".join(lines[after:]).strip("\n")
    sections = find_sections(body)
    return Layout(title or own, particulars, _abstract(body, sections), body, sections)


def find_sections(text: str) -> tuple[Section, ...]:
    """Return the sections of a text; what stands before the first heading is a section without title."""
    headings: list[tuple[str, int, int]] = []
    at, fenced = 0, False
    previous_blank = True
    for line in text.split("\n"):
        if _FENCE.match(line):
            fenced = not fenced
        inline = _INLINE_ABSTRACT.match(line)
        if fenced:
            pass
        elif inline:
            headings.append(("Abstract", at, at + inline.end()))
        elif title := _heading(line, previous_blank):
            headings.append((title, at, min(at + len(line) + 1, len(text))))
        previous_blank = not line.strip()
        at += len(line) + 1
    starts = [("", 0, 0), *headings]
    ends = [start for _, start, _ in headings] + [len(text)]
    found = (Section(title, body, end) for (title, _, body), end in zip(starts, ends, strict=True))
    return tuple(section for section in found if section.title or text[section.start : section.end].strip())


def _heading(line: str, previous_blank: bool) -> str:
    if len(line) > _MAX_TITLE:
        return ""
    markdown = _MARKDOWN_HEADING.match(line)
    if markdown:
        return re.sub(r"[*_`]", "", markdown[2]).strip()
    stripped = line.strip()
    # A numbered line inside a paragraph is a wrapped sentence or a list, not a heading.
    if previous_blank and _PLAIN_HEADING.match(stripped):
        return stripped.rstrip(":").strip()
    return ""


def section_name(title: str) -> str:
    """Return a section's title in lower case without its number."""
    return re.sub(r"^(?:\d+(?:\.\d+)*|[ivx]{1,5})[.)]?\s+", "", title.lower()).strip(" .:")


def _title(lines: list[str], first: int) -> tuple[str, int]:
    if first == len(lines):
        return "", first
    line = lines[first].strip()
    if len(line) > _MAX_TITLE:
        return "", first
    markdown = _MARKDOWN_HEADING.match(line)
    if markdown and len(markdown[1]) == 1:
        return (line.lstrip("# ").strip() if section_name(markdown[2]) != "abstract" else ""), first + 1
    if markdown or _PLAIN_HEADING.match(line) or _INLINE_ABSTRACT.match(line) or _PARTICULAR.match(line):
        return "", first
    # A wrapped title ends at a blank line; prose that goes on for longer is a paragraph, not a title.
    stop = first
    while stop < len(lines) and lines[stop].strip() and not _PARTICULAR.match(lines[stop]):
        if stop > first and (_heading(lines[stop], True) or _INLINE_ABSTRACT.match(lines[stop])):
            break
        stop += 1
    title = " ".join(part.strip() for part in lines[first:stop])
    if stop - first > 3 or len(title) > _MAX_TITLE:
        title, stop = line, first + 1
    if len(title) > _MAX_TITLE or title.endswith((".", ",", ";")):
        return "", first
    return title, stop


def _particulars(lines: list[str], start: int) -> tuple[dict[str, str], int]:
    found: dict[str, str] = {}
    at = start
    while at < len(lines):
        match = _PARTICULAR.match(lines[at].strip())
        if match:
            key = match[1].lower().split()[0]
            key = {"author": "authors", "journal": "venue", "conference": "venue"}.get(key, key)
            found.setdefault(key, match[2].strip(" *"))
        elif lines[at].strip():
            break
        at += 1
    return found, at


def _abstract(text: str, sections: tuple[Section, ...]) -> str:
    for section in sections:
        if section_name(section.title) in ("abstract", "summary"):
            return " ".join(text[section.start : section.end].split())
    for section in sections:
        for paragraph in re.split(r"\n\s*\n", text[section.start : section.end]):
            if paragraph.strip():
                return " ".join(paragraph.split())
    return ""


def _plain(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())
