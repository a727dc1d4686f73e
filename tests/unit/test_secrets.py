"""Passwords and keys are in no store, no log, no export, no backup, and in no message."""

import json
import os
import subprocess
import sys

import pytest

from fairnad_engine.archive import export_workspace
from fairnad_engine.backup import backup
from fairnad_engine.errors import InputError
from fairnad_engine.llm.models import parse_llm
from fairnad_engine.llm.ollama_server import server_url
from fairnad_engine.llm.openai_wire import openai_url
from fairnad_engine.llm.secrets import masked
from fairnad_engine.report.write import write_report
from fairnad_engine.search.config import parse_config
from fairnad_engine.store import Store
from tests.conftest import environment
from tests.llm_server.openai_protocol import OpenAIProtocol, refuses, serving
from tests.unit.report_workspace import RUN, workspace

SECRET = "pl4nted-S3CRET"
WITH_SECRET = [
    f"ollama:qwen3:8b@http://user:{SECRET}@gpu1:11434", f"ollama:qwen3:8b@user:{SECRET}@gpu1:11434",
    f"ollama:qwen3:8b@http://gpu1:11434,https://{SECRET}@gpu2", f"openai:https://user:{SECRET}@host/v1#m",
    f"openai:https://{SECRET}@host/v1#m", f"openai:https://host/v1?api_key={SECRET}#m",
    f"openai:https://user:a/{SECRET}@host/v1#m", f"openai:http://host/v1?x=1&access_token={SECRET}#m",
]  # fmt: skip
WITHOUT = [
    "rules", "ollama:qwen3:8b", "ollama:hf.co/a/b:Q4@http://[::1]:11434", "ollama:m@gpu1:11434,gpu2:11434",
    "openai:http://127.0.0.1:8000/v1#org/model@v2",
]  # fmt: skip


@pytest.mark.parametrize("llm", WITH_SECRET)
def test_an_address_with_a_secret_is_refused_and_not_repeated(llm):
    for refuse in (lambda: parse_llm(llm), lambda: parse_config({"model": {"llm": llm}}, "my.toml")):
        with pytest.raises(InputError) as refused:
            refuse()
        told = str(refused.value)
        assert SECRET not in told
        assert "FAIRNAD_API_KEY" in told
        assert "***" in told


@pytest.mark.parametrize("llm", WITHOUT)
def test_other_addresses_are_as_they_were(llm):
    assert masked(llm) == llm
    parse_llm(llm)
    assert parse_config({"model": {"llm": llm}}, "x").model.llm == llm


def test_so_is_the_servers_own_variable(monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", f"user:{SECRET}@gpu1:11434")
    with pytest.raises(InputError, match="OLLAMA_HOST") as refused:
        server_url(None)
    assert SECRET not in str(refused.value)
    with pytest.raises(InputError) as refused:
        openai_url(f"http://user:{SECRET}@gpu1")
    assert SECRET not in str(refused.value)


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """A finished workspace after a job whose server was sent a key and threw it back, and a refused address."""
    folder = tmp_path_factory.mktemp("secrets")
    with workspace(folder) as store:
        path = store.path
        job = store.jobs.of_run(RUN)
        config = {**store.runs.get(RUN).config, "machine": {"on_finish": f"curl -d {SECRET}-command http://hook"}}
        if job is None:
            job = store.jobs.create("search", config, RUN)
        store.jobs.set_state(store.jobs.set_config(job.id, config).id, "done")
        store._db.table("runs").update(RUN, {"config_json": json.dumps(config)})
    env = environment(PYTHONPATH=os.pathsep.join(sys.path), FAIRNAD_API_KEY=SECRET)
    said = []
    with serving(OpenAIProtocol(refuses(400, f"Incorrect key provided: {SECRET}"), key=SECRET)) as server:
        for llm in (f"openai:{server.url}#tiny", WITH_SECRET[0]):
            arguments = ["structure", "--llm", llm, "--reread", "--retry", "0", "--db", path]
            done = subprocess.run(
                [sys.executable, "-m", "fairnad_tui", *map(str, arguments)],
                env=env, capture_output=True, text=True, timeout=100,
            )  # fmt: skip
            assert done.returncode
            said.append(done.stdout + done.stderr)
    assert server.requests, "the key was used"
    return path, said


def holders(folder, secret):
    """Files of a folder that hold a secret in any of their bytes, free pages and logs of the store included."""
    return [one.name for one in folder.rglob("*") if one.is_file() and secret.encode() in one.read_bytes()]


def test_no_byte_of_a_finished_workspace_holds_a_key(used):
    path, said = used
    assert not [one for one in said if SECRET in one]
    logs = [one.read_text() for one in path.with_name("w-files").glob("jobs/*/log.txt")]
    assert any("Incorrect key provided: ***" in one for one in logs), "the complaint itself is there"
    key = f"{SECRET}-command"
    held = set(holders(path.parent, SECRET))
    assert held <= {"w.db", "w.db-wal"}, "only the user's own command, in the store"
    with Store(path) as store:
        job = store.jobs.of_run(RUN)
        store._db.execute("UPDATE jobs SET config_json = replace(config_json, ?, '')", [key])
        store._db.execute("UPDATE runs SET config_json = replace(config_json, ?, '')", [key])
        assert job is not None
        store._db.execute("VACUUM")
    assert holders(path.parent, SECRET) == []


def test_exports_hold_neither_key_nor_command(tmp_path, used):
    path, _ = used
    with workspace(tmp_path) as store:
        config = {**store.runs.get(RUN).config, "machine": {"on_finish": f"curl -d {SECRET} http://hook"}}
        store._db.table("runs").update(RUN, {"config_json": json.dumps(config)})
        store._db.table("studies").insert({"name": "s", "config_json": json.dumps({"run": config}), "created_at": "x"})
        write_report(store, RUN, tmp_path / "out" / "report")
        export_workspace(store.path, tmp_path / "out" / "w.tar")
        backup(store.path, tmp_path / "backup" / "b.db")
    assert holders(tmp_path / "out", SECRET) == []
    assert holders(tmp_path / "backup", SECRET) == ["b.db"], "a backup is whole: its runs go on as they were"


def test_an_archive_of_what_was_used_holds_no_environment(tmp_path, used):
    export_workspace(used[0], tmp_path / "w.tar")
    data = (tmp_path / "w.tar").read_bytes()
    assert SECRET.encode() not in data
    assert os.environ["PATH"].encode() not in data


def test_a_command_that_fails_is_not_logged(tmp_path, caplog):
    from fairnad_engine.on_finish import run_on_finish

    run_on_finish(
        f"no-such-program --token {SECRET}",
        job="j",
        run=None,
        state="done",
        db=tmp_path / "w.db",
        output=tmp_path / "o",
    )
    assert "no-such-program" in caplog.text
    assert SECRET not in caplog.text
