"""``papers keep`` and ``papers drop``: a person's word about papers from the command line."""

from __future__ import annotations

import asyncio
import json

import pytest

from fairnad_engine.knowledge.papers import read_papers
from fairnad_engine.knowledge.structuring import structure
from fairnad_engine.llm.protocol import Extraction, Screening
from fairnad_engine.resources import data_folder
from fairnad_engine.search.control import Control
from fairnad_engine.store import Store
from fairnad_engine.workspace import template_of
from fairnad_tui.cli import main


class Refuses:
    """A model that leaves every paper out."""

    name = "ollama:m"

    def __init__(self):
        self.extracted = []

    def screen(self, paper):
        return Screening(False, "about cats")

    def extract(self, paper, template):
        self.extracted.append(paper.id)
        return Extraction(())


def read(store, reread=True):
    reader, job = Refuses(), store.jobs.create("structure", {}, None)
    template = template_of(store)[0]
    work = structure(store, reader, template, job_id=job.id, control=Control(), activity=lambda *_: None, reread=reread)
    asyncio.run(work)
    return reader.extracted


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "w.db") as opened:
        for name in ("2017-densenet.md", "2018-senet.md"):
            for paper in read_papers(str(data_folder("sample_papers") / name)):
                opened.papers.add(paper)
        read(opened)
        yield opened


@pytest.fixture
def call(store, capsys):
    def run(*arguments):
        try:
            main(["papers", *arguments, "--db", str(store.path)])
        except SystemExit as ended:
            assert ended.code == 2
        return capsys.readouterr()

    return run


def words(store):
    return [(one.relevant, one.screened_by, one.reason) for one in store.papers.listing()]


def test_a_word_stands_over_a_models_with_its_reason(store, call):
    first, second = (one.id for one in store.papers.listing())
    assert words(store) == [(False, "ollama:m", "about cats")] * 2
    told = call("keep", first[:9], "--reason", "dense\x1b[2J links")
    assert told.out.startswith(f"kept: {first[:8]} ") and "fairnad-tui structure" in told.err
    assert words(store)[0][:2] == (True, "person")
    assert "\x1b" not in words(store)[0][2] and words(store)[0][2].startswith("dense")
    assert read(store) == [first]  # though nothing but a person's word has changed
    assert read(store, reread="all") == [first] and words(store)[1] == (False, "ollama:m", "about cats")
    assert json.loads(call("list", "--json").out)[0]["reason"].startswith("dense")
    assert call("drop", first, second).out.count("left out: ") == 2
    assert words(store) == [(False, "person", "")] * 2
    assert read(store, reread="all") == []


def test_all_or_none(store, call):
    first = store.papers.listing()[0].id
    told = call("keep", first, "nothing")
    assert told.out == "" and "see: papers list" in told.err
    assert words(store) == [(False, "ollama:m", "about cats")] * 2
