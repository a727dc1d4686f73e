"""Input pipeline: images a second, ready for the network, here and through torchvision's usual per-image transforms.

Both serve the same 32x32 colour images, shuffled, in batches of 256, flipped with p = 0.5, cropped out of 4 pixels of
padding and normalised to float32, in one run on the same two cores, in turns, by the wall clock. torchvision:
``RandomHorizontalFlip``, ``RandomCrop``, ``ToTensor`` and ``Normalize`` on one PIL image at a time, in a
``DataLoader`` with two persistent workers (start-up not counted), or none. Here: uint8 batches gathered, flipped,
cropped and normalised in the training process itself by its one thread. Two cores carry two such trainers, so what is
judged is two processes side by side against two workers; one process stands beside it, against two workers and
against a loader without workers. The values are compared first: the same draws give the same float32 images.

``python -m bench.input_pipeline`` prints the figures; exit 1 where the ratio is under the target.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
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
_CORES = 2
_EPOCHS = 5  # of ours at a time, so that both sides are timed for seconds
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


def main(images: int = _IMAGES, rounds: int = _ROUNDS) -> list[Row]:
    """Measure all in turns; name, figure, target and whether it was met."""
    pixels = _pixels(images)
    _same_values(pixels)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found: list[tuple[float, float, float, float]] = []
    with ExitStack() as stack:
        pair = [stack.enter_context(_Beside(images)) for _ in range(_CORES)]
        split = _split(pixels)
        two = DataLoader(_PerImage(pixels), _BATCH, shuffle=True, num_workers=_CORES, persistent_workers=True)
        none = DataLoader(_PerImage(pixels[: max(images // 4, _BATCH)]), _BATCH, shuffle=True)
        _serve(two)
        for _ in range(rounds):
            found.append((_side_by_side(pair), _ours(split), _speed(lambda: _serve(two)), _speed(lambda: _serve(none))))
    torch.set_num_threads(threads)
    both, one, workers, alone = (list(column) for column in zip(*found, strict=True))
    return [
        _row("input pipeline on 2 cores, 2 processes : torchvision with 2 workers", both, workers, TARGET),
        _row("input pipeline on 1 core, 1 process : torchvision with 2 workers on 2 cores", one, workers),
        _row("input pipeline on 1 core, 1 process : torchvision without workers", one, alone),
    ]


def _row(name: str, ours: list[float], theirs: list[float], target: float | None = None) -> Row:
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    figure = f"{ratio:.1f} times ({statistics.median(ours):,.0f} : {statistics.median(theirs):,.0f} images/s)"
    return name, figure, "" if target is None else f">= {target:.0f} times", target is None or ratio >= target


def _pixels(count: int) -> np.ndarray:
    return np.random.RandomState(0).randint(0, 256, (count, _SIDE, _SIDE, 3)).astype(np.uint8)


def _split(pixels: np.ndarray) -> LabelledImages:
    images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    return LabelledImages(images, torch.arange(len(images)) % 10)


class _Beside:
    """A process that serves epochs when told, as a trainer's own process does."""

    def __init__(self, images: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.ends, theirs = context.Pipe()
        self._process = context.Process(target=_serve_when_told, args=(theirs, images), daemon=True)

    def __enter__(self) -> _Beside:
        self._process.start()
        self.ends.recv()  # ready
        return self

    def __exit__(self, *_: object) -> None:
        self.ends.send(False)
        self._process.join()


def _serve_when_told(told: Connection, images: int) -> None:
    torch.set_num_threads(1)
    split = _split(_pixels(images))
    _serve(_batches(split))
    told.send(0)
    while told.recv():
        told.send(sum(_serve(_batches(split)) for _ in range(_EPOCHS)))


def _side_by_side(pair: list[_Beside]) -> float:
    """Images a second of all together, from the word to begin until the last has ended."""

    def serve() -> int:
        for one in pair:
            one.ends.send(True)
        return sum(one.ends.recv() for one in pair)

    return _speed(serve)


def _ours(split: LabelledImages) -> float:
    return _speed(lambda: sum(_serve(_batches(split)) for _ in range(_EPOCHS)))


def _batches(split: LabelledImages) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One epoch as the trainer makes it, under the settings of ``nasbench201``."""
    protocol = load_protocol("nasbench201")
    place = torch.device("cpu")
    feed, normalise = Feed(split, place), Normaliser(_MEAN, _STD, place, channels_last=False)
    generator = torch.Generator().manual_seed(0)
    for images, labels in feed.batches(torch.randperm(len(feed), generator=generator), protocol.batch_size):
        padding = protocol.padding_for(images.shape[-1])
        yield normalise(flip_and_crop(images, protocol.flip, padding, generator)), labels


def _serve(epoch: Iterable[Any]) -> int:
    """Take every batch of an epoch; the number of images."""
    return sum(len(labels) for _, labels in epoch)


def _speed(serve: Callable[[], int]) -> float:
    """Images a second by the wall clock."""
    started = time.perf_counter()
    return serve() / (time.perf_counter() - started)


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
