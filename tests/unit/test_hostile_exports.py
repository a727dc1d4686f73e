"""A thousand hostile strings through every export and command: each comes back as it was, and none acts."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.terminal import Terminal
from fairnad_engine.knowledge.idea_files import read_ideas, render_ideas
from fairnad_engine.knowledge.papers import read_papers
from fairnad_engine.report.export import export_candidate
from fairnad_engine.report.front_svg import front_svg
from fairnad_engine.report.markdown import report_markdown
from fairnad_engine.report.summary import summarise
from fairnad_engine.report.tables import candidates_csv
from fairnad_engine.report.write import write_report
from fairnad_engine.store import Store
from fairnad_engine.store.ideas import idea_document
from fairnad_engine.text import escape, from_csv_cell, is_plain, one_line, storable, unescape
from fairnad_engine.workspace import template_of
from fairnad_tui.cli import main
from tests.conftest import environment
from tests.hostile_strings import hostile_strings, with_surrogates
from tests.tui.hostile_workspace import hostile_workspace
from tests.tui.recorded import foreign
from tests.unit.report_workspace import RUN, workspace

STRINGS = (*hostile_strings(), *with_surrogates())


csv.field_size_limit(10**7)


def harmless(text: str) -> None:
    """Nothing in a file or on a stream acts on a terminal that shows it."""
    assert is_plain(text.replace("\n", "").replace("\t", "")), next(
        c for c in text if not is_plain(c) and c not in "\n\t"
    )


def unmarked(markdown: str) -> str:
    """What a piece of Markdown shows."""
    return unescape(re.sub(r"\\([\\`*_\[\]<>|~$#&])", r"\1", markdown))


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    with workspace(tmp_path_factory.mktemp("plain")) as store:
        return summarise(store, RUN)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    with hostile_workspace(tmp_path_factory.mktemp("hostile")) as store:
        return store.path


@pytest.fixture(scope="module")
def models(summary):
    model = next(one for one in summary.models if one.idea)
    return tuple(replace(model, change=text, idea=replace(model.idea, name=text)) for text in STRINGS)


def test_candidates_csv(summary, models):
    text = candidates_csv(replace(summary, models=models))
    harmless(text)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [from_csv_cell(row["change"]) for row in rows] == list(STRINGS)
    assert [from_csv_cell(row["idea_name"]) for row in rows] == list(STRINGS)
    assert not any(row["change"].startswith(("=", "+", "-", "@", "\t")) for row in rows)


def test_report_markdown(summary, models):
    text = report_markdown(replace(summary, front=models))
    harmless(text)
    rows = [line.split(" | ") for line in text.split("\n") if line.startswith(f"| {models[0].id} | ")]
    assert [unmarked(row[6]) for row in rows] == [one_line(one) for one in STRINGS]
    sub = models[0].idea.sub
    assert [one_line(unmarked(row[5]).removeprefix(f"{sub}:")) for row in rows] == [one_line(one) for one in STRINGS]


def test_front_svg(summary):
    for text in STRINGS:
        svg = front_svg(replace(summary, run=replace(summary.run, name=text)))
        harmless(svg)
        assert unescape(ElementTree.fromstring(svg).find("{*}metadata").text or "") == text


def test_ideas_as_files(hostile, tmp_path):
    with Store(hostile) as store:
        stored = [idea_document(idea) for idea in store.ideas.all()]
        template = template_of(store)[0]
    assert {text for text in hostile_strings() if text} <= {one["instruction"] for one in stored}
    lines = render_ideas(stored, "jsonl")
    table = render_ideas(stored, "csv")
    harmless(lines)
    harmless(table)
    assert [json.loads(line) for line in lines.split("\n") if line] == json.loads(json.dumps(stored))
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    for key in ("name", "instruction", "quote"):
        assert [from_csv_cell(row[key]) for row in rows] == [one[key] for one in stored]
    for name, text in (("ideas.jsonl", lines), ("ideas.csv", table)):
        (tmp_path / name).write_bytes(text.encode())
        good, problems = read_ideas(tmp_path / name, template)
        # Blank or too long for a researcher's own idea, as these are when they come back.
        short = [one for one in stored if 0 < len(" ".join(one["instruction"].replace("\0", " ").split())) <= 600]
        assert [one.instruction for one in good] == [
            " ".join(one["instruction"].replace("\0", " ").split()) for one in short
        ]
        assert len(problems) == len(stored) - len(short)


def test_report_folder_and_exports(hostile, tmp_path):
    with Store(hostile) as store:
        write_report(store, RUN, tmp_path / "report")
        export_candidate(store, RUN, "g01-s03", tmp_path)
        candidate = store.runs.candidate(RUN, "g01-s03")
        run, idea = store.runs.get(RUN), store.ideas.get(candidate.idea_id)
        paper = store.papers.get(idea.paper_id)
    report = json.loads((tmp_path / "report" / "report.json").read_text("utf-8"))
    assert report["run"]["name"] == run.name
    assert {one["id"]: one["change"] for one in report["models"]}[candidate.id] == candidate.change
    lineage = json.loads((tmp_path / "g01-s03" / "lineage.json").read_text("utf-8"))[0]
    assert (lineage["change"], lineage["idea"]["name"]) == (candidate.change, idea.name)
    assert (lineage["paper"]["title"], lineage["paper"]["authors"]) == (paper.title, list(paper.authors))
    source = (tmp_path / "g01-s03" / "backbone.py").read_bytes().decode()
    head, _, rest = source.partition("\n\n")
    assert rest.endswith(candidate.source) and all(line.startswith("#") for line in head.split("\n"))
    assert f"# Change: {escape(one_line(candidate.change))}" in head
    ideas = unmarked((tmp_path / "g01-s03" / "ideas.md").read_text("utf-8"))
    for text in (idea.name, idea.instruction, paper.title):
        assert one_line(text) in ideas
    for file in (
        *tmp_path.rglob("*.md"),
        *tmp_path.rglob("*.json"),
        *tmp_path.rglob("*.csv"),
        *tmp_path.rglob("*.svg"),
    ):
        harmless(file.read_bytes().decode())


def call(capsys, *arguments) -> tuple[int, str, str]:
    """The command in this process: exit code, output, errors."""
    code = 0
    try:
        main([str(one) for one in arguments])
    except SystemExit as ended:
        code = int(ended.code or 0)
    out, err = (stream.decode() for stream in capsys.readouterr())
    harmless(out)
    harmless(err)
    return code, out, err


def test_commands_that_print(hostile, capsysbinary, tmp_path):
    with Store(hostile) as store:
        ideas, papers = store.ideas.all(), store.papers.all()
    for arguments in (
        ("status",),
        ("papers", "list"),
        ("ideas", "list"),
        ("template", "show"),
        ("report", "--output", tmp_path),
    ):
        assert call(capsysbinary, *arguments, "--db", hostile)[0] == 0
    code, out, _ = call(capsysbinary, "ideas", "list", "--json", "--db", hostile)
    assert [one["instruction"] for one in json.loads(out)] == [idea.instruction for idea in ideas]
    code, out, _ = call(capsysbinary, "papers", "list", "--json", "--db", hostile)
    assert [(one["title"], one["authors"]) for one in json.loads(out)] == [(p.title, list(p.authors)) for p in papers]
    code, out, _ = call(capsysbinary, "ideas", "export", "-", "--db", hostile)
    assert [json.loads(line)["quote"] for line in out.split("\n") if line] == [idea.quote for idea in ideas]
    code, out, _ = call(capsysbinary, "report", "--json", "--db", hostile)
    assert json.loads(out)["run"]["id"] == RUN
    code, out, _ = call(capsysbinary, "status", "--json", "--db", hostile)
    assert json.loads(out)["runs"][0]["run"] == RUN


def test_commands_that_are_given_hostile_texts(capsysbinary, tmp_path):
    db = tmp_path / "own.db"
    texts = [text for text in STRINGS if len(text) < 500][::30]
    for text in (*texts, *with_surrogates()[:5]):
        code, _, err = call(capsysbinary, "ideas", "add", "--sub", "act.hard", "--name", text, "--db", db, "--", text)
        assert code in (0, 2), err
        for arguments in (
            ("ideas", "add", "--sub", text, "--db", db, "--", "x"),
            ("ideas", "list", f"--category={text}", "--db", db),
        ):
            code, _, err = call(capsysbinary, *arguments)
            assert code in (0, 2), err
    with Store(db) as store:
        kept = {idea.instruction for idea in store.ideas.all()}
    assert {" ".join(storable(text).replace("\0", " ").split()) for text in texts} - {""} <= kept


def test_papers_with_hostile_texts(capsysbinary, tmp_path):
    texts = [text for text in STRINGS if len(text) < 2000]
    records = [
        {"title": t, "abstract": t, "authors": [t], "venue": t, "text": f"{t} text {i}"} for i, t in enumerate(texts)
    ]
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/p\xff\x1b[31m.jsonl"))
    file.write_text("\n".join(map(json.dumps, records)), "utf-8")
    found = list(read_papers(str(file)))
    assert len(found) == len(texts)
    code, _, err = call(capsysbinary, "papers", "add", file, tmp_path / "absent\x1b[31337m", "--db", tmp_path / "p.db")
    assert code == 2, err
    assert call(capsysbinary, "papers", "list", "--db", tmp_path / "p.db")[0] == 0


PANEL = """
import json, sys
from fairnad_tui.displays import RichPanel
with RichPanel() as panel:
    for text in json.load(open(sys.argv[1])):
        panel.show({"event": "state", "job": text, "state": text, "message": text, "done": 1, "total": 2, "unit": text})
        panel.activity({text: text})
print("the end")
"""


def test_on_a_terminal(hostile, tmp_path):
    texts = tmp_path / "texts.json"
    texts.write_text(json.dumps([text for text in STRINGS if len(text) < 500][::5]))
    python = [sys.executable, "-m", "fairnad_tui"]
    for command in (
        [*python, "ideas", "list", "--db", str(hostile)],
        [*python, "status", "--db", str(hostile)],
        [sys.executable, "-c", PANEL, str(texts)],
    ):
        terminal = Terminal(command, size=(100, 30), environment=environment(TERM="xterm-256color"))
        try:
            while terminal._read(60):
                pass
        finally:
            terminal.close()
        assert b"Traceback" not in terminal.output
        assert len(terminal.output) > 500
        assert not foreign(terminal.output.decode().replace("\r\n", "\n"))
