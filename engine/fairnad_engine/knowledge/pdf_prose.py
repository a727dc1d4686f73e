"""From a PDF's lines to a paper's Markdown: title, headings and paragraphs; heads, numbers and references dropped."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from fairnad_engine.knowledge.pdf_lines import Line

_EDGE = 0.1
"""Share of the page's height at head and foot where running heads and page numbers stand."""
_NUMBER = re.compile(r"(?:page\s*)?[-–—]?\s*\d{1,5}\s*[-–—]?(?:\s*(?:of|/)\s*\d{1,5})?", re.IGNORECASE)
_REFERENCES = re.compile(
    r"(?:(?:\d{1,2}|[ivx]{1,5})\.?\s+)?(?:references|bibliography|literature cited|works cited)\s*:?", re.IGNORECASE
)
_ABSTRACT = re.compile(r"abstract\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{2}")
_LONGEST_HEADING = 90


def to_markdown(lines: Sequence[Line], heights: Sequence[float], title: str = "", authors: str = "") -> str:
    """Return the text of a paper with its title as ``#`` and its sections as ``##``.

    Args:
        lines: Lines of all pages in reading order.
        heights: Height of each page in points.
        title: The title that the file gives itself, used where none stands out on the first page.
        authors: The authors that the file gives itself.
    """
    kept = without_references(_without_edges(lines, heights))
    if not kept:
        return ""
    body = _body_size(kept)
    shown, kept = _title(kept, body, heights[0])
    blocks = _blocks(kept, body)
    words = Counter(re.findall(r"[\w-]+", " ".join(line.text for line in kept).lower()))
    written = [_joined(block, words) for block in blocks]
    paragraphs = [
        f"## {text.rstrip(' .:')}" if heading else re.sub(r"^(?:#{1,6}\s|```|~~~)+", "", text)
        for (heading, _), text in zip(blocks, written, strict=True)
        if _WORD.search(text)
    ]
    head = [f"# {shown or ' '.join(title.split())}"] if shown or title.strip() else []
    if authors.strip():
        head.append(f"**Authors:** {' '.join(authors.split())}")
    return "\n\n".join([*head, *paragraphs]) + "\n"


def _without_edges(lines: Sequence[Line], heights: Sequence[float]) -> list[Line]:
    """Drop page numbers, and running heads: edge lines that come back on other pages, or small and apart on top."""
    body = _body_size(lines) if lines else 0.0
    edge = [not _EDGE < line.y / max(heights[line.page], 1.0) < 1 - _EDGE for line in lines]
    pages: dict[tuple[str, int], set[int]] = {}
    for line, at_edge in zip(lines, edge, strict=True):
        if at_edge:
            pages.setdefault(_masked(line), set()).add(line.page)
    # Left and right pages may have heads of their own, so a third of the pages is enough; the first may have none.
    often = max(2, len(heights) // 3)
    heads = _tops(lines, body)
    return [
        line
        for number, (line, at_edge) in enumerate(zip(lines, edge, strict=True))
        if not at_edge or not (_NUMBER.fullmatch(line.text) or len(pages[_masked(line)]) >= often or number in heads)
    ]


def _tops(lines: Sequence[Line], body: float) -> set[int]:
    """The topmost line of each page after the first, where it is smaller than the text and stands apart from it."""
    found: set[int] = set()
    for page in {line.page for line in lines} - {0}:
        there = sorted((-line.y, number) for number, line in enumerate(lines) if line.page == page)
        top = lines[there[0][1]]
        below = next((-y for y, number in there if -y < top.y - 1), None)
        if top.size < 0.95 * body and below is not None and top.y - below > 1.8 * body:
            found |= {number for y, number in there if -y >= top.y - 1}
    return found


def _masked(line: Line) -> tuple[str, int]:
    return re.sub(r"\d+", "0", line.text.lower()), round(line.y / 4)


def without_references(lines: Sequence[Line]) -> list[Line]:
    """Return the lines before the list of references; what follows that list is left out too."""
    places = [number for number, line in enumerate(lines) if _REFERENCES.fullmatch(line.text)]
    for number in places:
        following = lines[number + 1 : number + 7]
        # In a table of contents the word stands alone as well, but no entries follow it.
        if any(re.match(r"\[\w+\]|\d{1,3}\.\s", line.text) for line in following) or sum(
            bool(re.search(r"\b(?:19|20)\d\d[a-z]?\b", line.text)) for line in following
        ):
            return list(lines[:number])
    return list(lines[: places[-1]] if places and places[-1] > len(lines) // 2 else lines)


def _body_size(lines: Sequence[Line]) -> float:
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[round(line.size * 2) / 2] += len(line.text)
    return sizes.most_common(1)[0][0]


def _title(lines: list[Line], body: float, height: float) -> tuple[str, list[Line]]:
    """Take off the title, what stands before it, and names and addresses between it and the abstract."""
    upper = [line for line in lines if line.page == 0 and line.y > 0.4 * height]
    large = [line for line in upper if line.size >= 1.15 * body and len(re.findall(r"[^\W\d_]", line.text)) >= 3]
    if not large:
        return "", lines
    size = max(line.size for line in large)
    start = next(number for number, line in enumerate(lines) if line.page == 0 and line.size > size - 0.6)
    end = start
    while end < len(lines) and lines[end].page == 0 and lines[end].size > size - 0.6:
        end += 1
    title = " ".join(line.text for line in lines[start:end])
    if len(title) > 300 or _ABSTRACT.match(title) or _REFERENCES.fullmatch(title):
        return "", lines
    first_page = sum(line.page == 0 for line in lines)
    abstract = next((n for n in range(end, first_page) if _ABSTRACT.match(lines[n].text)), None)
    between = sum(len(line.text) for line in lines[end:abstract]) if abstract is not None else 0
    return title, lines[abstract if abstract is not None and between < 3000 else end :]


def _blocks(lines: Sequence[Line], body: float) -> list[tuple[bool, list[Line]]]:
    """Group lines to headings (True) and paragraphs (False)."""
    pitch = _pitch(lines)
    mostly_bold = 2 * sum(len(line.text) for line in lines if line.bold) > sum(len(line.text) for line in lines)
    blocks: list[tuple[bool, list[Line]]] = []
    for line in lines:
        heading = _is_heading(line, body, mostly_bold)
        if blocks and blocks[-1][0] == heading and not _breaks(blocks[-1][1], line, pitch):
            blocks[-1][1].append(line)
        else:
            blocks.append((heading, [line]))
    return blocks


def _is_heading(line: Line, body: float, mostly_bold: bool) -> bool:
    if len(line.text) > _LONGEST_HEADING or not _WORD.search(line.text) or line.text.endswith((".", ",", ";")):
        return False
    return line.size >= 1.1 * body or (line.bold and not mostly_bold and line.size >= 0.9 * body)


def _pitch(lines: Sequence[Line]) -> float:
    gaps = Counter(
        round(before.y - line.y, 1)
        for before, line in pairwise(lines)
        if before.page == line.page and 0 < before.y - line.y < 4 * line.size
    )
    return gaps.most_common(1)[0][0] if gaps else 12.0


def _breaks(block: Sequence[Line], line: Line, pitch: float) -> bool:
    before = block[-1]
    if abs(before.size - line.size) > 1.2:
        return True
    gap = before.y - line.y
    if before.page == line.page and gap > 1.35 * max(pitch, 0.9 * line.size):
        return True
    if before.x1 < before.right - 0.15 * (before.right - before.left) and before.text.endswith((".", "!", "?", ":")):
        return True
    indent = line.x0 - line.left
    return 0.7 * line.size < indent < 4 * line.size and before.x0 - before.left < 0.5 * line.size


def _joined(block: tuple[bool, Sequence[Line]], words: Counter[str]) -> str:
    text = ""
    for line in block[1]:
        text = _glued(text, line.text, words) if text else line.text
    return text


def _glued(text: str, line: str, words: Counter[str]) -> str:
    """Join two lines; a hyphen at the end stays where the rest of the paper writes the word with one."""
    split = re.search(r"([\w-]*[^\W\d_])-$", text)
    follows = re.match(r"[^\W\d_][\w-]*", line)
    if not split or not follows or not follows[0][0].islower():
        # "3x3-" or "ResNet-" before a capital or a digit keeps its hyphen and needs no blank.
        return f"{text}{line}" if re.search(r"\w-$", text) and line[:1].isalnum() else f"{text} {line}"
    first, second = split[1].lower(), follows[0].lower()
    if words[f"{first}-{second}"] > words[f"{first}{second}"] or (
        not words[f"{first}{second}"] and "-" in first and len(first) > 3
    ):
        return f"{text}{line}"
    return f"{text[:-1]}{line}"
