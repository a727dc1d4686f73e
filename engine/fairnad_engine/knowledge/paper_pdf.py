"""PDF papers: the text that a limited child process finds in one."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

from fairnad_engine.knowledge.text_bytes import NotTextError

MAX_PDF_BYTES = 100_000_000
SECONDS = 90.0
_LONGEST_ANSWER = 40_000_000


@dataclass(frozen=True)
class PdfText:
    """What a PDF says: its text as Markdown, and the arXiv id and year stamped in its margin, or empty strings."""

    text: str
    arxiv: str
    year: str


def read_pdf(data: bytes, *, seconds: float = SECONDS) -> PdfText:
    """Return the text of a PDF in reading order, without running heads, page numbers and references.

    Args:
        data: The file.
        seconds: How long its reading may take.

    Raises:
        NotTextError: It holds no text that can be read; the message says why and what to do.
    """
    if not data.strip():
        raise NotTextError("empty; fetch the PDF again")
    if b"%PDF-" not in data[:1024]:
        raise NotTextError("not a PDF whatever its name says; fetch it again or give it its right suffix")
    command = [sys.executable, "-P", "-s", "-m", "fairnad_engine.knowledge.pdf_child"]
    try:
        done = subprocess.run(
            command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NotTextError(
            f"not read within {seconds:.0f} seconds; print it to a new PDF or give its text as .txt"
        ) from error
    try:
        answer = json.loads(done.stdout) if done.returncode == 0 and len(done.stdout) <= _LONGEST_ANSWER else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise NotTextError("cannot be read within the limits of memory and time; give its text as .txt")
    if "problem" in answer:
        raise NotTextError(str(answer["problem"]))
    text = str(answer.get("text", ""))
    if not text.strip():
        raise NotTextError("holds no text before its references; give its text as .txt")
    return PdfText(text, str(answer.get("arxiv", "")), str(answer.get("year", "")))
