"""Runs that want the same device stand in line: real workers, whose work is to wait for a file."""

import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from fairnad_engine.search.config import parse_config
from fairnad_engine.search.study_config import StudyConfig
from fairnad_engine.search.study_runs import study_job
from fairnad_engine.store import Store
from fairnad_engine.workspace import create_finish_job, start_worker, template_of
from fairnad_tui.commands.running import workspace_status
from tests.conftest import environment

_WORKS = """
import asyncio
from fairnad_engine import worker
async def work(store, job, control, activity):
    while not store.path.with_name("enough-" + job.id).exists():
        await asyncio.sleep(0.02)
    return "worked"
worker._WORK["search"] = work
worker.main()
"""


def wait_until(condition, seconds=55.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)
    return found


class Workers:
    """Workers of one workspace."""

    def __init__(self, path, runtime):
        self.store, self.runtime, self.processes = Store(path), runtime, {}

    def begin(self, **machine):
        config = parse_config({"model": {"llm": "rules"}, "machine": machine}, "test")
        job = self.store.jobs.create("search", config.model_dump(mode="json"), None).id
        self.processes[job] = subprocess.Popen(
            [sys.executable, "-c", _WORKS, str(self.store.path), job],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            env={**environment(), "XDG_RUNTIME_DIR": str(self.runtime)},
        )  # fmt: skip
        return job

    def until(self, job, state, says=""):
        def there():
            found = self.store.jobs.get(job)
            assert found.state not in ("failed", "done") or found.state == state, found.message
            return found if found.state == state and says in found.message and self.stands(job, state) else None

        return wait_until(there)

    def stands(self, job, state):
        """Whether it has its devices where it runs, and none where it waits."""
        held = [one.held for one in self.store.reservations.all() if one.job_id == job]
        return {"running": held and all(held), "queued": held and not any(held)}.get(state, not held)

    def end(self, job):
        self.store.path.with_name(f"enough-{job}").touch()
        assert self.processes[job].wait(60) == 0

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait(10)
        self.store.close()


@pytest.fixture
def workers(tmp_path):
    with ExitStack() as opened:

        def workspace(name="w"):
            (tmp_path / name).mkdir()
            found = Workers(tmp_path / name / "fairnad.db", tmp_path)
            opened.callback(found.close)
            return found

        yield workspace


def test_runs_wait_for_a_gpu_in_order_of_arrival_and_begin_by_themselves(workers):
    here = workers()
    first = here.begin(devices=["cuda:0"])
    here.until(first, "running")
    second = here.begin(devices=["cuda:0"])
    assert "job-1 (job-1) has GPU 0" in here.until(second, "queued", "place 1").message
    third = here.begin(devices=["cuda:0"])
    here.until(third, "queued", "place 2")
    told = {one["job"]: (one["held"], one["place"]) for one in workspace_status(here.store)["devices"]}
    assert told == {first: (True, None), second: (False, 1), third: (False, 2)}
    # One that is paused lets the next pass, and stands behind it when it goes on.
    here.store.jobs.request(second, "pause")
    here.until(third, "queued", "place 1")
    wait_until(lambda: here.store.jobs.get(second).state == "paused")  # told by another thread than lets it pass
    here.store.jobs.request(second, "resume")
    here.until(second, "queued", "place 2")
    # Nobody cleans up after a worker that is killed.
    here.processes[first].send_signal(signal.SIGKILL)
    here.until(third, "running")
    assert here.store.jobs.living_state(here.store.jobs.get(first)) == "dead"
    here.until(second, "queued", "place 1 in the line: job-3")
    here.processes[second].send_signal(signal.SIGKILL)
    here.processes[second].wait(10)
    assert here.store.jobs.living_state(here.store.jobs.get(second)) == "dead"
    here.end(third)
    assert here.store.reservations.all() == []


def test_a_run_that_is_not_to_wait_says_who_has_the_gpu_and_one_that_waits_can_be_stopped(workers):
    here, elsewhere = workers(), workers("other")
    first = here.begin(devices=["cuda:0"])
    here.until(first, "running")
    refused = here.begin(devices=["cuda:0"], queue=False)
    assert here.processes[refused].wait(60) == 6
    message = here.store.jobs.get(refused).message
    assert message.startswith("job-1 (job-1) has GPU 0 on ") and "--devices" in message and "\n" not in message
    # The same GPU for a run of another workspace.
    other = elsewhere.begin(devices=["cuda:0"])
    assert f"GPU 0 is used by job-1 of {here.store.path}" in elsewhere.until(other, "queued").message
    waits = here.begin(devices=["cuda:0", "cuda:1"])
    here.until(waits, "queued")
    here.store.jobs.request(waits, "stop")
    assert here.processes[waits].wait(60) == 7
    assert here.store.jobs.get(waits).state == "stopped"
    here.end(first)
    elsewhere.until(other, "running")
    elsewhere.end(other)


def test_on_the_cpu_runs_begin_at_once_unless_a_number_is_set_for_all(workers):
    here = workers()
    both = [here.begin(devices=["cpu"], workers=2) for _ in range(2)]
    for job in both:
        here.until(job, "running")
    third = here.begin(devices=["cpu"], workers=1, max_workers_total=4)
    assert "has 2 trainings on the CPU" in here.until(third, "queued").message
    here.end(both[0])
    here.until(third, "running")


def test_a_finish_that_is_not_to_wait_says_who_has_the_devices(workers):
    here = workers()
    holder = here.begin(devices=["cpu"], workers=2)
    here.until(holder, "running")
    machine = {"devices": ["cpu"], "workers": 2, "max_workers_total": 2}
    config = parse_config({"model": {"llm": "rules"}, "machine": machine}, "test").model_dump(mode="json")
    frozen = dict.fromkeys(("template_version", "seed"), 0)
    frozen |= dict.fromkeys(("model", "model_digest", "dataset_digest", "protocol_digest"), "")
    run = here.store.runs.create("r", {"config": config, "environment": {}, **frozen}).id
    here.store.jobs.set_state(here.store.jobs.create("search", config, run).id, "done")
    command = [sys.executable, "-m", "fairnad_tui", "finish", run, "--no-queue", "--db", str(here.store.path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=55, env=environment())
    assert ended.returncode == 6
    assert "job-1 (job-1) has 2 trainings on the CPU on " in ended.stderr and "Traceback" not in ended.stderr
    job = here.store.jobs.of_run(run, "finish")
    # Asked without the option it stands in line.
    again = create_finish_job(here.store, run, top=1)
    assert again.id == job.id
    here.processes[job.id] = start_worker(here.store, again)
    here.until(job.id, "queued", "has 2 trainings on the CPU")
    # The search is done, so that it is the finish which is told what to do.
    stop = [sys.executable, "-m", "fairnad_tui", "control", "stop", run, "--db", str(here.store.path)]
    ended = subprocess.run(stop, capture_output=True, text=True, timeout=55, env=environment())
    assert (ended.returncode, ended.stdout.strip()) == (0, f"asked the finish of {run} to stop")
    assert here.processes[job.id].wait(55) == 7
    ended = subprocess.run(stop, capture_output=True, text=True, timeout=55, env=environment())
    assert ended.returncode == 2 and f"{run} is done, nobody works on it; see: fairnad-tui report" in ended.stderr
    here.end(holder)


def test_a_study_waits_with_its_run_and_neither_keeps_the_other_from_going_on(workers):
    here = workers()
    template, _ = template_of(here.store)
    here.store.ideas.add_imported(template, [(s.id, s.name, f"Use {s.id}.") for s in template.subs], approve=True)
    holder = here.begin(devices=["cpu"], workers=2)
    here.until(holder, "running")
    base = {
        "model": {"llm": "rules"},
        "data": {"dataset": "digits", "protocol": "smoke"},
        "budget": {"trained": 2, "max_params": 60_000, "max_macs": 3_000_000},
        "search": {"seed_backbone": "digits-small"},
        "machine": {"devices": ["cpu"], "workers": 2, "max_workers_total": 2},
    }
    study = StudyConfig.model_validate({"name": "s", "methods": ["fairnad"], "seeds": [0], "run": base})
    job = study_job(here.store, study)
    here.processes[job.id] = start_worker(here.store, job)
    run = wait_until(lambda: here.store.studies.runs("s"))[0].run_id
    waits = here.store.jobs.of_run(run).id
    here.until(waits, "queued", "has 2 trainings on the CPU")
    assert here.store.jobs.get(job.id).state == "running"
    here.end(holder)
    here.until(waits, "running")
    here.store.jobs.request(job.id, "stop-now")
    assert here.processes[job.id].wait(60) == -signal.SIGKILL
    assert here.store.jobs.get(waits).state == "stopped"
    assert here.store.reservations.all() == []
