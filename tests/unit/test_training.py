"""Protocols, data, augmentation and the trainer."""

import asyncio
import itertools
import json
import math
import os
import signal

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.transforms import functional as tv

from fairnad_engine.backbone.export import export_backbone
from fairnad_engine.errors import InputError
from fairnad_engine.training import trainer
from fairnad_engine.training.augment import crop, flip_and_crop
from fairnad_engine.training.datasets import dataset_info, load_split, split_digest
from fairnad_engine.training.executor import LocalExecutor
from fairnad_engine.training.jobs import TrainingJob
from fairnad_engine.training.protocol import Protocol, load_protocol

torch.set_num_threads(1)


def test_cosine_annealing_is_the_published_formula():
    protocol = Protocol(name="nb201", epochs=200, batch_size=256, learning_rate=0.1)
    for epoch in range(200):
        assert protocol.learning_rate_at(epoch) == pytest.approx(
            0.05 * (1 + math.cos(math.pi * epoch / 200)), rel=1e-12
        )


def test_protocol_digest_covers_every_setting():
    protocol = load_protocol("digits")
    digests = {protocol.digest}
    for name in ("epochs", "batch_size", "crop_padding", "eval_every"):
        digests.add(protocol.model_copy(update={name: getattr(protocol, name) + 1}).digest)
    assert len(digests) == 5


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("name = 'x'", "epochs"),
        ("name = 'x'\nepochs = 1\nbatch_size = 8\nlearning_rate = 1\nbogus = 1", "bogus"),
        ("name = ", "TOML"),
        ("\xff", "TOML"),
    ],
)
def test_a_bad_protocol_file_is_one_line(tmp_path, text, place):
    path = tmp_path / "own.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=place) as error:
        load_protocol(str(path))
    assert str(path) in str(error.value)


def test_unknown_names_list_what_there_is():
    with pytest.raises(InputError, match="digits"):
        load_protocol("nothing")
    with pytest.raises(InputError, match="digits"):
        dataset_info("nothing")


def test_digits_split_is_fixed_stratified_and_disjoint():
    splits = {name: load_split("digits", name) for name in ("train", "validation", "test")}
    assert [len(s.labels) for s in splits.values()] == [997, 400, 400]
    for split in splits.values():
        assert split.images.dtype == torch.uint8
        assert split.images.shape[1:] == dataset_info("digits").image_shape
        share = np.bincount(split.labels.numpy(), minlength=10) / len(split.labels)
        assert np.all(np.abs(share - 0.1) < 0.01)
    from sklearn.datasets import load_digits

    pool = sorted(image.tobytes() for image in np.rint(load_digits().images * (255 / 16)).astype(np.uint8))
    assert sorted(image.numpy().tobytes() for s in splits.values() for image in s.images[:, 0]) == pool
    assert split_digest("digits") == "a0c017d369a79f34"  # the split never changes


def test_every_crop_and_flip_equals_torchvision():
    image = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    padded = nn.functional.pad(image, (4, 4, 4, 4))
    for flip, top, left in itertools.product((False, True), range(9), range(9)):
        ours = crop(padded.flip(3) if flip else padded, torch.tensor([top]), torch.tensor([left]), 32, 32)
        theirs = tv.crop(tv.pad(tv.hflip(image) if flip else image, [4, 4, 4, 4]), top, left, 32, 32)
        assert torch.equal(ours, theirs)


def test_augmentation_draws_every_place_and_side():
    image = torch.arange(1, 65, dtype=torch.uint8).reshape(1, 1, 8, 8).expand(4000, 1, 8, 8)
    out = flip_and_crop(image, 0.5, 1, torch.Generator().manual_seed(0))
    assert len(torch.unique(out, dim=0)) == 18
    again = flip_and_crop(image, 0.5, 1, torch.Generator().manual_seed(0))
    assert torch.equal(out, again)


def test_normalisation_centres_the_training_images():
    info = dataset_info("digits")
    values = trainer.normalise(load_split("digits", "train").images, info)
    assert values.mean().abs() < 0.02
    assert (values.std() - 1).abs() < 0.02


class _Tiny(nn.Module):
    def __init__(self, scale=1.0):
        super().__init__()
        self.layer = nn.Linear(64, 10)
        self.scale = scale

    def forward(self, x):
        return self.layer(x.flatten(1)) * self.scale


def _train(model, seed=1):
    data = load_split("digits", "train"), load_split("digits", "validation")
    epochs = []
    accuracy = trainer.train(model, dataset_info("digits"), *data, load_protocol("smoke"), seed, epochs.append)
    return accuracy, epochs


def test_training_learns_and_reports_each_epoch():
    torch.manual_seed(0)
    accuracy, epochs = _train(_Tiny())
    assert accuracy > 60
    assert [e.epoch for e in epochs] == [1, 2]
    assert epochs[-1].validation_accuracy == accuracy
    assert epochs[1].train_loss < epochs[0].train_loss


def test_training_depends_on_its_arguments_alone():
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(0)
        model = _Tiny()
        _train(model, seed)
        results.append(model.layer.weight.detach().clone())
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


@pytest.mark.fault("diverged")
def test_a_loss_that_is_no_number_is_a_divergence():
    with pytest.raises(trainer.DivergedError, match="epoch 1"):
        _train(_Tiny(scale=float("nan")))


SOURCE = """
from torch import nn
class Backbone(nn.Module):
    def __init__(self, in_channels, num_classes, width=1.0):
        super().__init__()
        self.a = nn.Linear(64, 16)
        self.b = nn.Linear(16, num_classes)
    def forward(self, x):
        return self.b(self.a(x.flatten(1)).relu())
"""


@pytest.fixture
def job(tmp_path):
    document, weights = export_backbone(SOURCE, {"shape": [1, 8, 8], "classes": 10, "width": 1.0, "seed": 0})
    (tmp_path / "graph.json").write_text(json.dumps(document))
    (tmp_path / "weights.safetensors").write_bytes(weights)
    return TrainingJob(
        id="one",
        kind="train",
        graph=str(tmp_path / "graph.json"),
        weights=str(tmp_path / "weights.safetensors"),
        dataset="digits",
        protocol=load_protocol("smoke").model_dump(mode="json"),
        seed=5,
        artifacts=str(tmp_path / "files"),
    )


def _run(jobs, workers=2, deadline=240.0):
    async def go():
        executor = LocalExecutor(workers)
        progress = []
        try:
            return await asyncio.gather(*(executor.run(j, progress.append, deadline) for j in jobs)), progress
        finally:
            await executor.close()

    return asyncio.run(go())


def test_trainer_processes_give_equal_results_and_report_epochs(job, tmp_path):
    (one, two), progress = _run([job, job])
    assert one.status == "done"
    assert (one.accuracy, one.weights) == (two.accuracy, two.weights)
    assert [m["epoch"] for m in progress].count(2) == 2
    assert (tmp_path / "files" / one.weights).exists()


def test_a_broken_job_is_an_outcome_and_the_trainer_goes_on(job, tmp_path):
    (tmp_path / "broken.json").write_text("{}")
    broken = TrainingJob(**{**job.as_dict(), "graph": str(tmp_path / "broken.json")})
    (bad, good), _ = _run([broken, job], workers=1)
    assert bad.status == "machine-fault"  # it was whole when the candidate was verified
    assert "version" in bad.message
    assert good.status == "done"


@pytest.mark.fault("training-timeout")
def test_a_job_past_its_deadline_is_ended(job):
    (outcome,), _ = _run([job], workers=1, deadline=0.01)
    assert outcome.status == "timeout"


@pytest.mark.slow
@pytest.mark.fault("trainer-killed")
def test_a_trainer_killed_mid_job_is_replaced_and_the_result_is_the_same(job):
    (undisturbed,), _ = _run([job], workers=1)

    async def go(kills):
        executor = LocalExecutor(1)

        def progress(_message):
            if kills:
                kills.pop()
                os.kill(executor._pools[0].trainers[0].pid, signal.SIGKILL)

        try:
            return await executor.run(job, progress, 240.0)
        finally:
            await executor.close()

    once = asyncio.run(go([1]))
    assert (once.status, once.accuracy, once.weights) == ("done", undisturbed.accuracy, undisturbed.weights)
    twice = asyncio.run(go([1, 1]))
    assert twice.status == "trainer-error"
    assert "died twice" in twice.message
