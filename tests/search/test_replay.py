"""A run with a model that never answers twice the same, replayed from its recorded replies: the same digest."""

import asyncio
import hashlib
import json
import os
import random
import re
from collections import Counter
from dataclasses import replace

import pytest

from fairnad_engine.backbone.verifier import Budget, Verdict
from fairnad_engine.errors import InputError
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.chat import ChatReply, TruncatedPromptError, hash_prompt
from fairnad_engine.llm.chat_designer import ChatDesigner
from fairnad_engine.llm.protocol import EditType, IdeaDraft
from fairnad_engine.llm.replies import read
from fairnad_engine.search import slot as slot_module
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.control import Control
from fairnad_engine.search.edit_types import Edit
from fairnad_engine.search.lanes import Lanes
from fairnad_engine.search.loop import Search
from fairnad_engine.search.recorded import replay_designer
from fairnad_engine.search.scoring import Scorer
from fairnad_engine.store import Store
from fairnad_engine.training.datasets import split_digest
from fairnad_engine.training.jobs import TrainingOutcome
from fairnad_engine.training.protocol import load_protocol
from fairnad_engine.workspace import create_replay, template_of

SEED = "class Backbone:\n    depth = 1\n"
MODEL = "ollama:whim"
WHIM = int(os.environ.get("FAIRNAD_WHIM_SEED", "2605"))
KINDS = {"good", "malformed", "unchanged", "endless", "half-read", "unread"}


class Whim:
    """A chat model that keeps to no seed: good and poor replies, as its mood is.

    Its moods are drawn, so that a test meets the same ones each time: by the question, since threads ask it in any
    order, and by how often that was asked.
    """

    name = MODEL

    def __init__(self, temper="one"):
        self.temper, self.asked = temper, Counter()
        self.replies = 0
        self.kinds = set()

    def chat(self, system, user, schema, purpose, *, max_tokens, temperature=0.0, seed=0):
        prompt = hash_prompt(system, user, schema)
        self.asked[prompt, seed] += 1
        mood = random.Random(f"{WHIM} {self.temper} {prompt} {seed} {self.asked[prompt, seed]}")
        self.replies += 1
        kinds = ["good"] * 8 + ["malformed"] * 2 + ["unchanged", "endless", "half-read", "unread"]
        kind = mood.choice(["good", "malformed"] if "cannot be used" in user else kinds)
        self.kinds.add(kind)
        program = re.search(r"<program>\n(.*?)\n</program>", user, re.DOTALL)[1].strip("\n")
        code = program if kind == "unchanged" else f"{program}\n    layer_{mood.getrandbits(40)} = 1"
        answer = {"change": "adds a layer", "code": code}
        if "idea" in schema.model_fields:
            answer["idea"] = {"name": "a whim", "instruction": f"Do {mood.random()}."}
        text = "I would rather not." if kind == "malformed" else json.dumps(answer)
        tokens = mood.randrange(100)
        reply = ChatReply(text, read(text, schema), 50, tokens, mood.random(), prompt, kind != "endless")
        if kind == "unread":
            raise TruncatedPromptError(f"{purpose}: prompt and reply may take {tokens} tokens")
        if kind == "half-read":
            if mood.random() < 0.5:
                raise TruncatedPromptError(f"{purpose}: the server read {tokens} tokens", (reply, reply))
            return replace(reply, discarded=(replace(reply, text="of half a prompt"),))
        return reply


class Machine:
    """Verifier and executor whose answers follow from the source alone."""

    def verify(self, source, width, seed):
        digest = hashlib.sha256(source.encode()).hexdigest()
        if source != SEED and int(digest[:2], 16) < 80:
            return Verdict("over-budget" if digest[2] < "4" else "forward", f"simulated {digest[:6]}")
        return Verdict(None, "", width, 500_000, 60_000_000, digest, digest, "graph", "weights")

    async def run(self, job, progress, deadline):
        await asyncio.sleep(0)
        score = int(hashlib.sha256(job.id.split("/", 1)[1].encode()).hexdigest()[:4], 16) / 65536
        return TrainingOutcome("done", accuracy=60 + 20 * score, weights="weights", seconds=1.0)


@pytest.fixture(autouse=True)
def no_graphs(monkeypatch):
    """Nothing is built here, so there are no graphs to compare."""
    monkeypatch.setattr(slot_module, "load_graph", lambda *_: None)
    monkeypatch.setattr(slot_module, "judge_realised", lambda *_: "unknown")
    monkeypatch.setattr(slot_module, "judge_edit", lambda *_: Edit(EditType.STRUCTURAL))


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "fairnad.db") as store:
        template, _ = template_of(store)
        store.papers.add(PaperText("one", "A paper", (), None, "", "", "", "text", "x.md", ()))
        drafts = [
            IdeaDraft(sub.main, sub.id, f"idea of {sub.id}", f"Use {sub.id}.", "text", (0, 4)) for sub in template.subs
        ]
        store.ideas.file_extracted("one", drafts, template, "rules")
        store.ideas.decide([idea.id for idea in store.ideas.all()], "approved", "policy:all")
        yield store


def create(store, model=MODEL, proposals="snapshot"):
    settings = {
        "model": {"llm": MODEL},
        "budget": {"trained": 6},
        "search": {"stages": [2, 1, 1], "proposals": proposals},
        "data": {"protocol": "smoke"},
    }
    config = RunConfig.model_validate(settings).model_dump(mode="json")
    frozen = {
        "config": config, "environment": {"seed_source": SEED}, "template_version": template_of(store)[1],
        "model": model, "model_digest": "m", "dataset_digest": split_digest("digits"), "protocol_digest": "p",
        "seed": 0,
    }  # fmt: skip
    return store.runs.create("whim", frozen)


async def search(store, run, designer, lanes=2):
    machine, control = Machine(), Control()
    scorer = Scorer(
        store,
        run.id,
        run.seed,
        machine,
        dataset="digits",
        protocol=load_protocol("smoke"),
        deadline=60,
        control=control,
        activity=lambda subject, doing: None,
    )
    config = RunConfig.model_validate(run.config)
    one = Search(
        store,
        run.id,
        store.jobs.create("search", run.config, run.id).id,
        template=template_of(store)[0],
        designer=designer,
        verifier=machine,
        scorer=scorer,
        control=control,
        budget=Budget((1, 8, 8), 10, config.budget.max_params, config.budget.max_macs),
        seed_source=SEED,
        activity=lambda subject, doing: None,
    )
    one._lanes = Lanes(lanes)
    return await one.run()


async def recorded(store, whim=None, **settings):
    run = create(store, **settings)
    return run, await search(store, run, ChatDesigner(whim or Whim(), template_of(store)[0]))


async def replayed(store, source, lanes=2):
    copy, _ = create_replay(store, source.id)
    return await search(store, copy, replay_designer(store, source.id, template_of(store)[0]), lanes)


@pytest.mark.parametrize("proposals", ["snapshot", "sequential", "lookahead"])
async def test_the_same_digest(store, proposals):
    whim = Whim("another")
    run, digest = await recorded(store, whim, proposals=proposals)
    asked = whim.replies
    again, other = await recorded(store, proposals=proposals)
    assert digest != other
    for lanes in (1, 4):
        assert await replayed(store, run, lanes) == digest
    assert whim.replies == asked > 0  # Stage II may scale up, by program
    assert await replayed(store, again) == other
    # A replay records what it was given, so that it can be replayed itself and its accounts are those of its source.
    copy = store.runs.newest()
    assert store.calls.totals(copy.id) == store.calls.totals(again.id)
    assert await replayed(store, copy) == other


@pytest.mark.slow
async def test_every_kind_of_reply_is_replayed(store):
    whim, seen = Whim(), set()
    wanted = {"malformed-reply", "truncated-reply", "unchanged-reply", None}
    for _ in range(60):
        run, digest = await recorded(store, whim)
        assert await replayed(store, run) == digest
        seen |= {attempt.failure for attempt in store.runs.attempts(run.id)}
        if whim.kinds == KINDS and wanted <= seen:
            break
    assert whim.kinds == KINDS
    assert wanted <= seen


async def test_what_became_of_ideas_and_template_since_changes_nothing(store):
    run, digest = await recorded(store)
    drawn = next(slot.ideas[0] for slot in store.runs.slots(run.id, 1) if slot.stage == 1)
    store.ideas.edit(drawn, {"instruction": "Do something else."}, "a test")
    store.ideas.decide([idea.id for idea in store.ideas.all()][::2], "rejected", "person")
    known = template_of(store)[0].subs[0].definition
    source = store.templates.source(run.template_version).replace(known, "Defined anew.", 1)
    store.templates.save(Template.parse(source, "a test"), source, "a test")
    assert await replayed(store, run) == digest
    copy = store.runs.newest()
    assert copy.template_version == run.template_version != template_of(store)[1]
    assert await replayed(store, copy) == digest


async def test_a_prompt_that_was_not_recorded_ends_the_replay(store):
    run, _ = await recorded(store)
    # Of a slot whose every prompt went unread no reply is recorded, so it must be one that has some.
    generation, slot = store.calls.of_step(run.id)[0].key.split("/")[1:3]
    store._db.execute("DELETE FROM model_calls WHERE key LIKE ?", [f"{run.id}/{generation}/{slot}/%"])
    place = f"generation {generation}, slot {slot}"
    with pytest.raises(InputError, match=rf"{run.id} cannot be replayed: at {place}") as caught:
        await replayed(store, run)
    assert "\n" not in str(caught.value)
    assert "without --replay" in str(caught.value)


async def test_another_data_set_is_refused_before_anything_is_written(store):
    run, _ = await recorded(store)
    store._db.execute("UPDATE runs SET dataset_digest = 'another'")
    with pytest.raises(InputError, match="digits or its splits"):
        create_replay(store, run.id)
    assert store.runs.newest().id == run.id


async def test_a_run_that_was_stopped_is_replayed_as_far_as_it_went(store):
    run = create(store)
    designer, made = ChatDesigner(Whim(), template_of(store)[0]), []

    class Stopping:
        name = MODEL

        def design(self, task):
            made.append(task)
            if len(made) > 4:
                raise InputError("the power is gone")
            return designer.design(task)

    with pytest.raises(InputError, match="power"):
        await search(store, run, Stopping())
    with pytest.raises(InputError, match="at a proposal that it never made"):
        await replayed(store, run)


def test_nothing_to_replay(store):
    with pytest.raises(InputError, match="does not exist"):
        create_replay(store, "run-9")
    run = create(store)
    with pytest.raises(InputError, match="no recorded replies"):
        create_replay(store, run.id)
    rules = create(store, model="rules")
    with pytest.raises(InputError, match="designed by rules"):
        create_replay(store, rules.id)


async def test_a_replay_is_frozen_as_one(store):
    run, _ = await recorded(store)
    copy, job = create_replay(store, run.id)
    assert (copy.model, copy.model_digest, copy.environment["replay"]) == (run.model, run.model_digest, run.id)
    ours, theirs = (RunConfig.model_validate(one.config).digest_settings() for one in (copy, run))
    assert ours == theirs
    assert job.run_id == copy.id
