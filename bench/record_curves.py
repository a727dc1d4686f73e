"""Record real training curves for the fidelity benchmark.

``python -m bench.record_curves digits|fashion FOLDER SEED MODELS OUT``

A real search with the built-in rules model makes the candidates; every one is trained under the full protocol by that
search, and then from the same weights and seed under each short schedule, with its own cosine to zero. ``fashion`` is
Fashion-MNIST at 14x14 pixels, 4,400 images of it, so that one thread can record 64 candidates in about an hour. The
folder keeps what is done, so that a recording goes on after an interruption.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fairnad_engine.search.config import DataSection, RunConfig
from fairnad_engine.search.seeds import entropy, torch_seed
from fairnad_engine.store import Store
from fairnad_engine.store.records import CandidateRow
from fairnad_engine.training.datasets import load_split
from fairnad_engine.training.protocol import Protocol

_PROTOCOL = """\
name = "{name}-{epochs}"
epochs = {epochs}
batch_size = 64
learning_rate = 0.1
weight_decay = 5e-4
crop_padding = 1
clip_norm = 5.0
eval_batch_size = 400
"""
_CONFIG = """\
name = "curves"
[papers]
sources = ["samples"]
[model]
llm = "rules"
lanes = 1
[data]
protocol = {protocol}
{data}
[budget]
trained = {models}
max_params = 60_000
max_macs = {max_macs}
[search]
seed = {seed}
seed_backbone = "digits-small"
stages = [8, 8, 4]
[machine]
workers = 1
"""


@dataclass(frozen=True)
class Subject:
    """What is recorded: a data set, the full schedule and the short ones, and the budget."""

    name: str
    data: str
    epochs: int
    short_epochs: tuple[int, ...]
    max_macs: int


DIGITS = Subject("digits", 'dataset = "digits"', 30, (2, 3, 4), 3_000_000)
FASHION = Subject(
    "fashion",
    """dataset = "imagefolder:images"
[data.imagefolder]
size = 14
channels = 1
validation_share = 0.45
test_share = 0.1""",
    20,
    (1, 2, 3),
    9_000_000,
)
_FASHION_EACH = 440  # images of each class


def fashion_images(folder: Path) -> None:
    """Write the first images of each class of Fashion-MNIST's training file, read from ``$FAIRNAD_DATA``."""
    from PIL import Image

    if folder.exists():
        return
    data = load_split("fashion-mnist", "train")
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
        for number, index in enumerate(np.flatnonzero(np.asarray(data.labels) == label)[:_FASHION_EACH]):
            Image.fromarray(np.asarray(data.images[index])[0]).save(folder / str(label) / f"{number:03}.png")


def search(subject: Subject, folder: Path, seed: int, models: int) -> None:
    """Run the search that makes and fully trains the candidates, or go on with it."""
    folder.mkdir(parents=True, exist_ok=True)
    if subject is FASHION:
        fashion_images(folder / "images")
    protocol = folder.resolve() / f"{subject.name}-{subject.epochs}.toml"
    protocol.write_text(_PROTOCOL.format(name=subject.name, epochs=subject.epochs), "utf-8")
    config = folder / "rec.toml"
    if not config.exists():
        settings = _CONFIG.format(
            protocol=json.dumps(str(protocol)), data=subject.data, models=models, seed=seed, max_macs=subject.max_macs
        )
        config.write_text(settings, "utf-8")
    command = [sys.executable, "-m", "fairnad_tui", "--no-ui", "--config", "rec.toml"]
    with (folder / "search.jsonl").open("wb") as output:
        subprocess.run(command, cwd=folder, check=True, stdout=output, env={**os.environ, "OMP_NUM_THREADS": "1"})


def record(subject: Subject, folder: Path) -> list[dict[str, Any]]:
    """Train every candidate of the folder's run under each short schedule; return its rows in run order."""
    import torch

    torch.set_num_threads(1)
    kept = folder / "short.jsonl"
    rows = {}
    if kept.exists():
        rows = {row["id"]: row for row in map(json.loads, kept.read_text("utf-8").splitlines())}
    with Store(folder / "fairnad.db") as store, kept.open("a", encoding="utf-8") as out:
        run = store.runs.get("run-1")
        full = Protocol.model_validate(run.environment["protocol"])
        config = RunConfig.model_validate(run.config)
        scores = {e.candidate_id: e for e in store.runs.evaluations(run.id, "search")}
        for candidate in store.runs.candidates(run.id):
            if candidate.id in rows or candidate.status != "trained":
                continue
            seed = torch_seed(entropy(run.seed, candidate.position, "train"))
            row = {
                "id": candidate.id,
                "generation": candidate.generation,
                "position": candidate.position,
                "parent": candidate.parent_id,
                "params": candidate.params,
                "macs": candidate.macs,
                "seed": seed,
                "accuracy": candidate.accuracy,
                "seconds": round(scores[candidate.id].seconds, 2),
                "curve": [epoch["validation_accuracy"] for epoch in store.runs.epochs(run.id, candidate.id)],
                "short": {str(n): _train(store, config.data, candidate, full, n, seed) for n in subject.short_epochs},
            }
            rows[candidate.id] = row
            out.write(json.dumps(row) + "\n")
            out.flush()
    return sorted(rows.values(), key=lambda row: int(row["position"]))


def _train(
    store: Store, chosen: DataSection, candidate: CandidateRow, full: Protocol, epochs: int, seed: int
) -> dict[str, Any]:
    from safetensors.torch import load_file

    from fairnad_engine.backbone.graph import parse_graph
    from fairnad_engine.backbone.rebuild import GraphBackbone
    from fairnad_engine.training import trainer
    from fairnad_engine.training.datasets import dataset_info

    graph = parse_graph(json.loads(store.files.path(candidate.graph).read_text("utf-8")))
    model = GraphBackbone(graph, load_file(store.files.path(candidate.weights)))
    protocol = full.model_copy(update={"epochs": epochs})
    where = chosen.location()
    data = load_split(chosen.dataset, "train", **where), load_split(chosen.dataset, "validation", **where)
    curve: list[float | None] = []
    started = time.monotonic()
    try:
        accuracy: float | None = trainer.train(
            model,
            dataset_info(chosen.dataset, **where),
            *data,
            protocol,
            seed,
            lambda m: curve.append(m.validation_accuracy),
        )
    except trainer.DivergedError:
        accuracy = None
    seconds = round(time.monotonic() - started, 2)
    return {"accuracy": accuracy, "curve": curve, "seconds": seconds, "protocol_digest": protocol.digest}


def main() -> int:
    """Record one set of curves and write it compressed."""
    subject = {"digits": DIGITS, "fashion": FASHION}[sys.argv[1]]
    folder, seed, models, target = Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5])
    search(subject, folder, seed, models)
    rows = record(subject, folder)
    with Store(folder / "fairnad.db") as store:
        run = store.runs.get("run-1")
    data = RunConfig.model_validate(run.config).data
    document = {
        "dataset": subject.name,
        "split": run.environment["split_label"],
        "validation_images": len(load_split(data.dataset, "validation", **data.location()).labels),
        "max_params": run.config["budget"]["max_params"],
        "max_macs": run.config["budget"]["max_macs"],
        "run_seed": run.seed,
        "run_digest": run.digest,
        "dataset_digest": run.dataset_digest,
        "protocol": run.environment["protocol"],
        "protocol_digest": run.protocol_digest,
        "short_epochs": list(subject.short_epochs),
        "packages": run.environment["packages"],
        "candidates": rows,
    }
    text = json.dumps(document, separators=(",", ":"))
    target.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{target}: {len(rows)} candidates, {target.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
