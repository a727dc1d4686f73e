"""What travels between the search and a trainer, and the trainer's answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from fairnad_engine.training.datasets import Split

JobKind = Literal["train", "score"]
MACHINE_FAULT = "machine-fault"
DISK_FULL = "disk-full"


@dataclass(frozen=True)
class TrainingJob:
    """One unit of work for a trainer.

    Attributes:
        id: Unique within a run.
        kind: ``train`` (then score on validation) or ``score`` (only score).
        graph: Path of the graph description.
        weights: Path of the weights to start from.
        dataset: Name of the data set.
        protocol: Every setting of the protocol.
        seed: Seed of shuffling, augmentation and dropout.
        artifacts: Folder that receives the trained weights.
        split: Split that ``score`` reads.
        train_split: Split that ``train`` reads; ``full`` where the final number is trained on more images.
        scored: What each epoch of ``train`` is scored on: ``validation``, or ``whole-test``: the whole test set as
            other papers use it, with the validation images that were taken from it. Only ``finish`` asks for that.
        data: Where data sets lie and how they are split; keywords of the data sets' readers.
        precision: ``fp32`` (strict: no TF32, deterministic kernels) or ``bf16`` (autocast).
        checkpoint_seconds: Least time between two checkpoints of an unfinished training; None writes none.
        latency_rounds: Timed passes at batch 1 and at batch 256 after training; 0 measures no latency.
        record: Whether a GPU may replay the step as a CUDA graph.
        rank: Of jobs that wait for a place those of the lowest rank get the next one; changes no outcome.
        dataset_digest: Hash of the images and labels of all splits; empty where it is not known.
    """

    id: str
    kind: JobKind
    graph: str
    weights: str
    dataset: str
    protocol: dict[str, Any]
    seed: int
    artifacts: str
    split: Literal["validation", "test"] = "validation"
    train_split: Split = "train"
    scored: Literal["validation", "whole-test"] = "validation"
    data: dict[str, Any] = field(default_factory=dict)
    precision: Literal["fp32", "bf16"] = "fp32"
    checkpoint_seconds: float | None = None
    latency_rounds: int = 0
    record: bool = True
    rank: int = 0
    dataset_digest: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON-able form."""
        return asdict(self)


@dataclass(frozen=True)
class JobSettings:
    """What all jobs of a run share besides data set and protocol; see :class:`TrainingJob`.

    Attributes:
        latency_batch: Batch size whose latency the candidates are selected by; 0 for none.
    """

    data: dict[str, Any] = field(default_factory=dict)
    precision: Literal["fp32", "bf16"] = "fp32"
    checkpoint_seconds: float | None = None
    latency_rounds: int = 0
    latency_batch: int = 0
    dataset_digest: str = ""


@dataclass(frozen=True)
class TrainingOutcome:
    """How a job ended.

    Attributes:
        status: ``done``, ``diverged``, ``batch-dependent``, ``timeout``, ``out-of-memory`` or ``trainer-error``; or
            ``machine-fault`` or ``disk-full``, which say nothing about the network: disk, files or processes were at
            fault.
        accuracy: Percent on the split that was scored (``done`` only).
        weights: Name of the trained weights in the artifact folder.
        message: What went wrong, in one line.
        seconds: Wall time.
        latency: Milliseconds of one pass by batch size, where the job asked for it.
        peak_memory: Most bytes that the trainer held, 0 where unknown.
    """

    status: str
    accuracy: float | None = None
    weights: str | None = None
    message: str = ""
    seconds: float = 0.0
    latency: dict[int, float] = field(default_factory=dict)
    peak_memory: int = 0
