"""A workspace whose every id, time and number is fixed, and a program around it whose clock and machine stand still.

Nothing here trains or exports: graphs, epochs and accuracies are written by hand through the store.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.widgets import Input

from fairnad_engine import clock
from fairnad_engine.backbone.jail.probe import Layer
from fairnad_engine.llm.protocol import ModelCall
from fairnad_engine.machine import GpuLoad, MachineLoad
from fairnad_engine.preflight import Check
from fairnad_engine.processes import ProcessIdentity
from fairnad_engine.search.costs import SeedTiming
from fairnad_engine.store import Store
from tests.tui.idea_library import fill
from tests.tui.search_run import WrittenRun

BUILT = 1_767_607_445.0  # 5 January 2026, 10:04:05 UTC
SHOWN = BUILT + 3
DIED = BUILT - 3 * 3600
WORKER = ProcessIdentity("gpu-box", "boot", 4711, 99)
DEAD = ProcessIdentity("gpu-box", "boot", 4711, 98)  # the number was given again
GPU = "NVIDIA H100 80GB HBM3, 81559 MiB"
ENVIRONMENT = {
    "packages": {"torch": "2.9.1", "numpy": "2.3.5"},
    "python": "3.12.12",
    "machine": "Linux x86_64",
    "protocol": {"name": "digits-10", "epochs": 10},
    "dataset": {"name": "digits", "shape": [1, 8, 8], "classes": 10},
    "split_label": "own-split",
}
SEED_SOURCE = '''"""A plain convolutional backbone."""

import torch
from torch import nn


class Backbone(nn.Module):
    """Two stages of convolution, batch norm and ReLU."""

    def __init__(self, in_channels: int, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        c = max(1, round(16 * width))
        self.stem = nn.Sequential(nn.Conv2d(in_channels, c, 3, padding=1, bias=False), nn.BatchNorm2d(c), nn.ReLU())
        self.body = nn.Sequential(nn.Conv2d(c, 2 * c, 3, 2, padding=1, bias=False), nn.BatchNorm2d(2 * c), nn.ReLU())
        self.head = nn.Linear(2 * c, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.body(self.stem(x))
        return self.head(x.mean((2, 3)))
'''
CHILD_SOURCE = SEED_SOURCE.replace("nn.ReLU()", "nn.SiLU()").replace("16 * width", "12 * width")
REPLY = "The stage keeps its widths.\n\n```python\n" + CHILD_SOURCE + "```\n[/] \x1b[31mnot red\x1b[0m"
REFUSED = "forward() failed: mat1 and mat2 shapes cannot be multiplied (2x24 and 32x10)"


class FrozenRun(WrittenRun):
    """A written run with sources, graphs, epochs and proposals to look at."""

    def candidate(self, name: str, generation: int, slot: int, stage: int, **more: object) -> None:
        child = name != "seed"
        channels, act = (12, "silu") if child else (16, "relu")
        values = {
            "source": CHILD_SOURCE if child else SEED_SOURCE,
            "graph": self.store.files.put(graph(channels, act).encode(), ".graph.json"),
            "idea_id": self.idea if child and stage == 1 else None,
            "change": f"smoother activations, {channels} channels, variant {slot}",
        }
        super().candidate(name, generation, slot, stage, **{**values, **more})

    def train(self, name: str, accuracy: float | None, status: str = "done") -> None:
        values = {
            "purpose": "search", "seed": 0, "protocol": "p", "protocol_digest": "p", "status": status,
            "accuracy": accuracy, "weights": None, "message": "", "seconds": 9.5,
        }  # fmt: skip
        epochs = [
            {
                "epoch": epoch, "train_loss": 2.2 / (epoch + 1), "train_accuracy": 95 - 60 / (epoch + 1),
                "validation_accuracy": (accuracy or 0) - 40 / (epoch + 1) + 4, "learning_rate": 0.1 - 0.01 * epoch,
                "seconds": 0.95,
            }
            for epoch in range(10)
        ]  # fmt: skip
        self.store.runs.save_evaluation(self.id, name, values, epochs)

    def attempt(self, generation: int, slot: int, failure: str | None = None) -> None:
        first = {
            "purpose": "idea", "idea_id": self.idea, "parent_id": "seed", "task_hash": "t", "design": {},
            "source": CHILD_SOURCE, "verdict": {}, "failure": "forward", "message": REFUSED,
            "design_seconds": 4.2, "verify_seconds": 0.9,
        }  # fmt: skip
        last = {**first, "purpose": "debug", "failure": failure, "message": ""}
        for number, values in enumerate((first, last)):
            key = (self.id, generation, slot, 1, number)
            self.store.runs.save_attempt(key, values)
            call = ModelCall(str(values["purpose"]), "qwen3:8b", "h", 2_100, 640, 4.2, REPLY)
            self.store.calls.record("/".join(map(str, key)), [call], job_id=self.job, run_id=self.id)

    @property
    def idea(self) -> str:
        """The idea that every proposal of stage one is about."""
        return self.store.ideas.all("approved")[0].id


def graph(channels: int, act: str) -> str:
    """The graph of the sources above, as the jail would describe it."""
    tensors: list[dict[str, object]] = []

    def tensor(name: str, *shape: int) -> dict[str, int]:
        tensors.append({
            "name": name, "aliases": [], "kind": "parameter", "shape": list(shape), "dtype": "float32",
            "requires_grad": True,
        })  # fmt: skip
        return {"t": len(tensors) - 1}

    nodes: list[dict[str, object]] = []
    value: dict[str, int] = {"x": 0}
    before = 1
    for stage, stride in (("stem", 1), ("body", 2)):
        wide = channels * stride
        weight = tensor(f"{stage}.0.weight", wide, before, 3, 3)
        scale, shift = tensor(f"{stage}.1.weight", wide), tensor(f"{stage}.1.bias", wide)
        for op, *rest in (
            ("conv2d", weight, None, [stride, stride], [1, 1]),
            ("batch_norm", scale, shift, None, None, True, 0.1, 1e-5, False),
            (act,),
        ):
            nodes.append({"op": f"aten.{op}.default", "args": [value, *rest], "kwargs": {}})
            value = {"n": len(nodes) - 1}
        before = wide
    nodes.append({"op": "aten.mean.dim", "args": [value, [2, 3]], "kwargs": {}})
    head = [{"n": len(nodes) - 1}, tensor("head.weight", 10, before), tensor("head.bias", 10)]
    nodes.append({"op": "aten.linear.default", "args": head, "kwargs": {}})
    mode = {"nodes": nodes, "output": {"n": len(nodes) - 1}}
    document = {
        "version": 1, "input": [1, 8, 8], "classes": 10, "tensors": tensors, "train": mode, "eval": mode,
    }  # fmt: skip
    return json.dumps(document)


def build(place: Path, patch: pytest.MonkeyPatch) -> None:
    """Two papers with nine ideas; a finished run, one whose worker died, and one at work in its third generation."""
    patch.setattr(clock, "now", lambda: BUILT)
    patch.setattr("fairnad_engine.store.jobs.current_identity", lambda: WORKER)
    fill(place)
    with Store(place) as store:
        for paper in store.papers.all():
            store.papers.set_screening(paper.id, True, "proposes a block that can be moved elsewhere", "rules")
        ideas = [line.id for line in store.curation.lines()]
        store.ideas.decide(ideas[:3], "approved", "person")
        store.ideas.decide(ideas[5:6], "rejected", "person")
        _done(FrozenRun(store, "first try", 40, ENVIRONMENT))
        patch.setattr(clock, "now", lambda: DIED)
        patch.setattr("fairnad_engine.store.jobs.current_identity", lambda: DEAD)
        _dead(FrozenRun(store, "night run", 200, ENVIRONMENT))
        patch.setattr(clock, "now", lambda: BUILT)
        patch.setattr("fairnad_engine.store.jobs.current_identity", lambda: WORKER)
        _living(FrozenRun(store, "digits at night", 100, ENVIRONMENT))


def _done(run: FrozenRun) -> None:
    run.seed()
    run.work()
    run.generation(1)
    run.generation(2)
    run.store.runs.end(run.id, "0123456789abcdef")
    run.store.jobs.set_state(run.job, "done", "run digest 0123456789abcdef")
    run.store.jobs.release(run.job)


def _dead(run: FrozenRun) -> None:
    run.seed()
    run.work()
    run.generation(1)
    run.open(2)
    run.slot(2, 1)


def _living(run: FrozenRun) -> None:
    run.seed()
    run.work()
    for number in (1, 2):
        run.generation(number)
    run.open(3)
    for slot in range(1, 7):
        run.slot(3, slot)
    run.candidate("g03-s07", 3, 7, 1, status="training")
    doing = {"g03-s07": "training: epoch 4/10, validation 91.00 %, 2.1 epochs/s, 412 MiB", "III/2": "qwen3:8b proposes"}
    run.write("activity.json", json.dumps(doing))
    run.write("log.txt", "generation 3 begins\ng03-s01 trained: 95.12 %\ng03-s06 refused: duplicate\n")


def freeze(patch: pytest.MonkeyPatch) -> None:
    """Stop the clock, and put the program on a machine that is always the same."""
    patch.setattr(clock, "now", lambda: SHOWN)
    patch.setattr(clock, "steady", lambda: 1_000.0)
    patch.setattr(ProcessIdentity, "is_alive", lambda self: self != DEAD)
    patch.setenv("TZ", "UTC")
    patch.delenv("NO_COLOR", raising=False)
    patch.delenv("OLLAMA_HOST", raising=False)
    load = MachineLoad(12 * 2**30, 128 * 2**30, (GpuLoad("H100", 41, 2048, 81_559),))
    patch.setattr("fairnad_screens.search_aside.machine_load", lambda: load)
    patch.setattr("fairnad_engine.machine.accelerators", lambda: (GPU,))
    layers = tuple(Layer(name, True, "tried", required=True) for name in ("files", "network", "memory limit"))
    patch.setattr("fairnad_engine.backbone.jail.probe.probe", lambda: layers)
    checks = (Check("jail", detail="Landlock, seccomp, limits"), Check("model", problem="start it with: ollama serve"))
    patch.setattr("fairnad_engine.preflight.checks", lambda config: checks)
    patch.setattr("fairnad_engine.llm.ollama_server.listens", lambda url: True)
    patch.setattr("fairnad_engine.llm.ollama_server.served_models", lambda: ("qwen3:8b", "qwen3:32b"))
    timing = SeedTiming(464_154, 68_860_000, 90_000, 5_400.0, 2.6, "cuda:0")
    patch.setattr("fairnad_engine.search.outlook.time_seed_apart", lambda config: timing)
    # A cursor that blinks is seen or not as chance has it.
    patch.setattr(Input, "_toggle_cursor", lambda self: None)
