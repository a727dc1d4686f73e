"""What ails a model's server is said where the model is used: on standard error and in a job's log."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import suppress
from dataclasses import replace

import pytest
from llm_server.ollama_protocol import OllamaProtocol, says, serving

from fairnad_engine import preflight, workspace
from fairnad_engine.llm import live_check
from fairnad_engine.llm.models import parse_llm
from fairnad_engine.llm.server_warnings import warnings_of
from fairnad_engine.reading_jobs import structure_papers
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.control import Control
from fairnad_engine.store import Store
from fairnad_engine.workspace import create_structure_job
from fairnad_tui import batch
from fairnad_tui.cli import main

TOLD = "Ollama 0.12.0 is older than 0.17.1"


@pytest.fixture
def old():
    with serving(OllamaProtocol(says('{"relevant": false, "reason": "r"}'), version="0.12.0")) as state:
        yield state


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Call a command; what it said on standard output and on standard error."""
    monkeypatch.setattr(workspace, "start_worker", lambda *_: None)
    monkeypatch.setattr(preflight, "_CHECKS", ())
    Store(tmp_path / "w.db").close()

    def run(*arguments, db=True):
        with suppress(SystemExit):
            main([*arguments, *(["--db", str(tmp_path / "w.db")] if db else [])])
        return capsys.readouterr()

    return run


def test_each_thing_once_and_nothing_of_a_server_that_is_not_ollamas_or_not_there(old):
    spec = parse_llm(f"ollama:tiny:1b@{old.url},{old.url.replace('127.0.0.1', 'localhost')},127.0.0.1:9")
    (told,) = warnings_of(spec)
    assert TOLD in told
    assert warnings_of(replace(spec, urls=("127.0.0.1:9",))) == ()
    assert warnings_of(parse_llm("rules")) == warnings_of(parse_llm(f"openai:{old.url}#m")) == ()


def test_a_run_says_it(call, old):
    arguments = ("run", "--detach", "--preset", "small-cpu", "--method", "llm-no-idea", "--llm")
    told = call(*arguments, f"ollama:tiny:1b@{old.url}")
    assert "run-1 goes on" in told.out and told.err.count(TOLD) == 1
    assert TOLD not in call(*arguments, "rules").err


def test_a_run_without_screens_says_it(call, old, monkeypatch):
    monkeypatch.setattr(batch, "_structure", lambda *_: sys.exit())  # as far as this test goes
    assert call("--no-ui", "--demo", "--llm", f"ollama:tiny:1b@{old.url}").err.count(TOLD) == 1


def test_live_check_says_it(call, old, monkeypatch):
    monkeypatch.setattr(live_check.LiveCheck, "run", lambda *_, **__: None)
    assert call("live-check", "--quick", "--llm", f"ollama:tiny:1b@{old.url}", db=False).err.count(TOLD) == 1


def test_the_doctor_says_it(call, old):
    told = call("doctor", "--llm", f"ollama:tiny:1b@{old.url}")
    assert f"answers; {TOLD}" in told.out


def test_a_jobs_log_says_it(tmp_path, old, caplog):
    config = RunConfig.model_validate({"model": {"llm": f"ollama:tiny:1b@{old.url}"}, "curation": {"policy": "none"}})
    with Store(tmp_path / "w.db") as store, caplog.at_level(logging.WARNING):
        asyncio.run(structure_papers(store, create_structure_job(store, config), Control(), lambda *_: None))
    assert [one.getMessage().partition(":")[0] for one in caplog.records] == [TOLD]
