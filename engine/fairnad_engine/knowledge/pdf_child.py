"""A short-lived process that reads one PDF from standard input and writes JSON; it can open nothing else.

A hostile file can at worst end this process: its memory, processor time and open files are limited before a byte of
the file is looked at, and what starts it (:mod:`fairnad_engine.knowledge.paper_pdf`) limits its time and its answer.
"""

from __future__ import annotations

import codecs
import json
import logging
import re
import resource
import sys
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

from fairnad_engine.knowledge.pdf_lines import Glyph, Line, reading_order
from fairnad_engine.knowledge.pdf_prose import to_markdown

if TYPE_CHECKING:
    from pdfminer.layout import LTChar, LTContainer, LTPage

MEMORY = 1 << 30
CPU_SECONDS = 60
MAX_PAGES = 200
MAX_GLYPHS = 3_000_000
_FEWEST_LETTERS = 80
"""A text with fewer is a stamp or page numbers on scanned pages."""


def main() -> None:
    """Read, and write ``{"text": ..., "arxiv": ...}`` or ``{"problem": ...}``."""
    data = sys.stdin.buffer.read()
    _imports()
    _limit()
    logging.disable(logging.CRITICAL)
    try:
        answer = read(data)
    except MemoryError:
        answer = {"problem": f"needs more than {MEMORY >> 20} MiB to be read; print it to a new PDF or give its text"}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()


def _imports() -> None:
    """Load everything that reading may need, since afterwards no file can be opened."""
    import pdfminer.converter
    import pdfminer.pdfpage  # noqa: F401
    from pdfminer.cmapdb import CMapDB

    for encoding in ("ascii", "latin-1", "utf-8", "utf-16", "utf-16-be", "utf-16-le", "cp1252", "mac-roman"):
        codecs.lookup(encoding)

    def refuse(name: str) -> type[object]:
        raise CMapDB.CMapNotFound(name)

    # A PDF may name a character map that ships with the parser as a file; characters under one are left out instead.
    setattr(CMapDB, "_load_data", staticmethod(refuse))  # noqa: B010


def _limit() -> None:
    for which, limit in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        most = resource.getrlimit(which)[1]
        limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(which, (limit, limit))


def read(data: bytes) -> dict[str, str]:
    """Return a PDF's text as Markdown, or what is wrong with it."""
    from pdfminer.pdfdocument import PDFEncryptionError, PDFPasswordIncorrect

    try:
        return _read(data)
    except PDFPasswordIncorrect:
        return {"problem": "encrypted; save it without a password"}
    except PDFEncryptionError:
        return {"problem": "encrypted in a way that is not read; save it without encryption"}
    except MemoryError:
        raise
    except Exception as error:  # whatever a broken file makes a parser do
        return {"problem": f"broken PDF ({type(error).__name__}); fetch or print it again"}


def _read(data: bytes) -> dict[str, str]:
    from pdfminer.pdfdocument import PDFDocument
    from pdfminer.pdfpage import PDFPage
    from pdfminer.pdfparser import PDFParser

    document = PDFDocument(PDFParser(BytesIO(data)))
    pages: list[PDFPage] = []
    for page in PDFPage.create_pages(document):
        pages.append(page)
        if len(pages) > MAX_PAGES:
            return {"problem": f"more than {MAX_PAGES} pages, which is no paper; give the pages of one paper"}
    if not pages:
        return {"problem": "broken or cut off: it has no pages; fetch or print it again"}
    lines, heights, aside = _lines(pages)
    letters = sum(character.isalpha() for line in lines for character in line.text)
    if letters < _FEWEST_LETTERS:
        return {"problem": "holds images but no text; make its text readable first, for example with ocrmypdf"}
    given = document.info[0] if document.info else {}
    authors = _string(given.get("Author"))
    known = not re.fullmatch(r"(?:\(?(?:anonymous|unknown|unspecified|author|user)\)?.*)?", authors, re.IGNORECASE)
    text = to_markdown(lines, heights, _title_given(given), authors if known else "")
    stamp = re.search(r"arXiv:(\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})", aside)
    year = re.search(r"\b\d{1,2}[A-Z][a-z]{2}((?:19|20)\d\d)", aside[stamp.end() :] if stamp else "")
    return {"text": text, "arxiv": stamp[1] if stamp else "", "year": year[1] if year else ""}


def _lines(pages: list[Any]) -> tuple[list[Line], list[float], str]:
    from pdfminer.converter import PDFPageAggregator
    from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager

    resources = PDFResourceManager()
    device = PDFPageAggregator(resources, laparams=None)
    interpreter = PDFPageInterpreter(resources, device)
    lines: list[Line] = []
    heights: list[float] = []
    aside = ""
    left = MAX_GLYPHS
    for number, page in enumerate(pages):
        interpreter.process_page(page)
        shown: LTPage = device.get_result()
        upright: list[Glyph] = []
        for drawn in _drawn(shown):
            left -= 1
            if left < 0:
                raise MemoryError
            glyph = _glyph(drawn, shown)
            if glyph is not None:
                upright.append(glyph)
            elif not drawn.upright and number == 0:
                aside = (aside + drawn.get_text().strip())[:2000]  # arXiv's stamp runs up the first page's margin
        lines += reading_order(upright, number)
        heights.append(float(shown.height))
    return lines, heights, aside


def _drawn(container: LTContainer[Any]) -> Iterator[LTChar]:
    from pdfminer.layout import LTChar, LTFigure

    for item in container:
        if isinstance(item, LTChar):
            yield item
        elif isinstance(item, LTFigure):
            yield from _drawn(item)


def _glyph(drawn: LTChar, page: LTPage) -> Glyph | None:
    a, b, c, d, _, base = drawn.matrix
    text = drawn.get_text()[:8]  # a file's own table may give a character any text
    size = drawn.y1 - drawn.y0
    inside = page.x0 <= drawn.x0 <= page.x1 and page.y0 <= drawn.y0 <= page.y1
    if not drawn.upright or abs(b) + abs(c) > 0.01 * (abs(a) + abs(d)) or text.startswith("(cid:"):
        return None
    if not inside or size <= 0.5 or not text:
        return None
    bold = re.search(r"bold|black|heavy|cmbx|medi\b|-b\b", str(drawn.fontname), re.IGNORECASE) is not None
    return Glyph(text, drawn.x0, drawn.x1, base, size, bold)


def _title_given(given: Any) -> str:  # noqa: ANN401 - a dictionary of the file's own making
    title = _string(given.get("Title"))
    made_up = re.search(r"\.(?:dvi|tex|docx?|pdf|indd)\b|microsoft word|^untitled|\\", title, re.IGNORECASE)
    return "" if made_up or len(title) < 8 or len(title) > 300 else title


def _string(value: object) -> str:
    from pdfminer.pdftypes import resolve1
    from pdfminer.utils import decode_text

    value = resolve1(value)
    return " ".join(decode_text(value).split())[:1000] if isinstance(value, bytes) else ""


if __name__ == "__main__":
    main()
