"""A trainer that trains nothing: the JSON lines, files and checkpoints of :mod:`fairnad_engine.training.process`.

For tests and measurements of everything around trainings. Its accuracy is a deterministic function of graph, weights,
protocol, data set and seed; a run that used it says so in whatever it shows. Set ``FAIRNAD_TRAINER_MODULE`` to this
module's name before the run is begun, and each time it is taken up again.

``FAIRNAD_SIMULATED_SECONDS`` is the length of an epoch in seconds, 0.005 where it is not set.
``FAIRNAD_SIMULATED_LOG`` names a file to which each training adds a line when it starts, after each
epoch, and when its outcome is sent.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fairnad_engine.artifacts import ArtifactFolder, write_atomically
from fairnad_engine.processes import die_with_parent
from fairnad_engine.training.checkpoints import checkpoint_path
from fairnad_engine.training.jobs import MACHINE_FAULT, TrainingJob

Send = Callable[[dict[str, Any]], None]
_PEAK = 64 * 2**20  # bytes that a training claims to have taken


def main() -> None:
    """Serve jobs until standard input closes."""
    die_with_parent()
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    device = sys.argv[1] if len(sys.argv) > 1 else "cpu"

    def send(message: dict[str, Any]) -> None:
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    send({"type": "ready", "device": device, "memory": 0})
    for line in sys.stdin:
        started = time.monotonic()
        job = None
        try:
            job = TrainingJob(**json.loads(line))
            result = _work(job, send, device)
        except (OSError, ValueError) as error:  # what opens files here is the trainer, on the user's disk
            result = {"status": MACHINE_FAULT, "message": f"{type(error).__name__}: {error}"[:500]}
        send({"type": "outcome", "seconds": time.monotonic() - started, "peak_memory": _PEAK, **result})
        if job is not None and "weights" in result:
            _log(job, "done", int(job.protocol["epochs"]))  # now that whoever waits for it has its outcome


def _work(job: TrainingJob, send: Send, device: str) -> dict[str, Any]:
    graph, weights = Path(job.graph).read_bytes(), Path(job.weights).read_bytes()
    json.loads(graph)
    decisive = [graph, weights, json.dumps(job.protocol, sort_keys=True).encode(), job.dataset.encode()]
    decisive += [job.dataset_digest.encode(), job.train_split.encode(), job.scored.encode(), str(job.seed).encode()]
    identity = hashlib.sha256(b"".join(hashlib.sha256(one).digest() for one in decisive)).digest()
    if job.kind == "score":
        return {"status": "done", "accuracy": _accuracy(identity, 1.0)}
    checkpoint = None if job.checkpoint_seconds is None else checkpoint_path(job, device)
    epochs = _restored(checkpoint)
    _log(job, "start", len(epochs))
    for epoch in epochs:
        send({"type": "epoch", "restored": True, "memory": _PEAK, **epoch})
    accuracy = _train(job, identity, epochs, checkpoint, send)
    name = ArtifactFolder(Path(job.artifacts)).put(_trained(weights, identity), ".safetensors")
    result: dict[str, Any] = {"status": "done", "accuracy": accuracy, "weights": name}
    if job.latency_rounds:
        result["latency"] = {1: 1 + identity[1] / 256, 256: 50 + identity[2] / 8}
    return result


def _train(
    job: TrainingJob, identity: bytes, epochs: list[dict[str, Any]], checkpoint: Path | None, send: Send
) -> float:
    """Let the epochs pass that are left; validation accuracy in percent after the last one."""
    length = float(os.environ.get("FAIRNAD_SIMULATED_SECONDS", "0.005"))
    total, every = int(job.protocol["epochs"]), int(job.protocol.get("eval_every", 1))
    first_rate = float(job.protocol["learning_rate"])
    last_saved = time.monotonic()
    for number in range(len(epochs) + 1, total + 1):
        started = time.monotonic()
        time.sleep(length)
        share = number / total
        scored = number % every == 0 or number == total
        one = {
            "epoch": number,
            "train_loss": 2.3 * math.exp(-3 * share),
            "train_accuracy": _accuracy(identity, share) + 1,
            "validation_accuracy": _accuracy(identity, share) if scored else None,
            "learning_rate": first_rate * 0.5 * (1 + math.cos(math.pi * (number - 1) / total)),
            "seconds": time.monotonic() - started,
        }
        epochs.append(one)
        send({"type": "epoch", "restored": False, "memory": _PEAK, **one})
        _log(job, "epoch", number)
        due = job.checkpoint_seconds is not None and time.monotonic() - last_saved >= job.checkpoint_seconds
        if checkpoint and due and number < total:
            write_atomically(checkpoint, json.dumps(epochs).encode())
            last_saved = time.monotonic()
    return _accuracy(identity, 1.0)


def _accuracy(identity: bytes, share: float) -> float:
    """Percent after a share of the epochs: a curve that saturates at what the hash says, on a grid of 400 images."""
    best = 80 + 19 * int.from_bytes(identity[:4]) / 2**32
    return round(4 * (10 + (best - 10) * (1 - math.exp(-5 * share)))) / 4


def _restored(checkpoint: Path | None) -> list[dict[str, Any]]:
    """The epochs of a training that was cut short."""
    try:
        return [] if checkpoint is None else list(json.loads(checkpoint.read_bytes()))
    except FileNotFoundError:
        return []
    except ValueError:
        return []  # damaged: the training begins anew


def _trained(weights: bytes, identity: bytes) -> bytes:
    """The same tensors in another file: a remark in its header, so that it is not the untrained one."""
    (length,) = struct.unpack("<Q", weights[:8])
    header = json.loads(weights[8 : 8 + length])
    header["__metadata__"] = {"simulated": identity.hex()}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + weights[8 + length :]


def _log(job: TrainingJob, what: str, epochs: int) -> None:
    """Add a line to the file that the environment names, in one write."""
    if path := os.environ.get("FAIRNAD_SIMULATED_LOG"):
        line = {"pid": os.getpid(), "job": job.id, "what": what, "epochs": epochs, "at": time.time()}
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, json.dumps(line).encode() + b"\n")
        finally:
            os.close(handle)


if __name__ == "__main__":
    main()
