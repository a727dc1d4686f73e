"""Papers as text, from files of every kind that is read, folders, standard input and arXiv.

A paper is known by its content alone, so that reading the same one twice, under any name, gives the same id.
What cannot be read becomes one :class:`ReadProblem`; the rest of the batch goes on.
"""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Iterator
from io import BytesIO
from itertools import chain
from os import walk
from pathlib import Path, PurePath
from typing import IO

from fairnad_engine.knowledge.paper_bib import bib_papers
from fairnad_engine.knowledge.paper_layout import Section, lay_out
from fairnad_engine.knowledge.paper_particulars import FrontMatterError, front_matter
from fairnad_engine.knowledge.paper_pdf import MAX_PDF_BYTES, read_pdf
from fairnad_engine.knowledge.paper_text import PaperText, ReadProblem, paper_of, record_paper
from fairnad_engine.knowledge.tex_papers import tex_archive_papers, tex_file_papers, tex_projects
from fairnad_engine.knowledge.text_bytes import NotTextError, clean, decode

__all__ = ["PaperText", "ReadProblem", "Section", "read_papers"]

SUFFIXES = (".md", ".txt", ".jsonl", ".pdf", ".tex", ".tar.gz", ".tgz", ".bib")
MAX_BYTES = 20_000_000
"""Largest paper; a JSON Lines file may be larger, each of its lines may not."""


def read_papers(
    source: str, stdin: IO[bytes] | None = None, limit: int | None = None
) -> Iterator[PaperText | ReadProblem]:
    """Read the papers of a file, of a folder with all its sub-folders, or of standard input.

    Args:
        source: Path of a file with one of :data:`SUFFIXES` or of a folder, ``-``, ``arxiv:ID[,ID...]`` or
            ``arxiv:QUERY``.
        stdin: What ``-`` reads; the process's own input by default.
        limit: Most results of an arXiv query.

    Yields:
        Papers, and problems in their place; a folder's files by path, a file's lines by number.
    """
    if source == "-":
        yield from _read_stream(stdin or sys.stdin.buffer)
        return
    if source.startswith("arxiv:"):
        yield from _read_arxiv(source, limit)
        return
    if not source.strip():
        yield ReadProblem("''", "", "names nothing; give a file or a folder, or . for this one")
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
        stores = tuple(name for name in names if name.endswith(".db"))  # workspaces: what they wrote is no paper
        written = {f"{name.removesuffix('.db')}-{what}" for name in stores for what in ("files", "reports", "exports")}
        folders[:] = [name for name in folders if not name.startswith(".") and name not in written]
        files += [Path(root, name) for name in names if not name.startswith((".", *stores))]
    yield from problems
    if not files and not problems:
        yield ReadProblem(str(folder), "", f"holds no file; put {', '.join(SUFFIXES)} files there")
    projects = tex_projects(files)
    for path in sorted(files):
        if not projects.owns(path):
            yield from _read_file(path)


def suffix_of(name: str) -> str:
    """Return a file name's suffix in lower case, ``.tar.gz`` as one."""
    lower = name.lower()
    return ".tar.gz" if lower.endswith(".tar.gz") else PurePath(lower).suffix


def _read_file(path: Path) -> Iterator[PaperText | ReadProblem]:
    source = str(path)
    suffix = suffix_of(path.name)
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
            if suffix == ".jsonl":
                yield from _read_lines(stream, source)
            elif suffix == ".tex":
                yield from tex_file_papers(path, source)
            else:
                yield from _READERS.get(suffix, _read_text)(stream, source)
    except OSError as error:
        yield ReadProblem(source, "", _system_message(error))
    except NotTextError as error:
        yield ReadProblem(source, "", str(error))


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
    yield paper_of(layout, {**layout.particulars, **given}, source, f"line {skipped + 1}")


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
    return record_paper(record, source, place)


def _read_pdf(stream: IO[bytes], source: str) -> Iterator[PaperText | ReadProblem]:
    data = stream.read(MAX_PDF_BYTES + 1)
    if len(data) > MAX_PDF_BYTES:
        raise NotTextError(f"larger than {MAX_PDF_BYTES // 1_000_000} MB; take its pictures out")
    found = read_pdf(data)
    layout = lay_out(clean(found.text))
    stamped = {"arxiv": found.arxiv, "year": found.year}
    paper = paper_of(layout, {**stamped, **layout.particulars}, source, "", source)
    if isinstance(paper, ReadProblem) and not layout.title:
        paper = ReadProblem(source, "", "no title stands out on its first page; give its text as .md with a title")
    yield paper


def _read_arxiv(source: str, limit: int | None) -> Iterator[PaperText | ReadProblem]:
    from fairnad_engine.knowledge.arxiv import LIMIT, ArxivError, arxiv_records

    try:
        for record in arxiv_records(source.removeprefix("arxiv:"), limit or LIMIT):
            if isinstance(record, str):
                yield ReadProblem(source[:200], "", record, remark=True)
            else:
                yield record_paper(record, f"arxiv:{record['arxiv']}", "")
    except ArxivError as error:
        yield ReadProblem(source[:200], "", str(error))


_READERS = {
    ".pdf": _read_pdf,
    ".tar.gz": tex_archive_papers,
    ".tgz": tex_archive_papers,
    ".bib": bib_papers,
}


def _system_message(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file or folder; check the path"
    if isinstance(error, PermissionError):
        return "may not be read; check its permissions"
    return f"{getattr(error, 'strerror', None) or error}; check the path"
