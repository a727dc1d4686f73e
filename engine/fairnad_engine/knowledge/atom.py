"""arXiv's answers: an Atom feed, of which nothing is believed but text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree

_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"
_TOTAL = "{http://a9.com/-/spec/opensearch/1.1/}totalResults"
ID = re.compile(r"\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7}")


class AtomError(Exception):
    """The answer is no feed; ``told`` is what the service itself says, where it says something."""

    def __init__(self, message: str, told: bool = False) -> None:
        super().__init__(message)
        self.told = told


@dataclass(frozen=True)
class Feed:
    """One page of an answer: its records, how many entries it had, and how many there are in all."""

    records: tuple[dict[str, object], ...]
    entries: int
    total: int


def read_feed(data: bytes) -> Feed:
    """Return the papers of a feed.

    Raises:
        AtomError: It is no feed, has a document type (where entity bombs live), or says that the query is wrong.
    """
    try:
        # As text, so that no encoding of the document's own choosing hides a document type.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise AtomError("an answer that is not UTF-8") from None
    if re.search(r"<!(?:DOCTYPE|ENTITY)", text, re.IGNORECASE):
        page = re.search(r"<!DOCTYPE\s+html|<html", text, re.IGNORECASE)
        raise AtomError("a web page" if page else "a feed with a document type, which is not read")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - without a document type there are no entities
    except (ElementTree.ParseError, ValueError, RecursionError):
        raise AtomError("a web page" if "<html" in text.lower() else "a broken feed") from None
    if root.tag != f"{_ATOM}feed":
        raise AtomError("a web page" if root.tag.lower().endswith("html") else "something that is no Atom feed")
    entries = root.findall(f"{_ATOM}entry")
    for entry in entries:
        if "/api/errors" in _text(entry, f"{_ATOM}id"):
            raise AtomError(_text(entry, f"{_ATOM}summary")[:200] or "an error without a reason", told=True)
    total = (root.findtext(_TOTAL) or "").strip()
    records = tuple(record for entry in entries if (record := _record(entry)))
    return Feed(records, len(entries), int(total) if total.isascii() and total.isdigit() else len(entries))


def _record(entry: ElementTree.Element) -> dict[str, object] | None:
    found = ID.search(_text(entry, f"{_ATOM}id").partition("/abs/")[2])
    if found is None:
        return None
    names = [" ".join("".join(one.itertext()).split()) for one in entry.findall(f"{_ATOM}author/{_ATOM}name")]
    return {
        "title": _text(entry, f"{_ATOM}title"),
        "abstract": _text(entry, f"{_ATOM}summary"),
        "authors": [name for name in names if name],
        "year": _text(entry, f"{_ATOM}published")[:4],
        "venue": _text(entry, f"{_ARXIV}journal_ref")[:300],
        "arxiv": found[0],
    }


def _text(entry: ElementTree.Element, tag: str) -> str:
    child = entry.find(tag)
    return "" if child is None else " ".join("".join(child.itertext()).split())
