"""One model on several servers: shared work, a dead one set aside, other weights refused."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import pytest
from llm_server.ollama_protocol import Behaviour, OllamaProtocol, says, serving
from llm_server.patience import PATIENT

from fairnad_engine.errors import ModelUnavailableError
from fairnad_engine.llm.hosts import OllamaHosts
from fairnad_engine.llm.models import check_llm, make_models, parse_llm
from fairnad_engine.llm.ollama import OllamaModel


@pytest.fixture
def servers():
    with ExitStack() as stack:
        yield [stack.enter_context(serving(OllamaProtocol(says(name)))) for name in ("one", "two", "three")]


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def hosts(servers, clock):
    models = [OllamaModel("tiny:1b", one.url, timeouts=PATIENT, pause=lambda _: None) for one in servers]
    return OllamaHosts(models, clock=clock)


def ask(model, text="What?"):
    return model.chat("Be brief.", text, None, "screen", max_tokens=20).text


def failing(server):
    server.behaviours = [Behaviour(status=500, error="out of memory")]


def test_prompts_asked_at_once_are_spread(servers, clock):
    model, all_asked = hosts(servers, clock), threading.Event()

    def hold(request, answer):
        if all(one.requests for one in servers):
            all_asked.set()
        all_asked.wait(60)  # else all might be answered one after another, by the first
        return answer(request)

    for one in servers:
        one.answer = partial(hold, answer=one.answer)
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda n: ask(model, f"word {n}"), range(30)))
    asked = [len(one.requests) for one in servers]
    assert sum(asked) == 30
    assert min(asked) >= 1


def test_a_server_that_fails_is_set_aside_and_tried_again(servers, clock):
    model = hosts(servers[:2], clock)
    assert ask(model) == "one"
    failing(servers[0])
    assert [ask(model) for _ in range(3)] == ["two"] * 3
    tries = len(servers[0].requests)
    servers[0].behaviours = []
    assert ask(model) == "two" and len(servers[0].requests) == tries
    clock.now = 31.0
    assert ask(model) == "one"


def test_where_all_fail_each_was_asked_and_the_failure_is_told(servers, clock):
    model = hosts(servers, clock)
    for one in servers:
        failing(one)
    with pytest.raises(ModelUnavailableError, match="out of memory"):
        ask(model)
    assert all(one.requests for one in servers)
    servers[1].behaviours = []  # none need wait until its time is over where no other is left
    assert ask(model) == "two"


def test_a_server_that_fails_is_not_asked_again_before_the_others(servers, clock):
    waits, order = [], []
    models = [OllamaModel("tiny:1b", one.url, timeouts=PATIENT, pause=waits.append) for one in servers]
    for one in servers:
        failing(one)
        one.requests = order
    with pytest.raises(ModelUnavailableError, match="out of memory"):
        ask(OllamaHosts(models, clock=clock))
    assert len(order) == 9 and waits == [0.5, 1.0]  # three rounds, a wait after each but the last
    servers[2].behaviours = []
    del order[:], waits[:]
    assert ask(OllamaHosts(models, clock=clock)) == "three"
    assert len(order) == 3 and waits == []


def test_who_looks_on_is_told_which_server_is_set_aside(servers, clock):
    heard = []
    models = [OllamaModel("tiny:1b", one.url, on_token=heard.append, pause=lambda _: None) for one in servers[:2]]
    failing(servers[0])
    assert ask(OllamaHosts(models, clock=clock)) == "two"
    (said,) = [one.strip() for one in heard if one.startswith("\n[")]
    assert servers[0].url in said and said.endswith("; set aside for 30 s, the next server is asked]")


def test_servers_that_all_come_back_are_waited_for(servers, clock):
    model = hosts(servers[:2], clock)
    for one in servers[:2]:
        one.behaviours = [Behaviour(status=503, error="loading"), Behaviour()]
    assert ask(model) == "one"
    assert [len(one.requests) for one in servers[:2]] == [2, 1]


def test_a_check_needs_one_server_that_has_the_model(servers, clock):
    servers[0].models = ("other:1b",)
    model = hosts(servers[:2], clock)
    assert model.check().startswith("sha256:")
    assert ask(model) == "two"
    servers[1].models = ("other:1b",)
    with pytest.raises(ModelUnavailableError, match="ollama pull tiny:1b"):
        hosts(servers[:2], clock).check()


def test_other_weights_under_the_same_name_are_refused(servers, clock):
    servers[1].digest = "sha256:beef"
    with pytest.raises(ModelUnavailableError, match="other weights under the name ollama:tiny:1b"):
        hosts(servers[:2], clock).check()


def test_a_server_that_comes_back_with_other_weights_is_not_asked(servers, clock):
    model = hosts(servers[:2], clock)
    assert ask(model) == "one"
    failing(servers[0])
    assert ask(model) == "two"
    servers[0].behaviours, servers[0].digest, clock.now = [], "sha256:beef", 31.0
    before = len(servers[0].requests)
    assert ask(model) == "two"
    assert len(servers[0].requests) == before


class TestAffinity:
    """Which server is asked, with answers that take as long as the test says."""

    PIECES = tuple(f"Piece {n}. " + f"It says something about {n}. " * 40 for n in range(4))

    @pytest.fixture
    def held(self, servers):
        """Two servers whose answers wait until they are let go."""
        for one in servers[:2]:
            one.go = threading.Event()
            answer = one.answer
            one.answer = lambda request, one=one, answer=answer: one.go.wait(60) and answer(request)
        yield servers[:2]
        for one in servers[:2]:
            one.go.set()

    def test_questions_about_a_piece_go_where_it_was_read(self, servers, clock):
        model = hosts(servers, clock)
        failing(servers[0])
        failing(servers[2])
        first = ask(model, self.PIECES[0] + "category 0")
        for one in servers:
            one.behaviours = []
        clock.now = 31.0  # all are there again, and none has anything to do
        assert [first, *(ask(model, self.PIECES[0] + f"category {n}") for n in range(1, 15))] == ["two"] * 15
        assert ask(model, self.PIECES[1] + "category 0") == "one"  # another piece: no server knows it

    def test_a_server_that_is_busy_while_another_is_idle_is_not_waited_for(self, held, clock):
        model = hosts(held, clock)
        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(ask, model, self.PIECES[0] + "a")
            wait_until(lambda: len(held[0].requests) == 1)
            second = threads.submit(ask, model, self.PIECES[0] + "b")
            wait_until(lambda: len(held[1].requests) == 1)
            for one in held:
                one.go.set()
            assert (first.result(), second.result()) == ("one", "two")

    def test_papers_on_two_lanes_keep_to_a_server_each(self, held, clock):
        model = hosts(held, clock)
        with ThreadPoolExecutor(2) as threads:
            first = [threads.submit(ask, model, self.PIECES[0] + "category 0")]
            wait_until(lambda: len(held[0].requests) == 1)
            first.append(threads.submit(ask, model, self.PIECES[1] + "category 0"))
            wait_until(lambda: len(held[1].requests) == 1)
            for one in held:
                one.go.set()
            assert [one.result() for one in first] == ["one", "two"]
        for number in range(1, 8):  # both are idle each time; the least busy one alone would always be the first
            assert ask(model, self.PIECES[1] + f"category {number}") == "two"
            assert ask(model, self.PIECES[0] + f"category {number}") == "one"

    def test_one_that_is_set_aside_is_not_preferred(self, servers, clock):
        model = hosts(servers[:2], clock)
        assert ask(model, self.PIECES[0] + "a") == "one"
        failing(servers[0])
        assert [ask(model, self.PIECES[0] + name) for name in "bc"] == ["two", "two"]
        servers[0].behaviours, clock.now = [], 31.0
        assert ask(model, self.PIECES[0] + "d") == "two"  # what the first knew is gone with it
        assert ask(model, self.PIECES[2] + "a") == "one"


def wait_until(met):
    ends = time.monotonic() + 60
    while not met():
        assert time.monotonic() < ends
        time.sleep(0.005)


def test_as_it_is_named(servers):
    spec = f"ollama:tiny:1b@{servers[0].url},{servers[1].url}"
    assert parse_llm(spec).name == check_llm(spec).name == "ollama:tiny:1b"
    from fairnad_engine.knowledge.template import Template

    models = make_models(spec, Template.load())
    assert models.name == models.reader.name == models.designer.name == "ollama:tiny:1b"
