"""Input pipeline: images a second, ready for the network, here and through torchvision's usual per-image transforms.

Both serve the same 32x32 colour images, shuffled, in batches of 256, flipped with p = 0.5, cropped out of 4 pixels of
padding and normalised to float32, in one run on the same cores, in turns. torchvision: ``RandomHorizontalFlip``,
``RandomCrop``, ``ToTensor`` and ``Normalize`` on one PIL image at a time, in a ``DataLoader`` with two persistent
workers on two cores (its start-up is not counted). Here: uint8 batches gathered, flipped, cropped and normalised in
the training process itself by one thread, as trainers run, so on half of the cores. The values are compared first:
the same draws give the same float32 images.

Two ratios: by the clock, which other work on the machine disturbs, and by processor time, in which torchvision gets
two cores' worth without any cost of moving batches between processes. Both must reach the target.

``python -m bench.input_pipeline`` prints the figures; exit 1 where a ratio is under the target.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.transforms import functional as tv

from fairnad_engine.training.augment import flip_and_crop
from fairnad_engine.training.datasets import LabelledImages
from fairnad_engine.training.feed import Feed
from fairnad_engine.training.protocol import load_protocol
from fairnad_engine.training.step import Normaliser

TARGET = 15.0
_IMAGES, _BATCH, _SIDE, _PADDING, _ROUNDS = 10_240, 256, 32, 4, 5
# CIFAR-10's, on the scale 0 to 255.
_MEAN, _STD = (125.3, 123.0, 113.9), (63.0, 62.1, 66.7)
Row = tuple[str, str, str, bool]


class _PerImage(Dataset[tuple[torch.Tensor, int]]):
    """Images as torchvision's CIFAR10 keeps and serves them: (N, H, W, C) uint8, a PIL image at a time."""

    def __init__(self, images: np.ndarray) -> None:
        self._images = images
        self._transform = transforms.Compose(
            [
                transforms.RandomHorizontalFlip(),
                transforms.RandomCrop(_SIDE, padding=_PADDING),
                transforms.ToTensor(),
                transforms.Normalize([m / 255 for m in _MEAN], [s / 255 for s in _STD]),
            ]
        )

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self._transform(Image.fromarray(self._images[index])), index % 10


def main() -> list[Row]:
    """Measure both in turns; name, figure, target and whether it was met."""
    images = np.random.RandomState(0).randint(0, 256, (_IMAGES, _SIDE, _SIDE, 3)).astype(np.uint8)
    _same_values(images)
    loader = DataLoader(_PerImage(images), _BATCH, shuffle=True, num_workers=2, persistent_workers=True)
    batched = LabelledImages(
        torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))), torch.arange(_IMAGES) % 10
    )
    alone = DataLoader(_PerImage(images[: _IMAGES // 4]), _BATCH, shuffle=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    by_clock: list[tuple[float, float]] = []
    by_processor: list[tuple[float, float]] = []
    _speed(loader, time.perf_counter)
    for _ in range(_ROUNDS):
        by_clock.append((_speed(loader, time.perf_counter), _ours(batched, time.perf_counter)))
        by_processor.append((2 * _speed(alone, time.process_time), _ours(batched, time.process_time)))
    torch.set_num_threads(threads)
    return [
        _row("input pipeline by the clock, 1 thread : torchvision with 2 workers", by_clock),
        _row("input pipeline by processor time, 1 core : torchvision on 2 cores", by_processor),
    ]


def _row(name: str, speeds: list[tuple[float, float]]) -> Row:
    theirs, ours = (statistics.median(column) for column in zip(*speeds, strict=True))
    ratio = statistics.median(b / a for a, b in speeds)
    figure = f"{ratio:.1f} times ({ours:,.0f} : {theirs:,.0f} images/s)"
    return name, figure, f">= {TARGET:.0f} times", ratio >= TARGET


def _ours(split: LabelledImages, clock: Callable[[], float]) -> float:
    return statistics.median(_speed(_batches(split), clock) for _ in range(3))


def _batches(split: LabelledImages) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One epoch as the trainer makes it, under the settings of ``nasbench201``."""
    protocol = load_protocol("nasbench201")
    place = torch.device("cpu")
    feed, normalise = Feed(split, place), Normaliser(_MEAN, _STD, place, channels_last=False)
    generator = torch.Generator().manual_seed(0)
    for images, labels in feed.batches(torch.randperm(len(feed), generator=generator), protocol.batch_size):
        padding = protocol.padding_for(images.shape[-1])
        yield normalise(flip_and_crop(images, protocol.flip, padding, generator)), labels


def _speed(epoch: Iterable[Any], clock: Callable[[], float]) -> float:
    """Images a second over one epoch."""
    started = clock()
    count = sum(len(labels) for _, labels in epoch)
    return count / (clock() - started)


def _same_values(images: np.ndarray) -> None:
    """Both ways give the same float32 values for the same draws, up to the scaling's last digits."""
    part = images[:64]
    batch = torch.from_numpy(np.ascontiguousarray(part.transpose(0, 3, 1, 2)))
    ours = flip_and_crop(batch, 0.5, _PADDING, torch.Generator().manual_seed(1))
    ours = Normaliser(_MEAN, _STD, torch.device("cpu"), channels_last=False)(ours)
    generator = torch.Generator().manual_seed(1)
    flips = torch.rand(len(part), generator=generator) < 0.5
    offsets = torch.randint(0, 2 * _PADDING + 1, (2, len(part)), generator=generator)
    for index, one in enumerate(part):
        image = Image.fromarray(one)
        image = tv.pad(tv.hflip(image) if flips[index] else image, [_PADDING])
        image = tv.crop(image, int(offsets[0, index]), int(offsets[1, index]), _SIDE, _SIDE)
        theirs = tv.normalize(tv.to_tensor(image), [m / 255 for m in _MEAN], [s / 255 for s in _STD])
        torch.testing.assert_close(ours[index], theirs, rtol=1e-4, atol=1e-5)


if __name__ == "__main__":
    rows = main()
    for row in rows:
        print(" | ".join(str(cell) for cell in row[:3]))
    sys.exit(0 if all(met for *_, met in rows) else 1)
