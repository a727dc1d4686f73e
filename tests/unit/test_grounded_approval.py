"""Whatever reads the papers: what a policy approves is quoted as it stands in its paper, character by character."""

import asyncio
import json
import random
import sqlite3

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from fairnad_engine.knowledge.paper_layout import find_sections
from fairnad_engine.knowledge.papers import PaperText, read_papers
from fairnad_engine.knowledge.rules_reader import RulesReader
from fairnad_engine.knowledge.sentences import sentence_spans
from fairnad_engine.knowledge.structuring import apply_policy, structure
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.chat import ChatReply
from fairnad_engine.llm.chat_reader import ChatReader
from fairnad_engine.llm.protocol import Extraction, IdeaDraft, Screening
from fairnad_engine.llm.replies import read
from fairnad_engine.resources import data_folder
from fairnad_engine.search.control import Control
from fairnad_engine.store import Store
from fairnad_engine.store.schema_grounding import migrations
from fairnad_tui.cli import group

TEMPLATE = Template.load()


def garbled(quote, draws):
    """A quote as a model may write it down: as it is, with slips, other signs, other words, or made up."""
    words = quote.split()
    at = draws.randrange(len(words))
    word = words[at]
    cut = draws.randrange(len(word))
    ways = (
        quote,
        " ".join(words),
        quote.upper(),
        quote.replace("-", "‐").replace("x", "×"),
        " ".join([*words[:at], word[:cut] + word[cut + 1 :], *words[at + 1 :]]),
        " ".join([*words[:at], word[:cut] + "e" + word[cut:], *words[at + 1 :]]),
        " ".join([*words[:at], "never", *words[at:]]),
        " ".join(words[:at] + words[at + 1 :]),
        " ".join(words[max(0, at - 3) : at + 3]),
        f"{quote} And we say so again.",
        "\u200b".join(words),
        "A sentence that no paper of this workspace ever held, I am afraid.",
    )
    return draws.choice(ways) or quote


class Garbling:
    """A chat model that finds design ideas everywhere and quotes badly."""

    name = "ollama:garbling"

    def __init__(self, papers, seed):
        self.sentences = [
            paper.text[start:end] for paper in papers for start, end in sentence_spans(paper.text, 0, len(paper.text))
        ]
        self.draws = random.Random(seed)

    def chat(self, system, user, schema, purpose, *, max_tokens, temperature=0.0, seed=0):
        if purpose == "screen":
            document = {"reason": "yes", "relevant": True}
        else:
            subs = [line[2:].split(":")[0] for line in user.splitlines() if line.startswith("- ") and "." in line]
            document = {"ideas": [self.idea(subs[-1]) for _ in range(3)]}
        text = json.dumps(document)
        return ChatReply(text, read(text, schema), 100, 10, 0.1, "h", True)

    def idea(self, sub):
        quote = garbled(self.draws.choice(self.sentences), self.draws)
        number = self.draws.randrange(10**9)
        return {"quote": quote[:500], "sub": sub, "name": "n", "instruction": f"Do {number}."}


def approved(folder, papers, reader):
    with Store(folder / "fairnad.db") as store:
        for paper in papers:
            store.papers.add(paper)
        work = structure(store, reader, TEMPLATE, job_id="j", control=Control(), activity=lambda *_: None)
        asyncio.run(work)
        proposed = store.ideas.all("proposed")
        apply_policy(store, "grounded")
        return store.ideas.all("approved"), proposed


def holds(ideas, papers):
    texts = {paper.id: paper.text for paper in papers}
    for idea in ideas:
        assert idea.decided_by == "policy:grounded"
        assert idea.span is not None and idea.quote.strip()
        assert texts[idea.paper_id][slice(*idea.span)] == idea.quote
        assert texts[idea.paper_id].find(idea.quote) >= 0


@pytest.fixture(scope="module")
def samples():
    return [one for one in read_papers(str(data_folder("sample_papers"))) if isinstance(one, PaperText)]


def test_rules_on_the_sample_papers(tmp_path, samples):
    ideas, proposed = approved(tmp_path, samples, RulesReader())
    assert len(ideas) == len(proposed) > 100
    assert {(one.grounded_by, one.grounding_score, one.quote_given) for one in ideas} == {("exact", 1.0, "")}
    holds(ideas, samples)


def test_a_model_that_quotes_badly_on_the_sample_papers(tmp_path, samples):
    ideas, proposed = approved(tmp_path, samples, ChatReader(Garbling(samples, 7)))
    holds(ideas, samples)
    ways = {way: [one for one in ideas if one.grounded_by == way] for way in ("exact", "tolerant", "fuzzy")}
    assert all(len(found) >= 5 for found in ways.values())
    assert all(0 < one.grounding_score < 1 and one.quote_given for one in ways["fuzzy"])
    assert all(one.quote_given != one.quote for one in ways["fuzzy"])
    left = [one for one in proposed if one.span is None]
    assert len(left) > 100
    assert not {one.id for one in left} & {one.id for one in ideas}


TEXTS = st.lists(
    st.text(alphabet=st.sampled_from("abc deé-\n.,×“”ﬁ\u200b\u00ad*İß0123 "), min_size=1, max_size=300), min_size=1
).map("\n\n".join)


@pytest.mark.slow
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(texts=st.lists(TEXTS, min_size=1, max_size=3), seed=st.integers(0, 99))
def test_on_papers_of_any_text(tmp_path_factory, texts, seed):
    papers = [
        PaperText(f"p{number}", f"Paper {number}", (), None, "", "", "a", text, "-", find_sections(text))
        for number, text in enumerate(texts)
    ]
    model = Garbling(papers, seed)
    model.sentences = [one for one in model.sentences if one.split()] or ["no sentence here"]
    for name, reader in (("rules", RulesReader()), ("chat", ChatReader(model))):
        ideas, _ = approved(tmp_path_factory.mktemp(name), papers, reader)
        holds(ideas, papers)


@pytest.mark.parametrize("span", [None, (1, 9), (0, 7), (500, 508)])
def test_a_policy_looks_itself(tmp_path, span):
    """Whatever the span says, the quote must stand there."""

    class Lying:
        name = "lying"

        def screen(self, paper):
            return Screening(True, "")

        def extract(self, paper, template):
            return Extraction((IdeaDraft("conv", "conv.depthwise", "n", "Use it.", "is here.", span, "exact", 1.0),))

    paper = PaperText("p", "t", (), None, "", "", "a", "It is here. Is Here.", "-", ())
    ideas, proposed = approved(tmp_path, [paper], Lying())
    assert (len(proposed), ideas) == (1, [])


def test_an_older_workspace_opens_and_says_nothing_about_how(tmp_path):
    path = tmp_path / "fairnad.db"
    with Store(path) as store:
        store.papers.add(PaperText("p", "t", (), None, "", "", "a", "It is here.", "-", ()))
        draft = IdeaDraft("conv", "conv.depthwise", "n", "Use it.", "is here", (3, 10))
        store.ideas.file_extracted("p", [draft], TEMPLATE, "x")
    database = Database(sqlite3.connect(path))
    for column in ("grounded_by", "grounding_score", "quote_given"):
        database.conn.execute(f"ALTER TABLE ideas DROP COLUMN {column}")
    database.conn.execute("DELETE FROM _sqlite_migrations WHERE name = 'm014_grounding'")
    database.conn.commit()
    assert [one.name for one in migrations.pending(database)] == ["m014_grounding"]
    database.close()
    with Store(path) as store:
        (idea,) = store.ideas.all()
        assert (idea.grounded, idea.grounded_by, idea.grounding_score, idea.quote_given) == (True, "", None, "")
        assert apply_policy(store, "grounded") == 1


def test_show_says_how_a_quote_was_found(tmp_path):
    path = tmp_path / "fairnad.db"
    with Store(path) as store:
        store.papers.add(PaperText("p", "A [b]title", (), None, "", "", "a", "It\nis here.", "-", ()))
        draft = ("conv", "conv.depthwise", "n")
        drafts = [
            IdeaDraft(*draft, "One.", "It\nis here.", (0, 11), "fuzzy", 0.976, "It is heer. \x1b[31m"),
            IdeaDraft(*draft, "Two.", "nowhere", None),
            IdeaDraft(*draft, "Three.", "is here", (3, 10), "exact", 1.0),
        ]
        store.ideas.file_extracted("p", drafts, TEMPLATE, "x")
        one, two, three = (idea.id for idea in store.ideas.all())

    def said(*arguments):
        return CliRunner().invoke(group, ["ideas", "show", *arguments, "--db", str(path)])

    shown = said(one[:8]).output
    assert "quote     It is here.\n" in shown and "paper     A [b]title\n" in shown
    assert "grounded  yes (fuzzy, 97.6 % alike), characters 0 to 11\nas given  It is heer. ␛[31m\n" in shown
    assert "grounded  no\n" in said(two).output and "as given" not in said(two).output
    assert "grounded  yes (exact, 100.0 % alike), characters 3 to 10\n" in said(three).output
    document = json.loads(said(one, "--json").output)
    assert (document["grounded_by"], document["grounding_score"], document["paper"]) == ("fuzzy", 0.976, "A [b]title")
    assert document["quote_given"] == "It is heer. \x1b[31m"
    failed = said("nothing")
    assert failed.exit_code != 0
