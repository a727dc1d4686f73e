"""How many trainings a device takes: the policy on simulated devices, and the executor on simulated trainers."""

import asyncio
import random
from collections import Counter
from dataclasses import replace

import pytest

from fairnad_engine.errors import InputError
from fairnad_engine.training import devices as devices_module
from fairnad_engine.training import executor as executor_module
from fairnad_engine.training.devices import Device, choose_devices
from fairnad_engine.training.executor import LocalExecutor, Repeats
from fairnad_engine.training.jobs import TrainingJob, TrainingOutcome
from fairnad_engine.training.packing import Packing
from fairnad_engine.training.remote import TrainerDiedError


def _simulate(throughput, *, capacity, peak, jobs=60, epochs=12, noise=0.02):
    """Rounds of one epoch for each training; returns the share of rounds at each number, start-up left out."""
    draws = random.Random(5)
    packing = Packing(None)
    packing.capacity = capacity
    left, started, rounds = {}, 0, []
    while started < jobs or left:
        while started < jobs and packing.admits():
            packing.enter(started)
            left[started] = epochs + draws.randrange(4)
            started += 1
        count = len(left)
        rounds.append((count, sum(peak for _ in left)))
        for job in list(left):
            packing.observe(job, count / throughput(count) * draws.uniform(1 - noise, 1 + noise), peak)
            left[job] -= 1
            if not left[job]:
                packing.leave(job)
                del left[job]
    assert all(memory <= capacity for _, memory in rounds)
    settled = Counter(count for count, _ in rounds[len(rounds) // 3 : -2 * epochs])
    return {count: n / settled.total() for count, n in settled.items()}


@pytest.mark.parametrize(
    ("throughput", "settles"),
    [
        (lambda n: 1.0, 1),  # the device is full with one
        (lambda n: min(n, 3), 3),
        (lambda n: n**0.5, 4),  # a fifth would still gain, but memory ends here
        (lambda n: 1 / n, 1),  # neighbours hurt
    ],
)
def test_packing_finds_the_number_that_pays_and_fits(throughput, settles):
    shares = _simulate(throughput, capacity=43, peak=10)
    assert max(shares, key=shares.get) == settles
    assert shares[settles] > 0.5
    assert max(shares) <= settles + 1


def test_memory_alone_bounds_the_number_when_speed_would_allow_more():
    assert set(_simulate(float, capacity=25, peak=10)) <= {1, 2}
    assert set(_simulate(float, capacity=12, peak=10)) == {1}


def test_nothing_joins_before_the_first_peak_is_known():
    packing = Packing(None)
    packing.capacity = 100
    packing.enter(0)
    for _ in range(3):
        packing.observe(0, 1.0, 0)
    assert not packing.admits()
    packing.observe(0, 1.0, 10)
    assert packing.admits()
    packing.capacity = None
    assert not packing.admits()


def test_a_number_that_did_not_pay_is_tried_again_after_some_trainings():
    shares = _simulate(lambda n: 1.0, capacity=1000, peak=1, jobs=200)
    assert 0 < shares.get(2, 0) < 0.3


def test_a_fixed_number_is_kept_and_a_lone_job_has_the_device_to_itself():
    packing = Packing(2)
    packing.enter(0)
    assert packing.admits()
    assert not packing.admits(alone=True)
    packing.leave(0)
    packing.enter(1, alone=True)
    assert not packing.admits()
    packing.leave(1)
    assert packing.admits()


def test_devices_come_from_settings(monkeypatch):
    assert choose_devices("auto", workers=3, gpus=0) == (Device("cpu", 3),)
    assert choose_devices("auto", workers=3, gpus=2, reserve_gib=1.5) == (
        Device("cuda:0", None, 3 * 2**29),
        Device("cuda:1", None, 3 * 2**29),
    )
    assert choose_devices(["cuda:1", "cuda:1"], workers=3, streams=2, gpus=2) == (Device("cuda:1", 2),)
    assert choose_devices(["cpu"], workers=3) == (Device("cpu", 3),)
    assert choose_devices(["cpu", "cuda:0"], workers=3, gpus=1) == (Device("cpu", 3), Device("cuda:0", None))
    monkeypatch.setattr(devices_module, "_visible_gpus", lambda: 1)
    assert choose_devices(["cpu", "cuda:0"], workers=3) == (Device("cpu", 3), Device("cuda:0", None))
    assert choose_devices("auto", workers=3) == (Device("cuda:0", None),)
    with pytest.raises(InputError, match=r"machine.devices: cuda:2 is not there, this machine shows 1 GPU;"):
        choose_devices(["cuda:2"], workers=1, gpus=1)


def test_a_job_is_repeated_once_for_itself_and_more_often_for_its_neighbours():
    repeats = Repeats()
    assert [repeats.again("trainer-died", beside=False) for _ in range(2)] == [True, False]
    repeats = Repeats()
    ends = [repeats.again("trainer-died", beside=False, epoch=epoch) for epoch in (3, 5, 6, 6)]
    assert ends == [True, True, True, False]  # a network that ends its trainer would do so at the same place again
    repeats = Repeats()
    assert [repeats.again("trainer-died", beside=False, epoch=epoch) for epoch in (3, 2)] == [True, False]
    repeats = Repeats()
    assert [repeats.again("device-fault", beside=True) for _ in range(5)] == [True, True, True, True, False]
    repeats = Repeats()
    assert repeats.again("out-of-memory", beside=False)
    assert repeats.alone
    assert not repeats.again("out-of-memory", beside=False)
    assert not any(Repeats().again(status, beside=True) for status in ("done", "diverged", "timeout", "trainer-error"))


class _Simulated:
    """Trainer processes without processes: a job's outcomes are scripted under its id."""

    def __init__(self, script):
        self.script = {name: list(outcomes) for name, outcomes in script.items()}
        self.running, self.seen, self.killed, self.records = set(), [], 0, []

    def __call__(self, device, *_):
        world = self

        class Trainer:
            pid = None

            async def run(self, job, progress):
                world.running.add(job.id)
                world.seen.append((job.id, device, len(world.running)))
                world.records.append((job.id, job.record))
                try:
                    progress({"type": "ready", "memory": 100})
                    for _ in range(5):
                        await asyncio.sleep(0)
                        progress({"type": "epoch", "epoch": 1, "restored": False, "seconds": 1.0, "memory": 10})
                    outcome = world.script.get(job.id, ["done"]).pop(0)
                    if outcome == "hangs":
                        await asyncio.Event().wait()
                    if outcome == "died":
                        raise TrainerDiedError("exit -9")
                    return TrainingOutcome(outcome, message="CUDA error")
                finally:
                    world.running.discard(job.id)

            async def kill(self):
                world.killed += 1

        return Trainer()


def _job(name):
    return TrainingJob(name, "train", "graph", "weights", "digits", {}, 1, "/nonexistent")


def _run(monkeypatch, script, names, devices, deadline=60.0):
    world = _Simulated(script)
    monkeypatch.setattr(executor_module, "TrainerProcess", world)

    async def go():
        executor = LocalExecutor(1, devices)
        jobs = asyncio.gather(*(executor.run(_job(name), lambda _: None, deadline) for name in names))
        return await asyncio.wait_for(jobs, 30)  # a deadline that nobody keeps fails the test

    return dict(zip(names, asyncio.run(go()), strict=True)), world


@pytest.mark.fault("trainer-out-of-memory")
def test_a_job_that_ran_out_of_memory_gets_the_device_to_itself_once(monkeypatch):
    script = {"b": ["out-of-memory", "done"], "c": ["out-of-memory", "out-of-memory"]}
    outcomes, world = _run(monkeypatch, script, list("abcdef"), [Device("cuda:0", 3)])
    assert {name: one.status for name, one in outcomes.items()} == {
        **dict.fromkeys("abdef", "done"),
        "c": "out-of-memory",
    }
    assert max(beside for _, _, beside in world.seen) == 3
    for name in "bc":
        assert [beside for job, _, beside in world.seen if job == name][1:] == [1]


@pytest.mark.fault("device-fault")
def test_a_device_fault_replaces_the_process_and_repeats_its_job_and_its_neighbours(monkeypatch):
    script = {"a": ["device-fault", "done"], "b": ["died", "died", "done"]}
    outcomes, world = _run(monkeypatch, script, list("ab"), [Device("cuda:0", 2)])
    assert outcomes["a"].status == "done"
    assert outcomes["b"].status == "done"  # its first death was its neighbour's doing
    assert world.killed >= 3
    assert [record for job, record in world.records if job == "a"] == [True, False]


def test_a_training_beyond_its_deadline_is_ended_with_its_process_and_not_repeated(monkeypatch):
    outcomes, world = _run(monkeypatch, {"a": ["hangs"]}, ["a", "b"], [Device("cpu", 1)], deadline=2.0)
    assert (outcomes["a"].status, outcomes["a"].seconds) == ("timeout", 2.0)
    assert [job for job, _, _ in world.seen] == ["a", "b"]
    assert world.killed == 1
    assert outcomes["b"].status == "done"  # the place is free again


def test_a_training_that_diverged_is_not_repeated(monkeypatch):
    outcomes, world = _run(monkeypatch, {"a": ["diverged", "done"]}, ["a"], [Device("cuda:0", 2)])
    assert outcomes["a"].status == "diverged"
    assert [job for job, _, _ in world.seen] == ["a"]
    assert world.killed == 0


@pytest.mark.fault("device-fault")
def test_a_device_that_fails_twice_is_named_in_the_outcome(monkeypatch):
    outcomes, _ = _run(monkeypatch, {"a": ["device-fault"] * 2}, ["a"], [Device("cuda:0", 1)])
    assert outcomes["a"].status == "trainer-error"
    assert outcomes["a"].message == "the device failed twice, last with CUDA error"


def test_jobs_spread_over_devices(monkeypatch):
    _, world = _run(monkeypatch, {}, list("abcd"), [Device("cuda:0", 2), Device("cuda:1", 2)])
    assert Counter(device for _, device, _ in world.seen) == {"cuda:0": 2, "cuda:1": 2}


def test_of_jobs_that_wait_those_of_the_lowest_rank_go_first_and_equals_in_turn(monkeypatch):
    world = _Simulated({})
    monkeypatch.setattr(executor_module, "TrainerProcess", world)
    ranks = {"a": 3, "b": 3, "c": 3, "d": 2, "e": 3, "f": 2}

    async def go():
        executor = LocalExecutor(1, [Device("cpu", 2)])
        jobs = [replace(_job(name), rank=rank) for name, rank in ranks.items()]
        await asyncio.wait_for(asyncio.gather(*(executor.run(job, lambda _: None, 60.0) for job in jobs)), 30)

    asyncio.run(go())
    assert "".join(name for name, _, _ in world.seen) == "abdfce"
