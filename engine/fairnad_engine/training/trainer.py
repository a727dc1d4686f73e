"""The trusted trainer: a checked graph, its weights, a data set and a protocol in; a score out.

It never sees a candidate's source. On the CPU with one thread the result depends on its arguments alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from fairnad_engine.training.augment import flip_and_crop
from fairnad_engine.training.datasets import DatasetInfo, LabelledImages
from fairnad_engine.training.protocol import Protocol


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
) -> float:
    """Train in place and return the validation accuracy (percent) after the last epoch.

    Raises:
        DivergedError: The loss became NaN or infinite.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    images = training.images
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(
        parameters,
        lr=protocol.learning_rate,
        momentum=protocol.momentum,
        nesterov=protocol.nesterov,
        weight_decay=protocol.weight_decay,
        foreach=True,
    )
    accuracy = math.nan
    for epoch in range(protocol.epochs):
        started = time.monotonic()
        rate = protocol.learning_rate_at(epoch)
        for group in optimiser.param_groups:
            group["lr"] = rate
        model.train()
        loss_sum = torch.zeros((), dtype=torch.float64)
        correct = torch.zeros((), dtype=torch.int64)
        seen = 0
        order = torch.randperm(len(images), generator=generator)
        for batch in torch.split(order, protocol.batch_size):
            if len(batch) < 2:
                continue  # BatchNorm needs two
            chosen = flip_and_crop(images[batch], protocol.flip, protocol.crop_padding, generator)
            labels = training.labels[batch]
            logits = model(normalise(chosen, info))
            loss = F.cross_entropy(logits, labels, label_smoothing=protocol.label_smoothing)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            if protocol.clip_norm:
                nn.utils.clip_grad_norm_(parameters, protocol.clip_norm, foreach=True)
            optimiser.step()
            loss_sum += loss.detach() * len(batch)
            correct += (logits.detach().argmax(1) == labels).sum()
            seen += len(batch)
        loss_mean = float(loss_sum) / seen
        if not math.isfinite(loss_mean):
            raise DivergedError(f"the training loss is {loss_mean} in epoch {epoch + 1}")
        scored = (epoch + 1) % protocol.eval_every == 0 or epoch + 1 == protocol.epochs
        if scored:
            accuracy = score(model, info, validation, protocol.eval_batch_size)
        on_epoch(
            EpochMetrics(
                epoch=epoch + 1,
                train_loss=loss_mean,
                train_accuracy=100.0 * int(correct) / seen,
                validation_accuracy=accuracy if scored else None,
                learning_rate=rate,
                seconds=time.monotonic() - started,
            )
        )
    return accuracy


def score(model: nn.Module, info: DatasetInfo, split: LabelledImages, batch_size: int) -> float:
    """Return the accuracy of a network in eval mode, in percent."""
    model.eval()
    correct = 0
    with torch.no_grad():
        for start in range(0, len(split.labels), batch_size):
            images, labels = split.images[start : start + batch_size], split.labels[start : start + batch_size]
            correct += int((model(normalise(images, info)).argmax(1) == labels).sum())
    return 100.0 * correct / len(split.labels)


def normalise(images: torch.Tensor, info: DatasetInfo) -> torch.Tensor:
    """Turn uint8 images into float32 with the data set's mean and deviation."""
    mean = torch.tensor(info.mean, dtype=torch.float32, device=images.device)[:, None, None]
    std = torch.tensor(info.std, dtype=torch.float32, device=images.device)[:, None, None]
    return (images.to(torch.float32) - mean) / std
