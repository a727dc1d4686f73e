"""Reading papers: formats, particulars, sections, and one clear line for whatever cannot be read."""

from __future__ import annotations

import json
from io import BytesIO
from os import mkfifo

import pytest

from fairnad_engine.knowledge.papers import MAX_BYTES, PaperText, ReadProblem, read_papers

MARKDOWN = """# Deep Residual Learning

**Authors:** Kaiming He, Xiangyu Zhang and Jian Sun
**Year:** 2016
**Venue:** CVPR
**arXiv:** 1512.03385

## Abstract

Residual blocks learn a correction
to their input.

## Design

Add an identity shortcut around two 3x3 convolutions.

```python
# not a heading
```

## References

- Nobody, 2000
"""


def only(source, stdin=None):
    found = list(read_papers(str(source), stdin))
    assert len(found) == 1
    return found[0]


def paper(source, stdin=None):
    found = only(source, stdin)
    assert isinstance(found, PaperText), found
    return found


def problem(source, stdin=None):
    found = only(source, stdin)
    assert isinstance(found, ReadProblem), found
    assert "\n" not in str(found)
    return found


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_markdown_header_and_sections(tmp_path):
    found = paper(write(tmp_path / "a.md", MARKDOWN))
    assert found.title == "Deep Residual Learning"
    assert found.authors == ("Kaiming He", "Xiangyu Zhang", "Jian Sun")
    assert (found.year, found.venue, found.arxiv) == (2016, "CVPR", "1512.03385")
    assert found.abstract == "Residual blocks learn a correction to their input."
    assert [section.title for section in found.sections] == ["Abstract", "Design", "References"]
    design = found.sections[1]
    assert found.text[design.start : design.end].strip().startswith("Add an identity shortcut")
    assert "Authors" not in found.text
    assert found.source == str(tmp_path / "a.md")


def test_front_matter_keeps_arxiv_ids_as_written(tmp_path):
    header = "title: A Paper\nauthors:\n  - Ada A\n  - name: Bo B\nyear: 2015\narxiv: 1505.00010\n"
    text = f"---\n{header}---\n\nThe text.\n"
    found = paper(write(tmp_path / "a.md", text))
    assert found.title == "A Paper"
    assert found.authors == ("Ada A", "Bo B")
    assert (found.year, found.arxiv) == (2015, "1505.00010")
    assert found.abstract == found.text == "The text."


def test_plain_text_sections(tmp_path):
    text = (
        "A Study of\nConvolution Blocks\n\nAbstract. We widen blocks.\nThey help.\n\n1 Introduction\n\n"
        "Blocks matter.\n\n2.1 Block design\n\nUse two layers.\n"
        "1 Of these lines is no heading\n\nReferences\n\n[1] Someone.\n"
    )
    found = paper(write(tmp_path / "a.txt", text))
    assert found.title == "A Study of Convolution Blocks"
    assert found.abstract == "We widen blocks. They help."
    assert [s.title for s in found.sections] == ["Abstract", "1 Introduction", "2.1 Block design", "References"]


def test_jsonl_reads_good_lines_and_tells_bad_ones(tmp_path):
    lines = [
        json.dumps(
            {
                "title": "One",
                "abstract": "We use blocks.",
                "authors": ["A B", "C D"],
                "year": 2020,
                "id": "2003.13678v2",
            }
        ),
        "{broken",
        "",
        "[1, 2]",
        json.dumps({"abstract": "No title here."}),
        json.dumps({"title": "No text"}),
        json.dumps({"title": ["One"], "abstract": "x"}),
        json.dumps({"title": "Two", "abstract": "Short.", "text": "## Design\n\nUse a gate."}),
        "[" * 100_000,
        '{"title": "Odd", "abstract": "a \\ud800 and \\u0000 b"}',
    ]
    found = list(read_papers(str(write(tmp_path / "a.jsonl", "\n".join(lines)))))
    papers = [item for item in found if isinstance(item, PaperText)]
    problems = [item for item in found if isinstance(item, ReadProblem)]
    assert [item.title for item in papers] == ["One", "Two", "Odd"]
    assert [item.place for item in problems] == [f"line {number}" for number in (2, 4, 5, 6, 7, 9)]
    assert all("\n" not in str(item) and item.message for item in problems)
    one, two, odd = papers
    assert (one.authors, one.year, one.arxiv) == (("A B", "C D"), 2020, "2003.13678")
    assert one.source.endswith("a.jsonl:1")
    assert [(s.title, two.text[s.start : s.end].strip()) for s in two.sections] == [
        ("Abstract", "Short."),
        ("Design", "Use a gate."),
    ]
    odd.text.encode("utf-8")
    assert "\0" not in odd.text


def test_the_id_follows_the_content_alone(tmp_path):
    plain = paper(write(tmp_path / "a.md", MARKDOWN))
    crlf = paper(write(tmp_path / "b.md", MARKDOWN.replace("\n", "\r\n")))
    marked = paper(write(tmp_path / "c.md", b"\xef\xbb\xbf" + MARKDOWN.encode()))
    wide = paper(write(tmp_path / "d.md", MARKDOWN.encode("utf-16")))
    piped = paper("-", BytesIO(MARKDOWN.encode()))
    other = paper(write(tmp_path / "e.md", MARKDOWN.replace("two 3x3", "three 3x3")))
    assert {p.id for p in (plain, crlf, marked, wide, piped)} == {plain.id}
    assert other.id != plain.id
    assert len(plain.id) == 16
    assert int(plain.id, 16) >= 0
    assert "\r" not in crlf.text


def test_latin_1_is_read_where_it_is_plausible(tmp_path):
    found = paper(write(tmp_path / "a.txt", "Réseaux résiduels\n\nLa couche précède l’addition.".encode("cp1252")))
    assert found.title == "Réseaux résiduels"
    assert "l’addition" in found.text


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.md", b"", "empty"),
        ("blank.txt", b" \n\t\n", "empty"),
        ("empty.jsonl", b"\n\n", "empty"),
        ("zeros.md", b"# T\n\n\x00\x01\x02", "binary"),
        ("binary.txt", bytes(range(1, 256)) * 4, "neither"),
        ("halfwide.txt", b"\xff\xfea", "UTF-16"),
        ("untitled.md", b"## Abstract\n\nText without a title.", "no title"),
        ("titleonly.md", b"# Only a title\n", "no text"),
        ("front.md", b"---\ntitle: [\n---\n\nText.", "front matter"),
        ("paper.doc", b"text", ".doc"),
        ("noname", b"text", "without a suffix"),
        ("big.txt", b"a" * (MAX_BYTES + 1), "20 MB"),
        ("big.jsonl", b"a" * (MAX_BYTES + 1), "20 MB"),
        ("wide.jsonl", b"\xff\xfe\x00", "UTF-16"),
    ],
)
def test_each_unreadable_file_gives_one_line(tmp_path, name, content, says):
    found = problem(write(tmp_path / name, content))
    assert says in found.message
    assert found.source == str(tmp_path / name)


def test_missing_and_special_paths(tmp_path):
    assert "no such file" in problem(tmp_path / "absent.md").message
    assert "check the path" in problem("bad\0path.md").message
    mkfifo(tmp_path / "pipe.md")
    assert "not a regular file" in problem(tmp_path / "pipe.md").message
    (tmp_path / "folder").mkdir()
    assert "holds no file" in problem(tmp_path / "folder").message


def test_an_empty_name_is_not_this_folder():
    (item,) = read_papers("")
    assert item.message.startswith("names nothing; give a file or a folder")


def test_what_a_workspace_wrote_is_no_paper(tmp_path):
    for name in ("w.db", "w.db-wal", "w.db-reserve"):
        write(tmp_path / name, b"x")
    for folder in ("w-files/jobs", "w-reports/run-1", "w-exports/run-1", "my-reports"):
        (tmp_path / folder).mkdir(parents=True)
        write(tmp_path / folder / "log.txt", b"A Title\n\nSome text.")
    assert [one.source for one in read_papers(str(tmp_path))] == [str(tmp_path / "my-reports" / "log.txt")]


def test_a_folder_is_read_in_order_and_goes_on_after_problems(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / ".git").mkdir()
    write(tmp_path / "b.md", MARKDOWN)
    write(tmp_path / "a.md", b"")
    write(tmp_path / "c.png", b"\x89PNG")
    write(tmp_path / "sub" / "d.TXT", b"A Title\n\nSome text.")
    write(tmp_path / ".hidden.md", MARKDOWN)
    write(tmp_path / ".git" / "e.md", MARKDOWN)
    (tmp_path / "loose.md").symlink_to(tmp_path / "gone.md")
    found = [(type(item).__name__, item.source.removeprefix(f"{tmp_path}/")) for item in read_papers(str(tmp_path))]
    assert found == [
        ("ReadProblem", "a.md"),
        ("PaperText", "b.md"),
        ("ReadProblem", "c.png"),
        ("ReadProblem", "loose.md"),
        ("PaperText", "sub/d.TXT"),
    ]


def test_standard_input_is_json_lines_or_text():
    lines = b'\n{"title": "A", "abstract": "x"}\n{"title": "B", "abstract": "y"}\n{oops\n'
    found = list(read_papers("-", BytesIO(lines)))
    assert [getattr(item, "title", None) for item in found] == ["A", "B", None]
    assert [item.source for item in found] == ["-:2", "-:3", "-"]
    assert found[2].place == "line 4"
    assert paper("-", BytesIO(b"A Title\n\nAnd a text.")).title == "A Title"
    assert "empty" in problem("-", BytesIO(b"")).message


def test_a_long_text_without_line_ends_is_no_trap(tmp_path):
    found = problem(write(tmp_path / "a.md", "# " + "# a" * 50_000))
    assert "no title" in found.message
    body = paper(write(tmp_path / "b.md", "# Title\n\n" + "Use a gate. " * 20_000))
    assert body.abstract.startswith("Use a gate.")
