"""Structuring several papers at once: what is stored, in which case it ends, and what onlookers see."""

from __future__ import annotations

import asyncio
import threading

import pytest

from fairnad_engine.errors import ModelUnavailableError
from fairnad_engine.knowledge.pace import SUBJECT, Pace
from fairnad_engine.knowledge.paper_layout import find_sections
from fairnad_engine.knowledge.paper_streams import PaperStreams
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.knowledge.structuring import structure
from fairnad_engine.llm.chat_reader import ReadRefusedError
from fairnad_engine.llm.protocol import Extraction, IdeaDraft, ModelCall, Screening
from fairnad_engine.search.control import Control, StopRequestedError
from fairnad_engine.store import Store
from fairnad_engine.workspace import read_stream, stream_folder, template_of


def paper(number):
    text = f"Paper {number} says something about blocks."
    return PaperText(
        id=f"{number:016x}", title=f"Paper {number}", authors=(), year=2000 + number, venue="", arxiv="",
        abstract=text, text=text, source="-", sections=find_sections(text),
    )  # fmt: skip


class Reader:
    """Answers at once, unless told to meet others first; knows how many papers were in hand at a time."""

    name = "ollama:tiny"

    def __init__(self, meet=1, on_text=lambda _: None):
        self.barrier = threading.Barrier(meet, timeout=60)
        self.on_text = on_text
        self.screened, self.extracted = [], []
        self.before_screen = lambda _: None
        self.before_extract = lambda _: None

    def screen(self, paper):
        self.screened.append(paper.title)
        self.before_screen(paper)
        self.barrier.wait()
        self.on_text(f"screened {paper.title}")
        return Screening(paper.year % 2 == 0, f"because {paper.year}", (ModelCall("screen", self.name, "h"),))

    def extract(self, paper, template):
        self.extracted.append(paper.title)
        self.before_extract(paper)
        self.on_text(f" and read {paper.title}")
        draft = IdeaDraft("conv", "conv.depthwise", "n", f"Do as {paper.title}", "says", (8, 12))
        return Extraction((draft,), (ModelCall("extract", self.name, "h"),))


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "w.db") as opened:
        for number in range(6):
            opened.papers.add(paper(number))
        yield opened


def run(store, reader, lanes=2, **other):
    told = []
    job = store.jobs.create("structure", {}, None)
    values = {"control": Control(), "activity": lambda *said: told.append(said), "lanes": lanes, **other}
    return asyncio.run(structure(store, reader, template_of(store)[0], job_id=job.id, **values)), told


def stored(store):
    return (
        [(p.id, p.relevant, p.reason, p.screened_by, p.structured_by) for p in store.papers.all()],
        sorted((i.id, i.paper_id, i.sub, i.instruction) for i in store.ideas.all()),
        sorted((c.purpose, c.calls) for c in store.calls.totals()),
    )


def test_papers_are_in_hand_together_and_the_outcome_is_that_of_one_lane(store, tmp_path):
    reader = Reader(meet=3)  # three at once, or the barrier breaks
    done, told = run(store, reader, lanes=3)
    assert (done.papers, done.ideas, done.refused) == (6, 3, 0)
    with Store(tmp_path / "other.db") as other:
        for number in range(6):
            other.papers.add(paper(number))
        run(other, Reader(), lanes=1)
        assert stored(other) == stored(store)
    assert told.count((paper(0).id, "")) == 1
    assert (paper(0).id, "screening: Paper 0") in told
    assert (paper(0).id, "extracting: Paper 0") in told
    assert (paper(1).id, "extracting: Paper 1") not in told


def test_each_paper_streams_to_its_own_file(store):
    job = "job-1"
    streams = PaperStreams(stream_folder(store.path, job))
    run(store, Reader(meet=3, on_text=streams.write), lanes=3, streams=streams)
    assert read_stream(store.path, job, paper(0).id) == "screened Paper 0 and read Paper 0"
    assert read_stream(store.path, job, paper(1).id) == "screened Paper 1"
    assert read_stream(store.path, job, paper(0).id, limit=7) == "Paper 0"
    assert read_stream(store.path, job, "nothing") == ""
    streams.write("to nobody")


def test_a_cut_through_a_character_is_no_matter(tmp_path):
    streams = PaperStreams(stream_folder(tmp_path / "w.db", "job-1"))
    with streams.of("p"):
        streams.write("aé\ud800")
    assert read_stream(tmp_path / "w.db", "job-1", "p", limit=7) == "\\ud800"
    assert read_stream(tmp_path / "w.db", "job-1", "p", limit=6) == "\\ud800"
    assert read_stream(tmp_path / "w.db", "job-1", "p", limit=8) == "é\\ud800"


def test_a_persons_word_stands_even_while_the_model_reads(store):
    store.papers.override(paper(0).id, False)

    def decide(paper_id, doing):
        if doing == "screening: Paper 2":
            store.papers.override(paper_id, False)

    reader = Reader()
    run(store, reader, activity=decide)
    found = {p.title: (p.relevant, p.screened_by) for p in store.papers.all()}
    assert found["Paper 0"] == found["Paper 2"] == (False, "person")
    assert "Paper 0" not in reader.screened
    assert reader.extracted == ["Paper 4"]


def test_one_kept_after_all_is_read_again(store):
    run(store, Reader())
    store.papers.override(paper(1).id, True)
    reader = Reader()
    assert run(store, reader)[0].papers == 1
    assert (reader.screened, reader.extracted) == ([], ["Paper 1"])


def test_papers_read_with_another_template_are_read_again_only_on_request(store):
    run(store, Reader())
    store.papers.add(paper(7))
    other = Reader()
    other.name = "rules"
    assert run(store, other, reread=False)[0].papers == 1
    assert run(store, other)[0].papers == 6


def test_an_idea_that_an_edit_refiled_is_not_added_twice(store):
    from fairnad_engine.knowledge.template_edit import merge
    from fairnad_engine.knowledge.template_history import apply_edit

    run(store, Reader())
    apply_edit(store, merge(template_of(store)[0], "conv.grouped", "conv.dilated"))
    assert run(store, Reader())[0].ideas == 0
    assert len(store.ideas.all()) == 3


def test_a_refusal_is_recorded_and_the_rest_goes_on(store):
    def refuse(one):
        if one.title == "Paper 2":
            raise ReadRefusedError("malformed-reply", "no JSON", (ModelCall("screen", "ollama:tiny", "h"),))

    def refuse_to_extract(one):
        if one.title == "Paper 4":
            raise ReadRefusedError("truncated-reply", "cut", ())

    reader = Reader()
    reader.before_screen, reader.before_extract = refuse, refuse_to_extract
    done, told = run(store, reader)
    assert (done.papers, done.refused) == (4, 2)
    found = {p.title: p for p in store.papers.all()}
    assert (found["Paper 2"].relevant, found["Paper 2"].screened_by, found["Paper 2"].structured_by) == (None, "", "")
    assert "malformed-reply" in found["Paper 2"].reason
    assert (found["Paper 4"].relevant, found["Paper 4"].structured_by) == (True, "")
    assert (paper(2).id, "") in told
    assert run(store, Reader())[0].papers == 2


def test_a_lost_server_ends_all_lanes(store):
    reader = Reader()

    def lost(one):
        raise ModelUnavailableError("gone")

    reader.before_screen = lost
    with pytest.raises(ModelUnavailableError, match="gone"):
        run(store, reader)
    assert len(reader.screened) <= 2


def test_a_stop_keeps_the_papers_in_hand(store):
    control = Control()
    reader = Reader()
    reader.before_extract = lambda _: control.handle("stop")
    with pytest.raises(StopRequestedError):
        run(store, reader, control=control)
    structured = [p for p in store.papers.all() if p.structured_by]
    assert 1 <= len(structured) <= 3
    assert all(p.structured_by or p.relevant is None for p in store.papers.all())


class Counting(Reader):
    """Each screening takes 60 tokens, each extraction 40."""

    def screen(self, paper):
        found = super().screen(paper)
        call = ModelCall("screen", self.name, "h", prompt_tokens=50, completion_tokens=10)
        return Screening(found.relevant, found.reason, (call,))

    def extract(self, paper, template):
        found = super().extract(paper, template)
        call = ModelCall("extract", self.name, "h", prompt_tokens=30, completion_tokens=10)
        return Extraction(found.ideas, (call,))


def test_no_paper_is_begun_beyond_the_tokens_and_the_next_job_goes_on(store):
    # Papers of even years are extracted: 100 tokens, the others 60.
    done, _ = run(store, Counting(), lanes=1, max_tokens=161)
    assert (done.papers, done.left) == (3, 3)  # 160 after two, so a third one is begun
    done, _ = run(store, Counting(), lanes=1, max_tokens=160)
    assert (done.papers, done.left) == (2, 1)
    done, _ = run(store, Counting(), lanes=1)
    assert (done.papers, done.left) == (1, 0)
    assert all(paper.structured_by for paper in store.papers.all())


def test_pace_is_told_after_each_paper_and_ends_with_the_job(store):
    _, told = run(store, Counting(), lanes=1)
    said = [text for subject, text in told if subject == SUBJECT]
    assert said[0] == "1 of 6 papers, 100 tokens"
    assert said[5].startswith("6 of 6 papers, 480 tokens") and "left" not in said[5]
    assert "about" in said[3] and said[-1] == ""


def test_the_rest_is_reckoned_at_the_pace_so_far():
    now = [100.0]
    pace = Pace(1149, clock=lambda: now[0])
    for _ in range(2):
        pace.paper()
    assert pace.seconds_left is None
    pace.paper()
    now[0] += 300.0
    assert pace.seconds_left == pytest.approx(100.0 * 1146)
    assert str(pace) == "3 of 1,149 papers, about 31.8 h left"
    for elapsed, told in ((3, "19 min"), (0.2, "76 s"), (900, "4.0 days")):
        now[0] = 100.0 + elapsed
        assert f"about {told} left" in str(pace)
