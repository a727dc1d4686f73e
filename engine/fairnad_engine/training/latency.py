"""Latency of a network as an extra cost: milliseconds of one forward pass in eval mode, batch 1 and batch 256."""

from __future__ import annotations

import statistics
import time

import torch
from torch import nn

from fairnad_engine.training.step import Precision, autocast

BATCH_SIZES = (1, 256)
_WARM_UP = 3


def measure_latency(
    model: nn.Module, image_shape: tuple[int, int, int], rounds: int, device: str, precision: Precision
) -> dict[int, float]:
    """Return the median milliseconds of a pass by batch size, each over ``rounds`` passes after a warm-up.

    A figure of this machine under its present load: neighbours on the device make it slower.
    """
    place = torch.device(device)
    model.eval().to(place)
    found: dict[int, float] = {}
    with torch.no_grad(), autocast(place, precision):
        for size in BATCH_SIZES:
            images = torch.zeros((size, *image_shape), device=place)
            passes = [_pass(model, images) for _ in range(_WARM_UP + rounds)]
            found[size] = 1000 * statistics.median(passes[_WARM_UP:])
    return found


def _pass(model: nn.Module, images: torch.Tensor) -> float:
    if images.device.type == "cuda":
        torch.cuda.synchronize(images.device)
    started = time.perf_counter()
    model(images)
    if images.device.type == "cuda":
        torch.cuda.synchronize(images.device)
    return time.perf_counter() - started
