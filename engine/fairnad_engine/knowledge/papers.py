"""Papers as text: Markdown, plain text and JSON Lines, from a file, a folder or standard input.

A paper is known by its content alone, so that reading the same one twice, under any name, gives the same id.
What cannot be read becomes one :class:`ReadProblem`; the rest of the batch goes on.
"""

from __future__ import annotations

import json
import re
import stat
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from itertools import chain
from os import walk
from pathlib import Path
from typing import IO

from fairnad_engine.knowledge.paper_layout import Layout, Section, find_sections, lay_out
from fairnad_engine.knowledge.paper_particulars import FrontMatterError, front_matter, listed, split_authors
from fairnad_engine.knowledge.text_bytes import NotTextError, clean, decode
from fairnad_engine.text import escape

__all__ = ["PaperText", "ReadProblem", "Section", "read_papers"]

SUFFIXES = (".md", ".txt", ".jsonl")
MAX_BYTES = 20_000_000
"""Largest paper; a JSON Lines file may be larger, each of its lines may not."""


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
    """

    source: str
    place: str
    message: str

    def __str__(self) -> str:
        """Return the line that a user sees."""
        return f"{self.source}{', ' if self.place else ''}{self.place}: {self.message}"


def read_papers(source: str, stdin: IO[bytes] | None = None) -> Iterator[PaperText | ReadProblem]:
    """Read the papers of a file, of a folder with all its sub-folders, or of standard input.

    Args:
        source: Path of a ``.md``, ``.txt`` or ``.jsonl`` file or of a folder, or ``-``.
        stdin: What ``-`` reads; the process's own input by default.

    Yields:
        Papers, and problems in their place; a folder's files by path, a file's lines by number.
    """
    if source == "-":
        yield from _read_stream(stdin or sys.stdin.buffer)
        return
    path = Path(source)
    try:
        folder = stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError) as error:
        yield ReadProblem(source, "", _system_message(error))
        return
    yield from _read_folder(path) if folder else _read_file(path)


def _read_folder(folder: Path) -> Iterator[PaperText | ReadProblem]:
    problems: list[ReadProblem] = []

    def note(error: OSError) -> None:
        problems.append(ReadProblem(str(error.filename), "", _system_message(error)))

    files: list[Path] = []
    for root, folders, names in walk(folder, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(root, name) for name in names if not name.startswith(".")]
    yield from problems
    if not files and not problems:
        yield ReadProblem(str(folder), "", f"holds no file; put {', '.join(SUFFIXES)} files there")
    for path in sorted(files):
        yield from _read_file(path)


def _read_file(path: Path) -> Iterator[PaperText | ReadProblem]:
    source = str(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        kind = f"files of type {suffix}" if suffix else "files without a suffix"
        yield ReadProblem(source, "", f"{kind} are not read; give {', '.join(SUFFIXES)}")
        return
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            # Opening a named pipe would wait for ever.
            yield ReadProblem(source, "", "not a regular file; give a file or `-` for standard input")
            return
        with path.open("rb") as stream:
            yield from _read_lines(stream, source) if suffix == ".jsonl" else _read_text(stream, source)
    except OSError as error:
        yield ReadProblem(source, "", _system_message(error))


def _read_stream(stream: IO[bytes]) -> Iterator[PaperText | ReadProblem]:
    head = b""
    while not head.strip():
        line = stream.readline(MAX_BYTES + 1)
        if not line:
            break
        head += line
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        yield from _read_lines(stream, "-", head)
    else:
        yield from _read_text(BytesIO(head + stream.read(max(MAX_BYTES + 1 - len(head), 0))), "-")


def _read_text(stream: IO[bytes], source: str) -> Iterator[PaperText | ReadProblem]:
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        yield ReadProblem(source, "", f"larger than {MAX_BYTES // 1_000_000} MB; split it or cut what is no text")
        return
    try:
        text = clean(decode(data))
    except NotTextError as error:
        yield ReadProblem(source, "", str(error))
        return
    if not text.strip():
        yield ReadProblem(source, "", "empty; give a title and a text")
        return
    try:
        given, body, skipped = front_matter(text)
    except FrontMatterError as error:
        yield ReadProblem(source, f"line {error.line}", str(error))
        return
    layout = lay_out(body, title=given.get("title", ""))
    yield _paper(layout, {**layout.particulars, **given}, source, f"line {skipped + 1}")


def _read_lines(stream: IO[bytes], source: str, head: bytes = b"") -> Iterator[PaperText | ReadProblem]:
    begin = head or stream.readline(MAX_BYTES + 1)
    if begin.startswith((b"\xff\xfe", b"\xfe\xff")):
        # UTF-16 has zero bytes inside its line ends, so it is decoded as a whole.
        try:
            stream = BytesIO(decode(begin + stream.read(MAX_BYTES)).encode("utf-8", "surrogatepass"))
        except NotTextError as error:
            yield ReadProblem(source, "", str(error))
            return
        begin = stream.readline(MAX_BYTES + 1)
    seen = False
    rest = iter(lambda: stream.readline(MAX_BYTES + 1), b"")
    for number, line in enumerate(chain(begin.splitlines(keepends=True), rest), start=1):
        if len(line) > MAX_BYTES:
            yield ReadProblem(
                source, f"line {number}", f"larger than {MAX_BYTES // 1_000_000} MB; the rest is not read"
            )
            return
        if line.strip(b"\xef\xbb\xbf \t\r\n"):
            seen = True
            yield _read_record(line, source, f"line {number}")
    if not seen:
        yield ReadProblem(source, "", "empty; give one JSON object a line")


def _read_record(line: bytes, source: str, place: str) -> PaperText | ReadProblem:
    try:
        # Numbers stay as written: as a float, arXiv 1505.00010 would lose its last digit.
        record = json.loads(decode(line), parse_float=str, parse_int=str)
    except NotTextError as error:
        return ReadProblem(source, place, str(error))
    except (ValueError, RecursionError) as error:
        reason = (
            f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        )
        return ReadProblem(source, place, f"not JSON ({reason}); give one JSON object a line")
    if not isinstance(record, dict):
        return ReadProblem(source, place, "not a JSON object; give one with title and abstract")
    for key in ("title", "abstract", "text"):
        if not isinstance(record.get(key, ""), str | None):
            return ReadProblem(source, place, f"{key} is not a string; put it in quotes")
    title, abstract, text = (clean(record.get(key) or "").strip() for key in ("title", "abstract", "text"))
    given = {key: listed(record.get(key)) for key in ("authors", "year", "venue")}
    given["arxiv"] = listed(record.get("arxiv") or record.get("id"))
    layout = _record_layout(" ".join(title.split()), abstract, text)
    return _paper(layout, given, f"{source}:{place.removeprefix('line ')}", place, source)


def _record_layout(title: str, abstract: str, text: str) -> Layout:
    if not text or " ".join(abstract.split()) in " ".join(text.split()):
        body = lay_out(text or abstract, title=title)
        return Layout(title, {}, " ".join(abstract.split()) or body.abstract, body.text, body.sections)
    offset = len(abstract) + 2
    rest = (Section(s.title, s.start + offset, s.end + offset) for s in find_sections(text))
    sections = (Section("Abstract", 0, len(abstract)), *rest)
    return Layout(title, {}, " ".join(abstract.split()), f"{abstract}\n\n{text}", sections)


def _paper(
    layout: Layout, given: Mapping[str, str], source: str, place: str, file: str | None = None
) -> PaperText | ReadProblem:
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


def _system_message(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file or folder; check the path"
    if isinstance(error, PermissionError):
        return "may not be read; check its permissions"
    return f"{getattr(error, 'strerror', None) or error}; check the path"
