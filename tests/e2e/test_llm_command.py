"""``fairnad-tui llm``: list, probe, pull and stats."""

import json

import pytest
from llm_server.ollama_protocol import OllamaProtocol, says, serving

from fairnad_engine.llm.protocol import ModelCall
from fairnad_engine.store import Store


@pytest.fixture
def server():
    with serving(OllamaProtocol(says('{"blocks": 12, "activation": "GELU"}', written=40))) as state:
        yield state


def test_models_are_listed_and_pulled(fairnad, server):
    server.models, server.library = (), ("tiny:1b",)
    assert "llm pull" in fairnad("llm", "list", server.url).err
    pulled = fairnad("llm", "pull", f"ollama:tiny:1b@{server.url}")
    assert pulled.code == 0 and "100 %" in pulled.err
    assert fairnad("llm", "list", server.url).out == "tiny:1b\n"
    failed = fairnad("llm", "pull", f"ollama:other:1b@{server.url}")
    assert failed.code != 0 and "file does not exist" in failed.one_line()


def test_a_probe_says_what_a_model_can_do(fairnad, server, tmp_path):
    server.version = "0.12.0"
    found = fairnad("llm", "probe", f"ollama:tiny:1b@{server.url}", "--json", XDG_CACHE_HOME=str(tmp_path))
    assert found.code == 0, found.err
    (one,) = json.loads(found.out)
    assert one["schema"] and "older than" in one["warnings"][0]
    told = fairnad("llm", "probe", f"ollama:tiny:1b@{server.url}", XDG_CACHE_HOME=str(tmp_path))
    assert "guard: tokens read are counted\tyes; held against" in told.out
    assert "schema\tyes" in told.out and "older than" in told.err
    assert "built in" in fairnad("llm", "probe", "rules").one_line()
    assert "doctor --llm openai:" in fairnad("llm", "pull", "openai:http://127.0.0.1:9#m").one_line()


def test_calls_are_summed_by_purpose(fairnad, tmp_path):
    with Store(tmp_path / "fairnad.db") as store:
        for number, (purpose, written) in enumerate((("screen", 10), ("extract", 30), ("extract", 50))):
            call = ModelCall(
                purpose,
                "ollama:m",
                "h",
                100,
                written,
                2.0,
                f"reply \x1b[2J{number}",
                "the\nprompt",
                digest=f"sha256:{'ab' * 20}",
            )
            store.calls.record(f"step-{number}", [call], job_id="job-1", run_id=None)
    lines = [line.split("\t") for line in fairnad("llm", "stats").out.splitlines()]
    assert lines[1] == ["extract", "ollama:m", "abababababab", "2", "200", "80", "4.0", "2.00", "20.0"]
    assert lines[3][:6] == ["all", "", "-", "3", "300", "90"]
    (first, second) = json.loads(fairnad("llm", "stats", "--json").out)
    assert (first["purpose"], first["tokens_per_second"], second["calls"]) == ("extract", 20.0, 1)
    assert [one["id"] for one in json.loads(fairnad("llm", "calls", "--last", 2, "--json").out)] == [3, 2]
    assert fairnad("llm", "calls", "--purpose", "screen").out.splitlines()[1].startswith("1\tscreen\tollama:m")
    told = fairnad("llm", "show", 2).out
    assert told.startswith(f"--- call 2: extract by ollama:m, weights sha256:{'ab' * 20}; 100 tokens read, 30 written")
    assert "\n--- prompt\nthe\nprompt\n--- reply\nreply " in told and "\x1b" not in told
    assert "llm calls" in fairnad("llm", "show", 9).one_line()
    assert "run-9" in fairnad("llm", "stats", "--run", "run-9").one_line()
