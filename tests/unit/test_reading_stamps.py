"""When a paper is read again: what its stamp holds, and what becomes of ideas that a person has decided about."""

from __future__ import annotations

import ast
import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fairnad_engine.knowledge import reading_stamps
from fairnad_engine.knowledge.papers import read_papers
from fairnad_engine.knowledge.reading_stamps import RULES_PARTS, reading_stamp, to_read
from fairnad_engine.knowledge.rules_reader import RulesReader
from fairnad_engine.knowledge.structuring import structure
from fairnad_engine.knowledge.template_edit import merge
from fairnad_engine.knowledge.template_history import apply_edit
from fairnad_engine.llm.protocol import IdeaDraft
from fairnad_engine.resources import data_folder
from fairnad_engine.search.control import Control
from fairnad_engine.store import Store
from fairnad_engine.store.knowledge_records import INCOMPLETE
from fairnad_engine.workspace import template_of

ENGINE = Path(reading_stamps.__file__).parent.parent
# What the reader is given or answers in, and reading of files; each is hashed elsewhere or decides of no idea.
_MATERIAL = {"papers", "paper_layout", "template", "protocol", "replies", "resources"}


@pytest.fixture
def fresh_digests(monkeypatch):
    """Digests as of another installation of the program, whose data lie in a folder of their own."""

    def clear():
        reading_stamps._rules_digest.cache_clear()
        reading_stamps._chat_digest.cache_clear()

    def at(folder):
        clear()
        monkeypatch.setattr(reading_stamps, "template_file", lambda *parts: folder.joinpath(*parts))

    yield at
    monkeypatch.undo()
    clear()


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "w.db") as opened:
        for name in ("2017-densenet.md", "2018-senet.md"):
            for paper in read_papers(str(data_folder("sample_papers") / name)):
                opened.papers.add(paper)
        yield opened


def read(store, reread=True):
    job = store.jobs.create("structure", {}, None)
    return asyncio.run(
        structure(
            store, RulesReader(), template_of(store)[0], job_id=job.id, control=Control(),
            activity=lambda *_: None, reread=reread,
        )
    )  # fmt: skip


def library(store):
    return [(one.id, one.status, one.decided_by, one.sub, one.instruction) for one in store.ideas.all()]


def marks(store):
    return {one.structured_by for one in store.papers.listing()}


def of_an_old_program(store):
    """Mark the papers as a program did whose stamp was the model's name and the template's digest."""
    template = template_of(store)[0]
    for paper in store.papers.listing():
        store.ideas.file_extracted(paper.id, (), template, f"rules/{template.digest}")


def imported_by(module: Path) -> set[Path]:
    found = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fairnad_engine."):
            path = ENGINE.joinpath(*node.module.split(".")[1:]).with_suffix(".py")
            if path.stem not in _MATERIAL:
                found.add(path)
    return found


def test_every_part_of_the_built_in_reader_is_in_its_digest():
    known, new = set(), {ENGINE / "knowledge" / "rules_reader.py"}
    while new:
        known |= new
        new = {other for one in new for other in imported_by(one)} - known
    assert {str(one.relative_to(ENGINE)) for one in known} == set(RULES_PARTS)


def test_a_stamp_tells_model_weights_template_and_prompts_apart():
    stamp = reading_stamp("ollama:hf.co/a/b", "t1", "sha256:1")
    mark = str(stamp)
    assert mark.rpartition("/")[0] == "ollama:hf.co/a/b"
    assert stamp.covers(mark)
    assert not stamp.covers(f"{mark}{INCOMPLETE}") and stamp.covers(f"{mark}{INCOMPLETE}", in_part=True)
    assert reading_stamp("ollama:hf.co/a/b", "t1").covers(mark)  # weights that nobody asked for
    for other in (
        reading_stamp("ollama:hf.co/a/b", "t1", "sha256:2"),
        reading_stamp("ollama:hf.co/a/b", "t2", "sha256:1"),
        reading_stamp("ollama:hf.co/a", "t1", "sha256:1"),
        reading_stamp("ollama:hf.co/a/b", "t2"),
    ):
        assert not other.covers(mark)
    assert not stamp.covers("ollama:hf.co/a/b/t1") and not stamp.covers("")
    assert not reading_stamp("rules", "t1").covers("rules/t1")


@pytest.mark.parametrize(
    ("file", "model"),
    [("prompts/screen.j2", "ollama:m"), ("prompts/extract.j2", "ollama:m"), ("reading.json", "rules")],
)
def test_what_is_read_again_after_a_change_of_prompt_or_weights(tmp_path, fresh_digests, file, model):
    folder = shutil.copytree(data_folder("templates"), tmp_path / "templates")
    fresh_digests(folder)
    before, other = str(reading_stamp(model, "t")), {"rules": "ollama:m"}.get(model, "rules")
    others = str(reading_stamp(other, "t"))
    with (folder / file).open("a", encoding="utf-8") as changed:
        changed.write(" ")
    fresh_digests(folder)
    assert not reading_stamp(model, "t").covers(before)
    assert reading_stamp(other, "t").covers(others)


def test_papers_are_read_again_only_where_the_reading_is_another_one(store, tmp_path, fresh_digests):
    assert read(store).papers == 2
    before = library(store)
    assert read(store).papers == 0
    folder = shutil.copytree(data_folder("templates"), tmp_path / "templates")
    with (folder / "reading.json").open("a", encoding="utf-8") as changed:
        changed.write(" ")
    fresh_digests(folder)
    assert read(store, reread=False).papers == 0
    assert read(store).papers == 2
    assert library(store) == before
    assert read(store).papers == 0
    assert read(store, reread="all").papers == 2
    assert library(store) == before


def test_after_an_old_program_papers_are_read_again_and_what_was_decided_stays(store):
    read(store)
    ideas = store.ideas.all()
    approved, rejected, edited, moved = (one.id for one in ideas[:4])
    store.ideas.decide([approved], "approved", "person")
    store.ideas.decide([rejected], "rejected", "person")
    store.ideas.edit(edited, {"instruction": "Do it as I say."}, "person")
    place = next(one for one in ideas if one.main != store.ideas.get(moved).main)
    store.ideas.edit(moved, {"sub": place.sub, "main": place.main, "level": place.level}, "person")
    of_an_old_program(store)
    before = library(store)
    papers = store.papers.listing()
    stamp = reading_stamp("rules", template_of(store)[0].digest)
    assert to_read(papers, stamp, True) == [one.id for one in papers] and to_read(papers, stamp, False) == []
    done = read(store)
    assert (done.papers, done.ideas) == (2, 0)
    assert library(store) == before
    assert all(stamp.covers(mark) for mark in marks(store)) and read(store).papers == 0


def test_an_idea_that_was_edited_and_then_refiled_is_not_added_twice(store):
    paper, template = store.papers.listing()[0].id, template_of(store)[0]
    draft = IdeaDraft("conv", "conv.grouped", "Groups", "Use four groups.", "", None)
    assert store.ideas.file_extracted(paper, [draft], template, "an old program's") == 1
    (idea,) = store.ideas.all()
    store.ideas.edit(idea.id, {"instruction": "Use eight groups."}, "person")
    apply_edit(store, merge(template, "conv.grouped", "conv.dilated"))
    again = replace(draft, sub=store.ideas.get(idea.id).sub)
    assert again.sub == "conv.dilated"
    assert store.ideas.file_extracted(paper, [again], template_of(store)[0], "a new one's") == 0
    other = replace(again, instruction="Use two groups.")
    assert store.ideas.file_extracted(paper, [other], template_of(store)[0], "a new one's") == 1


def test_one_that_was_read_in_part_is_read_again_by_a_further_job_alone(store):
    read(store)
    first, _ = store.papers.listing()
    stamp = reading_stamp("rules", template_of(store)[0].digest)
    store.ideas.file_extracted(first.id, (), template_of(store)[0], f"{stamp}{INCOMPLETE}")
    assert to_read(store.papers.listing(), stamp, True) == [first.id]
    assert to_read(store.papers.listing(), stamp, True, in_part=True) == []
