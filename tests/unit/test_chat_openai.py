"""A server that speaks OpenAI's protocol: what is asked, what guards a reply, and how it fails."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from llm_server.openai_protocol import OpenAIProtocol, refuses, says, serving
from llm_server.patience import PATIENT
from pydantic import BaseModel, Field

from fairnad_engine.errors import InputError, ModelUnavailableError
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.chat import TruncatedPromptError
from fairnad_engine.llm.models import check_llm, make_models, parse_llm
from fairnad_engine.llm.openai import OpenAIModel

GOOD = '{"good": true, "why": "it is"}'


class Verdict(BaseModel):
    good: bool
    why: str = Field(max_length=40)


@pytest.fixture
def server():
    with serving(OpenAIProtocol(says(GOOD))) as state:
        yield state


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def model(server, pauses):
    return OpenAIModel("tiny", server.url, timeouts=PATIENT, pause=pauses.append)


def ask(model, text="What do you think of it?", schema=Verdict):
    return model.chat("Be brief.", text, schema, "screen", max_tokens=100, temperature=0.7, seed=11)


def test_a_reply_and_its_accounts(server, model):
    heard = []
    model._on_token = heard.append
    reply = ask(model)
    assert reply.parsed == Verdict(good=True, why="it is")
    assert "".join(heard) == reply.text == GOOD and len(heard) == 2
    assert (reply.prompt_tokens, reply.completion_tokens, reply.finished) == (40, 7, True)


def test_what_is_sent(server, model):
    ask(model)
    (request,) = server.requests
    assert (request["model"], request["max_tokens"], request["temperature"], request["seed"]) == ("tiny", 100, 0.7, 11)
    form = request["response_format"]["json_schema"]
    assert form["strict"] and form["schema"]["required"] == ["good", "why"]
    assert request["stream"] and request["stream_options"] == {"include_usage": True}
    assert request["chat_template_kwargs"] == {"enable_thinking": False}
    ask(model, schema=None)
    assert "response_format" not in server.requests[-1]


def test_a_field_that_only_some_servers_know_is_left_out_once_refused(server, model):
    server.behaviours = [refuses(400, "Unknown field: chat_template_kwargs")]
    assert ask(model).parsed and ask(model).parsed
    assert ["chat_template_kwargs" in one for one in server.requests] == [True, False, False]


def test_several_threads_find_out_about_that_field_at_once(server, model):
    barrier = threading.Barrier(4, timeout=60)

    def together(request):
        if "chat_template_kwargs" not in request:
            return says(GOOD)(request)
        barrier.wait()  # all have asked before one is answered
        return refuses(400, "Unknown field: chat_template_kwargs")(request)

    server.answer = together
    with ThreadPoolExecutor(4) as threads:
        replies = list(threads.map(lambda n: ask(model, f"word {n}"), range(4)))
    assert all(one.parsed for one in replies)


def test_a_callers_own_error_is_no_lost_answer(server, model, pauses):
    def fail(_piece):
        raise ValueError("mine")

    model._on_token = fail
    with pytest.raises(ValueError, match="mine"):
        ask(model)
    assert pauses == []


@pytest.mark.parametrize(
    ("read", "told"), [(3, "read 3 tokens"), (None, "does not say"), (4095, "a context of 4096 leaves")]
)
def test_a_prompt_that_was_not_read_whole_is_never_accepted(server, model, read, told):
    server.entry["max_model_len"] = 4096
    server.answer = says(GOOD, read=read)
    with pytest.raises(TruncatedPromptError, match=told) as refused:
        ask(model)
    assert [one.text for one in refused.value.discarded] == [GOOD]


def test_a_prompt_beyond_the_context_is_not_sent(server, model):
    server.entry["meta"] = {"n_ctx_train": 2048}
    with pytest.raises(TruncatedPromptError, match="the context holds 2048"):
        ask(model, "word " * 3000)
    assert server.requests == []


def test_a_server_that_refuses_a_long_prompt_says_so(server, model):
    server.answer = refuses(400, "This model's maximum context length is 2048 tokens")
    with pytest.raises(TruncatedPromptError, match="maximum context length"):
        ask(model)


def test_a_reply_that_was_cut_off_is_unfinished(server, model):
    server.answer = says('{"good": tr', reason="length")
    reply = ask(model)
    assert not reply.finished and reply.parsed is None


def test_a_runaway_is_broken_off(server, model):
    server.answer = says("x" * 100_000, read=None)
    reply = ask(model)
    assert not reply.finished and len(reply.text) == 1600


@pytest.mark.parametrize(
    "fault",
    [
        refuses(500, "out of memory"),
        refuses(503, "busy"),
        says(GOOD, reason=None),
        lambda _: (200, b"data: no JSON\n\n"),
        lambda _: (200, b""),
        lambda _: (200, b'data: {"error": "out of memory"}\n\n'),
    ],
)
def test_tried_again_then_given_up(server, model, pauses, fault):
    server.behaviours = [fault, fault]
    assert ask(model).parsed is not None
    assert pauses == [0.5, 1.0]
    server.answer = fault
    with pytest.raises(ModelUnavailableError) as failed:
        ask(model)
    assert "\n" not in str(failed.value) and server.url in str(failed.value)


def test_a_request_refused_is_not_repeated(server, model, pauses):
    server.answer = refuses(422, "temperature must be 0")
    with pytest.raises(ModelUnavailableError, match="temperature must be 0"):
        ask(model)
    assert pauses == [] and len(server.requests) == 1


def test_what_identifies_a_model_is_what_its_server_says_of_it(server):
    first = OpenAIModel("tiny", server.url).check()
    server.entry["created"] = 2
    assert OpenAIModel("tiny", server.url).check() == first
    server.entry["meta"] = {"n_params": 8_000_000_000}
    assert OpenAIModel("tiny", server.url).check() != first


def test_a_model_or_server_that_is_not_there(server, monkeypatch):
    with pytest.raises(ModelUnavailableError, match="has no model other; it has: tiny"):
        OpenAIModel("other", server.url).check()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ModelUnavailableError, match="nothing answers"):
        OpenAIModel("tiny", f"http://127.0.0.1:{port}", timeouts=PATIENT).check()
    server.key = "secret"
    with pytest.raises(ModelUnavailableError, match="FAIRNAD_API_KEY"):
        OpenAIModel("tiny", server.url).check()
    monkeypatch.setenv("FAIRNAD_API_KEY", "secret")
    assert OpenAIModel("tiny", server.url).check()


def test_as_it_is_named(server):
    spec = f"openai:{server.url}#tiny"
    assert (parse_llm(spec).kind, parse_llm(spec).name) == ("openai", "openai:tiny")
    assert parse_llm("openai:http://gpu:8000#Qwen/Qwen3-8B").urls == ("http://gpu:8000/v1",)
    assert check_llm(spec).name == make_models(spec, Template.load()).reader.name == "openai:tiny"


@pytest.mark.parametrize(
    "spec", ["openai:", "openai:http://x", "openai:#m", "openai:ftp://x#m", "openai:http://a b#m", "openai:gpu#m"]
)
def test_other_forms_are_refused(spec):
    with pytest.raises(InputError, match="openai:"):
        parse_llm(spec)
