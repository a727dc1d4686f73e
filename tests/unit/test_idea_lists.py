"""NADER's idea lists: ``{id, paper_id, inspiration}`` as a JSON list and as JSON Lines."""

from __future__ import annotations

import json

import pytest

from fairnad_engine.knowledge.idea_files import read_ideas
from fairnad_engine.knowledge.template import Template
from fairnad_tui.cli import main

IDEAS = [
    {"id": 0, "paper_id": 12, "inspiration": "Replace the 3x3 convolution by a depthwise convolution of 7x7."},
    {"id": 1, "paper_id": "34", "inspiration": "Use squeeze-and-excitation\nafter the last convolution of a block."},
    {"id": 2, "paper_id": 56, "inspiration": "Have a nice day."},
    {"id": 3, "paper_id": 78, "inspiration": ""},
    {"sub": "conv.depthwise", "instruction": "Use depthwise convolutions."},
]


def written(tmp_path, form):
    file = tmp_path / f"ideas.{form}"
    lines = form == "jsonl"
    file.write_text("\n".join(map(json.dumps, IDEAS)) if lines else json.dumps(IDEAS, indent=1))
    return file


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_both_forms_are_filed_by_cues(tmp_path, form):
    good, problems = read_ideas(written(tmp_path, form), Template.load())
    assert [one.sub for one in good] == ["conv.depthwise", "gate.squeeze-excitation", "conv.depthwise"]
    assert good[1].instruction == "Use squeeze-and-excitation after the last convolution of a block."
    (unfiled,) = problems
    assert "2 ideas speak of no sub-category" in unfiled
    assert ":3, 4:" in unfiled if form == "jsonl" else ":12, 17:" in unfiled


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_they_are_imported_and_wait_for_a_decision(tmp_path, capsys, form):
    def call(*arguments):
        code = 0
        try:
            main([*map(str, arguments), "--db", str(tmp_path / "w.db")])
        except SystemExit as ended:
            code = ended.code
        return code, capsys.readouterr().out

    file = written(tmp_path, form)
    code, out = call("ideas", "import", file)
    assert (code, out.strip()) == (2, "3 ideas imported, 0 were there already")
    listed = json.loads(call("ideas", "list", "--json")[1])
    assert [(one["status"], one["origin"]) for one in listed] == [("imported", "imported")] * 3
    assert "0 ideas imported, 3 were there already" in call("ideas", "import", file)[1]


def test_a_broken_list_names_its_line_and_keeps_what_came_before(tmp_path):
    file = tmp_path / "ideas.json"
    file.write_text('[\n{"sub": "conv.depthwise", "instruction": "Use it."},\n7,\n{broken\n')
    good, problems = read_ideas(file, Template.load())
    assert len(good) == 1
    assert [problem.split(": ")[0].rsplit(":", 1)[1] for problem in problems] == ["3", "4"]
