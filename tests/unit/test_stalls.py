"""Silence before the first piece of an answer and silence in the middle are told apart, and each is named."""

import json
from dataclasses import replace
from functools import partial

import pytest
from llm_server import ollama_protocol, openai_protocol
from llm_server.ollama_protocol import Behaviour, OllamaProtocol
from llm_server.openai_protocol import OpenAIProtocol
from llm_server.patience import hasty_once

from fairnad_engine.errors import ModelUnavailableError
from fairnad_engine.llm.ollama import OllamaModel
from fairnad_engine.llm.ollama_server import Timeouts
from fairnad_engine.llm.openai import OpenAIModel
from fairnad_engine.llm.stalls import StallWatch
from fairnad_engine.search.config import RunConfig, parse_config

LONG = 200.0  # seconds: whoever waits for this one meets the limit of a test
QUICK_STALL = Timeouts(connect=30.0, check=30.0, first=LONG, silence=0.4, retry=1.5)
QUICK_FIRST = Timeouts(connect=30.0, check=30.0, first=0.4, silence=LONG, retry=1.5)


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def ollama():
    with ollama_protocol.serving(OllamaProtocol(ollama_protocol.says("an answer"))) as state:
        yield state


@pytest.fixture
def openai():
    with openai_protocol.serving(OpenAIProtocol(openai_protocol.says("an answer"))) as state:
        yield state


def ask(model):
    return model.chat("Be brief.", "What?", None, "screen", max_tokens=50).text


def silent_after(state, text):
    """An answer that begins and then is nothing but signs of life."""

    def answer(_request):
        def pieces():
            yield f"data: {json.dumps({'choices': [{'delta': {'content': text}}]})}\n\n".encode() if text else b""
            while not state.closing.wait(0.05):
                yield b": still here\n\n"

        return 200, pieces()

    return answer


class TestOllama:
    def test_a_stall_in_the_middle_is_noticed_by_its_own_patience(self, ollama, pauses):
        ollama.behaviours = [Behaviour(stall_after=1), Behaviour()]
        assert ask(hasty_once(partial(OllamaModel, "tiny:1b", ollama.url), QUICK_STALL, pauses)) == "an answer"
        assert len(pauses) == 1

    def test_a_model_that_is_loaded_first_is_waited_for(self, ollama, pauses):
        ollama.behaviours = [Behaviour(first_after=3.0)]
        timeouts = replace(QUICK_STALL, silence=2.0)  # between two pieces of an answer the server may be slow
        assert ask(OllamaModel("tiny:1b", ollama.url, timeouts=timeouts, pause=pauses.append)) == "an answer"
        assert pauses == [] and len(ollama.requests) == 1

    def test_a_first_piece_that_never_comes(self, ollama, pauses):
        ollama.behaviours = [Behaviour(stall_after=0), Behaviour()]
        assert ask(hasty_once(partial(OllamaModel, "tiny:1b", ollama.url), QUICK_FIRST, pauses)) == "an answer"
        assert len(pauses) == 1

    @pytest.mark.parametrize(
        ("timeouts", "lines", "told"),
        [
            (QUICK_STALL, 1, r"stopped in mid-answer: nothing for 0.4 s .*stall_seconds"),
            (QUICK_FIRST, 0, r"no first token within 0.4 s .*first_token_seconds"),
        ],
    )
    def test_each_is_named_with_the_setting_that_allows_more(self, ollama, pauses, timeouts, lines, told):
        ollama.behaviours = [Behaviour(stall_after=lines)]
        with pytest.raises(ModelUnavailableError, match=told):
            ask(OllamaModel("tiny:1b", ollama.url, timeouts=timeouts, pause=pauses.append))
        assert len(pauses) == 2


class TestOpenAI:
    @pytest.mark.parametrize(("timeouts", "text"), [(QUICK_STALL, "an an"), (QUICK_FIRST, "")])
    def test_signs_of_life_are_no_answer(self, openai, pauses, timeouts, text):
        openai.behaviours = [silent_after(openai, text)]
        assert ask(hasty_once(partial(OpenAIModel, "tiny", openai.url), timeouts, pauses)) == "an answer"
        assert len(pauses) == 1

    def test_both_are_named(self, openai, pauses):
        openai.answer = silent_after(openai, "an an")
        with pytest.raises(ModelUnavailableError, match=r"mid-answer: nothing for 0.4 s"):
            ask(OpenAIModel("tiny", openai.url, timeouts=QUICK_STALL, pause=pauses.append))
        openai.answer = silent_after(openai, "")
        with pytest.raises(ModelUnavailableError, match=r"no first token within 0.4 s"):
            ask(OpenAIModel("tiny", openai.url, timeouts=QUICK_FIRST, pause=pauses.append))


def test_a_watch_by_the_clock():
    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    clock = Clock()
    watch = StallWatch(Timeouts(first=600, silence=60), clock=clock)
    clock.now = 599.0
    watch.heard()
    clock.now = 658.0
    watch.heard()
    assert watch._until == 718.0 and "60 s" in watch.reason and not watch.stalled


def test_settings_reach_the_models():
    model = parse_config(
        {"model": {"first_token_seconds": 1200, "stall_seconds": 30, "retry_seconds": 5}}, "test"
    ).model
    assert (model.timeouts.first, model.timeouts.silence, model.timeouts.retry) == (1200, 30, 5)
    assert model.settings() == {}  # they change nothing of what a model says
    default = RunConfig()
    assert (default.model.timeouts.first, default.model.timeouts.silence, default.model.timeouts.retry) == (600, 60, 60)
    changed = default.model_copy(update={"model": model.model_copy(update={"llm": default.model.llm})})
    assert changed.outcome_settings() == default.outcome_settings()
