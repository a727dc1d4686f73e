"""The trainer process: reads jobs as JSON lines, writes progress and outcomes as JSON lines.

Started by an executor as ``python -m fairnad_engine.training.process DEVICE``; ends when its standard input closes
or its parent dies.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairnad_engine.errors import FairnadError, MachineFaultError
from fairnad_engine.faults import is_disk_full
from fairnad_engine.training.jobs import DISK_FULL, MACHINE_FAULT

if TYPE_CHECKING:
    from torch import nn

    from fairnad_engine.training.datasets import DatasetInfo, LabelledImages

Send = Callable[[dict[str, Any]], None]
_CONTEXT = 600 * 2**20  # what a process's CUDA context takes beside torch's own pool
_CHECKED_IMAGES = 64
_HASH = 64  # letters of a SHA-256


def main() -> None:
    """Serve jobs until standard input closes."""
    from fairnad_engine.processes import die_with_parent

    die_with_parent()
    # Results travel on a private copy of standard output; a library's print cannot mix into them.
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    import torch

    torch.set_num_threads(1)
    device = sys.argv[1] if len(sys.argv) > 1 else "cpu"

    def send(message: dict[str, Any]) -> None:
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    send({"type": "ready", "device": device, "memory": _device_memory(device)})
    for line in sys.stdin:
        if carry_out(json.loads(line), send, device) == "device-fault":
            sys.exit(3)  # what the device holds of this process is lost
        if device != "cpu":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)


def carry_out(job: dict[str, Any], send: Send, device: str = "cpu") -> str:
    """Do a job and send how it went and how it ended, whatever happens; return the status."""
    started = time.monotonic()
    try:
        result = _work(job, send, device)
    except Exception as error:
        told = str(error) if isinstance(error, FairnadError) else f"{type(error).__name__}: {error}"
        result = {"status": _failure(error), "message": told[:500]}
    send({"type": "outcome", "seconds": time.monotonic() - started, "peak_memory": _peak(device), **result})
    return str(result["status"])


def _device_memory(device: str) -> int:
    """Bytes of a GPU's memory; 0 for the CPU, where a fixed number of trainers runs."""
    import torch

    return 0 if device == "cpu" else int(torch.cuda.mem_get_info(device)[1])


def _peak(device: str) -> int:
    """Most bytes that this process has taken: of a GPU since the last job, of main memory since its start."""
    import torch

    if device == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return int(torch.cuda.max_memory_reserved(device)) + _CONTEXT


def _failure(error: Exception) -> str:
    """Class of an exception that ended a job."""
    import torch

    told = str(error)
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in told:
        return "out-of-memory"
    if isinstance(error, torch.AcceleratorError) or any(sign in told for sign in ("CUDA error", "CUBLAS", "CUDNN")):
        return "device-fault"
    if is_disk_full(error):
        return DISK_FULL
    # A network that passed the verifier opens no file: what does is the trainer, on the user's disk.
    return MACHINE_FAULT if isinstance(error, (OSError, FairnadError)) else "trainer-error"


def _work(job: dict[str, Any], send: Send, device: str = "cpu") -> dict[str, Any]:
    from safetensors.torch import load

    from fairnad_engine.backbone.graph import parse_graph
    from fairnad_engine.backbone.rebuild import GraphBackbone
    from fairnad_engine.training import trainer
    from fairnad_engine.training.datasets import dataset_info, load_split, load_whole_test
    from fairnad_engine.training.jobs import TrainingJob
    from fairnad_engine.training.protocol import Protocol

    task = TrainingJob(**{**job, "precision": "fp32" if device == "cpu" else job.get("precision", "fp32")})
    with _reading():
        graph, weights = (_read_whole(Path(one)) for one in (task.graph, task.weights))
        model = GraphBackbone(parse_graph(json.loads(graph)), load(weights))
        info = dataset_info(task.dataset, **task.data)
        protocol = Protocol.model_validate(task.protocol)
        scored = load_split(task.dataset, task.split, **task.data) if task.kind == "score" else None
    if scored is not None:
        accuracy = trainer.score(model, info, scored, protocol.eval_batch_size, device=device, precision=task.precision)
        return {"status": "done", "accuracy": accuracy}
    with _reading():
        training = load_split(task.dataset, task.train_split, **task.data)
        if task.scored == "whole-test":
            validation = load_whole_test(task.dataset, **task.data)
        else:
            validation = load_split(task.dataset, "validation", **task.data)
    try:
        return _train(task, model, info, training, validation, protocol, send, device)
    except trainer.DivergedError as error:
        return {"status": "diverged", "message": str(error)}


def _read_whole(path: Path) -> bytes:
    """A file's content; where its name is that of its content, the two are held against each other."""
    data, named = path.read_bytes(), path.name.partition(".")[0]
    if len(named) == _HASH and hashlib.sha256(data).hexdigest() != named:
        raise MachineFaultError(f"{path}: content does not match its name; resume, and it is made again")
    return data


@contextmanager
def _reading() -> Iterator[None]:
    """Files that were good when the candidate was verified: where they cannot be used now, it is not to blame."""
    try:
        yield
    except Exception as error:
        if _failure(error) == "trainer-error":
            raise MachineFaultError(f"{type(error).__name__}: {error}") from error
        raise


def _train(
    task: Any,  # noqa: ANN401
    model: Any,  # noqa: ANN401
    info: DatasetInfo,
    training: LabelledImages,
    validation: LabelledImages,
    protocol: Any,  # noqa: ANN401
    send: Send,
    device: str,
) -> dict[str, Any]:
    from safetensors.torch import save

    from fairnad_engine.artifacts import ArtifactFolder
    from fairnad_engine.training import trainer
    from fairnad_engine.training.checkpoints import Checkpoint, checkpoint_path
    from fairnad_engine.training.latency import measure_latency

    every = task.checkpoint_seconds
    checkpoint = None if every is None else Checkpoint(checkpoint_path(task, device), every)

    def report(metrics: trainer.EpochMetrics) -> None:
        restored = checkpoint is not None and metrics.epoch <= checkpoint.restored
        send({"type": "epoch", "restored": restored, "memory": _peak(device), **metrics.as_dict()})

    accuracy = trainer.train(
        model,
        info,
        training,
        validation,
        protocol,
        task.seed,
        report,
        device=device,
        precision=task.precision,
        checkpoint=checkpoint,
        record=task.record,
    )
    if _neighbours_matter(model, info, validation, device):
        return {"status": "batch-dependent", "message": "an image's logits depend on the other images of its batch"}
    weights = save({name: tensor.cpu().contiguous() for name, tensor in model.named_weights().items()})
    name = ArtifactFolder(Path(task.artifacts)).put(weights, ".safetensors")
    result: dict[str, Any] = {"status": "done", "accuracy": accuracy, "weights": name}
    if task.latency_rounds:
        result["latency"] = measure_latency(model, info.image_shape, task.latency_rounds, device, task.precision)
    return result


def _neighbours_matter(model: nn.Module, info: DatasetInfo, validation: LabelledImages, device: str) -> bool:
    """Whether the trained network's answer to an image depends on its batch (which would leak labels' order)."""
    from fairnad_engine.backbone.agreement import neighbours_matter
    from fairnad_engine.training.trainer import normalise

    images = normalise(validation.images[:_CHECKED_IMAGES].to(device), info)
    return bool(neighbours_matter(model.eval(), images))


if __name__ == "__main__":
    main()
