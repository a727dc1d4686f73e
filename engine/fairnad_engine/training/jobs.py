"""What travels between the search and a trainer, and the trainer's answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

JobKind = Literal["train", "score"]


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

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON-able form."""
        return asdict(self)


@dataclass(frozen=True)
class TrainingOutcome:
    """How a job ended.

    Attributes:
        status: ``done``, ``diverged``, ``timeout``, ``out-of-memory`` or ``trainer-error``.
        accuracy: Percent on the split that was scored (``done`` only).
        weights: Name of the trained weights in the artifact folder.
        message: What went wrong, in one line.
        seconds: Wall time.
    """

    status: str
    accuracy: float | None = None
    weights: str | None = None
    message: str = ""
    seconds: float = 0.0
