"""The state of an unfinished training, so that a killed one goes on where it was, bit for bit on the CPU.

A checkpoint is a safetensors file (nothing is unpickled): weights, momentum, the state of every random generator,
and the epochs so far. Its name is the hash of all that decides the training's outcome, so another job's state is
never taken up, and of no path, so that a workspace may be moved. It is written under a temporary name and renamed,
and removed once the outcome of its job is stored.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairnad_engine.artifacts import write_atomically
from fairnad_engine.training.jobs import TrainingJob

if TYPE_CHECKING:
    import torch
    from torch import nn

_log = logging.getLogger("fairnad.trainer")


def checkpoint_path(job: TrainingJob, device: str = "cpu") -> Path:
    """Where the state of a job lies while it is unfinished, trained on ``cpu`` or ``cuda``."""
    decisive = job.as_dict()
    for name in ("id", "artifacts", "checkpoint_seconds", "latency_rounds", "record", "rank"):
        decisive.pop(name)
    decisive["device"] = device.partition(":")[0]
    for name in ("graph", "weights"):
        decisive[name] = Path(decisive[name]).name  # the hash of its content
    if job.dataset_digest:
        decisive.pop("data")  # where it lies, and how it was split into what the digest covers
    name = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
    return _folder(Path(job.artifacts), job.id.partition("/")[0]) / f"{name}.safetensors"


def _folder(artifacts: Path, run_id: str) -> Path:
    return artifacts / "checkpoints" / run_id


def discard_checkpoints(job: TrainingJob) -> None:
    """Remove the state of a job whose outcome is stored, on whatever device it was trained."""
    for device in ("cpu", "cuda"):
        checkpoint_path(job, device).unlink(missing_ok=True)


def sweep_checkpoints(artifacts: Path, run_id: str) -> None:
    """Remove what is left of a run's trainings when all of them are over: of those killed at the wrong moment.

    Files beside the runs' folders are of an earlier version, and no training takes them up any more.
    """
    shutil.rmtree(_folder(artifacts, run_id), ignore_errors=True)
    for old in (artifacts / "checkpoints").glob("*.safetensors"):
        old.unlink(missing_ok=True)


@dataclass
class Progress:
    """What has happened in a training besides its tensors.

    Attributes:
        epochs: Metrics of the epochs so far, as JSON objects.
        accuracy: Latest validation accuracy in percent, NaN before the first.
    """

    epochs: list[dict[str, Any]]
    accuracy: float = math.nan


class Checkpoint:
    """The checkpoint file of one training.

    Attributes:
        path: The file.
        restored: Epochs that were taken up from it.
    """

    def __init__(self, path: Path, every: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Set up.

        Args:
            path: The file.
            every: Least number of seconds between two writings; 0 writes after each epoch.
            clock: Gives seconds.
        """
        self.path = path
        self.restored = 0
        self._every = every
        self._clock = clock
        self._last = clock()

    def due(self) -> bool:
        """Whether enough time has passed since the last writing."""
        return self._clock() - self._last >= self._every

    def save(
        self, model: nn.Module, optimiser: torch.optim.Optimizer, generator: torch.Generator, progress: Progress
    ) -> None:
        """Write the whole state, or leave the earlier file."""
        from safetensors.torch import save

        tensors = {f"model.{name}": one.detach() for name, one in model.state_dict().items()}
        for index, parameter in enumerate(_parameters(optimiser)):
            momentum = optimiser.state[parameter].get("momentum_buffer")
            if momentum is not None:
                tensors[f"momentum.{index}"] = momentum
        tensors.update(_random_states(generator))
        meta = {"epochs": progress.epochs, "accuracy": None if math.isnan(progress.accuracy) else progress.accuracy}
        # Copies, because tied weights share memory, which the format refuses.
        plain = {name: one.cpu().contiguous().clone() for name, one in tensors.items()}
        progress_ = json.dumps(meta)
        write_atomically(self.path, save(plain, {"progress": progress_, "digest": _digest(plain, progress_)}))
        self._last = self._clock()

    def load(self, model: nn.Module, optimiser: torch.optim.Optimizer, generator: torch.Generator) -> Progress | None:
        """Put a saved state in place; None where there is none that can be read."""
        import torch
        from safetensors import SafetensorError, safe_open

        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                about = file.metadata()
                meta = json.loads(about["progress"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            # One of an earlier version has no digest.
            if about.get("digest", "") not in ("", _digest(tensors, about["progress"])):
                raise ValueError("its content does not match its digest")
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            _log.warning("checkpoint %s is damaged (%s): the training begins anew", self.path.name, error)
            self.discard()
            return None
        model.load_state_dict({n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")})
        for index, parameter in enumerate(_parameters(optimiser)):
            if f"momentum.{index}" in tensors:
                momentum = torch.empty_like(parameter).copy_(tensors[f"momentum.{index}"])
                optimiser.state[parameter]["momentum_buffer"] = momentum.detach()
        _restore_random_states(tensors, generator)
        self.restored = len(meta["epochs"])
        return Progress(meta["epochs"], math.nan if meta["accuracy"] is None else float(meta["accuracy"]))

    def discard(self) -> None:
        """Remove the file: the training is over."""
        self.path.unlink(missing_ok=True)


def _digest(tensors: dict[str, torch.Tensor], progress: str) -> str:
    """SHA-256 of a state: a disk that flips a bit of it would otherwise change the outcome unseen."""
    import torch

    digest = hashlib.sha256(progress.encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode())
        digest.update(tensors[name].contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _parameters(optimiser: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [p for group in optimiser.param_groups for p in group["params"]]


def _random_states(generator: torch.Generator) -> dict[str, torch.Tensor]:
    import torch

    states = {"random.data": generator.get_state(), "random.cpu": torch.get_rng_state()}
    if generator.device.type == "cuda":
        states["random.cuda"] = torch.cuda.get_rng_state(generator.device)
    return states


def _restore_random_states(tensors: dict[str, torch.Tensor], generator: torch.Generator) -> None:
    import torch

    generator.set_state(tensors["random.data"])
    torch.set_rng_state(tensors["random.cpu"])
    if generator.device.type == "cuda" and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"], generator.device)
