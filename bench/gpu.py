"""A GPU under ``nasbench201``: images a second, seconds of a 200-epoch training, gain of packing, waiting for data.

``python -m bench.gpu`` needs a GPU and says so in one line (exit 3) where there is none; no data set is needed, the
images are random. ``--whole`` trains 200 epochs instead of extrapolating; ``--device cpu --tiny`` runs the very same
code in seconds on any machine, to show that it works; its figures mean nothing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
from typing import Any

from torch import nn

Row = tuple[str, str, str, bool]
_NB201_IMAGES = 25_000  # CIFAR-10's training half, on which a search trains


def main(arguments: list[str] | None = None) -> list[Row]:
    """Measure; name, figure, target (none here) and True."""
    options = _options(arguments)
    rows = []
    for name, width in (("ResNet-32", 1.0), ("ResNet-32 widened to 0.2 G MACs", 27 / 16)):
        for precision in ("fp32", "bf16"):
            seconds, waiting = measure(options, width, precision)
            rate = options.images / seconds
            what = f"{name}, {precision}"
            rows.append((f"{what}: images a second", f"{rate:,.0f}", "", True))
            told = 200 * (seconds * _NB201_IMAGES / options.images)
            rows.append((f"{what}: seconds of 200 epochs of CIFAR-10's half, extrapolated", f"{told:,.0f}", "", True))
            rows.append((f"{what}: share of time waiting for data", f"{100 * waiting:.1f} %", "", True))
    rows += _packing(options)
    if options.whole:
        rows.append(("ResNet-32, fp32: seconds of 200 epochs, whole", f"{_whole(options):,.0f}", "", True))
    return rows


def measure(options: argparse.Namespace, width: float, precision: str) -> tuple[float, float]:
    """Seconds of an epoch (the median after the first) and the share of it that making batches takes alone."""
    epochs = _train(options, width, precision, options.epochs)
    seconds = statistics.median(epochs[1:])
    return seconds, min(1.0, _data_seconds(options) / seconds)


def _network(width: float, tiny: bool) -> nn.Module:
    from safetensors.torch import load

    from fairnad_engine.backbone.export import export_backbone
    from fairnad_engine.backbone.graph import parse_graph
    from fairnad_engine.backbone.rebuild import GraphBackbone
    from fairnad_engine.resources import template_file

    source = template_file("backbones", "digits-small.py" if tiny else "resnet32.py").read_text("utf-8")
    asked = {"shape": [3, 32, 32], "classes": 10, "width": width, "seed": 0}
    document, weights = export_backbone(source, asked)
    return GraphBackbone(parse_graph(document), load(weights))


def _setting(options: argparse.Namespace) -> tuple[Any, Any, Any]:
    import torch

    from fairnad_engine.training.datasets import DatasetInfo, LabelledImages
    from fairnad_engine.training.protocol import load_protocol

    draws = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (options.images, 3, 32, 32), dtype=torch.uint8, generator=draws)
    labels = torch.arange(options.images) % 10
    info = DatasetInfo("random", (3, 32, 32), 10, (125.3, 123.0, 113.9), (63.0, 62.1, 66.7), "own-split")
    return info, LabelledImages(images, labels), load_protocol("nasbench201")


def _train(options: argparse.Namespace, width: float, precision: str, epochs: int) -> list[float]:
    from fairnad_engine.training import trainer

    info, split, protocol = _setting(options)
    # Scored once, as a protocol that reads the last epoch alone; random labels can drive the rate of 0.1 to NaN.
    change = {"epochs": epochs, "eval_every": epochs, "learning_rate": 0.01, "batch_size": options.batch}
    seconds: list[float] = []
    trainer.train(
        _network(width, options.tiny),
        info,
        split,
        split.__class__(split.images[:64], split.labels[:64]),
        protocol.model_copy(update=change),
        1,
        lambda metrics: seconds.append(metrics.seconds),
        device=options.device,
        precision="bf16" if precision == "bf16" else "fp32",
    )
    return seconds


def _data_seconds(options: argparse.Namespace) -> float:
    """Seconds that an epoch's batches take when nothing trains on them."""
    import torch

    from fairnad_engine.training.augment import flip_and_crop
    from fairnad_engine.training.feed import Feed

    _, split, protocol = _setting(options)
    place = torch.device(options.device)
    feed, generator = Feed(split, place), torch.Generator(place).manual_seed(0)
    found = []
    for _ in range(3):
        started = time.perf_counter()
        order = torch.randperm(len(feed), generator=generator, device=place)
        for images, _labels in feed.batches(order, options.batch):
            flip_and_crop(images, protocol.flip, protocol.padding_for(32), generator)
        if place.type == "cuda":
            torch.cuda.synchronize(place)
        found.append(time.perf_counter() - started)
    return min(found)


def _packing(options: argparse.Namespace) -> list[Row]:
    """Epochs a second of several trainers on one device over those of one."""
    rows, alone = [], 0.0
    spawn = multiprocessing.get_context("spawn")
    for streams in options.streams:
        with spawn.Pool(streams) as pool:
            work = [(options, 1.0, "fp32", options.epochs)] * streams
            rate = sum(1 / statistics.median(epochs[1:]) for epochs in pool.starmap(_train, work))
        alone = alone or rate
        rows.append((f"ResNet-32, fp32: epochs a second of {streams} trainers : one", f"{rate / alone:.2f}", "", True))
    return rows


def _whole(options: argparse.Namespace) -> float:
    started = time.perf_counter()
    _train(options, 1.0, "fp32", 2 if options.tiny else 200)
    return time.perf_counter() - started


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--tiny", action="store_true", help="a few images and a small network, to try the code")
    parser.add_argument("--whole", action="store_true", help="train 200 epochs too")
    options = parser.parse_args(arguments)
    options.images, options.batch = (32, 16) if options.tiny else (_NB201_IMAGES, 256)
    options.epochs, options.streams = (2, (1,)) if options.tiny else (4, (1, 2, 3, 4))
    return options


def missing(device: str) -> str:
    """Why the device cannot be measured, in one line; empty where it can."""
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        return "bench.gpu: this machine shows no GPU to torch; run it where nvidia-smi lists one"
    return ""


if __name__ == "__main__":
    if why := missing(_options(None).device):
        print(why, file=sys.stderr)
        sys.exit(3)
    for row in main():
        print(f"{row[0]}: {row[1]}")
