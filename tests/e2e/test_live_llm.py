"""The ordinary path with a real model: official client, streaming, schema, true token counts.

The model is far too small to have ideas; what is shown is that its replies arrive valid, bounded and accounted.
"""

import asyncio
import json
import urllib.request

import pytest
from llm_server.small_model import NAME, gguf_file, small_model

from fairnad_engine.artifacts import ArtifactFolder
from fairnad_engine.backbone.jail.client import Jail
from fairnad_engine.backbone.verifier import Budget, Verifier
from fairnad_engine.knowledge.papers import read_papers
from fairnad_engine.knowledge.reply_keeper import ReplyKeeper
from fairnad_engine.knowledge.structuring import add_papers, structure
from fairnad_engine.knowledge.template import Level, Template
from fairnad_engine.llm.chat_designer import ChatDesigner
from fairnad_engine.llm.chat_reader import ChatReader
from fairnad_engine.llm.edits import EditSettings
from fairnad_engine.llm.kept import KeptChat
from fairnad_engine.llm.models import check_llm, make_models
from fairnad_engine.llm.ollama import OllamaModel
from fairnad_engine.llm.openai import OpenAIModel
from fairnad_engine.llm.protocol import DesignRefusedError, DesignTask, IdeaBrief, Purpose
from fairnad_engine.llm.replies import ScreenReply, ideas_reply
from fairnad_engine.llm.replies import read as read_reply
from fairnad_engine.llm.rules.blueprint import Block, Blueprint, Layer, Stage, Stem
from fairnad_engine.llm.rules.render import render
from fairnad_engine.llm.tokens import fewest_tokens, most_tokens
from fairnad_engine.llm.unchanged import says_the_same
from fairnad_engine.resources import data_folder, template_file
from fairnad_engine.search.control import Control
from fairnad_engine.store import Store

SAMPLES = ("2018-senet", "2022-poolformer", "2017-resnext")

pytestmark = [pytest.mark.live_llm, pytest.mark.slow, pytest.mark.timeout(280), pytest.mark.xdist_group("live_llm")]

PAPER = """# Depthwise blocks

## Abstract

We replace the dense convolution of a residual block by a depthwise one.

## Design

Replace the dense 3x3 convolution by a depthwise 7x7 convolution.
Use GELU instead of ReLU, and only one per block.
"""
PARENT = """import torch
from torch import nn


class Backbone(nn.Module):
    def __init__(self, in_channels, num_classes, width=1.0):
        super().__init__()
        hidden = max(8, int(16 * width))
        self.stem = nn.Conv2d(in_channels, hidden, 3, padding=1)
        self.head = nn.Linear(hidden, num_classes)

    def forward(self, x):
        return self.head(torch.relu(self.stem(x)).mean((2, 3)))
"""


@pytest.fixture(scope="module")
def server():
    gguf_file()
    with small_model() as state:
        yield state


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    file = tmp_path_factory.mktemp("papers") / "paper.md"
    file.write_text(PAPER)
    (found,) = read_papers(str(file))
    return found


@pytest.fixture(scope="module")
def two_categories():
    """The template with two of its main categories, so that one core answers in time."""
    whole = Template.load()
    mains = (whole.main("conv"), whole.main("act"))
    level = Level("operation", "Operation", "Operators.", mains)
    return Template(whole.version, whole.references, (level,), whole.source, whole.digest)


def test_choice_of_model(server):
    spec = f"ollama:{NAME}@{server.url}"
    assert check_llm(spec).name == f"ollama:{NAME}"
    assert make_models(spec, Template.load()).digest.startswith("sha256:")


def test_reply_streams_in_is_valid_and_counted(server):
    heard = []
    model = OllamaModel(NAME, server.url, on_token=heard.append)
    user = "A paper on convolutions with 3x3 kernels: `conv(x) + x`. Can it inspire a better backbone?"
    reply = model.chat("Answer in JSON.", user, ScreenReply, "screen", max_tokens=250)
    assert isinstance(reply.parsed, ScreenReply)
    assert "".join(heard) == reply.text
    assert len(heard) > 1
    assert reply.finished
    # The bounds that tell a truncated prompt hold for a real tokenizer.
    least, most = fewest_tokens("Answer in JSON.") + fewest_tokens(user), most_tokens("Answer in JSON." + user)
    assert least <= reply.prompt_tokens <= most
    assert 0 < reply.completion_tokens <= 250


def test_the_same_model_by_another_protocol(server):
    with urllib.request.urlopen(f"{server.behind}/v1/models", timeout=10) as answer:
        served = json.load(answer)["data"][0]["id"]
    spec = f"openai:{server.behind}#{served}"
    assert check_llm(spec).name == f"openai:{served}"
    heard = []
    model = OpenAIModel(served, server.behind, on_token=heard.append)
    user = "A paper on convolutions with 3x3 kernels: `conv(x) + x`. Can it inspire a better backbone?"
    reply = model.chat("Answer in JSON.", user, ScreenReply, "screen", max_tokens=250)
    assert isinstance(reply.parsed, ScreenReply)
    assert "".join(heard) == reply.text and len(heard) > 1 and reply.finished
    direct = OllamaModel(NAME, server.url).chat("Answer in JSON.", user, ScreenReply, "screen", max_tokens=250)
    assert (reply.text, reply.prompt_tokens) == (direct.text, direct.prompt_tokens)
    assert model.check().startswith("openai-")


def test_paper_is_screened_and_extracted(server, paper, two_categories):
    reader = ChatReader(OllamaModel(NAME, server.url))
    screening = reader.screen(paper)
    assert screening.reason
    extraction = reader.extract(paper, two_categories)
    assert extraction.failures == ()
    calls = (*screening.calls, *extraction.calls)
    assert [call.purpose for call in calls][:2] == ["screen", "extract"]
    assert all(call.prompt_tokens > 50 and call.completion_tokens > 0 and call.reply for call in calls)
    for idea in extraction.ideas:
        assert idea.sub in {sub.id for sub in two_categories.subs_of(idea.main)}
        assert 0 < len(idea.instruction) <= 400
        assert idea.span is None or paper.text[slice(*idea.span)] == idea.quote


@pytest.mark.parametrize("edit_format", ["whole", "diff", "catalogue"])
def test_design_proposal_is_a_program_or_a_recorded_refusal(server, edit_format):
    block = Block(layers=(Layer(), Layer(act="none")))
    tiny = Blueprint("tiny", Stem(8), (Stage(8, (block, block)),))
    parent = render(tiny) if edit_format == "catalogue" else PARENT
    task = DesignTask(
        purpose=Purpose.IDEA,
        parent_source=parent,
        idea=IdeaBrief("i1", "act", "act.smooth", "Smooth", "Use GELU instead of ReLU."),
        input_shape=(1, 8, 8),
        num_classes=10,
        max_params=100_000,
        max_macs=10_000_000,
        parent_params=330,
        parent_macs=9_376,
        entropy=(1, 2, 3),
    )
    settings = EditSettings(edit_format, max_reply=300)
    try:
        design = ChatDesigner(OllamaModel(NAME, server.url), settings=settings).design(task)
        assert not says_the_same(design.source, parent)
        calls = design.calls
    except DesignRefusedError as refused:
        # The schema makes every finished reply valid, so only these are left.
        assert refused.kind in ("truncated-reply", "unchanged-reply", "edit-mismatch")
        calls = refused.calls
    assert 1 <= len(calls) <= 2
    assert all(call.purpose == "idea" and call.prompt_tokens > 300 and call.completion_tokens > 0 for call in calls)
    assert {"whole": '"code"', "diff": '"edits"', "catalogue": '"transformation"'}[edit_format] in calls[0].reply


@pytest.fixture
def counted(server):
    """Tokens that the server counted during a test, as (read, written) of each answer."""
    told, answer = [], server.answer

    def listening(request):
        given = answer(request)
        told.append((given.prompt_tokens, given.written))
        return given

    server.answer = listening
    yield told
    server.answer = answer


@pytest.mark.timeout(560)
def test_three_sample_papers_through_the_store(server, counted, two_categories, tmp_path):
    (level,) = two_categories.levels
    one = Template(
        two_categories.version,
        two_categories.references,
        (Level(level.id, level.name, level.definition, level.mains[1:]),),
        two_categories.source,
        two_categories.digest,
    )

    async def read(store, job):
        keeper = ReplyKeeper(store, job, asyncio.get_running_loop())
        model = OllamaModel(NAME, server.url)
        reader = ChatReader(KeptChat(model, model.check(), keeper))
        nothing = Control()
        return await structure(store, reader, one, job_id=job, control=nothing, activity=lambda *_: None)

    with Store(tmp_path / "w.db") as store:
        added = add_papers(store, [str(data_folder("sample_papers") / f"{name}.md") for name in SAMPLES])
        assert (added.added, added.problems) == (3, ())
        screened = asyncio.run(read(store, store.jobs.create("structure", {}, None).id))
        assert (screened.papers, screened.refused, screened.incomplete) == (3, 0, 0)
        assert all(paper.relevant is not None and paper.reason for paper in store.papers.all())
        for paper in store.papers.all():
            if not paper.relevant:  # the model is too small to judge; a person has all three read
                store.papers.override(paper.id, True)
        done = asyncio.run(read(store, store.jobs.create("structure", {}, None).id))
        assert (done.refused, done.incomplete) == (0, 0)
        totals = store.calls.totals()
        assert {one.purpose for one in totals} == {"screen", "extract"}
        assert sum(one.calls for one in totals) == len(counted) >= 6
        assert (sum(one.prompt_tokens for one in totals), sum(one.completion_tokens for one in totals)) == (
            sum(read for read, _ in counted),
            sum(written for _, written in counted),
        )
        # Each kept reply is valid as it stands: the schema was honoured, no repair round was needed.
        schema = ideas_reply(tuple(sub.id for sub in one.mains[0].subs))
        replies = [store.calls.text(line.id)[1] for line in store.calls.newest(100, purpose="extract")]
        assert all(read_reply(reply, schema) is not None for reply in replies)
        texts = {paper.id: paper.text for paper in store.papers.all()}
        for idea in store.ideas.all():
            assert idea.sub in {sub.id for sub in one.mains[0].subs}
            assert idea.span is None or texts[idea.paper_id][slice(*idea.span)] == idea.quote


def test_a_design_proposal_through_the_jailed_verifier(server, counted, tmp_path):
    seed = template_file("backbones", "digits-small.py").read_text("utf-8")
    budget = Budget((1, 8, 8), 10, 200_000, 20_000_000)
    files = ArtifactFolder(tmp_path / "files")
    designer = ChatDesigner(OllamaModel(NAME, server.url), settings=EditSettings("catalogue", max_reply=300))
    with Jail() as jail:
        verifier = Verifier(jail, files, budget)
        parent = verifier.verify(seed, 1.0, 0)
        assert parent.failure is None
        for number in range(4):  # the schema makes replies valid, but not every pick changes this network
            task = DesignTask(
                purpose=Purpose.IDEA,
                parent_source=seed,
                idea=IdeaBrief("i1", "act", "act.smooth", "Smooth", "Use GELU instead of ReLU."),
                input_shape=budget.input_shape,
                num_classes=budget.num_classes,
                max_params=budget.max_params,
                max_macs=budget.max_macs,
                parent_params=parent.params,
                parent_macs=parent.macs,
                entropy=(1, 2, number),
            )
            try:
                design = designer.design(task)
                break
            except DesignRefusedError as refused:
                assert refused.kind in ("truncated-reply", "unchanged-reply", "edit-mismatch")
        else:
            pytest.fail("no reply of the model came to a design")
        verdict = verifier.verify(design.source, 1.0, 0)
    assert sum(call.prompt_tokens for call in design.calls) == sum(read for read, _ in counted[-len(design.calls) :])
    assert verdict.failure is None, verdict.message  # what the program applies to a seed of its own builds and runs
    assert verdict.exact_hash != parent.exact_hash
    assert 0 < verdict.params <= budget.max_params and files.path(verdict.graph).is_file()
