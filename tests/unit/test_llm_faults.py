"""A server misbehaves while papers are structured: a retry, a repair or a recorded failure, and nothing is lost.

Each fault meets the whole job (store, kept replies, reader, client) at its first prompt and in the middle of a paper,
once or as often as the program tries. Afterwards the job is run again, and its ideas are those of an undisturbed one.
"""

import asyncio
import json
import re
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest
from llm_server.ollama_protocol import Answered, Behaviour, OllamaProtocol, serving
from llm_server.patience import PATIENT

from fairnad_engine.errors import ModelUnavailableError
from fairnad_engine.knowledge.papers import read_papers
from fairnad_engine.knowledge.reply_keeper import ReplyKeeper
from fairnad_engine.knowledge.structuring import structure
from fairnad_engine.knowledge.template import Level, Template
from fairnad_engine.llm.chat_reader import ChatReader
from fairnad_engine.llm.hosts import OllamaHosts
from fairnad_engine.llm.kept import KeptChat
from fairnad_engine.llm.ollama import OllamaModel
from fairnad_engine.llm.tokens import fewest_tokens, most_tokens
from fairnad_engine.search.control import Control
from fairnad_engine.store import Store

STALL = 1.0  # seconds, where a stall is waited for; an answer that comes may take longer than that on a busy machine
REPAIR = "\n\nYou answered this before:"
PAPERS = 2
CALLS = PAPERS * 3  # one screening and two categories each


def answer(request):
    """The same prompt, the same answer, also where it is asked for again."""
    user = request["messages"][-1]["content"].partition(REPAIR)[0]
    if "Can this paper inspire" in user:
        document = {"reason": "it has blocks", "relevant": True}
    else:
        quote = re.search(r"Paper \d says something about blocks\.", user)[0]
        sub = re.findall(r"^- ([a-z0-9.-]+): ", user, re.MULTILINE)[0]
        document = {"ideas": [{"quote": quote, "sub": sub, "name": "It", "instruction": f"Do {sub} as {quote[:7]}"}]}
    text, whole = json.dumps(document), "".join(one["content"] for one in request["messages"])
    return Answered((text[:9], text[9:]), (fewest_tokens(whole) + most_tokens(whole)) // 2, 5)


def says(*pieces):
    return Behaviour(answer=lambda request: replace(answer(request), pieces=pieces))


def half_of_it(request):
    whole = answer(request)
    return replace(whole, pieces=whole.pieces[:1])


def half_the_context(request):
    return replace(answer(request), prompt_tokens=request["options"]["num_ctx"] // 2)


@dataclass(frozen=True)
class Fault:
    """What the server does, how often the program meets it before it gives up, and what it says then."""

    behaviour: Behaviour
    tries: int
    told: str
    recorded: bool = True  # or it ends the job, which can be begun again
    again: bool = False  # no answer was kept, so that the same job asks again


LOST = {
    "500": Fault(Behaviour(status=500, error="out of memory"), 3, r"fails \(out of memory\)", False),
    "503": Fault(Behaviour(status=503, error="server busy"), 3, r"fails \(server busy\)", False),
    "reset": Fault(Behaviour(reset_after=1), 3, "the connection broke", False),
    "stall": Fault(Behaviour(stall_after=1), 3, "stopped in mid-answer: nothing for 1 s", False),
    "half an answer": Fault(Behaviour(unfinished=True), 3, "ended before it was complete", False),
    "half a line": Fault(Behaviour(raw=b'{"model": "tiny:1b", "mess'), 3, "not of Ollama's form", False),
    "error in mid-stream": Fault(Behaviour(raw=b'{"error": "runner died"}\n'), 3, "runner died", False),
    "no model": Fault(Behaviour(status=404, error="model not found"), 1, "no model tiny:1b; get it with", False),
}
POOR = {
    "half a JSON": Fault(Behaviour(answer=half_of_it), 2, "malformed-reply"),
    "wrong types": Fault(says('{"reason": 3, "relevant": [1], "ideas": 7}'), 2, "malformed-reply"),
    "empty": Fault(says(""), 2, "malformed-reply"),
    "10 MB": Fault(says(*("x" * 1_000_000,) * 10), 1, "truncated-reply"),
    "cut off": Fault(Behaviour(answer=lambda r: replace(answer(r), done_reason="length")), 1, "truncated-reply"),
    "truncated prompt": Fault(Behaviour(answer=half_the_context), 2, "truncated-reply", again=True),
    "no count": Fault(
        Behaviour(answer=lambda r: replace(answer(r), prompt_tokens=None)), 2, "truncated-reply", again=True
    ),
    "refused prompt": Fault(
        Behaviour(status=400, error="input exceeds the context length"), 2, "truncated-reply", again=True
    ),
}
FAULTS = {**LOST, **POOR}


@pytest.fixture(scope="module")
def template():
    whole = Template.load()
    level = Level("operation", "Operation", "Operators.", (whole.main("conv"), whole.main("act")))
    return Template(whole.version, whole.references, (level,), whole.source, whole.digest)


@pytest.fixture
def open_store(tmp_path):
    with ExitStack() as stack:

        def make(name):
            store = stack.enter_context(Store(tmp_path / f"{name}.db"))
            for number in range(PAPERS):
                file = tmp_path / f"{number}.md"
                file.write_text(f"# Paper {number}\n\n## Abstract\n\nPaper {number} says something about blocks.\n")
                store.papers.add(next(read_papers(str(file))))
            return store

        yield make


@pytest.fixture
def server():
    with serving(OllamaProtocol(answer)) as state:
        yield state


def job_of(store):
    return store.jobs.create("structure", {}, None).id


def run(store, template, url, job, pause=lambda _: None, lanes=1, model=None, silence=PATIENT.silence):
    model = model or OllamaModel("tiny:1b", url, timeouts=replace(PATIENT, silence=silence), pause=pause)

    async def work():
        keeper = ReplyKeeper(store, job, asyncio.get_running_loop())
        return await structure(
            store, ChatReader(KeptChat(model, "sha256:1", keeper)), template, job_id=job, control=Control(),
            activity=lambda *_: None, lanes=lanes,
        )  # fmt: skip

    return asyncio.run(work())


def silence_of(fault):
    return PATIENT.silence if fault.behaviour.stall_after is None else STALL


def stored(store):
    papers = [(one.id, one.relevant, one.reason, one.structured_by) for one in store.papers.all()]
    return papers, sorted((one.paper_id, one.sub, one.instruction, one.span) for one in store.ideas.all())


def prompts(server):
    return [one["messages"][-1]["content"].partition(REPAIR)[0] for one in server.requests]


@pytest.fixture
def undisturbed(open_store, template, server):
    store = open_store("undisturbed")
    run(store, template, server.url, job_of(store))
    assert len(server.requests) == CALLS
    server.requests.clear()
    return stored(store)


def check_nothing_lost(store, server, undisturbed, faulty):
    assert stored(store) == undisturbed
    assert all(one.span is not None for one in store.ideas.all()) and len(store.ideas.all()) == PAPERS * 2
    asked = prompts(server)
    assert len(set(asked)) == CALLS
    assert len(asked) <= CALLS + faulty  # only what came to nothing is asked again


@pytest.mark.parametrize("at", [0, 2, CALLS - 1])
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.fault("model-missing")
@pytest.mark.fault("model-fails")
@pytest.mark.fault("model-babbles")
def test_a_fault_as_often_as_the_program_tries(open_store, template, server, undisturbed, name, at, caplog):
    fault, store = FAULTS[name], open_store("faulty")
    server.behaviours = [Behaviour()] * at + [fault.behaviour] * fault.tries + [Behaviour()]
    job = job_of(store)
    if fault.recorded:
        done = run(store, template, server.url, job)
        assert (done.refused, done.incomplete) == ((1, 0) if at == 0 else (0, 1))
        (line,) = {one.getMessage() for one in caplog.records if one.name == "fairnad.structuring"}
        assert fault.told in line and "\n" not in line
        if at == 0:
            assert sum(fault.told in one.reason for one in store.papers.all()) == 1
        assert stored(store) != undisturbed
        if not fault.again:
            run(store, template, server.url, job)  # the same job knows what it was told
            assert stored(store) != undisturbed
            job = job_of(store)
    else:
        with pytest.raises(ModelUnavailableError, match=fault.told) as failed:
            run(store, template, server.url, job, silence=silence_of(fault))
        assert "\n" not in str(failed.value)
    run(store, template, server.url, job)
    check_nothing_lost(store, server, undisturbed, fault.tries)


@pytest.mark.parametrize("name", [one for one, fault in FAULTS.items() if fault.tries > 1])
def test_a_fault_that_passes_is_not_noticed(open_store, template, server, undisturbed, name):
    fault, store = FAULTS[name], open_store("faulty")
    server.behaviours = [*[Behaviour()] * 2, *[fault.behaviour] * (fault.tries - 1), Behaviour()]
    done = run(store, template, server.url, job_of(store), silence=silence_of(fault))
    assert (done.papers, done.refused, done.incomplete) == (PAPERS, 0, 0)
    check_nothing_lost(store, server, undisturbed, fault.tries - 1)


def test_a_slow_first_token_is_waited_for(open_store, template, server, undisturbed):
    store = open_store("slow")
    server.behaviours = [Behaviour(), Behaviour(first_after=3.0), Behaviour()]
    lost = {"pause": lambda _: pytest.fail("it was waited for")}
    run(store, template, server.url, job_of(store), silence=2.0, **lost)
    check_nothing_lost(store, server, undisturbed, 0)


@pytest.mark.fault("model-restarted")
def test_a_server_that_is_started_again(open_store, template, undisturbed):
    store = open_store("restarted")
    with ExitStack() as stack:
        first = stack.enter_context(ExitStack())
        old = first.enter_context(serving(OllamaProtocol(answer)))
        old.behaviours = [Behaviour(), Behaviour(), Behaviour(reset_after=1)]
        new = OllamaProtocol(answer, requests=old.requests)
        waits = []

        def pause(_):
            waits.append(1)
            if len(waits) == 1:
                first.close()  # nothing listens at the second try
            else:
                stack.enter_context(serving(new, int(old.url.rsplit(":", 1)[1])))

        run(store, template, old.url, job_of(store), pause=pause)
        assert len(waits) == 2
    check_nothing_lost(store, new, undisturbed, 1)


def test_a_server_that_stays_away_ends_the_job_which_goes_on_later(open_store, template, server, undisturbed):
    store = open_store("away")
    job = job_of(store)
    with serving(OllamaProtocol(answer)) as other, ExitStack() as stack:
        gone = stack.enter_context(serving(OllamaProtocol(answer)))
        gone.behaviours = [*[Behaviour()] * 3, Behaviour(reset_after=0)]
        with pytest.raises(ModelUnavailableError, match=r"does not answer|fails \(the connection broke"):
            run(store, template, gone.url, job, pause=lambda _: stack.close())
        run(store, template, other.url, job)
        other.requests.extend(gone.requests)
        check_nothing_lost(store, other, undisturbed, 1)


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.fault("model-host-lost")
def test_one_of_two_servers_dies_and_comes_back(open_store, template, server, undisturbed, lanes):
    """In a whole job: nothing is lost, nobody waits, and the dead one is tried again when its time is over."""
    store, clock = open_store("two servers"), [0.0]
    with serving(OllamaProtocol(answer)) as second:
        # The first one answers a screening and dies in the middle of the next answer.
        server.behaviours = [Behaviour(), Behaviour(reset_after=1), Behaviour(status=503, error="starting")]
        models = [
            OllamaModel("tiny:1b", one.url, timeouts=PATIENT, pause=lambda _: pytest.fail("one was left to ask"))
            for one in (server, second)
        ]
        hosts = OllamaHosts(models, clock=lambda: clock[0])
        run(store, template, "", job_of(store), lanes=lanes, model=hosts)
        faulty = len(server.requests) + len(second.requests) - CALLS
        assert second.requests and 1 <= faulty <= 1 + lanes
        server.requests.extend(second.requests)
        check_nothing_lost(store, server, undisturbed, faulty)
        # A job of another workspace, a little later: the first one is set aside no longer, and it has come back.
        server.requests.clear()
        server.behaviours, clock[0] = [], 31.0
        later = open_store("later")
        run(later, template, "", job_of(later), lanes=lanes, model=hosts)
        assert server.requests and stored(later) == undisturbed


def test_faults_all_the_way_through(open_store, template, server, undisturbed):
    """Every second answer is a fault; each job gets a little further."""
    store, job = open_store("bad day"), None
    server.behaviours = [one for fault in POOR.values() for one in (Behaviour(), fault.behaviour)]
    server.behaviours += [one for fault in LOST.values() for one in (fault.behaviour, Behaviour())] + [Behaviour()]
    for _ in range(30):
        job = job_of(store)
        try:
            done = run(store, template, server.url, job, lanes=2, silence=STALL)
        except ModelUnavailableError:
            continue
        if not (done.refused or done.incomplete):
            break
    assert stored(store) == undisturbed


@pytest.mark.slow
def test_the_line_that_a_user_sees(fairnad, tmp_path, server):
    for number in range(PAPERS):
        text = f"# Paper {number}\n\n## Abstract\n\nPaper {number} says something about blocks.\n"
        (tmp_path / f"{number}.md").write_text(text)
        fairnad("papers", "add", f"{number}.md")
    server.behaviours = [*[Behaviour()] * 5, Behaviour(stall_after=1)]
    failed = fairnad("structure", "--llm", f"ollama:tiny:1b@{server.url}", "--stall", 1, "--retry", 1.5)
    assert failed.code == 3
    assert "stopped in mid-answer: nothing for 1 s" in failed.err and "Traceback" not in failed.err
    server.behaviours = [Behaviour()]
    done = fairnad("structure", "--llm", f"ollama:tiny:1b@{server.url}")
    assert done.code == 0, done.err
    assert len(set(prompts(server))) == PAPERS * 16
    assert len(prompts(server)) <= PAPERS * 16 + 2 * 3  # what was in flight on two lanes, tried three times
