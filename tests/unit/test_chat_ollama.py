"""Every way in which an Ollama server can fail ends in one line that names the remedy, or in a recorded loss."""

import json
import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
from llm_server.ollama_protocol import DIGEST, Answered, Behaviour, OllamaProtocol, keeps_half, says, serving
from llm_server.patience import PATIENT, hasty_once
from pydantic import BaseModel, Field

from fairnad_engine.errors import InputError, ModelUnavailableError
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.chat import TruncatedPromptError
from fairnad_engine.llm.models import check_llm, make_models, parse_llm
from fairnad_engine.llm.ollama import OllamaModel
from fairnad_engine.llm.ollama_server import Timeouts, server_url


class Verdict(BaseModel):
    good: bool
    why: str = Field(max_length=40)


GOOD = '{"good": true, "why": "it is"}'
HASTY = replace(PATIENT, first=0.3, silence=0.3)  # only where a stall is waited for: a good answer may take longer


@pytest.fixture
def server():
    with serving(OllamaProtocol(says(GOOD))) as state:
        yield state


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def model(server, pauses):
    return OllamaModel("tiny:1b", server.url, timeouts=PATIENT, pause=pauses.append)


def ask(model, text="What do you think of it?", max_tokens=100):
    return model.chat("Be brief.", text, Verdict, "screen", max_tokens=max_tokens, temperature=0.7, seed=11)


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class TestOrdinaryCall:
    def test_reply_and_accounts(self, server, model):
        heard = []
        model._on_token = heard.append
        reply = ask(model)
        assert reply.parsed == Verdict(good=True, why="it is")
        assert "".join(heard) == reply.text == GOOD
        assert len(heard) == 2
        assert (reply.prompt_tokens, reply.completion_tokens, reply.finished) == (16, 5, True)
        assert reply.discarded == ()
        assert len(reply.prompt_hash) == 64

    def test_what_is_sent(self, server, model):
        ask(model)
        (request,) = server.requests
        assert request["options"] == {"num_ctx": 4096, "num_predict": 100, "temperature": 0.7, "seed": 11}
        assert request["format"] == {
            "type": "object",
            "required": ["good", "why"],
            "properties": {"good": {"type": "boolean"}, "why": {"type": "string", "maxLength": 40}},
        }
        assert request["stream"] is True
        assert (request["truncate"], request["shift"]) == (False, False)
        assert "keep_alive" not in request
        assert "think" not in request
        assert [message["role"] for message in request["messages"]] == ["system", "user"]

    @pytest.mark.parametrize(("given", "sent"), [("10m", "10m"), ("0", 0), ("-1", -1)])
    def test_how_long_the_model_stays_loaded(self, server, given, sent):
        ask(OllamaModel("tiny:1b", server.url, timeouts=PATIENT, keep_alive=given))
        assert server.requests[0]["keep_alive"] == sent

    def test_a_model_that_can_think_is_told_not_to(self, server, model):
        server.capabilities = ("completion", "thinking")
        ask(model)
        assert server.requests[0]["think"] is False

    def test_context_grows_with_the_prompt_and_never_shrinks(self, server, model):
        for text in ("word " * 100, "word " * 4000, "word"):
            ask(model, text)
        assert [request["options"]["num_ctx"] for request in server.requests] == [4096, 16384, 16384]

    def test_several_threads_at_once(self, server, model):
        with ThreadPoolExecutor(8) as threads:
            replies = list(threads.map(lambda number: ask(model, f"word {number}"), range(24)))
        assert all(reply.parsed is not None and reply.discarded == () for reply in replies)
        assert len({reply.prompt_hash for reply in replies}) == len(server.requests) == 24

    def test_hash_tells_prompts_apart(self, model):
        assert ask(model, "one").prompt_hash != ask(model, "two").prompt_hash
        assert ask(model, "one").prompt_hash == ask(model, "one").prompt_hash


class TestCheck:
    def test_digest(self, model):
        assert model.check() == DIGEST

    def test_a_tag_may_be_left_out(self, server):
        server.models = ("tiny:latest", "tiny")
        assert OllamaModel("tiny", server.url).check() == DIGEST

    def test_nothing_listens(self, free_port, monkeypatch):
        monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/ollama")
        with pytest.raises(ModelUnavailableError) as caught:
            OllamaModel("qwen3:8b", f"http://127.0.0.1:{free_port}").check()
        address = f"127.0.0.1:{free_port}"
        assert str(caught.value) == (
            f"Ollama does not answer at http://{address}; start it with: OLLAMA_HOST={address} ollama serve"
        )

    def test_not_installed(self, free_port, monkeypatch):
        monkeypatch.setattr(shutil, "which", lambda _: None)
        with pytest.raises(ModelUnavailableError, match="is not installed here; get it from https"):
            OllamaModel("qwen3:8b", f"http://127.0.0.1:{free_port}").check()

    def test_default_address_needs_no_setting(self, monkeypatch):
        from fairnad_engine.llm.ollama_server import no_model, not_answering

        monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/ollama")
        url = server_url("http://127.0.0.1:11434")
        assert str(not_answering(url)) == f"Ollama does not answer at {url}; start it with: ollama serve"
        assert str(no_model("qwen3:8b", url)).endswith("has no model qwen3:8b; get it with: ollama pull qwen3:8b")

    def test_host_that_takes_the_connection_and_says_nothing(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with pytest.raises(ModelUnavailableError, match="does not answer"):
                OllamaModel("tiny:1b", url, timeouts=Timeouts(connect=0.2, check=0.4)).check()

    def test_host_that_never_ends_its_answer(self):
        with socket.socket() as listener, drip(listener) as url, pytest.raises(ModelUnavailableError, match="does not"):
            OllamaModel("tiny:1b", url, timeouts=Timeouts(connect=0.2, check=0.5)).check()

    def test_model_missing(self, server):
        with pytest.raises(ModelUnavailableError) as caught:
            OllamaModel("qwen3:8b", server.url).check()
        host = server.url.removeprefix("http://")
        assert str(caught.value) == (
            f"Ollama at {server.url} has no model qwen3:8b; get it with: OLLAMA_HOST={host} ollama pull qwen3:8b"
        )

    @pytest.mark.parametrize(
        ("status", "listing", "said"),
        [
            (200, b"<html>hello</html>", "answers, but not as Ollama does"),
            (200, b'{"models": 3}', "answers, but not as Ollama does"),
            (404, b"{}", "answers, but not as Ollama does"),
            (500, b'{"error": "disk full"}', "disk full"),
        ],
    )
    def test_something_else_listens(self, server, model, status, listing, said):
        server.listing_status, server.listing = status, listing
        with pytest.raises(ModelUnavailableError, match=said):
            model.check()


class drip:
    """Listens, and sends one byte after another of an answer without end."""

    def __init__(self, listener):
        self._listener = listener
        self._end = threading.Event()

    def __enter__(self):
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _serve(self):
        connection, _ = self._listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
            while not self._end.wait(0.05):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return


class TestLostConnections:
    @pytest.mark.parametrize(
        "fault",
        [
            Behaviour(reset_after=0),
            Behaviour(reset_after=1),
            Behaviour(stall_after=0),
            Behaviour(stall_after=1),
            Behaviour(unfinished=True),
            Behaviour(raw=b'{"model": "tiny:1b", "message": {"role": "assist'),
            Behaviour(raw=b'{"model": "tiny:1b", "message": 3, "done": "perhaps"}\n'),
            Behaviour(raw=b"[1, 2]\n"),
            Behaviour(raw=b"\xff\xfe\n"),
            Behaviour(raw=b'{"error": "llama runner process has terminated"}\n'),
            Behaviour(raw=b""),
            Behaviour(status=500, error="out of memory"),
            Behaviour(status=503, error="server busy"),
        ],
        ids=lambda fault: repr(fault)[10:60],
    )
    def test_tried_again_then_given_up(self, server, model, pauses, fault):
        stalls = fault.stall_after is not None
        new = partial(OllamaModel, "tiny:1b", server.url)
        server.behaviours = [fault, Behaviour()]
        tried = hasty_once(new, HASTY, pauses) if stalls else model
        assert ask(tried).parsed == Verdict(good=True, why="it is")
        assert len(pauses) == 1

        server.behaviours = [fault]
        before = len(server.requests)
        with pytest.raises(ModelUnavailableError) as caught:
            ask(new(timeouts=HASTY, pause=pauses.append) if stalls else model)
        # Who waits little may have given up before the server has read the last request.
        end = time.monotonic() + 30
        while len(server.requests) < before + 3 and time.monotonic() < end:
            time.sleep(0.01)
        assert len(server.requests) == before + 3
        assert len(pauses) == 3
        assert "\n" not in str(caught.value)
        assert "ollama serve" in str(caught.value)

    def test_who_looks_on_is_told_what_was_lost(self, server):
        heard = []
        model = OllamaModel("tiny:1b", server.url, on_token=heard.append, pause=lambda _: None)
        server.behaviours = [Behaviour(reset_after=1), Behaviour(status=500, error="out of memory"), Behaviour()]
        assert ask(model).parsed is not None
        lost = [one.strip() for one in heard if one.startswith("\n[")]
        assert lost[0].endswith("; asked again in 0.5 s, for 59.5 s more at most]")
        assert lost[1].endswith("; asked again in 1 s, for 58.5 s more at most]")
        assert "the connection broke" in lost[0] and "out of memory" in lost[1]

    def test_who_looks_on_is_told_of_a_prompt_that_was_cut(self, server):
        heard = []
        model = OllamaModel("tiny:1b", server.url, on_token=heard.append)
        server.behaviours = [Behaviour(answer=says(GOOD, prompt_tokens=3)), Behaviour()]
        assert ask(model, "word " * 900).parsed is not None
        (said,) = [one.strip() for one in heard if one.startswith("\n[")]
        assert said.startswith("[the server read 3 tokens of a prompt") and "with a context of 8192]" in said

    def test_model_removed_meanwhile(self, server, model, pauses):
        model.check()
        server.models = ("other:1b",)
        with pytest.raises(ModelUnavailableError, match="has no model tiny:1b; get it with"):
            ask(model)
        assert pauses == []

    def test_server_gone_meanwhile(self, pauses):
        with serving(OllamaProtocol(says(GOOD))) as server:
            model = OllamaModel("tiny:1b", server.url, timeouts=PATIENT, pause=pauses.append)
            ask(model)
        with pytest.raises(ModelUnavailableError, match="does not answer"):
            ask(model)
        assert len(pauses) == 2

    def test_request_refused(self, server, model, pauses):
        server.behaviours = [Behaviour(status=400, error="invalid JSON schema in format")]
        with pytest.raises(ModelUnavailableError, match="refuses a request: invalid JSON schema"):
            ask(model)
        assert pauses == []

    def test_callers_own_error_is_no_lost_connection(self, server, model, pauses):
        def burst(_):
            raise ValueError("mine")

        model._on_token = burst
        with pytest.raises(ValueError, match="mine"):
            ask(model)
        assert pauses == []


class TestTruncation:
    LONG = "One word follows another, and the sentence ends with a full stop. " * 300

    @pytest.mark.parametrize("count", [None, 0, 40, 1500])
    def test_too_few_tokens_read_is_never_accepted(self, server, model, count):
        server.answer = says(GOOD, prompt_tokens=count)
        with pytest.raises(TruncatedPromptError, match=r"screen: the server (read|does not say)") as caught:
            ask(model, self.LONG)
        assert [reply.prompt_tokens for reply in caught.value.discarded] == [count or 0] * 2
        first, second = server.requests
        assert second["options"]["num_ctx"] == 2 * first["options"]["num_ctx"]

    def test_read_whole_at_the_second_try(self, server, model):
        server.behaviours = [Behaviour(answer=says(GOOD, prompt_tokens=None)), Behaviour()]
        reply = ask(model, self.LONG)
        assert reply.parsed is not None
        assert [one.prompt_tokens for one in reply.discarded] == [0]

    @pytest.mark.parametrize("left", [4096, 4095, 2048, 2049])
    def test_what_a_full_context_leaves_is_suspicious(self, server, model, left):
        server.behaviours = [Behaviour(answer=says(GOOD, prompt_tokens=left)), Behaviour()]
        reply = ask(model, "word " * 900)
        assert [request["options"]["num_ctx"] for request in server.requests] == [4096, 8192]
        assert [one.prompt_tokens for one in reply.discarded] == [left]

    def test_context_that_is_always_full(self, server, model):
        server.answer = lambda request: Answered((GOOD,), request["options"]["num_ctx"], 5)
        with pytest.raises(TruncatedPromptError, match="leaves of a longer prompt"):
            ask(model, "word " * 900)

    @pytest.mark.parametrize("limit", [2048, 4096])
    def test_server_with_a_context_of_its_own(self, server, model, limit):
        server.granted = limit
        server.answer = keeps_half(says(GOOD), own_limit=limit)
        with pytest.raises(TruncatedPromptError):
            ask(model, self.LONG)

    def test_smaller_context_than_asked_for_is_seen_though_the_count_is_plausible(self, server, model):
        server.granted = 4096
        server.answer = says(GOOD, prompt_tokens=4500)
        with pytest.raises(TruncatedPromptError, match="gives the model a context of 4096 tokens"):
            ask(model, self.LONG)

    def test_server_that_says_so(self, server, model):
        server.behaviours = [Behaviour(status=400, error="prompt exceeds the context length"), Behaviour()]
        assert ask(model).parsed is not None
        server.behaviours = [Behaviour(status=400, error="prompt exceeds the context length")]
        with pytest.raises(TruncatedPromptError, match="exceeds the context length"):
            ask(model)

    def test_prompt_beyond_every_context_is_not_sent(self, server, model):
        with pytest.raises(TruncatedPromptError, match="the context holds 32768"):
            ask(model, "word " * 40_000)
        assert server.requests == []

    def test_context_of_the_model_is_the_limit(self, server, model):
        server.context_length = 2048
        ask(model)
        assert server.requests[0]["options"]["num_ctx"] == 2048
        with pytest.raises(TruncatedPromptError, match="the context holds 2048"):
            ask(model, self.LONG)

    def test_no_larger_context_is_asked_for_than_the_setting_allows(self, server):
        model = OllamaModel("tiny:1b", server.url, timeouts=PATIENT, pause=lambda _: None, max_context=8192)
        assert model.context == 8192
        server.answer = says(GOOD, prompt_tokens=40)
        with pytest.raises(TruncatedPromptError):
            ask(model, self.LONG)
        with pytest.raises(TruncatedPromptError, match=r"the context holds 8192 .*max_context"):
            ask(model, self.LONG * 2)
        assert max(request["options"]["num_ctx"] for request in server.requests) == 8192


class TestReplyLength:
    def test_length_stop_is_unfinished(self, server, model):
        server.answer = says('{"good": tr', done_reason="length")
        reply = ask(model)
        assert (reply.finished, reply.parsed) == (False, None)

    def test_runaway_reply_is_broken_off(self, server, model):
        piece = "x" * 1_000_000
        server.answer = lambda _: Answered((piece,) * 10, 17, 10)
        reply = ask(model)
        assert not reply.finished
        assert len(reply.text) == 1600

    def test_empty_reply(self, server, model):
        server.answer = says("")
        reply = ask(model)
        assert (reply.text, reply.parsed, reply.finished) == ("", None, True)


class TestAddresses:
    @pytest.mark.parametrize(
        ("given", "url"),
        [
            ("gpu1", "http://gpu1:11434"),
            ("gpu1:5000/", "http://gpu1:5000"),
            ("http://gpu1", "http://gpu1:80"),
            ("https://gpu1/ollama", "https://gpu1:443/ollama"),
            ("0.0.0.0", "http://127.0.0.1:11434"),
            (":5000", "http://127.0.0.1:5000"),
            ("[::1]:5000", "http://[::1]:5000"),
        ],
    )
    def test_forms(self, given, url):
        assert server_url(given) == url

    def test_environment(self, monkeypatch):
        monkeypatch.setenv("OLLAMA_HOST", "0.0.0.0:7777")
        assert server_url(None) == "http://127.0.0.1:7777"
        monkeypatch.delenv("OLLAMA_HOST")
        assert server_url(None) == "http://127.0.0.1:11434"

    @pytest.mark.parametrize("given", ["ftp://gpu1", "http://", "gpu1:port", "user:secret@gpu1", "gpu 1", "http://[::"])
    def test_refused(self, given):
        with pytest.raises(InputError, match="not the address of an Ollama server|holds a password"):
            server_url(given)

    def test_proxy_is_not_asked_for_the_loopback(self, server, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        assert OllamaModel("tiny:1b", server.url).check() == DIGEST


class TestChoice:
    @pytest.mark.parametrize(
        ("spec", "parts"),
        [
            ("rules", ("rules", "", "", "rules")),
            ("ollama:qwen3:8b", ("ollama", "qwen3:8b", "", "ollama:qwen3:8b")),
            ("ollama:qwen3:8b@http://gpu1:11434", ("ollama", "qwen3:8b", "http://gpu1:11434", "ollama:qwen3:8b")),
            ("ollama:hf.co/a/b:Q4", ("ollama", "hf.co/a/b:Q4", "", "ollama:hf.co/a/b:Q4")),
            ("ollama:m@gpu1,gpu2:80", ("ollama", "m", "gpu1,gpu2:80", "ollama:m")),
        ],
    )
    def test_forms(self, spec, parts):
        parsed = parse_llm(spec)
        assert (parsed.kind, parsed.model, ",".join(parsed.urls), parsed.name) == parts

    @pytest.mark.parametrize(
        "spec",
        [
            "",
            "gpt",
            "rules:",
            "rules:x",
            "ollama",
            "ollama:",
            "ollama:@x",
            "ollama:m@",
            "ollama:a b",
            "ollama:m@a,",
            "ollama:m@a,http://a:11434",
            "ollama:m@ftp://x",
        ],
    )
    def test_refused(self, spec):
        with pytest.raises(InputError, match="ollama:"):
            parse_llm(spec)

    def test_rules_needs_no_server(self, monkeypatch):
        monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
        assert check_llm("rules").name == "rules"
        models = make_models("rules", Template.load())
        assert (models.reader.name, models.designer.name, models.name) == ("rules", "rules", "rules")
        assert models.digest.startswith("rules-")

    def test_ollama(self, server):
        spec = f"ollama:tiny:1b@{server.url}"
        assert check_llm(spec).name == "ollama:tiny:1b"
        models = make_models(spec, Template.load())
        assert (models.reader.name, models.designer.name, models.digest) == ("ollama:tiny:1b", "ollama:tiny:1b", DIGEST)

    def test_missing_server_is_never_replaced(self, free_port):
        with pytest.raises(ModelUnavailableError):
            make_models(f"ollama:tiny:1b@127.0.0.1:{free_port}", Template.load())


def test_listing_is_what_ollama_sends(server):
    """Keeps the fixture honest: its bodies are JSON objects as the official client reads them."""
    import ollama

    assert [one.model for one in ollama.Client(host=server.url).list().models] == list(server.models)
    assert json.loads(GOOD)["good"] is True
