"""PDF papers: what is read against what was written, and one line for each file that cannot be read."""

from __future__ import annotations

import zlib
from io import BytesIO

import pytest
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from fairnad_engine.knowledge import pdf_child
from fairnad_engine.knowledge.paper_pdf import read_pdf
from fairnad_engine.knowledge.papers import PaperText, ReadProblem, read_papers
from fairnad_engine.knowledge.text_bytes import NotTextError
from fairnad_engine.resources import data_folder
from tests.unit.pdf_papers import pdf_of, sections_of, sentences

SAMPLES = sorted(data_folder("sample_papers").glob("*.md"))


def read(tmp_path, data, name="a.pdf"):
    (tmp_path / name).write_bytes(data)
    (found,) = read_papers(str(tmp_path / name))
    return found


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("sample", SAMPLES[::5], ids=lambda path: path.stem)
def test_the_sentences_of_a_sample_paper_come_out_in_order(tmp_path, sample, columns):
    markdown = sample.read_text()
    found = read(tmp_path, pdf_of(markdown, columns=columns, copies=2))
    title, sections = sections_of(markdown)
    assert isinstance(found, PaperText), found
    assert found.title == title
    assert found.abstract == " ".join(sections[0][1])
    names = [name for name, _ in sections]
    read_names = [section.title.lstrip("0123456789 ") for section in found.sections]
    assert read_names == names * 2
    flat, at = " ".join(found.text.split()), 0
    for sentence in sentences(markdown) * 2:
        at = flat.find(sentence, at)
        assert at >= 0, sentence
    for left_out in ("Proceedings", "nobody", "appendix", "Ada Example"):
        assert left_out not in flat


def test_the_written_files_have_what_is_to_be_undone():
    # Otherwise the test above could pass without joining or dropping anything.
    lines, heights, _ = pdf_child._lines(_pages(pdf_of(SAMPLES[0].read_text(), columns=2, copies=2)))
    assert len(heights) >= 2
    assert sum(line.text.endswith("-") for line in lines) > 5
    assert any("Proceedings" in line.text for line in lines)
    assert any(line.text == "2" for line in lines)
    assert any("nobody" in line.text for line in lines)


def _pages(data):
    from pdfminer.pdfdocument import PDFDocument
    from pdfminer.pdfpage import PDFPage
    from pdfminer.pdfparser import PDFParser

    return list(PDFPage.create_pages(PDFDocument(PDFParser(BytesIO(data)))))


def _canvas(draw):
    buffer = BytesIO()
    canvas = Canvas(buffer)
    draw(canvas)
    canvas.save()
    return buffer.getvalue()


def _scanned(canvas):
    canvas.drawImage(ImageReader(_picture()), 0, 0, 600, 800)
    canvas.drawString(300, 20, "1")


def _picture():
    from PIL import Image

    return Image.new("L", (60, 80), 128)


def _many_pages(canvas):
    for _ in range(pdf_child.MAX_PAGES + 1):
        canvas.drawString(50, 700, "A page of a book")
        canvas.showPage()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda: b"", "empty"),
        (lambda: b"# A paper that is Markdown\n", "not a PDF"),
        (lambda: b"%PDF-1.7\n%broken\n" + bytes(range(256)) * 20, "broken"),
        (lambda: pdf_of(SAMPLES[0].read_text(), columns=1)[:2000], "broken"),
        (lambda: pdf_of(SAMPLES[0].read_text(), columns=1, encrypt="secret"), "without a password"),
        (lambda: _canvas(_scanned), "ocrmypdf"),
        (lambda: _canvas(lambda canvas: canvas.showPage()), "no text"),
        (lambda: _canvas(_many_pages), "pages"),
    ],
    ids=["empty", "markdown", "noise", "cut off", "encrypted", "scanned", "blank page", "book"],
)
def test_each_pdf_that_cannot_be_read_gives_one_line_and_the_batch_goes_on(tmp_path, data, says):
    (tmp_path / "a.pdf").write_bytes(data())
    (tmp_path / "b.md").write_text("# Another\n\nText.\n")
    problem, paper = read_papers(str(tmp_path))
    assert isinstance(problem, ReadProblem)
    assert says in str(problem)
    assert "\n" not in str(problem)
    assert problem.source.endswith("a.pdf")
    assert paper.title == "Another"


def bomb(size):
    """A page whose content unpacks to a size."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(size >> 20)) + packer.flush()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed),
    ]
    out, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(out)
    trailer = b"trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start
    return out + b"xref\n0 5\n0000000000 65535 f \n" + table + trailer


@pytest.mark.slow
def test_a_file_that_unpacks_without_end_is_one_line():
    with pytest.raises(NotTextError, match=r"MiB|limits|broken"):
        read_pdf(bomb(1100 << 20))


def test_a_file_that_takes_too_long_is_one_line():
    with pytest.raises(NotTextError, match="not read within"):
        read_pdf(pdf_of(SAMPLES[0].read_text(), columns=1), seconds=0.01)
