"""Papers in, Pareto front out: the whole program, as a user calls it."""

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from fairnad_engine.activity import read_nodes
from fairnad_engine.search.ledger import read_ledger
from fairnad_engine.store import Store
from fairnad_engine.workspace import job_folder
from tests.conftest import command_line, environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pipeline")]


def digest(path: Path) -> str:
    with Store(path) as store:
        return store.runs.newest().digest


def wait_until(condition, seconds=240.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.05)
    return found


def trainers_of(worker: int) -> list[int]:
    """The trainer processes that a worker started."""
    found = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
    trainers = []
    for pid in map(int, found):
        with suppress(OSError):  # one that ended while it was looked at
            if b"fairnad_engine.training" in Path(f"/proc/{pid}/cmdline").read_bytes():
                trainers.append(pid)
    return trainers


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """One small search run to its end, and everything that it left."""
    from tests.e2e.conftest import SMALL

    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "small.toml").write_text(SMALL)
    done = subprocess.run(
        command_line("--no-ui", "--config", "small.toml"),
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return folder, done


def test_a_run_ends_with_front_report_and_exact_budget(undisturbed):
    folder, done = undisturbed
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [e["event"] for e in events]
    assert kinds[-2:] == ["front", "report"]
    assert Path(folder / events[-1]["path"]).exists()
    assert events[-2]["members"]
    trained = [e for e in events if e["event"] == "candidate" and e["status"] == "trained"]
    assert len(trained) == 8 + 1  # and the seed
    with Store(folder / "fairnad.db") as store:
        candidates = [c for c in store.runs.candidates("run-1") if c.status == "trained" and c.generation]
        assert len({c.exact_hash for c in candidates}) == len(candidates) == 8
        assert {c.stage for c in candidates} == {1, 2, 3}
        counts = [c for c in store.sampling.counts("run-1").values() if c.kind == "main" and c.active]
        assert max(c.effective for c in counts) - min(c.effective for c in counts) <= 1
        assert sum(c.turns for c in counts) == 4
        assert {i.status for i in store.ideas.all() if i.origin != "derived"} == {"approved"}
        assert {i.status for i in store.ideas.all() if i.origin == "derived"} == {"proposed"}
        assert store.tests.of_run("run-1") == []


def test_running_it_again_changes_nothing(undisturbed):
    folder, _ = undisturbed
    before = digest(folder / "fairnad.db")
    done = subprocess.run(
        command_line("--no-ui", "--config", "small.toml"),
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert digest(folder / "fairnad.db") == before
    with Store(folder / "fairnad.db") as store:
        assert [r.id for r in store.runs.all()] == ["run-1"]


def test_one_worker_and_two_give_the_same_digest(undisturbed, fairnad, small_config, tmp_path):
    ended = fairnad("--no-ui", "--config", small_config, "--workers", 1)
    assert ended.code == 0, ended.err
    assert digest(tmp_path / "fairnad.db") == digest(undisturbed[0] / "fairnad.db")


@pytest.mark.timeout(600)
def test_killed_twice_and_resumed_it_equals_the_undisturbed_run(undisturbed, fairnad, small_config, tmp_path):
    db = tmp_path / "fairnad.db"
    assert fairnad("papers", "add", "samples").code == 0
    assert fairnad("structure", "--llm", "rules", "--policy", "grounded").code == 0
    started = fairnad("run", "--config", small_config, "--detach")
    assert started.code == 0, started.err
    with Store(db) as store:
        job = store.jobs.of_run("run-1")
        trainers = wait_until(lambda: trainers_of(store.jobs.holder(job.id)[0].pid))
        os.kill(trainers[0], signal.SIGKILL)  # its job is given to another
        for trained in (2, 5):  # many more kills, with a simulated trainer, are in tests/soak
            wait_until(lambda n=trained: sum(c.status == "trained" for c in store.runs.candidates("run-1")) >= n)
            os.killpg(os.getpgid(store.jobs.holder(job.id)[0].pid), signal.SIGKILL)
            wait_until(lambda: not store.jobs.is_held(job.id))
            assert read_ledger(store, "run-1").problems == ()
            assert json.loads(fairnad("status", "--json").out)["runs"][0]["state"] == "dead"
            assert fairnad("run", "--resume", "run-1", "--detach").code == 0
    ended = fairnad("attach", "run-1")
    assert ended.code == 0, ended.err
    assert digest(db) == digest(undisturbed[0] / "fairnad.db")
    with Store(db) as store:
        ledger = read_ledger(store, "run-1")
        assert (ledger.problems, ledger.trained, ledger.pending) == ((), 8, 0)


def test_stop_keeps_what_is_done_and_says_how_to_resume(fairnad, small_config, tmp_path):
    begin = ("--no-ui", "--config", small_config, "--trained", 2)
    process = subprocess.Popen(
        command_line(*begin),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    for line in process.stdout:
        if json.loads(line)["event"] == "candidate":
            process.send_signal(signal.SIGINT)
            break
    _, err = process.communicate(timeout=240)
    assert process.returncode == 7
    assert (
        err.strip()
        .splitlines()[-1]
        .startswith("fairnad-tui: stopped; nothing is lost, resume with: fairnad-tui --no-ui")
    )
    with Store(tmp_path / "fairnad.db") as store:
        assert not store.jobs.is_held("job-2")
        assert store.jobs.get("job-2").state == "stopped"
        kept = store.runs.evaluations("run-1", "search")
        assert kept
    ended = fairnad(*begin)
    assert ended.code == 0, ended.err
    with Store(tmp_path / "fairnad.db") as store:
        now = store.runs.evaluations("run-1", "search")
        assert all(one in now for one in kept)
        assert store.runs.progress("run-1").trained == 2


def test_a_second_worker_is_refused_and_pause_resume_and_stop_now_work(fairnad, small_config, tmp_path):
    assert fairnad("papers", "add", "samples").code == 0
    assert fairnad("structure", "--llm", "rules", "--policy", "grounded").code == 0
    assert fairnad("run", "--config", small_config, "--detach").code == 0
    again = fairnad("run", "--resume", "run-1", "--detach")
    assert again.code == 4
    assert "already" in again.one_line()
    with Store(tmp_path / "fairnad.db") as store:
        for request, state in (("pause", "paused"), ("resume", "running")):
            assert fairnad("control", request).code == 0
            wait_until(lambda s=state: store.jobs.of_run("run-1").state == s)
        assert fairnad("control", "stop-now").code == 0
        wait_until(lambda: not store.jobs.is_held(store.jobs.of_run("run-1").id))
        assert store.jobs.of_run("run-1").state == "stopped"
    refused = fairnad("control", "pause")
    assert refused.code == 2
    assert "--resume run-1" in refused.one_line()


def test_each_export_scores_exactly_as_recorded_and_stands_alone(undisturbed, fairnad):
    from fairnad_engine.backbone.jail.client import Jail
    from fairnad_engine.report.evaluate import check_standalone

    folder, _ = undisturbed
    exports = sorted((folder / "fairnad-reports" / "run-1" / "front").iterdir())
    assert exports
    with Jail() as jail:
        for export in exports:
            ended = fairnad("evaluate", export, "--json")
            assert ended.code == 0, ended.err
            found = json.loads(ended.out)
            assert found["equal"]
            assert found["validation_accuracy"] == found["recorded"]
            assert check_standalone(export, jail) < 1e-4


def test_on_a_ray_cluster_the_same_search_comes_to_the_same(undisturbed, tmp_path):
    """Trainings and jails on a cluster of the run's own, which ends with it; the ideas are those of the first run."""
    folder, _ = undisturbed
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    text = (copy / "small.toml").read_text()
    (copy / "ray.toml").write_text(text.replace("workers = 2", 'workers = 2\nverify_on = "ray"'))
    done = subprocess.run(
        command_line("run", "--config", "ray.toml", "--executor", "ray"),
        cwd=copy,
        capture_output=True,
        text=True,
        env=environment(FAIRNAD_CACHE=str(tmp_path / "cache"), RAY_ADDRESS=""),
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert digest(copy / "fairnad.db") == digest(folder / "fairnad.db")
    assert [one.name for one in (tmp_path / "cache" / "datasets").iterdir() if one.is_dir()]
    with Store(copy / "fairnad.db") as store:
        job = store.jobs.of_run("run-2")
        assert (job.config["machine"]["executor"], job.config["machine"]["verify_on"]) == ("ray", "ray")
        _, nodes = read_nodes(job_folder(store.path, job.id))
    assert [(one.address, one.cpus) for one in nodes] == [("127.0.0.1", 2)]
