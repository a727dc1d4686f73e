"""Imported and hand-written ideas have a policy of their own, which is recorded as the decider."""

from __future__ import annotations

import asyncio

import pytest

from fairnad_engine.knowledge.papers import read_papers
from fairnad_engine.knowledge.structuring import apply_policies, apply_policy
from fairnad_engine.llm.protocol import IdeaDraft
from fairnad_engine.reading_jobs import structure_papers
from fairnad_engine.resources import data_folder
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.control import Control
from fairnad_engine.search.study_runs import papers_job
from fairnad_engine.store import Store
from fairnad_engine.workspace import create_structure_job, template_of
from fairnad_tui.cli import main

GIVEN = [("conv.depthwise", "One", "Use depthwise filters"), ("conv.grouped", "Two", "Use four groups")]


@pytest.fixture
def store(tmp_path):
    """Two imported ideas, a hand-written one that waits, a rejected one, and one of a paper without its quote."""
    with Store(tmp_path / "w.db") as opened:
        template, _ = template_of(opened)
        opened.ideas.add_imported(template, GIVEN, approve=False)
        opened.ideas.add_imported(template, [("conv.dilated", "No", "Use holes")], approve=False)
        opened.ideas.add_own(template, "conv.dilated", "Mine", "Use larger holes", status="proposed")
        refused = next(one.id for one in opened.ideas.all() if one.name == "No")
        opened.ideas.decide([refused], "rejected", "person")
        for paper in read_papers(str(data_folder("sample_papers") / "2018-senet.md")):
            opened.papers.add(paper)
            draft = IdeaDraft("conv", "conv.grouped", "Theirs", "Use three groups", "never said", None)
            opened.ideas.file_extracted(paper.id, [draft], template, "m")
        yield opened


def states(store):
    return {one.name: (one.status, one.decided_by) for one in store.ideas.all()}


BEFORE = {
    "One": ("imported", ""),
    "Two": ("imported", ""),
    "Mine": ("proposed", ""),
    "No": ("rejected", "person"),
    "Theirs": ("proposed", ""),
}
AFTER = {**BEFORE, **dict.fromkeys(("One", "Two", "Mine"), ("approved", "policy:imported"))}


def test_it_approves_what_waits_and_nothing_else(store):
    assert apply_policies(store, "grounded", "keep") == (0, 0)
    assert states(store) == BEFORE
    assert apply_policies(store, "none", "approve") == (0, 3)
    assert states(store) == AFTER
    assert apply_policy(store, "imported") == 0
    undone = store.journal.undo()
    assert len(undone.ids) == 3 and states(store) == BEFORE


def test_what_people_brought_stands_for_what_a_paper_says_too(store):
    template, paper = template_of(store)[0], store.papers.all()[0]
    quote = paper.text[:60]
    draft = IdeaDraft("conv", "conv.depthwise", "Same", "Use depthwise filters", quote, (0, 60), "exact", 1.0)
    store.ideas.file_extracted(paper.id, [draft], template, "m")
    assert apply_policies(store, "grounded-unique", "approve") == (0, 3)
    assert states(store)["Same"] == ("proposed", "")


@pytest.mark.parametrize(("imported", "after"), [("keep", BEFORE), ("approve", AFTER)])
def test_the_setting_decides_at_the_end_of_a_job_and_of_a_study_without_papers_to_read(store, imported, after):
    curation = {"policy": "none", "imported": imported}
    config = RunConfig.model_validate({"model": {"llm": "rules"}, "curation": curation, "papers": {"reread": False}})
    told = asyncio.run(structure_papers(store, create_structure_job(store, config), Control(), lambda *_: None))
    assert ("3 imported or hand-written ones by policy imported" in told) is (imported == "approve")
    assert states(store) == after
    if imported == "approve":
        store.journal.undo()
    assert papers_job(store, config) is None
    assert states(store) == after


def test_the_command(store, capsys):
    main(["ideas", "approve", "--policy", "imported", "--db", str(store.path)])
    assert capsys.readouterr().out == "3 ideas approved\n"
    assert states(store) == AFTER
