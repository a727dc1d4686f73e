"""The trainer process: reads jobs as JSON lines, writes progress and outcomes as JSON lines.

Started by an executor as ``python -m fairnad_engine.training.process``; ends when its standard input closes or its
parent dies.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Serve jobs until standard input closes."""
    from fairnad_engine.processes import die_with_parent

    die_with_parent()
    # Results travel on a private copy of standard output; a library's print cannot mix into them.
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    import torch

    torch.set_num_threads(1)
    _send(channel, {"type": "ready"})
    for line in sys.stdin:
        job = json.loads(line)
        started = time.monotonic()
        try:
            result = _work(job, lambda message: _send(channel, message))
        except MemoryError:
            result = {"status": "out-of-memory", "message": "the trainer ran out of memory"}
        except Exception as error:
            result = {"status": "trainer-error", "message": f"{type(error).__name__}: {error}"[:500]}
        _send(channel, {"type": "outcome", "seconds": time.monotonic() - started, **result})


def _send(channel: Any, message: dict[str, Any]) -> None:  # noqa: ANN401
    channel.write(json.dumps(message) + "\n")
    channel.flush()


def _work(job: dict[str, Any], send: Any) -> dict[str, Any]:  # noqa: ANN401
    from safetensors.torch import load_file, save

    from fairnad_engine.artifacts import ArtifactFolder
    from fairnad_engine.backbone.graph import parse_graph
    from fairnad_engine.backbone.rebuild import GraphBackbone
    from fairnad_engine.training import trainer
    from fairnad_engine.training.datasets import dataset_info, load_split
    from fairnad_engine.training.protocol import Protocol

    graph = parse_graph(json.loads(Path(job["graph"]).read_text("utf-8")))
    model = GraphBackbone(graph, load_file(job["weights"]))
    info = dataset_info(job["dataset"])
    protocol = Protocol.model_validate(job["protocol"])
    if job["kind"] == "score":
        split = load_split(job["dataset"], job["split"])
        return {"status": "done", "accuracy": trainer.score(model, info, split, protocol.eval_batch_size)}
    try:
        accuracy = trainer.train(
            model,
            info,
            load_split(job["dataset"], "train"),
            load_split(job["dataset"], "validation"),
            protocol,
            job["seed"],
            lambda metrics: send({"type": "epoch", **metrics.as_dict()}),
        )
    except trainer.DivergedError as error:
        return {"status": "diverged", "message": str(error)}
    weights = save({name: tensor.contiguous() for name, tensor in model.named_weights().items()})
    name = ArtifactFolder(Path(job["artifacts"])).put(weights, ".safetensors")
    return {"status": "done", "accuracy": accuracy, "weights": name}


if __name__ == "__main__":
    main()
