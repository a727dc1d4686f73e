"""Replies are kept before they are used: what a kill loses, what is asked again, and what stands in the accounts."""

import asyncio
import json
import random
import re
import threading
from dataclasses import replace

import pytest
from llm_server.ollama_protocol import DIGEST, OllamaProtocol, says, serving

from fairnad_engine.knowledge.papers import read_papers
from fairnad_engine.knowledge.reply_keeper import ReplyKeeper
from fairnad_engine.knowledge.structuring import structure
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.chat import ChatReply, TruncatedPromptError, hash_prompt
from fairnad_engine.llm.chat_reader import ChatReader
from fairnad_engine.llm.identified import IdentifiedChat
from fairnad_engine.llm.kept import KeptChat
from fairnad_engine.llm.models import make_author, make_models
from fairnad_engine.llm.protocol import DesignRefusedError, DesignTask, Purpose
from fairnad_engine.llm.replies import read
from fairnad_engine.reading_jobs import structure_papers
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.control import Control
from fairnad_engine.store import Store
from fairnad_engine.workspace import create_structure_job, template_of
from fairnad_tui.commands.running import workspace_status


class KilledError(BaseException):
    """The process is gone: nothing that is not stored is left."""


class Chat:
    """Answers at once, the same prompt always the same; dies at a call, before or after it has answered."""

    name = "ollama:tiny"

    def __init__(self, die_at=None, replies=None):
        self.asked, self.die_at = [], die_at
        self.replies = replies or self.reply
        self.lock = threading.Lock()

    @staticmethod
    def reply(user, form):
        if "ideas" not in form["properties"]:
            return json.dumps({"relevant": True, "reason": "it has blocks"})
        sub = next(iter(re.findall(r"`?([a-z]+\.[a-z-]+)", user.rsplit("category", 1)[-1])), "conv.depthwise")
        idea = {"name": "An idea", "instruction": f"Do it as {hash(user) % 1000}", "quote": "says something about"}
        return json.dumps({"ideas": [{"sub": sub, **idea}]})

    def chat(self, system, user, schema, purpose, *, max_tokens, temperature=0.0, seed=0):
        with self.lock:
            self.asked.append(hash_prompt(system, user, schema))
            if self.die_at is not None and len(self.asked) >= self.die_at:
                raise KilledError
        text = self.replies(user, schema.model_json_schema())
        return ChatReply(text, read(text, schema), 100, 10, 0.5, hash_prompt(system, user, schema), True, "the prompt")


@pytest.fixture
def papers(tmp_path):
    for number in range(3):
        body = f"# Paper {number}\n\n## Abstract\n\nPaper {number} says something about blocks.\n"
        (tmp_path / f"{number}.md").write_text(body)
    return [paper for n in range(3) for paper in read_papers(str(tmp_path / f"{n}.md"))]


@pytest.fixture
def open_store(tmp_path, papers):
    opened = []

    def make(name="w"):
        store = Store(tmp_path / f"{name}.db")
        opened.append(store)
        for paper in papers:
            store.papers.add(paper)
        return store

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def server_spec():
    with serving(OllamaProtocol(says('{"relevant": false, "reason": "r"}'))) as state:
        yield f"ollama:tiny:1b@{state.url}"


def run(store, chat, job=None, lanes=1, digest="sha256:1", reread=True):
    async def work():
        keeper = ReplyKeeper(store, job or store.jobs.create("structure", {}, None).id, asyncio.get_running_loop())
        reader = ChatReader(KeptChat(chat, digest, keeper))
        return await structure(
            store, reader, template_of(store)[0], job_id=keeper._job_id, control=Control(),
            activity=lambda *_: None, lanes=lanes, weights=digest, reread=reread,
        )  # fmt: skip

    return asyncio.run(work())


def stored(store):
    ideas = sorted((one.paper_id, one.sub, one.instruction, one.span) for one in store.ideas.all())
    totals = [(c.purpose, c.calls, c.prompt_tokens, c.completion_tokens, c.seconds) for c in store.calls.totals()]
    return ideas, totals


@pytest.fixture
def undisturbed(open_store):
    chat = Chat()
    store = open_store("undisturbed")
    run(store, chat)
    return stored(store), sorted(chat.asked)


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("die_at", [1, 2, 3, 17, 18, 30, 46, 48])
def test_a_kill_loses_the_calls_in_flight_alone(open_store, undisturbed, die_at, lanes):
    store = open_store()
    job, dying = store.jobs.create("structure", {}, None).id, Chat(die_at)
    with pytest.raises(KilledError):
        run(store, dying, job, lanes)
    later = Chat()
    run(store, later, job)
    assert stored(store) == undisturbed[0]
    assert store.calls.totals()  # each call once, with its cost
    lost = len(dying.asked) - (die_at - 1)
    assert 1 <= lost <= lanes
    assert len(dying.asked) + len(later.asked) - lost == len(undisturbed[1])
    assert sorted({*dying.asked, *later.asked}) == undisturbed[1]


def test_many_kills_and_then_the_same(open_store, undisturbed):
    store, rng, asked, kills = open_store(), random.Random(5), 0, 0
    job = store.jobs.create("structure", {}, None).id
    while True:
        chat = Chat(rng.randrange(1, 9))
        try:
            run(store, chat, job, lanes=2)
        except KilledError:
            kills += 1
            asked += chat.die_at - 1
            continue
        asked += len(chat.asked)
        break
    assert kills >= 5
    assert asked == len(undisturbed[1])
    assert stored(store) == undisturbed[0]


def test_what_has_not_changed_is_not_asked_again(open_store):
    store, first = open_store(), Chat()
    run(store, first)
    spent = stored(store)[1]
    assert run(store, Chat()).papers == 0
    again = Chat()
    assert run(store, again, reread="all").papers == 3
    assert again.asked == []
    assert stored(store)[1] == spent  # nothing was spent, so nothing is added
    other = Chat()
    assert run(store, other, digest="sha256:2", reread=False).papers == 0
    run(store, other, digest="sha256:2")
    assert len(other.asked) == len(first.asked)  # other weights are another model


def test_what_was_no_answer_is_asked_again_in_another_job_only(open_store):
    store = open_store()
    job = store.jobs.create("structure", {}, None).id
    bad = Chat(replies=lambda user, form: "I would rather not.")
    run(store, bad, job)
    asked = len(bad.asked)
    assert asked > 3 and not store.ideas.all()
    again = Chat(replies=bad.replies)
    run(store, again, job)
    assert again.asked == []
    good = Chat()
    run(store, good)
    assert good.asked and store.ideas.all()


def test_a_prompt_cut_short_is_accounted_and_never_kept(open_store):
    class Short(Chat):
        def chat(self, system, user, schema, purpose, **settings):
            reply = super().chat(system, user, schema, purpose, **settings)
            raise TruncatedPromptError("the server read 3 tokens", [reply])

    store = open_store()
    job = store.jobs.create("structure", {}, None).id
    run(store, Short(), job)
    assert sum(one.calls for one in store.calls.totals()) == 3
    assert store._db.execute("SELECT count(*) FROM model_calls WHERE request IS NOT NULL").fetchone()[0] == 0
    later = Chat()
    run(store, later, job)
    assert len(later.asked) > 3


def test_answers_to_a_part_of_a_prompt_are_accounted_once(open_store):
    class Twice(Chat):
        """The server reads a part of each prompt first, then all of it."""

        def chat(self, system, user, schema, purpose, **settings):
            reply = super().chat(system, user, schema, purpose, **settings)
            return replace(reply, discarded=(replace(reply, text="", prompt_tokens=7),))

    store, chat = open_store(), Twice()
    run(store, chat)
    totals = store.calls.totals()
    assert sum(one.calls for one in totals) == 2 * len(chat.asked)
    assert sum(one.prompt_tokens for one in totals) == 107 * len(chat.asked)


def test_every_call_says_of_which_weights_its_reply_is(open_store):
    class Short(Chat):
        def chat(self, system, user, schema, purpose, **settings):
            reply = super().chat(system, user, schema, purpose, **settings)
            if purpose == "screen" and "Paper 0" in user:
                raise TruncatedPromptError("the server read 3 tokens", [reply])
            return replace(reply, discarded=(replace(reply, text="", prompt_tokens=7),))

    store = open_store()
    run(store, IdentifiedChat(Short(), "sha256:1"))
    run(store, IdentifiedChat(Chat(), "sha256:2"), digest="sha256:2")
    lines = store.calls.newest(1000)
    assert {one.digest for one in lines} == {"sha256:1", "sha256:2"}
    assert [(one.purpose, one.digest) for one in store.calls.totals()] == [
        ("extract", "sha256:1"), ("extract", "sha256:2"), ("screen", "sha256:1"), ("screen", "sha256:2"),
    ]  # fmt: skip
    assert store.calls.line(lines[-1].id).digest == "sha256:1"


def test_what_designs_and_files_ideas_says_it_too(server_spec):
    template = Template.load()
    task = DesignTask(Purpose.HYPERPARAMETER, "class Backbone: ...", None, (3, 8, 8), 10, 1000, 1000, 1, 1, (0,))
    with pytest.raises(DesignRefusedError) as refused:
        make_models(server_spec, template).designer.design(task)
    _, calls = make_author(server_spec).file({"a": "Use groups."}, template.subs[:2])
    assert {one.digest for one in (*refused.value.calls, *calls)} == {DIGEST}


def test_a_structuring_job_keeps_the_digest_of_its_model(open_store, server_spec):
    store = open_store()
    config = RunConfig.model_validate({"model": {"llm": server_spec}, "curation": {"policy": "none"}})
    job = create_structure_job(store, config)
    asyncio.run(structure_papers(store, job, Control(), lambda *_: None))
    assert store.jobs.get(job.id).model_digest == DIGEST
    assert workspace_status(store)["structuring"][0]["model_digest"] == DIGEST
    assert {one.digest for one in store.calls.newest(1000)} == {DIGEST}
