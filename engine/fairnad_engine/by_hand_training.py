"""One verified backbone trained alone by the trusted trainer, and kept as a folder that ``evaluate`` scores again."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fairnad_engine.artifacts import ArtifactFolder, write_atomically
from fairnad_engine.by_hand import UNLIMITED, Examination, Limits
from fairnad_engine.errors import InputError, MachineFaultError, RunFailedError
from fairnad_engine.search.config import DataSection
from fairnad_engine.training.datasets import DatasetInfo, dataset_info, split_digest
from fairnad_engine.training.protocol import Protocol, load_protocol

Epoch = dict[str, Any]
_PACKAGES = ("fairnad-tui", "torch", "torchvision", "numpy", "scikit-learn", "safetensors")


@dataclass(frozen=True)
class Course:
    """What a training is: data, protocol and seed.

    Attributes:
        dataset: Name of the data set, as the trainer reads it.
        info: What is known of it.
        protocol: How it is trained and scored.
        seed: Seed of initial weights, shuffling, augmentation and dropout.
        data: Where data sets lie, keywords of their readers.
        deadline: Seconds after which it is given up.
    """

    dataset: str
    info: DatasetInfo
    protocol: Protocol
    seed: int = 0
    data: dict[str, Any] = field(default_factory=dict)
    deadline: float = 7 * 24 * 3600.0

    @property
    def label(self) -> str:
        """What stands beside every number."""
        return (
            f"{self.info.name}, protocol {self.protocol.name}, {self.protocol.epochs} epochs, {self.info.split_label}"
        )

    def limits(self, max_params: int = UNLIMITED, max_macs: int = UNLIMITED) -> Limits:
        """What a backbone must fit to be trained on this data."""
        return Limits(self.info.image_shape, self.info.num_classes, max_params, max_macs)


def read_course(
    dataset: str, protocol: str, *, data_root: Path | None = None, splits: Path | None = None, seed: int = 0
) -> Course:
    """Find data set and protocol.

    Args:
        dataset: Name of a data set, or ``imagefolder:PATH``.
        protocol: Name of a protocol, or path of a ``.toml`` file.
        data_root: Folder of data sets, where it is not the usual one.
        splits: Folder with NAS-Bench-201's index files; None draws splits with a fixed seed.
        seed: Seed of initial weights, shuffling, augmentation and dropout.

    Raises:
        InputError: One of them is not there.
    """
    data = DataSection(
        dataset=dataset,
        root=None if data_root is None else str(data_root),
        splits=None if splits is None else str(splits),
    ).resolved()
    info = dataset_info(data.dataset, **data.location())
    return Course(data.dataset, info, load_protocol(protocol), seed, data.location())


@dataclass(frozen=True)
class Trained:
    """How a training ended.

    Attributes:
        accuracy: Percent on the validation split after the last epoch.
        weights_file: Artifact name of the trained weights.
        epochs: Metrics of each epoch.
        seconds: Wall time.
    """

    accuracy: float
    weights_file: str
    epochs: tuple[Epoch, ...]
    seconds: float


def train_alone(
    examination: Examination,
    course: Course,
    files: ArtifactFolder,
    on_epoch: Callable[[Epoch], None],
    devices: Literal["auto"] | Sequence[str] = "auto",
) -> Trained:
    """Train what passed the ladder, in a trainer process that never sees its source.

    Args:
        examination: What :func:`fairnad_engine.by_hand.examine` found.
        course: What to train on, and how.
        files: Holds graph and initial weights, and receives the trained ones.
        on_epoch: Called with each epoch's metrics.
        devices: Where it may be trained, as ``[machine] devices`` has it; the first that is free is taken.

    Raises:
        InputError: A device is not there.
        RunFailedError: It gave no score; the message names the outcome.
    """
    from fairnad_engine.training.devices import choose_devices
    from fairnad_engine.training.executor import LocalExecutor
    from fairnad_engine.training.jobs import MACHINE_FAULT, TrainingJob

    job = TrainingJob(
        id="by-hand",
        kind="train",
        graph=str(files.path(examination.graph_file).resolve()),
        weights=str(files.path(examination.weights_file).resolve()),
        dataset=course.dataset,
        protocol=course.protocol.model_dump(mode="json"),
        seed=course.seed,
        artifacts=str(files.root.resolve()),
        data=course.data,
    )
    places = choose_devices(devices, workers=1)
    epochs: list[Epoch] = []

    def progress(message: dict[str, Any]) -> None:
        if message["type"] == "epoch":
            epochs.append({name: value for name, value in message.items() if name != "type"})
            on_epoch(epochs[-1])

    async def run() -> Any:  # noqa: ANN401
        executor = LocalExecutor(1, places)
        try:
            return await executor.run(job, progress, course.deadline)
        finally:
            await executor.close()

    outcome = asyncio.run(run())
    if outcome.status == MACHINE_FAULT:
        raise MachineFaultError(f"{examination.subject.label}: could not be trained: {outcome.message}; mend that")
    if outcome.status != "done" or outcome.accuracy is None or outcome.weights is None:
        reason = f": {outcome.message}" if outcome.message else ""
        raise RunFailedError(
            f"{examination.subject.label}: training ended {outcome.status}{reason}; try another protocol"
        )
    return Trained(outcome.accuracy, outcome.weights, tuple(epochs), outcome.seconds)


def check_free(folder: Path) -> None:
    """See that a folder can be written, before anything costs time.

    Raises:
        InputError: It holds something already, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise InputError(f"{folder}: is not empty; name a new folder")
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}; name a folder that can be written") from error


def save_folder(
    examination: Examination, trained: Trained, course: Course, files: ArtifactFolder, folder: Path
) -> None:
    """Write source, graph, trained weights and ``model.json``, as an export of a search has them.

    Raises:
        InputError: The folder cannot be written.
    """
    document = {
        "format": "fairnad-export",
        "format_version": 1,
        "id": examination.subject.label,
        "input_shape": list(course.info.image_shape),
        "num_classes": course.info.num_classes,
        "width": examination.width,
        "class": examination.subject.entry.name,
        "keywords": examination.subject.entry.request().get("entry", {}).get("keywords"),
        "params": examination.params,
        "macs": examination.macs,
        "exact_hash": examination.exact_hash,
        "width_hash": examination.width_hash,
        "aliases": _aliases(examination),
        "dataset": course.dataset,
        "data": {name: value for name, value in course.data.items() if value is not None},
        "split": course.info.split_label,
        "dataset_digest": split_digest(course.dataset, **course.data),
        "protocol": course.protocol.model_dump(mode="json"),
        "protocol_digest": course.protocol.digest,
        "validation_accuracy": trained.accuracy,
        "training_seed": course.seed,
        "epochs": list(trained.epochs),
        "versions": {
            **{name: importlib.metadata.version(name) for name in _PACKAGES},
            "python": platform.python_version(),
            "machine": platform.machine(),
        },
    }
    contents = {
        "backbone.py": examination.subject.source.encode(),
        "graph.json": files.get(examination.graph_file),
        "weights.safetensors": files.get(trained.weights_file),
        "model.json": json.dumps(document, indent=2, sort_keys=True).encode() + b"\n",
    }
    try:
        for name, content in contents.items():
            write_atomically(folder / name, content)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}; name a folder that can be written") from error


def _aliases(examination: Examination) -> list[tuple[str, str]]:
    tensors = examination.graph.tensors if examination.graph is not None else ()
    return [(entry.name, alias) for entry in tensors for alias in entry.aliases]
