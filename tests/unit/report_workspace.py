"""A small finished run, built by hand through the store: real graphs, real trainings, no jail."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from fairnad_engine.backbone.analysis import measure
from fairnad_engine.backbone.canonical import structure_hashes
from fairnad_engine.backbone.export import CandidateError, export_backbone
from fairnad_engine.backbone.graph import parse_graph
from fairnad_engine.backbone.jail.result import JailResult
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.protocol import IdeaDraft, ModelCall
from fairnad_engine.resources import template_file
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.control import Control
from fairnad_engine.search.scoring import Scorer
from fairnad_engine.search.selection import pareto_front
from fairnad_engine.store import Store
from fairnad_engine.store.records import CountRow
from fairnad_engine.training.datasets import split_digest
from fairnad_engine.training.jobs import TrainingJob, TrainingOutcome
from fairnad_engine.training.process import _work
from fairnad_engine.training.protocol import load_protocol

RUN = "run-1"
NASTY = "evil | name\u202e\x1b[31m <img src=x> [click](http://x)\nsecond `line`"
QUOTE = "We replace max pooling\nby a strided convolution (see Table 2)."

_ONE_EXPORT = threading.Lock()  # torch.export keeps its state by process; jail children have one each

_CONV_NET = """
import torch
from torch import nn


class Backbone(nn.Module):
    def __init__(self, in_channels: int, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        c = max(1, round({channels} * width))
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, c, 3, padding=1, bias=False), nn.BatchNorm2d(c), nn.ReLU(),
            nn.Conv2d(c, c, 3, padding=1, stride=2, bias=False), nn.BatchNorm2d(c), nn.{act}(),
        )
        self.head = nn.Linear(c, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).mean((2, 3)))
"""

_TIED_NET = """
import torch
from torch import nn


class Backbone(nn.Module):
    def __init__(self, in_channels: int, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        c = max(1, round(8 * width))
        self.stem = nn.Conv2d(in_channels, c, 3, padding=1)
        self.one = nn.Conv2d(c, c, 3, padding=1, stride=2)
        self.two = nn.Conv2d(c, c, 3, padding=1)
        self.two.weight = self.one.weight
        self.head = nn.Linear(c, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        x = torch.relu(self.two(torch.relu(self.one(x))))
        return self.head(x.mean((2, 3)))
"""

SOURCES = {
    "seed": (_CONV_NET.format(channels=6, act="ReLU"), 1.0),
    "g01-s01": (_CONV_NET.format(channels=12, act="SiLU"), 1.0),
    "g01-s03": (_TIED_NET, 0.5),
}


@lru_cache(maxsize=64)
def exported(source: str, width: float, seed: int = 0) -> tuple[str, bytes]:
    """Graph description and weights of a source, as the jail would give them."""
    request = {"shape": [1, 8, 8], "classes": 10, "width": width, "seed": seed}
    document, weights = export_backbone(source, request)
    return parse_graph(document).to_json(), weights


@dataclass
class FakeJail:
    """Does the export in this process; remembers what it was asked."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    failure: str | None = None
    source: str | None = None

    def run(self, task: str, payload: dict[str, Any], blobs: Any = None) -> JailResult:
        assert task == "export"
        self.asked.append(payload)
        if self.failure:
            return JailResult(False, failure=self.failure, message="no luck")
        try:
            with _ONE_EXPORT:
                text, weights = exported(self.source or payload["source"], payload["width"], payload["seed"])
        except CandidateError as error:
            return JailResult(False, failure=error.kind, message=str(error))
        return JailResult(True, data={"graph": json.loads(text)}, blobs={"weights": weights})


@dataclass
class InProcessExecutor:
    """Trains in this process, one job at a time; remembers the jobs in order."""

    jobs: list[TrainingJob] = field(default_factory=list)

    async def run(self, job: TrainingJob, progress: Any, deadline: float) -> TrainingOutcome:
        self.jobs.append(job)
        return TrainingOutcome(seconds=1.5, **_work(job.as_dict(), progress))

    async def close(self) -> None:
        return


@lru_cache(maxsize=1)
def _master() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="fairnad-test-")  # goes with the process
    build_workspace(Path(folder.name) / "w.db").close()
    return folder


@contextmanager
def workspace(folder: Path) -> Iterator[Store]:
    """A test's own copy of the finished run."""
    shutil.copytree(_master().name, folder / "workspace")
    with Store(folder / "workspace" / "w.db") as store:
        yield store


def build_workspace(path: Path) -> Store:
    """A run of one generation with four slots: two trained, one failed, one cut."""
    store = Store(path)
    text = template_file("attributes.yaml").read_text("utf-8")
    template = Template.parse(text, "attributes.yaml")
    version = store.templates.save(template, text, "as shipped")
    ideas = _library(store, template)
    config = RunConfig.model_validate(
        {
            "name": NASTY[:40],
            "data": {"protocol": "smoke"},
            "budget": {"trained": 2},
            "search": {"seed": 7, "stages": [4, 0, 0]},
        }
    )
    protocol = load_protocol("smoke")
    store.runs.create(
        config.name,
        {
            "config": config.model_dump(mode="json"),
            "environment": {
                "packages": {"torch": "2"},
                "python": "3",
                "machine": "test",
                "protocol": protocol.model_dump(mode="json"),
                "seed_source": SOURCES["seed"][0],
                "dataset": {"name": "digits", "shape": [1, 8, 8], "classes": 10},
                "split_label": "own-split",
            },
            "template_version": version,
            "model": "rules",
            "model_digest": "",
            "dataset_digest": split_digest("digits"),
            "protocol_digest": protocol.digest,
            "seed": 7,
        },
    )
    job = store.jobs.create("search", config.model_dump(mode="json"), RUN)
    _slots(store, ideas)
    _candidates(store, ideas)
    asyncio.run(_train(store))
    front = [c.id for c in pareto_front(store.runs.candidates(RUN))]
    store.runs.close_generation(RUN, 1, front=front, hypervolume=0.25, best=50.0, trained=2)
    store.runs.end(RUN, "0123456789abcdef")
    store.jobs.set_state(job.id, "done", "run digest 0123456789abcdef")
    return store


def _library(store: Store, template: Template) -> list[str]:
    paper = PaperText(
        id="paper0000000001",
        title="All Convolutional | Net",
        authors=("A. Author", "B. Author"),
        year=2015,
        venue="ICLR",
        arxiv="1412.6806",
        abstract="",
        text=QUOTE,
        source="x.md",
        sections=(),
    )
    store.papers.add(paper)
    drafts = [
        IdeaDraft("pool", "pool.strided-conv", NASTY, "Use a strided convolution.", QUOTE, (0, len(QUOTE))),
        IdeaDraft("act", "act.smooth", "Smooth activation", "Use SiLU.", "SiLU helps.", None),
    ]
    store.ideas.file_extracted(paper.id, drafts, template, "rules")
    ids = sorted((idea.id for idea in store.ideas.all()), key=lambda i: store.ideas.get(i).main, reverse=True)
    store.ideas.decide(ids, "approved", "policy:grounded")
    return ids  # pool, act


def _slots(store: Store, ideas: list[str]) -> None:
    pool, act = ideas
    slot = {"stage": 1, "kind": "idea", "parent_id": "seed"}
    store.runs.record_event(RUN, 1, "ideas", [list(one) for one in store.ideas.approved()])
    store.runs.open_generation(
        RUN,
        1,
        [
            {**slot, "slot": 1, "main": "act", "sub": "act.smooth", "ideas": [act]},
            {**slot, "slot": 2, "main": "pool", "sub": "pool.strided-conv", "ideas": [pool]},
            {**slot, "slot": 3, "main": "pool", "sub": "pool.strided-conv", "ideas": [pool]},
            {**slot, "slot": 4, "main": "act", "sub": "act.smooth", "ideas": [act]},
        ],
    )
    store.sampling.save_counts(
        RUN,
        [
            CountRow("act", "main", 2, 0, True),
            CountRow("act.smooth", "sub", 2, 0, True),
            CountRow("pool", "main", 2, 1, True),
            CountRow("pool.strided-conv", "sub", 2, 0, True),
        ],
    )
    store.sampling.save_uses(RUN, {act: 2, pool: 0})
    for number, state in enumerate(("trained", "failed", "trained", "cut"), start=1):
        store.runs.set_slot(RUN, 1, number, state, "over-budget" if state == "failed" else None)
    for key, failure in (((1, 1, 0), None), ((2, 1, 0), "build"), ((2, 1, 1), "over-budget"), ((3, 1, 0), None)):
        values = {
            "purpose": "idea",
            "idea_id": None,
            "parent_id": "seed",
            "task_hash": "0",
            "design": None,
            "source": None,
            "verdict": None,
            "failure": failure,
            "message": "",
            "design_seconds": 1.0,
            "verify_seconds": 2.0,
        }
        store.runs.save_attempt((RUN, 1, *key), values)
    calls = [ModelCall("idea", "rules", "0", 100, 20, 3.0), ModelCall("debug", "rules", "1", 10, 5, 1.0)]
    store.calls.record("x", calls, job_id="job-1", run_id=RUN)


def _candidates(store: Store, ideas: list[str]) -> None:
    rows = {"seed": (0, 0, 0, None), "g01-s01": (1, 1, 1, ideas[1]), "g01-s03": (1, 1, 3, ideas[0])}
    for name, (source, width) in SOURCES.items():
        generation, stage, slot, idea = rows[name]
        text, weights = exported(source, width)
        graph = parse_graph(json.loads(text))
        cost, hashes = measure(graph), structure_hashes(graph)
        values = {
            "position": generation * 1000 + slot,
            "generation": generation,
            "stage": stage,
            "slot": slot,
            "step": 1,
            "kind": "idea" if stage else "seed",
            "parent_id": None if name == "seed" else "seed",
            "idea_id": idea,
            "derived": None,
            "change": NASTY if name == "g01-s03" else "=plain change",
            "edit_type": "structural",
            "realised": "yes" if name == "g01-s03" else "unknown",
            "source": source,
            "width": width,
            "params": cost.params,
            "macs": cost.macs,
            "exact_hash": hashes.exact,
            "width_hash": hashes.width_normalised,
            "graph": store.files.put(text.encode(), ".graph.json"),
            "weights": store.files.put(weights, ".safetensors"),
            "status": "verified",
            "failure": None,
            "accuracy": None,
        }
        store.runs.save_candidate(RUN, name, values)


async def _train(store: Store) -> None:
    scorer = Scorer(
        store,
        RUN,
        7,
        InProcessExecutor(),
        dataset="digits",
        protocol=load_protocol("smoke"),
        deadline=100.0,
        control=Control(),
        activity=lambda subject, doing: None,
    )
    for candidate in store.runs.candidates(RUN):
        await scorer.train(candidate)
