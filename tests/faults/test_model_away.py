"""A model's server that is gone for hours: the job waits, nothing in flight fails, and it goes on when it is back."""

import asyncio
import socket
from contextlib import ExitStack
from dataclasses import replace

import pytest
from llm_server.ollama_protocol import OllamaProtocol, says, serving
from llm_server.patience import PATIENT

from fairnad_engine.errors import ModelAwayError
from fairnad_engine.llm.absence import absences_told_to
from fairnad_engine.llm.models import _checked
from fairnad_engine.llm.ollama import OllamaModel
from fairnad_engine.llm.patience import Patience
from fairnad_engine.store import Store
from tests.faults.played_worker import RUN, played_workspace, trained, wait_until
from tests.search.playing import Designer

PATIENCE = replace(PATIENT, retry=0.5, away=3600.0)


class Asking(Designer):
    """The played designer, who asks a real server before each design."""

    def __init__(self, url, pause, timeouts=PATIENCE):
        super().__init__()
        self.model = OllamaModel("tiny:1b", url, timeouts=timeouts, pause=pause)

    def design(self, task):
        self.model.chat("Be brief.", "What?", None, "design", max_tokens=20)
        return super().design(task)


@pytest.fixture
def port():
    """A port at which nobody listens but the test's servers, which come and go."""
    with socket.socket() as kept:
        # Bound and never listening, so that the system gives it to nobody else and connections are refused.
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


def asks(port, timeouts=PATIENCE):
    def prepare(played):
        plain = type(played).__call__

        async def work(self, store, job, control, activity):
            self.designer = Asking(f"http://127.0.0.1:{port}", control.wait, timeouts)
            await asyncio.to_thread(_checked, self.designer.model)  # as make_models does
            return await plain(self, store, job, control, activity)

        type(played).__call__ = work

    return prepare


@pytest.mark.fault("model-away")
def test_the_run_waits_and_goes_on_by_itself(tmp_path, start, check_whole, port):
    path = played_workspace(tmp_path)
    with Store(path) as store, ExitStack() as stack:
        first = stack.enter_context(ExitStack())
        first.enter_context(serving(OllamaProtocol(says("an answer")), port))
        worker = start(path, prepare=asks(port))
        wait_until(lambda: trained(store) >= 2)
        first.close()
        wait_until(lambda: store.jobs.get("job-1").state == "waiting", more=lambda: worker.log.read_text())
        job = store.jobs.get("job-1")
        assert f"no answer from the model's server: Ollama does not answer at http://127.0.0.1:{port}" in job.message
        assert job.fault == "model-away"
        attempts = store.runs.attempts(RUN)
        stack.enter_context(serving(OllamaProtocol(says("an answer")), port))
        wait_until(lambda: store.jobs.get("job-1").state in ("running", "done"))
        assert worker.wait() == 0
        assert store.runs.attempts(RUN)[: len(attempts)] == attempts  # nothing of what was in flight failed
    check_whole(path)


@pytest.mark.fault("model-away")
def test_a_stop_is_heard_while_it_waits(tmp_path, start, check_whole, port):
    path = played_workspace(tmp_path)
    worker = start(path, prepare=asks(port))
    with Store(path) as store:
        wait_until(lambda: store.jobs.get("job-1").state == "waiting", more=lambda: worker.log.read_text())
        store.jobs.request("job-1", "stop")
        assert worker.wait() == 7
        assert (store.jobs.get("job-1").state, store.jobs.get("job-1").fault) == ("stopped", "")
        with serving(OllamaProtocol(says("an answer")), port):
            assert start(path, prepare=asks(port)).wait() == 0
    check_whole(path)


@pytest.mark.fault("model-away-too-long")
def test_a_server_that_stays_away_fails_the_job_which_is_resumed(tmp_path, start, check_whole, port):
    path = played_workspace(tmp_path)
    assert start(path, prepare=asks(port, replace(PATIENCE, away=0.6))).wait() == 3
    with Store(path) as store:
        job = store.jobs.get("job-1")
        assert (job.state, job.fault) == ("failed", "model-away-too-long")
        assert "does not answer" in job.message
    with serving(OllamaProtocol(says("an answer")), port):
        assert start(path, prepare=asks(port)).wait() == 0
    check_whole(path)


class Time:
    """A clock that goes on while it is waited."""

    def __init__(self):
        self.now, self.waits = 0.0, []

    def pause(self, seconds):
        self.waits.append(seconds)
        self.now += seconds


def test_it_is_asked_every_half_minute_for_hours_and_no_prompt_that_fails_otherwise_is():
    fake, told, asked = Time(), [], []
    patience = Patience(1.5, fake.pause, clock=lambda: fake.now, away=600.0)

    def question():
        asked.append(1)
        from fairnad_engine.llm.patience import LostAnswerError

        if fake.now < 300:
            raise LostAnswerError(ModelAwayError("nothing answers at http://gpu1"))
        return "an answer"

    with absences_told_to(lambda _subject, why: told.append(why)):
        assert patience.ask(question) == "an answer"
    assert told == ["no answer from the model's server: nothing answers at http://gpu1", ""]
    assert fake.waits[:2] == [0.5, 1.0] and fake.waits[2:9] == [0.5, 1, 2, 4, 8, 16, 30] and max(fake.waits) == 30.0
    fake.now -= 10_000
    with pytest.raises(ModelAwayError):
        patience.ask(question)
    assert len(fake.waits) < 60
