"""A server that fails is asked again for about a minute; nothing here really waits."""

import asyncio
import threading
import time

import pytest
from llm_server.ollama_protocol import Behaviour, OllamaProtocol, says, serving

from fairnad_engine.errors import ModelUnavailableError
from fairnad_engine.llm.models import chat_model, parse_llm
from fairnad_engine.llm.patience import LostAnswerError, Patience
from fairnad_engine.search.control import Control, StopRequestedError


class Time:
    """A clock that goes on while it is waited, and while a question takes its time."""

    def __init__(self, tries=0, each=0.0):
        self.now, self.waits, self.asked, self.told = 0.0, [], 0, []
        self.tries, self.each = tries, each

    def pause(self, seconds):
        self.waits.append(seconds)
        self.now += seconds

    def question(self):
        """Fails so many times."""
        self.asked += 1
        self.now += self.each
        if self.asked <= self.tries:
            raise LostAnswerError(ModelUnavailableError(f"loss {self.asked}"))
        return "an answer"

    def ask(self, seconds=60.0):
        return Patience(seconds, self.pause, self.told.append, lambda: self.now).ask(self.question)


def test_waits_double_and_come_to_a_minute():
    fake = Time(tries=99)
    with pytest.raises(ModelUnavailableError, match="loss 8"):
        fake.ask()
    assert fake.waits == [0.5, 1, 2, 4, 8, 16, 28.5] and sum(fake.waits) == 60
    assert fake.asked == 8


@pytest.mark.parametrize("losses", range(8))
def test_a_loss_that_passes_is_not_noticed(losses):
    fake = Time(tries=losses)
    assert fake.ask() == "an answer" and len(fake.waits) == losses


def test_each_wait_is_told():
    fake = Time(tries=99)
    with pytest.raises(ModelUnavailableError):
        fake.ask(3.0)
    assert [one.strip() for one in fake.told] == [
        "[loss 1; asked again in 0.5 s, for 2.5 s more at most]",
        "[loss 2; asked again in 1 s, for 1.5 s more at most]",
        "[loss 3; asked again in 1.5 s, for the last time]",
        "[loss 4; given up after 4 tries ([model] retry_seconds allows more)]",
    ]


def test_without_patience_it_is_asked_once():
    fake = Time(tries=1)
    with pytest.raises(ModelUnavailableError, match="loss 1"):
        fake.ask(0)
    assert (fake.asked, fake.waits) == (1, [])


@pytest.mark.parametrize(("each", "tries"), [(600.0, 3), (20.0, 4), (1.0, 8)])
def test_tries_that_take_long_use_patience_up_but_there_are_three(each, tries):
    fake = Time(tries=99, each=each)
    with pytest.raises(ModelUnavailableError):
        fake.ask()
    assert fake.asked == tries


def test_an_answer_that_took_long_before_the_first_loss_costs_no_patience():
    """The clock runs from the first loss: what went before may have been a model that was loaded."""
    fake = Time(tries=1, each=600.0)
    assert fake.ask() == "an answer"


def test_a_request_to_stop_ends_a_wait_at_once():
    control, began = Control(), time.monotonic()
    with serving(OllamaProtocol(says("an answer"), behaviours=[Behaviour(status=503, error="busy")])) as server:
        model = chat_model(parse_llm(f"ollama:tiny:1b@{server.url}"), pause=control.wait)
        threading.Timer(0.2, control.handle, ["stop"]).start()
        with pytest.raises(StopRequestedError):
            model.chat("Be brief.", "What?", None, "screen", max_tokens=20)
        assert len(server.requests) < 4
    assert time.monotonic() - began < 20


async def test_a_pause_of_the_job_is_no_stop():
    control = Control()
    control.handle("pause")
    await asyncio.to_thread(control.wait, 0.01)
