"""A training that was interrupted ends like one that was not."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
import torch
from torch import nn

from fairnad_engine.training import trainer
from fairnad_engine.training.checkpoints import Checkpoint, checkpoint_path, discard_checkpoints, sweep_checkpoints
from fairnad_engine.training.datasets import LabelledImages, dataset_info, load_split
from fairnad_engine.training.executor import LocalExecutor
from fairnad_engine.training.feed import Feed
from fairnad_engine.training.jobs import TrainingJob
from fairnad_engine.training.latency import measure_latency
from fairnad_engine.training.process import _failure, _work
from fairnad_engine.training.protocol import load_protocol
from tests.unit.test_training import job  # noqa: F401 - a fixture

torch.set_num_threads(1)
PROTOCOL = load_protocol("smoke").model_copy(update={"epochs": 4, "flip": 0.5, "crop_padding": 1})


def _network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(288, 10)
    )


class _InterruptedError(Exception):
    pass


def _train(model, checkpoint=None, stop_after=None):
    epochs = []

    def on_epoch(metrics):
        epochs.append({**metrics.as_dict(), "seconds": 0})
        if metrics.epoch == stop_after:
            raise _InterruptedError

    data = load_split("digits", "train"), load_split("digits", "validation")
    trainer.train(model, dataset_info("digits"), *data, PROTOCOL, 3, on_epoch, checkpoint=checkpoint)
    return epochs


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_a_resumed_training_equals_an_undisturbed_one_bit_for_bit(tmp_path, stop_after):
    undisturbed = _network()
    wanted = _train(undisturbed)
    path = tmp_path / "one.safetensors"
    with pytest.raises(_InterruptedError):
        _train(_network(), Checkpoint(path, 0), stop_after)
    torch.rand(7)  # what another job drew meanwhile
    resumed, checkpoint = nn.Sequential(*_network()), Checkpoint(path, 0)
    for parameter in resumed.parameters():
        nn.init.zeros_(parameter)  # everything must come from the file, where there is one
    if stop_after == 1:
        assert not path.exists()  # an epoch is told before it is kept
        resumed = _network()
    assert _train(resumed, checkpoint) == wanted
    assert checkpoint.restored == stop_after - 1
    for name, tensor in undisturbed.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def _one_bit(data):
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


@pytest.mark.fault("checkpoint-damaged")
@pytest.mark.parametrize(
    "damage", [_one_bit, lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"\xff" * 64]
)
def test_a_damaged_checkpoint_is_removed_and_the_training_begins_anew(tmp_path, damage, caplog):
    path = tmp_path / "one.safetensors"
    with pytest.raises(_InterruptedError):
        _train(_network(), Checkpoint(path, 0), 3)
    path.write_bytes(damage(path.read_bytes()))
    undisturbed, again = _network(), _network()
    checkpoint = Checkpoint(path, 1e9)
    assert _train(again, checkpoint) == _train(undisturbed)
    assert checkpoint.restored == 0
    assert not path.exists()
    assert "one.safetensors is damaged" in caplog.text


def test_checkpoints_wait_for_their_time(tmp_path):
    clock = iter([0.0, 5.0, 10.0]).__next__
    checkpoint = Checkpoint(tmp_path / "one", 10.0, clock)
    assert [checkpoint.due(), checkpoint.due()] == [False, True]


def test_only_the_very_same_training_takes_a_checkpoint_up(job):  # noqa: F811
    paths = {checkpoint_path(job)}
    changes = {"seed": 6, "graph": "other", "weights": "other", "dataset": "other", "precision": "bf16"}
    for name, value in changes.items():
        paths.add(checkpoint_path(TrainingJob(**{**job.as_dict(), name: value})))
    paths.add(checkpoint_path(job, "cuda:0"))
    assert len(paths) == len(changes) + 2
    same = TrainingJob(**{**job.as_dict(), "id": "one/other", "checkpoint_seconds": 5, "latency_rounds": 9})
    assert checkpoint_path(same) == checkpoint_path(job)
    assert checkpoint_path(job, "cuda:1") == checkpoint_path(job, "cuda:0")


def test_a_moved_workspace_keeps_its_checkpoints(job):  # noqa: F811
    here = TrainingJob(**{**job.as_dict(), "dataset_digest": "d", "data": {"root": "/home/a/data"}})
    moved = {"graph": "/moved/" + Path(job.graph).name, "weights": "/moved/" + Path(job.weights).name}
    there = TrainingJob(**{**here.as_dict(), **moved, "data": {"root": "/srv/data"}})
    assert checkpoint_path(there) == checkpoint_path(here)
    assert checkpoint_path(TrainingJob(**{**there.as_dict(), "dataset_digest": "e"})) != checkpoint_path(here)


def test_what_trainings_of_a_run_left_is_swept(job):  # noqa: F811
    files = Path(job.artifacts)
    mine, other = (TrainingJob(**{**job.as_dict(), "id": f"{run}/seed/search/0"}) for run in ("run-1", "run-2"))
    old = files / "checkpoints" / "of-before.safetensors"
    for path in (checkpoint_path(mine), checkpoint_path(other), old):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    sweep_checkpoints(files, "run-1")
    assert [checkpoint_path(mine).exists(), checkpoint_path(other).exists(), old.exists()] == [False, True, False]


@pytest.mark.slow
@pytest.mark.fault("trainer-killed")
def test_a_trainer_killed_mid_job_goes_on_from_its_checkpoint_and_the_result_is_the_same(job, tmp_path):  # noqa: F811
    job = TrainingJob(**{**job.as_dict(), "protocol": PROTOCOL.model_dump(mode="json"), "checkpoint_seconds": 0.0})
    told, plain = [], []

    async def go(messages, kill_at):
        executor = LocalExecutor(1)

        def progress(message):
            messages.append((message["epoch"], message["restored"]))
            if message["epoch"] == kill_at and not message["restored"] and len(messages) == kill_at:
                os.kill(executor._pools[0].trainers[0].pid, signal.SIGKILL)

        try:
            return await executor.run(job, progress, 240.0)
        finally:
            await executor.close()

    undisturbed = asyncio.run(go(plain, None))
    discard_checkpoints(job)
    killed = asyncio.run(go(told, 3))
    assert (killed.status, killed.accuracy, killed.weights) == ("done", undisturbed.accuracy, undisturbed.weights)
    assert plain == [(1, False), (2, False), (3, False), (4, False)]
    assert told[:5] == [*plain[:3], (1, True), (2, True)]
    assert told[-1] == (4, False)
    assert checkpoint_path(job).exists()  # until whoever asked has stored the outcome
    discard_checkpoints(job)
    assert not list((tmp_path / "files" / "checkpoints").rglob("*.safetensors"))


def test_a_trained_network_whose_answers_depend_on_the_batch_is_an_outcome(job, monkeypatch):  # noqa: F811
    monkeypatch.setattr("fairnad_engine.backbone.agreement.neighbours_matter", lambda model, images: len(images) == 64)
    outcome = _work(job.as_dict(), lambda _: None)
    assert outcome["status"] == "batch-dependent"
    assert "weights" not in outcome


def test_latency_is_measured_only_where_asked(job):  # noqa: F811
    assert "latency" not in _work(job.as_dict(), lambda _: None)
    asked = TrainingJob(**{**job.as_dict(), "latency_rounds": 3})
    found = _work(asked.as_dict(), lambda _: None)["latency"]
    assert set(found) == {1, 256}
    assert 0 < found[1] < found[256]
    model = nn.BatchNorm2d(1)
    measure_latency(model, (1, 8, 8), 1, "cpu", "fp32")
    assert int(model.num_batches_tracked) == 0


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MemoryError(), "out-of-memory"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), "out-of-memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "out-of-memory"),
        (torch.AcceleratorError("CUDA error: device-side assert triggered", 0), "device-fault"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "device-fault"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "trainer-error"),
    ],
)
def test_failures_are_told_apart(error, status):
    assert _failure(error) == status


def test_a_feed_that_does_not_fit_the_device_serves_the_same_batches():
    split = load_split("digits", "validation")
    order = torch.randperm(400, generator=torch.Generator().manual_seed(1))
    resident = Feed(split, torch.device("cpu"))
    mapped = Feed(split, torch.device("cpu"))
    mapped.resident = False
    pairs = list(zip(resident.batches(order, 150), mapped.batches(order, 150), strict=True))
    assert [len(labels) for (_, labels), _ in pairs] == [150, 150, 100]
    assert all(torch.equal(one, other) for ours, theirs in pairs for one, other in zip(ours, theirs, strict=True))


def test_scoring_mixes_the_classes_of_a_sorted_split():
    labels = torch.arange(10).repeat_interleave(40)
    sorted_split = LabelledImages(torch.zeros(400, 1, 8, 8, dtype=torch.uint8), labels)
    sizes = []

    class Spy(nn.Module):
        def forward(self, images):
            sizes.append(len(images))
            return torch.zeros(len(images), 10)

    seen = []
    original = Feed.batches

    def batches(self, order, size):
        for images, found in original(self, order, size):
            seen.append(len(found.unique()))
            yield images, found

    Feed.batches = batches
    try:
        assert trainer.score(Spy(), dataset_info("digits"), sorted_split, 40) == 10.0
    finally:
        Feed.batches = original
    assert sizes == [40] * 10
    assert min(seen) >= 8


def test_bf16_on_a_cpu_is_autocast_and_keeps_float32_weights():
    model = _network()
    data = load_split("digits", "train"), load_split("digits", "validation")
    protocol = PROTOCOL.model_copy(update={"epochs": 1})
    trainer.train(model, dataset_info("digits"), *data, protocol, 3, lambda _: None, precision="bf16")
    strict = _network()
    trainer.train(strict, dataset_info("digits"), *data, protocol, 3, lambda _: None)
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    assert not torch.equal(model[0].weight, strict[0].weight)
