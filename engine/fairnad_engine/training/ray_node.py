"""What a node of a Ray cluster does for one training: the trusted trainer, between bytes that come and bytes that go.

It runs in a process that Ray keeps, with one torch thread, and gives messages one by one: where it runs, epochs,
checkpoints, the trained weights, the outcome. Nothing comes here but a graph description, weights, a protocol and,
where this machine has not kept them, the images; no source of a candidate, and nothing of the store.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import queue
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fairnad_engine.training.data import packed
from fairnad_engine.training.jobs import DISK_FULL, MACHINE_FAULT, TrainingJob

Message = dict[str, Any]
_PREFIX = "fairnad-training-"
_PACKAGES = ("fairnad-tui", "torch")


@dataclass(frozen=True)
class Order:
    """One job as it is sent to a node.

    Attributes:
        job: The job; paths in it say only what files are called.
        versions: Of the packages that decide a score, where the order comes from.
    """

    job: TrainingJob
    versions: dict[str, str]


def versions() -> dict[str, str]:
    """Versions of the packages that decide a score, without what a build adds for its kind of device."""
    found: dict[str, str] = {}
    for name in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):  # run from a checkout
            found[name] = importlib.metadata.version(name).partition("+")[0]
    return found


def train(
    order: Order, graph: bytes, weights: bytes, checkpoint: bytes | None, parts: Sequence[Callable[[], packed.Part]]
) -> Iterator[Message]:
    """Carry an order out.

    Args:
        order: What to do.
        graph: Content of the graph description.
        weights: Content of the weights to start from.
        checkpoint: State of the training as an earlier try left it.
        parts: Give the data set, a part each; empty before it was asked for.

    Yields:
        ``started``, then ``needs-data`` alone, or ``epoch`` and ``checkpoint`` as they come, ``weights`` of a training
        that went well, and ``outcome``.
    """
    device = _device()
    yield {"type": "started", "node": _node_id(), "host": socket.gethostname(), "device": device}
    if problem := _other_versions(order.versions) or _unusable(device):
        yield {"type": "outcome", "status": MACHINE_FAULT, "seconds": 0.0, "message": problem}
        return
    digest = order.job.dataset_digest
    folder = packed.kept(digest) or (packed.keep(digest, parts) if parts else None)
    if folder is None:
        yield {"type": "needs-data"}
        return
    with _scratch() as root:
        job = _unpacked(order.job, root, folder, graph, weights)
        yield from _messages(job, root, device, checkpoint)


def _messages(job: TrainingJob, root: Path, device: str, checkpoint: bytes | None) -> Iterator[Message]:
    from fairnad_engine.training.checkpoints import checkpoint_path

    state = checkpoint_path(job, device)
    written = 0
    if checkpoint is not None:
        state.parent.mkdir(parents=True)
        state.write_bytes(checkpoint)
        written = state.stat().st_mtime_ns
    messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
    # A thread, because the trainer calls back with what Ray wants to be given.
    threading.Thread(target=_work, args=(job, messages, device), name="trainer", daemon=True).start()
    while (message := messages.get())["type"] != "outcome":
        yield message
        with suppress(FileNotFoundError):
            if (now := state.stat().st_mtime_ns) != written:
                written = now
                yield {"type": "checkpoint", "data": state.read_bytes()}
    if name := message.get("weights"):
        yield {"type": "weights", "name": name, "data": (root / name).read_bytes()}
    if message["status"] == DISK_FULL:  # the node's, which nobody watches; the workspace has another
        message = {**message, "status": MACHINE_FAULT, "message": f"node {socket.gethostname()}: {message['message']}"}
    yield message


def _work(job: TrainingJob, messages: queue.SimpleQueue[Message], device: str) -> None:
    import torch

    from fairnad_engine.training.process import carry_out

    torch.set_num_threads(1)
    carry_out(job.as_dict(), messages.put, device)


def _unpacked(job: TrainingJob, root: Path, folder: Path, graph: bytes, weights: bytes) -> TrainingJob:
    """The job with paths of this machine."""
    places: dict[str, Any] = {}
    for name, path, data in (("graph", job.graph, graph), ("weights", job.weights, weights)):
        place = root / name / Path(path).name
        place.parent.mkdir()
        place.write_bytes(data)
        places[name] = str(place)
    return replace(job, **places, artifacts=str(root), dataset=f"{packed.KIND}:{folder}", data={})


def _device() -> str:
    """Where Ray lets this task train: it shows a task the GPU that it was given, and no other."""
    import ray

    return "cuda:0" if ray.get_gpu_ids() else "cpu"


def _node_id() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def _other_versions(wanted: dict[str, str]) -> str:
    """What differs from where the order comes from, so that scores could; empty where nothing does."""
    here = versions()
    for name, version in wanted.items():
        if name in here and here[name] != version:
            return (
                f"node {socket.gethostname()} has {name} {here[name]}, the run {version}; "
                "start Ray there from the same environment"
            )
    return ""


def _unusable(device: str) -> str:
    """Why the GPU that Ray gave cannot be used, which is nobody's doing but this machine's; empty where it can."""
    if device == "cpu":
        return ""
    import torch

    if torch.cuda.is_available():
        return ""
    return (
        f"node {socket.gethostname()} offers a GPU that torch {torch.__version__} cannot use there; see that driver "
        "and torch fit each other, or start Ray there with --num-gpus=0"
    )


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder of this task's own, and the end of those that killed ones have left."""
    base = Path(tempfile.gettempdir())
    for left in base.glob(_PREFIX + "*"):
        _remove_unless_held(left)
    root = Path(tempfile.mkdtemp(prefix=_PREFIX))
    with (root / ".held").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        try:
            yield root
        finally:
            shutil.rmtree(root, ignore_errors=True)


def _remove_unless_held(folder: Path) -> None:
    """Remove a folder whose process is gone; the lock is the kernel's, and goes with the process."""
    try:
        with (folder / ".held").open("r") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return  # held, just made, removed by a neighbour, or another user's
