"""Trainings on a real Ray cluster of two nodes: the same as on this machine, whatever is lost on the way."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from fairnad_engine.store import Store
from fairnad_engine.training.data import packed
from fairnad_engine.training.datasets import split_digest
from fairnad_engine.training.executor import LocalExecutor
from fairnad_engine.training.jobs import TrainingJob
from fairnad_engine.training.protocol import load_protocol
from tests.conftest import command_line, environment
from tests.e2e.conftest import SMALL

pytestmark = pytest.mark.xdist_group("ray")

MEMORY = 100 * 2**20
NODE = {"node_ip_address": "127.0.0.1", "object_store_memory": MEMORY}
# A node that is gone is found out in seconds; one that is only slow, as on a busy machine, is given its time.
WATCHED = {"health_check_period_ms": 500, "health_check_timeout_ms": 20_000, "health_check_failure_threshold": 3}
SOURCE = """
from torch import nn
class Backbone(nn.Module):
    def __init__(self, in_channels, num_classes, width=1.0):
        super().__init__()
        hidden = int(8 * width)
        self.conv = nn.Conv2d(in_channels, hidden, 3, 2, 1)
        self.norm = nn.BatchNorm2d(hidden)
        self.last = nn.Linear(hidden * 16, num_classes)
    def forward(self, x):
        return self.last(self.norm(self.conv(x)).relu().flatten(1))
"""
WIDTHS = (1.0, 1.5, 2.0, 2.5)
DEADLINE = 200.0


def wait_until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """Two nodes with a core each, and a head that trains nothing."""
    own = pytest.MonkeyPatch()
    own.setenv("FAIRNAD_CACHE", str(tmp_path_factory.mktemp("cache")))
    own.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # lets it be 127.0.0.1
    own.setenv("RAY_USAGE_STATS_ENABLED", "0")
    own.setenv("RAY_TMPDIR", tempfile.mkdtemp(prefix="r-", dir="/tmp"))  # what `ray:auto` means here is left alone
    from ray.cluster_utils import Cluster

    head = {**NODE, "num_cpus": 0, "include_dashboard": False, "_system_config": WATCHED}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1, **NODE)
        yield cluster
    finally:
        cluster.shutdown()
        shutil.rmtree(os.environ["RAY_TMPDIR"], ignore_errors=True)
        own.undo()


@pytest.fixture(scope="module")
def joined(nodes):
    """One membership for all tests, because the processes of one end with it, and importing torch takes its time."""
    from fairnad_engine.training.ray_cluster import Cluster

    cluster = Cluster(f"ray:{nodes.address}", 2)
    yield cluster
    cluster.leave()


@contextmanager
def staying(cluster):
    """What an executor may close without leaving the cluster."""
    leave, cluster.leave = cluster.leave, lambda: None
    try:
        yield cluster
    finally:
        cluster.leave = leave


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """Sixteen candidates on digits: four networks, four seeds."""
    from fairnad_engine.backbone.export import export_backbone

    folder = tmp_path_factory.mktemp("jobs")
    found = []
    for number, width in enumerate(WIDTHS):
        request = {"shape": [1, 8, 8], "classes": 10, "width": width, "seed": number}
        document, weights = export_backbone(SOURCE, request)
        (folder / f"{number}.json").write_text(json.dumps(document))
        (folder / f"{number}.safetensors").write_bytes(weights)
        for seed in range(4):
            found.append(
                TrainingJob(
                    id=f"run/{number}-{seed}",
                    kind="train",
                    graph=str(folder / f"{number}.json"),
                    weights=str(folder / f"{number}.safetensors"),
                    dataset="digits",
                    protocol=load_protocol("smoke").model_dump(mode="json"),
                    seed=seed,
                    artifacts=str(folder / "local"),
                )
            )
    return found


def carried_out(executor, jobs, progress=lambda _message: None, deadline=DEADLINE):
    async def go():
        try:
            return await asyncio.gather(*(executor.run(job, progress, deadline) for job in jobs))
        finally:
            await executor.close()

    return asyncio.run(go())


def on_ray(cluster, jobs, progress=lambda _message: None, deadline=DEADLINE):
    from fairnad_engine.training.ray_executor import RayExecutor

    with staying(cluster):
        return carried_out(RayExecutor(cluster, 8), jobs, progress, deadline)


def table(outcomes):
    return [(one.status, one.accuracy, one.weights, one.message) for one in outcomes]


@pytest.fixture(scope="module")
def local(jobs):
    """How the sixteen end on this machine, and what the first one's network scores on the test split."""
    outcomes = carried_out(LocalExecutor(1), jobs)
    return table(outcomes)


def score_of(job, weights):
    return replace(job, kind="score", weights=str(Path(job.artifacts) / weights), split="test")


def test_sixteen_candidates_come_to_the_same_as_locally(joined, jobs, local, tmp_path):
    told = []
    # The last one was on its way before: its checkpoint is there, and its first epoch is only told again.
    mine = [replace(job, artifacts=str(tmp_path / "files"), checkpoint_seconds=0) for job in jobs]
    outcomes = on_ray(joined, mine, lambda message: told.append((message["epoch"], message["restored"])))
    assert table(outcomes) == local
    assert {one[0] for one in local} == {"done"}
    assert len({one[2] for one in local}) == 16
    assert sorted(told) == [(1, False)] * 16 + [(2, False)] * 16
    for one in outcomes:
        here, there = (Path(job.artifacts) / one.weights for job in (mine[0], jobs[0]))
        assert here.read_bytes() == there.read_bytes()
    # Each machine, of which there is one here, keeps the data set under its own digest.
    assert packed.kept(split_digest("digits")) is not None
    # Checkpoints came back; the search removes them once it has stored the outcomes. With them it takes no first epoch.
    assert len(list((tmp_path / "files" / "checkpoints" / "run").iterdir())) == 16
    told.clear()
    scored = [score_of(mine[0], local[0][2]), mine[1]]
    score, again = on_ray(joined, scored, lambda message: told.append((message["epoch"], message["restored"])))
    assert told == [(1, True), (2, False)]
    assert table([again]) == [local[1]]
    assert table([score]) == table(carried_out(LocalExecutor(1), [score_of(jobs[0], local[0][2])]))


def busy(cluster):
    return sum(node.seen.cpus_used for node in cluster.nodes())


def processes_of(job):
    """Processes that Ray has at this job, by the name that Ray gives them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if job.id.encode() in path.read_bytes() and b"ray::" in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def endless(job, tmp_path):
    return replace(job, protocol={**job.protocol, "epochs": 9_000}, artifacts=str(tmp_path))


def test_deadline_and_cancellation_end_the_work_on_the_node(joined, jobs, tmp_path):
    from fairnad_engine.training.ray_executor import RayExecutor

    late, dropped = endless(jobs[0], tmp_path), endless(jobs[1], tmp_path)

    async def go():
        executor, began = RayExecutor(joined, 8), asyncio.Event()
        cancelled = asyncio.create_task(executor.run(dropped, lambda _message: began.set(), DEADLINE))
        try:
            ended = await executor.run(late, lambda _message: None, 0.5)
            await asyncio.wait_for(began.wait(), 60)
            assert busy(joined) >= 1
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            return ended
        finally:
            await executor.close()

    with staying(joined):
        outcome = asyncio.run(go())
    assert outcome.status == "timeout"
    wait_until(lambda: busy(joined) == 0)
    # A core is free a moment before its process has ended or has another name.
    wait_until(lambda: processes_of(late) == processes_of(dropped) == [])


def test_a_trainer_that_dies_goes_on_elsewhere_and_twice_is_its_own_fault(joined, jobs, local, tmp_path):
    kills = {jobs[5].id: 1, jobs[6].id: 9}
    dying = [replace(jobs[number], artifacts=str(tmp_path), checkpoint_seconds=0) for number in (5, 6)]

    def killing(job):
        def progress(_message):
            if kills[job.id] and (found := processes_of(job)):
                kills[job.id] -= 1
                for pid in found:
                    os.kill(pid, signal.SIGKILL)

        return progress

    async def go():
        from fairnad_engine.training.ray_executor import RayExecutor

        executor = RayExecutor(joined, 8)
        try:
            return await asyncio.gather(*(executor.run(job, killing(job), DEADLINE) for job in dying))
        finally:
            await executor.close()

    with staying(joined):
        once, again_and_again = asyncio.run(go())
    assert table([once]) == [local[5]]
    assert again_and_again.status == "trainer-error"
    assert "died twice" in again_and_again.message


def node_of(nodes, pid):
    """The node whose raylet started a process."""
    parent = psutil.Process(pid).ppid()
    return next(one for one in nodes.worker_nodes if one.all_processes["raylet"][0].process.pid == parent)


def test_a_node_that_is_lost_half_way_costs_nothing(nodes, joined, jobs, local, tmp_path):
    from ray.exceptions import WorkerCrashedError

    from fairnad_engine.training.ray_executor import RayExecutor

    mine = [replace(job, artifacts=str(tmp_path)) for job in jobs]
    told, gone = [], []

    def losing(job):
        def progress(message):
            told.append(message["epoch"])
            if told.count(2) >= 6 and message["epoch"] == 1 and not gone and (found := processes_of(job)):
                gone.append(node_of(nodes, found[0]))
                nodes.remove_node(gone[0], allow_graceful=False)
                for pid in found:  # a machine without power loses all at once
                    os.kill(pid, signal.SIGKILL)

        return progress

    async def go():
        executor = RayExecutor(joined, 8)
        try:
            outcomes = await asyncio.gather(*(executor.run(job, losing(job), DEADLINE) for job in mine))
            # What a death says on that node, and on one that lives.
            judged = [await executor._judge(WorkerCrashedError(), one.node_id) for one in (gone[0], nodes.head_node)]
            return outcomes, judged
        finally:
            await executor.close()

    with staying(joined):
        outcomes, (there, elsewhere) = asyncio.run(go())
    assert table(outcomes) == local
    assert told.count(1) > 16  # what was in flight was done again
    assert there is None
    assert elsewhere.status == "trainer-died"
    assert len(list(tmp_path.glob("??/*.safetensors"))) == 16
    wait_until(lambda: gone[0].node_id not in [one.id for one in joined.nodes() if one.seen.alive])


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_search_that_loses_nodes_and_its_worker_has_the_digest_of_a_local_one(nodes, tmp_path):
    """Sixteen candidates of the rules model under the digits protocol, jails spread too."""
    text = SMALL.replace("trained = 8", "trained = 16").replace('"smoke"', '"digits"')
    (tmp_path / "local.toml").write_text(text)
    spread = text.replace("workers = 2", 'workers = 2\nverify_on = "ray"\ncheckpoint_seconds = 0')
    (tmp_path / "ray.toml").write_text(spread)

    def fairnad(*arguments):
        command = command_line(*arguments)
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment(), timeout=1800)
        assert done.returncode == 0, done.stderr

    fairnad("--no-ui", "--config", "local.toml")
    fairnad("run", "--config", "ray.toml", "--executor", f"ray:{nodes.address}", "--detach")
    nodes.add_node(num_cpus=1, **NODE)
    with Store(tmp_path / "fairnad.db") as store:

        def trained(number):
            return lambda: sum(one.status == "trained" for one in store.runs.candidates("run-2")) >= number

        job = store.jobs.of_run("run-2")
        wait_until(trained(4), 900)
        nodes.remove_node(min(nodes.worker_nodes, key=lambda one: one.node_id), allow_graceful=False)
        wait_until(trained(8), 900)
        holder, _ = store.jobs.holder(job.id)
        holder.kill()
        before = {(one.candidate_id, one.accuracy) for one in store.runs.evaluations("run-2", "search")}
        wait_until(lambda: not store.jobs.is_held(job.id), 60)
        fairnad("run", "--resume", "run-2")
        runs = [store.runs.get(name) for name in ("run-1", "run-2")]
        after = {(one.candidate_id, one.accuracy) for one in store.runs.evaluations("run-2", "search")}
    assert runs[0].digest == runs[1].digest
    assert len(before) >= 8
    assert before <= after
