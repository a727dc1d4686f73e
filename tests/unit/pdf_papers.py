"""Papers as PDF: a sample paper's Markdown set in one or two columns, as conferences print it."""

from __future__ import annotations

import re
from io import BytesIO

from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

WIDTH, HEIGHT = 612.0, 792.0
MARGIN, GUTTER = 54.0, 18.0
BODY, BOLD = "Times-Roman", "Times-Bold"
REFERENCES = [
    "[1] A. Writer and B. Author. A network of blocks that nobody should take an idea from. In CVPR, 2015.",
    "[2] C. Scholar. Use a gate in every block of the reference list. arXiv:1501.00001, 2015.",
]
APPENDIX = "The appendix asks to replace every block by a pooling layer of stride nine."


def sections_of(markdown: str) -> tuple[str, list[tuple[str, list[str]]]]:
    """A sample paper's title, and its sections with their paragraphs; lists become paragraphs."""
    title = re.search(r"^# (.+)$", markdown, re.MULTILINE)[1]
    found = []
    for part in re.split(r"^## ", markdown, flags=re.MULTILINE)[1:]:
        name, _, body = part.partition("\n")
        if not re.search(r"references|sources", name, re.IGNORECASE):
            paragraphs = [" ".join(one.split()) for one in re.split(r"\n\s*\n", body) if one.strip()]
            found.append((name.strip(), [plain(one) for one in paragraphs]))
    return title, found


def plain(text: str) -> str:
    return re.sub(r"[*`]|^- ", "", text).replace("×", "x")


def sentences(markdown: str) -> list[str]:
    """The sentences of a sample paper, in order."""
    _, sections = sections_of(markdown)
    return [
        sentence
        for _, paragraphs in sections
        for paragraph in paragraphs
        for sentence in re.split(r"(?<=\.)\s+(?=[A-Z])", paragraph)
    ]


def wrapped(text: str, width: float, font: str, size: float, *, hyphenate: bool) -> list[str]:
    """Lines of at most a width; long words are divided at line ends where that is asked for."""
    lines, line = [], ""
    for word in text.split():
        joined = f"{line} {word}".strip()
        if stringWidth(joined, font, size) <= width:
            line = joined
            continue
        cut = len(word) // 2
        if hyphenate and re.fullmatch(r"[a-z]{8,}[.,]?", word):
            part = f"{line} {word[:cut]}-".strip()
            if stringWidth(part, font, size) <= width:
                lines.append(part)
                line = word[cut:]
                continue
        lines.append(line)
        line = word
    return [*lines, line]


class Setter:
    """Sets paragraphs into columns, page after page."""

    def __init__(self, columns: int, head: str) -> None:
        self.buffer = BytesIO()
        self.canvas = Canvas(self.buffer, pagesize=(WIDTH, HEIGHT))
        self.columns, self.head = columns, head
        self.width = (WIDTH - 2 * MARGIN - GUTTER * (columns - 1)) / columns
        self.column, self.page, self.top = 0, 1, HEIGHT - 72
        self.y = self.top

    def edges(self) -> None:
        self.canvas.setFont(BODY, 8)
        if self.page > 1:
            self.canvas.drawString(MARGIN, HEIGHT - 40, f"{self.head} {self.page}")
        self.canvas.drawCentredString(WIDTH / 2, 30, str(self.page))

    def full_width(self, text: str, size: float) -> None:
        self.canvas.setFont(BODY, size)
        for line in wrapped(text, WIDTH - 2 * MARGIN, BODY, size, hyphenate=False):
            self.canvas.drawCentredString(WIDTH / 2, self.y, line)
            self.y -= 1.3 * size
        self.y -= 12
        self.top = self.y

    def room(self, needed: float) -> None:
        if self.y - needed > 60:
            return
        self.column += 1
        if self.column == self.columns:
            self.edges()
            self.canvas.showPage()
            self.column, self.page, self.top = 0, self.page + 1, HEIGHT - 72
        self.y = self.top

    def paragraph(self, text: str, *, font: str = BODY, size: float = 10, hyphenate: bool = True) -> None:
        lines = wrapped(text, self.width, font, size, hyphenate=hyphenate)
        for number, line in enumerate(lines, 1):
            self.room(1.2 * size)
            drawn = self.canvas.beginText(MARGIN + self.column * (self.width + GUTTER), self.y)
            drawn.setFont(font, size)
            blanks = line.count(" ")
            slack = self.width - stringWidth(line, font, size)
            drawn.setWordSpace(slack / blanks if blanks and number < len(lines) and font == BODY else 0)
            drawn.textLine(line)
            self.canvas.drawText(drawn)
            self.y -= 1.2 * size
        self.y -= 0.5 * size

    def done(self) -> bytes:
        self.edges()
        self.canvas.save()
        return self.buffer.getvalue()


def pdf_of(markdown: str, *, columns: int, copies: int = 1, encrypt: str = "") -> bytes:
    """A sample paper as PDF, with title, names, running heads, page numbers, references and an appendix."""
    title, sections = sections_of(markdown)
    page = Setter(columns, f"{title[:40]} - Proceedings of a conference")
    if encrypt:
        page.canvas.setEncrypt(encrypt)
    page.full_width(title, 16)
    page.full_width("Ada Example, Bo Example, University of Examples", 11)
    for _ in range(copies):
        for number, (name, paragraphs) in enumerate(sections):
            page.room(40)
            page.paragraph(f"{number} {name}" if number else name, font=BOLD, size=12)
            for paragraph in paragraphs:
                page.paragraph(paragraph)
    page.paragraph("References", font=BOLD, size=12)
    for reference in REFERENCES:
        page.paragraph(reference, size=9)
    page.paragraph("A Appendix", font=BOLD, size=12)
    page.paragraph(APPENDIX)
    return page.done()
