"""JSON as undisciplined models write it: what is read, what is brought to the form, what is refused."""

import json

import pytest
from llm_server import ollama_protocol, openai_protocol
from llm_server.ollama_protocol import Answered, Behaviour, OllamaProtocol
from llm_server.openai_protocol import OpenAIProtocol
from pydantic import BaseModel, Field

from fairnad_engine.llm.loose_json import values
from fairnad_engine.llm.ollama import OllamaModel
from fairnad_engine.llm.openai import OpenAIModel
from fairnad_engine.llm.replies import ScreenReply, ideas_reply, read_tolerantly

SUBS = ("conv.depthwise", "conv.large-kernel")
IDEA = {"quote": "we use it", "sub": "conv.depthwise", "name": "It", "instruction": "Use it."}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1,}', {"a": 1}),
        ('{"a": [1, 2,],}', {"a": [1, 2]}),
        ("{'a': 'it\\'s', 'b': None}", {"a": "it's", "b": None}),
        ("{a: True, b: False}", {"a": True, "b": False}),
        ('{"a": "the "best" block"}', {"a": 'the "best" block'}),
        ('{"a": "line\nend\ttab"}', {"a": "line\nend\ttab"}),
        (r'{"a": "\alpha \_ \d"}', {"a": r"\alpha \_ \d"}),
        (r"{'a': '\x41 \\x41 \u00e9'}", {"a": r"A \x41 é"}),
        ('{"a": 1, // why\n "b": 2 /* so */}', {"a": 1, "b": 2}),
        ('{"a": -1.5e3, "b": {"c": "d"},}', {"a": -1500.0, "b": {"c": "d"}}),
    ],
)
def test_read_where_the_meaning_is_plain(text, found):
    assert next(values(f"So: {text} That is all.")) == found


@pytest.mark.parametrize(
    "text",
    ["", "no", "{", '{"a"', '{"a": 1', '{"a": "b', "{'a': 'b", '{"a": 1 "b": 2}', '{"a": undefined}', "{1: 2}", "{{{"],
)
def test_what_is_incomplete_or_no_json_is_not_completed(text):
    assert not [one for one in values(text) if one]


@pytest.mark.parametrize("text", ["{" * 200_000, "[" * 200_000, "{'a': '" * 30_000, '{"a":' * 50_000], ids=range(4))
def test_a_long_reply_of_nothing_ends(text):
    assert not [one for one in values(text) if one]


@pytest.mark.parametrize(
    ("told", "relevant"),
    [("true", True), ("Yes.", True), (1, True), ("no", False), ("False", False), (0, False)],
)
def test_words_for_truth_values(told, relevant):
    reply, _ = read_tolerantly(json.dumps({"Relevant": told, "reason": ["it", "is"]}), ScreenReply)
    assert reply == ScreenReply(reason="it is", relevant=relevant)


@pytest.mark.parametrize("told", ["perhaps", 7, None, [], {"a": 1}])
def test_what_is_no_truth_value_is_refused(told):
    assert read_tolerantly(json.dumps({"relevant": told, "reason": "x"}), ScreenReply)[0] is None


@pytest.mark.parametrize(
    "told",
    [
        [IDEA],
        {"ideas": IDEA},
        {"ideas": {"1": IDEA}},
        {"answer": {"Ideas": [IDEA]}},
        {"ideas": [{**IDEA, "sub": "Depthwise"}]},
        {"ideas": [{**IDEA, "sub": "conv.depthwise: Depthwise convolution"}]},
        {"ideas": json.dumps([IDEA])[1:-1]},
    ],
)
def test_ideas_in_other_shapes(told):
    reply, problem = read_tolerantly(json.dumps(told), ideas_reply(SUBS))
    assert reply is not None, problem
    assert [one.model_dump() for one in reply.ideas] == [IDEA]


def test_what_is_too_long_is_cut_at_a_word_and_what_is_missing_stays_missing():
    long = {**IDEA, "instruction": "Use it well. " * 60}
    reply, _ = read_tolerantly(json.dumps({"ideas": [long]}), ideas_reply(SUBS))
    assert reply is not None
    (idea,) = reply.ideas
    assert 300 < len(idea.instruction) <= 400 and long["instruction"].startswith(idea.instruction)
    less = {key: value for key, value in IDEA.items() if key != "quote"}
    for bad in ({"ideas": [less]}, {"ideas": [{**IDEA, "sub": "conv.made-up"}]}, {"ideas": [{**IDEA, "name": 3}]}):
        assert read_tolerantly(json.dumps(bad), ideas_reply(SUBS))[0] is None


def test_a_draft_in_thoughts_is_not_meant():
    draft, meant = '{"reason": "draft", "relevant": false}', '{"reason": "meant", "relevant": true}'
    for text in (f"<think>{draft}</think>{meant}", f"hm {draft}\n</think>\n{meant}", f"[THINK]{draft}[/THINK] {meant}"):
        reply, _ = read_tolerantly(text, ScreenReply)
        assert reply is not None and reply.reason == "meant"
    for text in (f"<think>{draft}</think>", f"<think>{draft}</think> I would rather not say."):
        assert read_tolerantly(text, ScreenReply)[0] is None
    inside = '{"reason": "it says </think> here", "relevant": true,}'
    reply, _ = read_tolerantly(inside, ScreenReply)
    assert reply is not None and "</think>" in reply.reason


class Text(BaseModel):
    text: str = Field(max_length=4000)


ODD = "naïve 注意力 🚀 a\x85b c\u2028d"


def test_characters_that_come_apart_are_whole_again():
    said = json.dumps({"text": ODD}, ensure_ascii=False)
    halves = said.encode("utf-16-le")
    split = tuple(halves[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(halves), 2))
    with ollama_protocol.serving(OllamaProtocol(lambda _: Answered(split, 40, 9))) as server:
        server.behaviours = [Behaviour(at_once=1)]
        reply = OllamaModel("tiny:1b", server.url).chat("Be brief.", "What?", Text, "screen", max_tokens=100)
    assert reply.parsed == Text(text=ODD)
    assert reply.text.encode()  # fit to be stored


def test_a_lone_half_is_replaced_and_can_be_stored():
    with ollama_protocol.serving(OllamaProtocol(lambda _: Answered(("a \ud83d", " b"), 40, 9))) as server:
        reply = OllamaModel("tiny:1b", server.url).chat("Be brief.", "What?", None, "screen", max_tokens=100)
    assert reply.text == "a \ufffd b" and reply.text.encode()


def test_openai_streams_cut_anywhere():
    said = json.dumps({"text": ODD}, ensure_ascii=False)

    def answer(_request):
        parts = [{"choices": [{"delta": {"content": one}}]} for one in said]
        parts.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        parts.append({"choices": [], "usage": {"prompt_tokens": 40, "completion_tokens": 9}})
        whole = "".join(f"data: {json.dumps(part, ensure_ascii=False)}\r\n\r\n" for part in parts).encode()
        return 200, (whole[at : at + 1] for at in range(len(whole)))

    with openai_protocol.serving(OpenAIProtocol(answer)) as server:
        reply = OpenAIModel("tiny", server.url).chat("Be brief.", "What?", Text, "screen", max_tokens=100)
    assert reply.parsed == Text(text=ODD)
