"""Papers for short contexts: pieces that fit, halves where one proves too long, and what is kept of it on a resume."""

import json
import random
import re
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_server import openai_protocol
from llm_server.ollama_protocol import Answered, OllamaProtocol, serving
from llm_server.openai_protocol import OpenAIProtocol

from fairnad_engine.knowledge.paper_layout import find_sections
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.chat import ChatReply, TruncatedPromptError, hash_prompt
from fairnad_engine.llm.chat_author import ChatAuthor
from fairnad_engine.llm.chat_reader import ChatReader, ReadRefusedError
from fairnad_engine.llm.chunks import SMALLEST_PIECE, chunks, halves, pieces_allowed
from fairnad_engine.llm.kept import KeptChat, KeptReply
from fairnad_engine.llm.ollama import OllamaModel
from fairnad_engine.llm.openai import OpenAIModel
from fairnad_engine.llm.read_whole import Size
from fairnad_engine.llm.replies import read

TEMPLATE = Template.load()
_HAN = "本文提出了一种新的卷积神经网络结构通过在每个残差块中引入深度可分离与通道注意力机制提升图像分类精度"


def paper_of(body):
    text = f"## Design\n\n{body}\n"
    return PaperText(
        id="p1", title="A block", authors=(), year=None, venue="", arxiv="", abstract="", text=text, source="-",
        sections=find_sections(text),
    )  # fmt: skip


def english(sentences=300):
    return "\n\n".join(f"Sentence {n} replaces the kernel of its block by number {n}." for n in range(sentences))


def chinese():
    rng = random.Random(1)
    return "".join("".join(rng.choice(_HAN) for _ in range(20)) + "。" for _ in range(300))


def text_in(user):
    return user.partition("\n\n")[2].partition("\n</paper>")[0]


class Model:
    """Quotes the first line of each piece; refuses pieces of more than ``holds`` characters."""

    name = "ollama:tiny"

    def __init__(self, context=None, holds=10**9):
        self.context, self.holds, self.asked, self.die_at = context, holds, [], None

    def chat(self, system, user, schema, purpose, *, max_tokens, temperature=0.0, seed=0):
        if len(self.asked) == self.die_at:
            raise KeyboardInterrupt
        self.asked.append((system, user, max_tokens))
        digest = hash_prompt(system, user, schema)
        piece = text_in(user)
        if len(piece) > self.holds:
            lost = ChatReply("", None, 2048, 5, 0.1, digest, True)
            raise TruncatedPromptError("the server read 2048 tokens", [lost])
        sub = re.findall(r"^- ([a-z0-9.-]+): ", user, re.MULTILINE)[0]
        quote = piece.splitlines()[-1][:300]
        idea = {
            "quote": quote,
            "sub": sub,
            "name": "It",
            "instruction": f"Do {sub}: {sha256(quote.encode()).hexdigest()}",
        }
        text = json.dumps({"ideas": [idea]})
        return ChatReply(text, read(text, schema), 100, 10, 0.5, digest, True)

    @property
    def pieces(self):
        return [text_in(user) for _, user, _ in self.asked]


class TestHalves:
    @settings(max_examples=60, deadline=None)
    @given(st.text(alphabet="ab .\n。", min_size=0, max_size=4000))
    def test_nothing_is_lost_and_both_are_shorter(self, text):
        two = halves(text)
        if two is None:
            assert len(text.encode()) < 2 * SMALLEST_PIECE
            return
        assert "".join("".join(two).split()) == "".join(text.split())
        assert all(len(one) <= len(text) - len(text) // 4 for one in two)

    def test_cut_at_a_paragraph_or_sentence(self):
        first, second = halves(english(60))
        assert first.endswith(".") and second.startswith("Sentence")
        one = chinese()
        assert halves(one)[0].endswith("。") and abs(len(halves(one)[0]) - len(one) // 2) < 30


class TestContext:
    @pytest.mark.parametrize("body", [english(), chinese()], ids=["english", "chinese"])
    @pytest.mark.parametrize("context", [2048, 4096, 8192])
    @pytest.mark.parametrize("ask_by", ["main", "level"])
    def test_every_prompt_fits_and_nothing_is_left_out(self, context, body, ask_by):
        model, paper = Model(context), paper_of(body)
        extraction = ChatReader(model, ask_by=ask_by).extract(paper, TEMPLATE)
        fits = [Size.of(system, user).most + tokens <= context for system, user, tokens in model.asked]
        # Only where the categories leave no room for a piece of the least size can a prompt be too long.
        tight = (body == chinese()) + (ask_by == "level")
        assert all(fits) or context <= 2048 * tight
        assert extraction.failures == ()
        told = list(dict.fromkeys(model.pieces))
        assert "".join("".join(told).split()) == "".join(paper.text.removeprefix("## ").split())

    def test_a_context_with_room_changes_nothing(self):
        paper = paper_of(english())
        for context in (None, 8192, 32768):
            model = Model(context)
            ChatReader(model).extract(paper, TEMPLATE)
            assert list(dict.fromkeys(model.pieces)) == chunks(paper)
            assert {tokens for *_, tokens in model.asked} == {2048}

    def test_as_much_text_is_read_in_smaller_pieces(self):
        paper = paper_of(english(4000))
        large, small = Model(32768), Model(4096)
        kinds = [
            [one.kind for one in ChatReader(m, max_chunks=8).extract(paper, TEMPLATE).failures] for m in (large, small)
        ]
        assert kinds == [["too-long"]] * 2
        lengths = [sum(map(len, dict.fromkeys(model.pieces))) for model in (large, small)]
        assert 0.7 < lengths[1] / lengths[0] < 1.1
        assert pieces_allowed(["x" * 5000] * 99, 64) == 64


class TestTooLong:
    def test_a_piece_is_asked_about_in_parts_from_then_on(self):
        model, paper = Model(holds=2000), paper_of(english(100))
        extraction = ChatReader(model).extract(paper, TEMPLATE)
        assert extraction.failures == ()
        refused = [piece for piece in model.pieces if len(piece) > 2000]
        whole = chunks(paper)
        assert len(refused) == len(set(refused)) and set(whole) <= set(refused)  # each once, not for each category
        answered = [piece for piece in model.pieces if len(piece) <= 2000]
        assert len(answered) == 15 * len(set(answered))
        assert "".join("".join(dict.fromkeys(answered)).split()) == "".join(paper.text.removeprefix("## ").split())
        assert len(extraction.calls) == len(model.asked)

    def test_quotes_are_found_in_the_whole_paper(self):
        paper = paper_of(english(100))
        extraction = ChatReader(Model(holds=2000)).extract(paper, TEMPLATE)
        spans = {idea.span for idea in extraction.ideas}
        assert None not in spans and len(spans) >= 3
        assert all(paper.text[slice(*idea.span)] == idea.quote for idea in extraction.ideas)

    def test_the_same_twice(self):
        one, two = Model(holds=1500), Model(holds=1500)
        paper = paper_of(english(100))
        assert ChatReader(one).extract(paper, TEMPLATE) == ChatReader(two).extract(paper, TEMPLATE)
        assert one.asked == two.asked

    def test_there_is_an_end_to_it(self):
        model, paper = Model(holds=0), paper_of(english(100))
        with pytest.raises(ReadRefusedError, match="prompt cut short"):
            ChatReader(model).extract(paper, TEMPLATE)
        assert min(map(len, model.pieces)) >= SMALLEST_PIECE // 2
        assert len(model.asked) < 16 * len(paper.text) / SMALLEST_PIECE * 2 + 20

    def test_who_looks_on_is_told(self):
        heard = []
        ChatReader(Model(holds=4000), on_text=heard.append).extract(paper_of(english(80)), TEMPLATE)
        assert "asked about in two halves" in "".join(heard)
        assert "[piece 1, part 2 of 2, of 1: Convolution type]" in "".join(heard)

    def test_proposals_for_the_template_too(self):
        class Author(Model):
            def chat(self, system, user, schema, purpose, **settings):
                reply = super().chat(system, user + "\n- none.at-all: ", schema, purpose, **settings)
                text = '{"attributes": []}'
                return ChatReply(text, read(text, schema), 9, 9, 0.1, reply.prompt_hash, True)

        model, paper = Author(holds=2000), paper_of(english(100))
        proposed = ChatAuthor(model).propose(paper, TEMPLATE)
        assert proposed.usable and proposed.failures == () and len(proposed.calls) == len(model.asked)
        answered = [piece for piece in model.pieces if len(piece) <= 2000]
        assert "".join("".join(answered).split()) == "".join(paper.text.removeprefix("## ").split())
        small = Author(8192)
        assert ChatAuthor(small).propose(paper, TEMPLATE).failures == ()
        assert all(Size.of(system, user).most + tokens <= 8192 + 80 for system, user, tokens in small.asked)


class Memory:
    """Keeps replies as the workspace does."""

    def __init__(self):
        self.replies = {}

    def find(self, request):
        return self.replies.get(request)

    def keep(self, calls):
        for one in calls:
            if one.request:
                spent = one.prompt_tokens, one.completion_tokens, one.seconds
                self.replies[one.request] = KeptReply(one.reply, *spent, one.finished, ours=True)


@pytest.mark.parametrize("die_at", [1, 4, 9, 25, 60, 80])
def test_what_was_answered_in_parts_is_not_asked_again(die_at):
    paper, memory = paper_of(english(150)), Memory()
    undisturbed = Model(holds=2000)
    expected = ChatReader(KeptChat(undisturbed, "d", Memory())).extract(paper, TEMPLATE)
    dying, later = Model(holds=2000), Model(holds=2000)
    dying.die_at = die_at
    with pytest.raises(KeyboardInterrupt):
        ChatReader(KeptChat(dying, "d", memory)).extract(paper, TEMPLATE)
    found = ChatReader(KeptChat(later, "d", memory)).extract(paper, TEMPLATE)
    assert found.ideas == expected.ideas
    again = set(dying.asked) & set(later.asked)
    # At most the pieces that were refused last, before anything was answered about their parts.
    assert all(len(text_in(user)) > 2000 for _, user, _ in again) and len(again) <= 3
    assert len(dying.asked) + len(later.asked) - len(again) == len(undisturbed.asked)


def reply_to(user):
    sub = re.findall(r"^- ([a-z0-9.-]+): ", user, re.MULTILINE)[0]
    quote = text_in(user).splitlines()[-1][:300]
    return json.dumps(
        {"ideas": [{"quote": quote, "sub": sub, "name": "It", "instruction": f"Do {sub} at {quote[:13]}"}]}
    )


def tokens_of(request):
    size = Size.of(*(one["content"] for one in request["messages"]))
    return (size.least + size.most) // 2


@pytest.mark.parametrize("cap", [None, 2048])
def test_a_short_context_on_a_real_connection(cap):
    """By both protocols, with a context of 4,096 that is told, and with one of 2,048 that is not."""
    paper = paper_of(english(120))
    told = 4096 if cap is None else 32768

    def counted(request):
        true = tokens_of(request)
        return true if cap is None or true <= cap else cap

    def answer(request):
        return Answered((reply_to(request["messages"][-1]["content"]),), counted(request), 5)

    with serving(OllamaProtocol(answer, context_length=told)) as server:
        by_ollama = ChatReader(OllamaModel("tiny:1b", server.url)).extract(paper, TEMPLATE)
        assert max(one["options"]["num_ctx"] for one in server.requests) <= (4096 if cap is None else 16384)
    with openai_protocol.serving(
        OpenAIProtocol(lambda r: openai_protocol.says(reply_to(r["messages"][-1]["content"]), read=counted(r))(r))
    ) as server:
        server.entry["max_model_len"] = told
        by_openai = ChatReader(OpenAIModel("tiny", server.url)).extract(paper, TEMPLATE)
    for extraction in (by_ollama, by_openai):
        assert extraction.failures == ()
        assert len(extraction.ideas) >= 30 and all(idea.span for idea in extraction.ideas)
    assert by_ollama.ideas == by_openai.ideas
