"""What goes wrong with a server and is survived: told in kinds that can be counted, from the threads that ask."""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
from llm_server.ollama_protocol import Behaviour, OllamaProtocol, keeps_half, says, serving
from llm_server.patience import PATIENT, hasty_once
from pydantic import BaseModel

from fairnad_engine.llm.asking import ReplyRefusedError, ask
from fairnad_engine.llm.hosts import OllamaHosts
from fairnad_engine.llm.incidents import IncidentCounts, report, reported_to
from fairnad_engine.llm.ollama import OllamaModel
from fairnad_engine.llm.prompts import Prompt
from fairnad_engine.reading_jobs import _counting


class Said(BaseModel):
    word: str


@pytest.fixture
def server():
    with serving(OllamaProtocol(says('{"word": "yes"}'))) as state:
        yield state


@pytest.fixture
def heard():
    found = []
    with reported_to(lambda kind, what: found.append((kind, what))):
        yield found


def model(server):
    return OllamaModel("tiny:1b", server.url, timeouts=PATIENT, pause=lambda _: None)


def put(model, text="What?"):
    return ask(model, Prompt("Be brief.", text), Said, "screen", max_tokens=20).value.word


def test_nothing_goes_wrong(server, heard):
    assert put(model(server)) == "yes" and heard == []


def test_a_lost_connection_is_a_retry(server, heard):
    server.behaviours = [Behaviour(reset_after=1), Behaviour(status=500, error="out of memory"), Behaviour()]
    assert put(model(server)) == "yes"
    assert [kind for kind, _ in heard] == ["retry", "retry"]
    assert "out of memory" in heard[1][1]


def test_a_stall_is_one_and_a_retry(server, heard):
    server.behaviours = [Behaviour(stall_after=1), Behaviour()]
    hasty = hasty_once(partial(OllamaModel, "tiny:1b", server.url), replace(PATIENT, silence=0.4), [])
    assert put(hasty) == "yes"
    assert [kind for kind, _ in heard] == ["stall", "retry"]
    assert "it stopped in mid-answer: nothing for 0.4 s" in heard[0][1]


def test_each_prompt_that_was_not_read_whole(server, heard):
    """Asked again with a larger context, and refused where that is cut short too."""
    server.answer = keeps_half(says('{"word": "yes"}'), own_limit=512)
    with pytest.raises(ReplyRefusedError, match="cut short"):
        put(model(server), "One two three four. " * 800)
    assert {kind for kind, _ in heard} == {"truncated"}
    assert len(heard) == len(server.requests)


def test_a_server_that_is_set_aside(server, heard):
    gone = OllamaModel("tiny:1b", "http://127.0.0.1:9", timeouts=PATIENT, pause=lambda _: None)
    assert put(OllamaHosts([gone, model(server)])) == "yes"
    assert [kind for kind, _ in heard] == ["aside"]
    assert heard[0][1].startswith("http://127.0.0.1:9 set aside for 30 s: ")


def test_a_job_tells_what_its_threads_met():
    now = {}

    async def work():
        with ThreadPoolExecutor(2) as threads:
            for kind in ("retry", "stall", "retry"):
                await asyncio.get_running_loop().run_in_executor(
                    threads, contextvars.copy_context().run, report, kind, "http://a: silent\nfor long"
                )
        return "3 papers structured"

    assert asyncio.run(_counting(now.__setitem__, work())) == "3 papers structured; 1 stall, 2 retries"
    assert now["incidents"].startswith("1 stall, 2 retries; last ")
    assert now["incidents"].endswith(": http://a: silent for long")


def test_a_job_that_met_nothing_says_nothing():
    async def work():
        return "done"

    now = {}
    assert asyncio.run(_counting(now.__setitem__, work())) == "done" and now == {}
    report("retry", "nobody listens any more")
    assert str(IncidentCounts()) == ""
