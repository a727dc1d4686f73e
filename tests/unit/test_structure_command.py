"""``structure``: what of file and options a structuring job is started with."""

from __future__ import annotations

import pytest
from llm_server.ollama_protocol import OllamaProtocol, says, serving

from fairnad_engine import workspace
from fairnad_engine.search.config import RunConfig, parse_config
from fairnad_engine.store import Store
from fairnad_tui.batch import override
from fairnad_tui.cli import main

THREE = "ollama:m@http://a:1,http://b:1,http://c:1"


@pytest.fixture
def server():
    with serving(OllamaProtocol(says('{"relevant": false, "reason": "r"}'))) as state:
        yield state


@pytest.fixture
def structure(tmp_path, monkeypatch, capsys):
    """Call ``structure`` without carrying its job out; the job's settings, or what was said in place of a job."""
    monkeypatch.setattr(workspace, "start_worker", lambda *_: None)
    path = tmp_path / "w.db"
    Store(path).close()

    def call(*arguments):
        try:
            main(["structure", "--db", str(path), "--detach", *map(str, arguments)])
        except SystemExit:
            return capsys.readouterr().err
        with Store(path) as store:
            return RunConfig.model_validate(store.jobs.all()[0].config)

    return call


@pytest.mark.parametrize(
    ("model", "lanes"),
    [
        ({}, 2),
        ({"llm": "rules"}, 2),
        ({"llm": "ollama:m"}, 2),
        ({"llm": THREE}, 3),
        ({"llm": THREE, "lanes": 1}, 1),
        ({"llm": "openai:http://a/v1#m"}, 2),
    ],
)
def test_no_server_that_is_named_stands_idle_by_default(model, lanes):
    config = parse_config({"model": model}, "test")
    assert config.model.lanes == lanes
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config


def test_another_model_on_the_command_line_brings_its_own_lanes():
    one, chosen = parse_config({"model": {"llm": "ollama:m"}}, "test"), parse_config({"model": {"lanes": 5}}, "test")
    assert override(one, llm=THREE).model.lanes == 3
    assert override(override(one, llm=THREE), llm="ollama:m").model.lanes == 2
    assert override(chosen, llm=THREE).model.lanes == 5


def test_options_reach_the_job(structure, server):
    servers = f"{server.url},{server.url.replace('127.0.0.1', 'localhost')},{server.url.replace('127.0.0.1', '[::1]')}"
    config = structure("--llm", f"ollama:tiny:1b@{servers}")
    assert (config.model.lanes, config.papers.reread, config.curation.policy) == (3, True, "none")
    config = structure("--llm", "rules", "--lanes", 7, "--keep-alive", "10m", "--stall", 9, "--reread")
    assert (config.model.lanes, config.model.keep_alive, config.model.stall_seconds) == (7, "10m", 9.0)
    assert config.papers.reread == "all"


def test_a_file_gives_model_and_papers_and_decides_nothing(structure, tmp_path):
    file = tmp_path / "c.toml"
    file.write_text(
        '[model]\nllm = "rules"\nlanes = 5\nkeep_alive = "0"\n[papers]\nmax_tokens = 9\nreread = false\n'
        '[curation]\npolicy = "grounded"\n'
    )
    config = structure("--config", file)
    assert (config.model.llm, config.model.lanes, config.model.keep_alive) == ("rules", 5, "0")
    assert (config.papers.max_tokens, config.papers.reread, config.curation.policy) == (9, False, "none")
    config = structure("--config", file, "--lanes", 3, "--max-tokens", "2k", "--policy", "grounded-unique")
    assert (config.model.lanes, config.papers.max_tokens) == (3, 2000)
    assert config.curation.policy == "grounded-unique"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--keep-alive", "soon"), "write 10m, 0"),
        (("--lanes", 0), "1<=x<=64"),
        (("--config", "none.toml"), "--config FILE"),
    ],
)
def test_what_cannot_be_used_is_told(structure, arguments, told):
    assert told in structure("--llm", "rules", *arguments)


OLD, TOLD = "0.12.0", "Ollama 0.12.0 is older than 0.17.1"


@pytest.mark.parametrize(("version", "times"), [(OLD, 1), ("0.17.1", 0)])
def test_what_ails_the_server_is_said_once_before_papers_are_read(structure, server, capsys, version, times):
    server.version = version
    assert structure("--llm", f"ollama:tiny:1b@{server.url},{server.url.replace('127.0.0.1', 'localhost')}")
    assert capsys.readouterr().err.count(TOLD) == times
