"""BibTeX as abstract lists: the entries of a ``.bib`` file that have a title and an abstract."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import IO, Any

from fairnad_engine.knowledge.paper_tex import tex_words
from fairnad_engine.knowledge.paper_text import PaperText, ReadProblem, record_paper
from fairnad_engine.knowledge.text_bytes import NotTextError, clean, decode

MAX_BIB_BYTES = 20_000_000


def bib_papers(stream: IO[bytes], source: str) -> Iterator[PaperText | ReadProblem]:
    """Yield a paper for each entry with title and abstract, and one line that counts the entries without.

    Raises:
        NotTextError: The file is too large or no text.
    """
    data = stream.read(MAX_BIB_BYTES + 1)
    if len(data) > MAX_BIB_BYTES:
        raise NotTextError(f"larger than {MAX_BIB_BYTES // 1_000_000} MB; split it")
    text = clean(decode(data))
    if not text.strip():
        raise NotTextError("empty; give entries with title and abstract")
    entries, broken = _entries(text)
    without = 0
    for line, entry in entries:
        given = {key: tex_words(value) for key, value in entry.items()}
        if not given.get("title") or not given.get("abstract"):
            without += 1
            continue
        yield record_paper(_record(given, entry), source, f"line {line}")
    for line in broken:
        yield ReadProblem(source, f"line {line}", "not a BibTeX entry that can be read; mend it or take it out")
    if without:
        noun = "entry has" if without == 1 else "entries have"
        yield ReadProblem(
            source, "", f"{without} {noun} no title or no abstract; export them with abstracts", remark=True
        )
    elif not entries and not broken:
        yield ReadProblem(source, "", "holds no BibTeX entry; give entries with title and abstract")


def _entries(text: str) -> tuple[list[tuple[int, dict[str, str]]], list[int]]:
    from bibtexparser.entrypoint import parse_string

    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)
    try:
        library: Any = parse_string(text)
    except Exception as error:  # whatever a broken file makes the parser do
        raise NotTextError(f"not BibTeX ({type(error).__name__}); export it again") from error
    found: list[tuple[int, dict[str, str]]] = []
    broken: list[int] = []
    for block in library.blocks:
        line = (block.start_line or 0) + 1
        kept = getattr(block, "ignore_error_block", None) or block
        if fields := getattr(kept, "fields", None):
            # A doubled key or field is no reason to leave a paper out.
            entry: dict[str, str] = {}
            for field in fields:
                entry.setdefault(str(field.key).lower(), str(field.value).strip('{}" \n'))
            found.append((line, entry))
        elif block in library.failed_blocks:
            broken.append(line)
    return found, broken


def _record(given: dict[str, str], entry: dict[str, str]) -> dict[str, object]:
    authors = [tex_words(one) for one in re.split(r"\s+and\s+", entry.get("author", ""))]
    preprint = given.get("archiveprefix", "").lower() == "arxiv" or re.match(r"\d{4}\.\d{4,5}", given.get("eprint", ""))
    stamp = re.search(r"arxiv[.:\s/a-z]{0,12}?(\d{4}\.\d{4,5})", " ".join(given.values()).lower())
    return {
        "title": given["title"],
        "abstract": given["abstract"],
        "authors": [" ".join(reversed(one.split(", ", 1))) if one.count(",") == 1 else one for one in authors if one],
        "year": given.get("year") or given.get("date", ""),
        "venue": given.get("booktitle") or given.get("journal", ""),
        "arxiv": given.get("eprint", "") if preprint else stamp[1] if stamp else "",
    }
