"""Papers from arXiv, against a server of the tests' own that speaks its format and misbehaves."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from fairnad_engine.knowledge import arxiv
from fairnad_engine.knowledge.papers import PaperText, ReadProblem, read_papers

FEED = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">
<title>ArXiv Query</title><opensearch:totalResults>{total}</opensearch:totalResults>{entries}</feed>"""
ENTRY = """<entry><id>http://arxiv.org/abs/{id}v2</id><published>2016-12-10T19:51:55Z</published>
<title>Paper {id}
  on &lt;gates&gt;</title><summary>  We put a gate &amp; a {id} block.
</summary><author><name>Ada A</name></author><author><name>Bo B</name></author></entry>"""
BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "xxxxxxxx"><!ENTITY y "&x;&x;">]><feed>&y;</feed>'
HTML = "<!DOCTYPE html><html><body>Rate exceeded.</body></html>"
ERROR = ENTRY.replace("abs/{id}v2", "api/errors#incorrect_id").replace("We put a gate &amp; a {id} block.", "bad field")


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self):
        self.now, self.slept = 100.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Server:
    """Answers as arXiv does; each of ``faults`` spoils one answer."""

    def __init__(self, clock):
        self.clock, self.total, self.faults = clock, 0, []
        self.asked, self.times = [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *arguments):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http.server_port}/api/query"

    def answer(self, handler):
        asked = {key: value[0] for key, value in parse_qs(urlsplit(handler.path).query).items()}
        self.asked.append(asked)
        self.times.append(self.clock.now)
        fault = self.faults.pop(0) if self.faults else None
        if fault == "reset":
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        if isinstance(fault, int):
            handler.send_response(fault)
            handler.send_header("Retry-After", "7")
            handler.send_header("Location", "http://example.invalid/other")
            handler.end_headers()
            return
        body = (fault.removeprefix("half ") if fault else self.feed(asked)).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body) * (2 if (fault or "").startswith("half ") else 1)))
        handler.end_headers()
        handler.wfile.write(body)

    def feed(self, asked):
        if "id_list" in asked:
            ids = [one.split("v")[0] for one in asked["id_list"].split(",") if not one.startswith("9999")]
        else:
            start = int(asked["start"])
            ids = [f"2001.{n:05d}" for n in range(start, min(start + int(asked["max_results"]), self.total))]
        entries = "".join(ENTRY.format(id=one) for one in ids)
        return FEED.format(total=self.total or len(ids), entries=entries)


@pytest.fixture
def server(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(arxiv, "pace", arxiv.Pace(clock, clock.sleep))
    made = Server(clock)
    monkeypatch.setenv(arxiv.VARIABLE, made.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield made
    made.http.shutdown()
    made.http.server_close()


def read(source, **given):
    found = list(read_papers(source, **given))
    return [one for one in found if isinstance(one, PaperText)], [one for one in found if isinstance(one, ReadProblem)]


def test_ids_become_abstracts_with_their_particulars(server):
    papers, problems = read("arxiv:1512.03385v1, 1709.01507,cs/0112017")
    assert problems == []
    assert [paper.arxiv for paper in papers] == ["1512.03385", "1709.01507", "cs/0112017"]
    one = papers[0]
    assert (one.title, one.abstract) == ("Paper 1512.03385 on <gates>", "We put a gate & a 1512.03385 block.")
    assert (one.authors, one.year, one.source) == (("Ada A", "Bo B"), 2016, "arxiv:1512.03385")
    assert server.asked == [{"id_list": "1512.03385v1,1709.01507,cs/0112017", "max_results": "3"}]


def test_an_id_that_is_not_there_is_named_and_the_others_are_read(server):
    papers, problems = read("arxiv:1512.03385,9999.99999")
    assert [paper.arxiv for paper in papers] == ["1512.03385"]
    assert "arXiv has no paper 9999.99999" in str(problems[0])


def test_a_query_is_paged_bounded_and_no_faster_than_allowed(server):
    server.total = 1234
    papers, (remark,) = read("arxiv:depthwise  convolution")
    assert len(papers) == len({paper.id for paper in papers}) == arxiv.LIMIT
    assert remark.remark
    assert "taking 200 of 1,234 papers that arXiv finds, at most 200; more with --limit" in str(remark)
    assert [(one["search_query"], one["start"], one["max_results"]) for one in server.asked] == [
        ("all:depthwise AND all:convolution", "0", "100"),
        ("all:depthwise AND all:convolution", "100", "100"),
    ]
    assert server.times[1] - server.times[0] >= arxiv.PAUSE
    papers, _ = read("arxiv:ti:gate AND cat:cs.CV", limit=5)
    assert len(papers) == 5
    assert server.asked[-1]["search_query"] == "ti:gate AND cat:cs.CV"
    assert server.times[2] - server.times[1] >= arxiv.PAUSE


def test_fewer_than_the_limit_end_the_paging(server):
    server.total = 130
    papers, _ = read("arxiv:gate", limit=1000)
    assert len(papers) == 130
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "fault",
    [503, 429, 500, HTML, "reset", "half " + FEED, FEED.format(total=7, entries=""), "<feed>", BOMB, "not XML"],
    ids=["503", "429", "500", "html", "reset", "half", "empty page", "no namespace", "bomb", "noise"],
)
def test_each_fault_is_tried_again_and_told_when_it_stays(server, fault):
    server.total = 3
    server.faults = [fault]
    papers, problems = read("arxiv:gate")
    assert len(papers) == 3
    assert [problem.remark for problem in problems] == [True]
    assert server.times[1] - server.times[0] >= (7 if fault in (503, 429) else arxiv.PAUSE)
    server.faults = [fault] * 50
    before = len(server.asked)
    papers, (problem,) = read("arxiv:gate")
    assert papers == []
    assert not problem.remark
    assert "5 times; try again later" in str(problem)
    assert "\n" not in str(problem)
    waits = [b - a for a, b in zip(server.times[before:], server.times[before + 1 :], strict=False)]
    assert len(waits) == 4
    assert waits == sorted(waits)
    assert waits[-1] >= 24


@pytest.mark.parametrize(
    ("fault", "says"),
    [(FEED.format(total=1, entries=ERROR), "bad field"), (400, "status 400"), (302, "another host")],
    ids=["error entry", "400", "redirection"],
)
def test_what_trying_again_cannot_mend_is_told_at_once(server, fault, says):
    server.faults = [fault]
    papers, (problem,) = read("arxiv:gate")
    assert papers == []
    assert says in str(problem)
    assert len(server.asked) == 1


def test_without_a_result_or_a_name_it_says_so(server):
    server.faults = [FEED.format(total=0, entries="")]
    assert "finds nothing" in str(read("arxiv:gate")[1][0])
    assert "name ids or words" in str(read("arxiv: ,")[1][0])


def test_without_network_one_line_names_the_remedy(server, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv(arxiv.VARIABLE, f"http://127.0.0.1:{free.getsockname()[1]}/api")
        papers, (problem,) = read("arxiv:1512.03385")
    assert papers == []
    assert "cannot be reached" in str(problem)
    assert "check the network, or add PDFs or a .jsonl or .bib list" in str(problem)
    monkeypatch.setenv(arxiv.VARIABLE, "file:///etc/passwd")
    assert arxiv.VARIABLE in str(read("arxiv:1512.03385")[1][0])
