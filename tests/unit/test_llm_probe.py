"""What a model can do, what ails its server, and how it is pulled."""

import json
import socket

import pytest
from llm_server import openai_protocol
from llm_server.ollama_protocol import Behaviour, OllamaProtocol, says, serving

from fairnad_engine.errors import ModelUnavailableError
from fairnad_engine.llm.guards import guards_of, recorded_guards
from fairnad_engine.llm.probe import cache_file, probe, probe_openai
from fairnad_engine.llm.pull import pull_model
from fairnad_engine.llm.server_warnings import server_warnings
from fairnad_engine.search.config import RunConfig
from fairnad_engine.store import Store
from fairnad_engine.workspace import create_run

GOOD, PROSE = '{"blocks": 12, "activation": "GELU"}', "It has twelve blocks."


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def think_only_in_prose(request):
    """As servers do that do not hold a thinking model to a schema."""
    return says(PROSE if request.get("think") else GOOD, written=40)(request)


@pytest.fixture
def server():
    with serving(OllamaProtocol(think_only_in_prose)) as state:
        yield state


def test_a_model_that_cannot_think(server):
    found = probe("tiny:1b", server.url)
    assert (found.schema, found.schema_thinking, found.thinks, found.context) == (True, None, False, 32768)
    assert found.tokens_per_second > 0 and found.first_token_seconds >= 0
    assert all("think" not in one for one in server.requests)


def test_a_schema_that_thinking_switches_off_is_seen(server):
    server.capabilities = ("completion", "thinking")
    found = probe("tiny:1b", server.url)
    assert (found.schema, found.schema_thinking) == (True, False)
    assert [one["think"] for one in server.requests] == [False, False, True, False]
    assert not any("schema" in line for line in found.advice)  # the program asks without


def test_replies_without_a_schema_are_named_with_what_to_do(server):
    server.answer = says(PROSE)
    server.context_length = 4096
    found = probe("tiny:1b", server.url)
    assert not found.schema
    assert "choose another model" in found.advice[0]
    assert any("4096 tokens is short" in line for line in found.advice)


def test_it_is_asked_once_for_each_digest(server):
    first = probe("tiny:1b", server.url)
    asked = len(server.requests)
    assert probe("tiny:1b", server.url) == first and len(server.requests) == asked
    server.digest = "sha256:beef"
    assert probe("tiny:1b", server.url).digest == "sha256:beef" and len(server.requests) == 2 * asked
    probe("tiny:1b", server.url, fresh=True)
    assert len(server.requests) == 3 * asked


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", '{"a": {"digest": 1}}', '{"a": 3}'])
def test_a_cache_of_another_form_is_asked_anew(server, text):
    cache_file().parent.mkdir(parents=True)
    cache_file().write_text(text)
    assert probe("tiny:1b", server.url).schema
    assert json.loads(cache_file().read_text())


def test_a_server_that_fails_is_named(server):
    server.behaviours = [Behaviour(status=500, error="out of memory")]
    with pytest.raises(ModelUnavailableError, match="out of memory"):
        probe("tiny:1b", server.url)
    with pytest.raises(ModelUnavailableError, match="ollama pull other:1b"):
        probe("other:1b", server.url)
    assert not cache_file().exists()


@pytest.mark.parametrize(
    ("version", "told"),
    [("0.17.1", ""), ("0.18.0-rc1", ""), ("1.0", ""), ("0.17.0", "older than 0.17.1"), ("0.9.6", "older"), ("", "say")],
)
def test_the_age_of_a_server(server, version, told):
    server.version = version
    (*warnings,) = server_warnings(server.url, own=())
    assert (len(warnings) == 0) if not told else (told in warnings[0])


def test_a_server_that_others_can_reach_is_named(server):
    with socket.create_server(("127.0.0.2", int(server.url.rsplit(":", 1)[1]))):
        (warning,) = server_warnings(server.url, own=("127.0.0.2",))
    assert "127.0.0.2" in warning and "OLLAMA_HOST=127.0.0.1" in warning
    assert server_warnings(server.url, own=("127.0.0.2",)) == ()


def test_nothing_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ModelUnavailableError, match="does not answer"):
        server_warnings(url)


def test_a_pull_tells_how_far_it_is(server):
    server.library = ("new:1b",)
    shares = [one.share for one in pull_model("new:1b", server.url)]
    assert shares[0] is None and shares[-1] == 1.0
    assert [one for one in shares if one is not None and one < 1]
    assert "new:1b" in server.models


def test_a_pull_of_what_does_not_exist(server):
    with pytest.raises(ModelUnavailableError, match="file does not exist"):
        list(pull_model("none:1b", server.url))


def knows_of_truncation(request):
    """As a server that knows ``truncate`` and ``shift``."""
    assert request["truncate"] is False and request["shift"] is False
    return think_only_in_prose(request)


@pytest.mark.parametrize("knows", [True, False])
def test_guards_that_a_server_allows(server, knows):
    server.answer = knows_of_truncation
    if knows:
        server.behaviours = [Behaviour(), Behaviour(), Behaviour(status=400, error="exceeds the context length")]
    found = probe("tiny:1b", server.url)
    assert found.refuses_long_prompts is knows and found.counts_tokens and found.tells_context
    guards = {one.name: one for one in guards_of(found)}
    told = guards["a prompt that does not fit is refused"]
    assert told.held is knows and ("HTTP 400" in told.how) is knows
    assert guards["thinking keeps to the schema"].held is None
    assert recorded_guards(found.digest)[1]["held"] is knows and recorded_guards("sha256:other") == []


def test_a_server_that_counts_nothing_is_told_so(server):
    server.answer = says(GOOD, prompt_tokens=None)
    found = probe("tiny:1b", server.url)
    assert not found.counts_tokens and any("tokens it read" in line for line in found.advice)


@pytest.mark.parametrize(("entry", "context"), [({}, None), ({"max_model_len": 16384}, 16384)])
@pytest.mark.parametrize("counts", [True, False])
def test_guards_of_another_protocol(entry, context, counts):
    state = openai_protocol.OpenAIProtocol(openai_protocol.says(GOOD, read=60 if counts else None))
    state.entry |= entry
    with openai_protocol.serving(state) as other:
        found = probe_openai("tiny", other.url)
    assert (found.schema, found.counts_tokens, found.tells_context) == (True, counts, context is not None)
    assert found.context == (context or 32768)
    guards = {one.name: one.held for one in guards_of(found)}
    assert guards["a context is asked for"] is False and guards["tokens read are counted"] is counts
    assert guards["the context is told"] is (context is not None) and guards["thinking is switched off"]


def test_what_was_seen_of_another_protocol_is_kept_for_a_run(tmp_path):
    state = openai_protocol.OpenAIProtocol(openai_protocol.says(GOOD, read=60))
    settings = {"search": {"method": "llm-no-idea"}, "data": {"protocol": "smoke"}}
    with openai_protocol.serving(state) as other, Store(tmp_path / "w.db") as store:
        config = RunConfig.model_validate({**settings, "model": {"llm": f"openai:{other.url}#tiny"}})
        assert "guards" not in create_run(store, config)[0].environment
        found = probe_openai("tiny", other.url)
        state.answer = openai_protocol.says(GOOD, read=None)
        newest = probe_openai("tiny", other.url)
        assert (found.counts_tokens, newest.counts_tokens) == (True, False)
        guards = create_run(store, config)[0].environment["guards"]
    assert [one["held"] for one in guards if one["name"] == "tokens read are counted"] == [False]
    assert len(json.loads(cache_file().read_text())) == 1
