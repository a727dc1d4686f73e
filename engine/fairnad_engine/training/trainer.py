"""The trusted trainer: a checked graph, its weights, a data set and a protocol in; a score out.

It never sees a candidate's source. On the CPU with one thread the result depends on its arguments alone, also when
the training was interrupted and taken up again from a checkpoint.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from fairnad_engine.training.augment import flip_and_crop
from fairnad_engine.training.checkpoints import Checkpoint, Progress
from fairnad_engine.training.datasets import DatasetInfo, LabelledImages
from fairnad_engine.training.feed import Feed
from fairnad_engine.training.protocol import Protocol
from fairnad_engine.training.step import Normaliser, Precision, Step, autocast


@dataclass(frozen=True)
class EpochMetrics:
    """One epoch: mean training loss, accuracies in percent, learning rate, wall seconds."""

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_accuracy: float | None
    learning_rate: float
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON-able form."""
        return asdict(self)


class DivergedError(Exception):
    """The loss stopped being a number."""


def train(
    model: nn.Module,
    info: DatasetInfo,
    training: LabelledImages,
    validation: LabelledImages,
    protocol: Protocol,
    seed: int,
    on_epoch: Callable[[EpochMetrics], None],
    *,
    device: str = "cpu",
    precision: Precision = "fp32",
    checkpoint: Checkpoint | None = None,
    record: bool = True,
) -> float:
    """Train in place and return the validation accuracy (percent) after the last epoch.

    Args:
        model: Maps images (N, C, H, W) to logits (N, classes).
        info: The data set.
        training: Split to learn from.
        validation: Split that is scored.
        protocol: Every setting of the training (method, section 5).
        seed: Seed of shuffling, augmentation and dropout.
        on_epoch: Told about each epoch; those before a checkpoint are told again when it is taken up.
        device: ``cpu`` or ``cuda:N``.
        precision: ``fp32`` (strict) or ``bf16`` (autocast).
        checkpoint: Where the state is kept while unfinished; None keeps none.
        record: Whether CUDA graphs may be used on a GPU.

    Raises:
        DivergedError: The loss became NaN or infinite.
    """
    place = torch.device(device)
    channels_last = _set_up(model, info, place, precision)
    torch.manual_seed(seed)
    generator = torch.Generator(place).manual_seed(seed)
    optimiser = _optimiser(model, protocol, place)
    normalise_ = Normaliser(info.mean, info.std, place, channels_last)
    step = Step(model, optimiser, normalise_, protocol, place, precision, record)
    feed, scoring = Feed(training, place), Feed(validation, place)
    progress = checkpoint.load(model, optimiser, generator) if checkpoint else None
    progress = progress or Progress([])
    for known in progress.epochs:
        on_epoch(EpochMetrics(**known))
    for epoch in range(len(progress.epochs), protocol.epochs):
        started = time.monotonic()
        rate = protocol.learning_rate_at(epoch)
        for group in optimiser.param_groups:
            group["lr"] = rate
        loss, right = _epoch(model, feed, step, protocol, generator)
        if not math.isfinite(loss):
            raise DivergedError(f"the training loss is {loss} in epoch {epoch + 1}")
        scored = (epoch + 1) % protocol.eval_every == 0 or epoch + 1 == protocol.epochs
        if scored:
            progress.accuracy = _score(model, scoring, normalise_, protocol.eval_batch_size, place, precision)
        metrics = EpochMetrics(
            epoch=epoch + 1,
            train_loss=loss,
            train_accuracy=right,
            validation_accuracy=progress.accuracy if scored else None,
            learning_rate=rate,
            seconds=time.monotonic() - started,
        )
        progress.epochs.append(metrics.as_dict())
        on_epoch(metrics)
        if checkpoint and epoch + 1 < protocol.epochs and checkpoint.due():
            checkpoint.save(model, optimiser, generator, progress)
    return progress.accuracy


def _epoch(
    model: nn.Module, feed: Feed, step: Step, protocol: Protocol, generator: torch.Generator
) -> tuple[float, float]:
    """One pass over the training split; mean loss and accuracy in percent, read from the device once."""
    model.train()
    step.reset()
    seen = 0
    order = torch.randperm(len(feed), generator=generator, device=generator.device)
    for images, labels in feed.batches(order, protocol.batch_size):
        if len(labels) < 2:
            continue  # BatchNorm needs two
        step(flip_and_crop(images, protocol.flip, protocol.padding_for(images.shape[-1]), generator), labels)
        seen += len(labels)
    return float(step.loss_sum) / seen, 100.0 * int(step.correct) / seen


def _optimiser(model: nn.Module, protocol: Protocol, place: torch.device) -> torch.optim.SGD:
    fused = place.type == "cuda"  # on a CPU ``foreach`` is several times faster than ``fused``
    return torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad],
        lr=protocol.learning_rate,
        momentum=protocol.momentum,
        nesterov=protocol.nesterov,
        weight_decay=protocol.weight_decay,
        fused=fused or None,
        foreach=None if fused else True,
    )


def _set_up(model: nn.Module, info: DatasetInfo, place: torch.device, precision: Precision) -> bool:
    """Move the network and set the device's kernels; whether images should come with channels last."""
    model.to(place)
    if place.type != "cuda":
        return False
    strict = precision == "fp32"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = strict
    torch.backends.cudnn.benchmark = not strict
    # Half-precision kernels want channels last; strict float32 ones are no faster with it.
    return precision == "bf16" and _takes_channels_last(model, info, place)


def _takes_channels_last(model: nn.Module, info: DatasetInfo, place: torch.device) -> bool:
    """Convert the network, unless a view somewhere in it relies on the plain order."""
    before = {name: one.clone() for name, one in model.state_dict().items()}
    model.to(memory_format=torch.channels_last)
    images = torch.zeros((4, *info.image_shape), device=place).to(memory_format=torch.channels_last)
    try:
        for mode in (True, False):
            model.train(mode)
            with autocast(place, "bf16"):
                total = model(images).float().sum()
            total.backward()
        taken = True
    except RuntimeError:
        model.to(memory_format=torch.contiguous_format)
        taken = False
    model.zero_grad(set_to_none=True)
    model.load_state_dict(before)
    return taken


def score(
    model: nn.Module,
    info: DatasetInfo,
    split: LabelledImages,
    batch_size: int,
    *,
    device: str = "cpu",
    precision: Precision = "fp32",
) -> float:
    """Return the accuracy of a network in eval mode, in percent."""
    place = torch.device(device)
    model.to(place)
    normalise_ = Normaliser(info.mean, info.std, place, channels_last=False)
    return _score(model, Feed(split, place), normalise_, batch_size, place, precision)


def _score(
    model: nn.Module, feed: Feed, normalise_: Normaliser, size: int, place: torch.device, precision: Precision
) -> float:
    model.eval()
    correct = torch.zeros((), dtype=torch.int64, device=place)
    # Files come sorted by class as a rule; in this order a batch says nothing about an image's label.
    order = torch.randperm(len(feed), generator=torch.Generator().manual_seed(len(feed))).to(place)
    with torch.no_grad(), autocast(place, precision):
        for images, labels in feed.batches(order, size):
            correct += (model(normalise_(images)).argmax(1) == labels).sum()
    return 100.0 * int(correct) / len(feed)


def normalise(images: torch.Tensor, info: DatasetInfo) -> torch.Tensor:
    """Turn uint8 images into float32 with the data set's mean and deviation."""
    return Normaliser(info.mean, info.std, images.device, channels_last=False)(images)
