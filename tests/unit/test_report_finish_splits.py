"""Which images finish trains on: what ranks has seen no validation image, what is tested has seen all there are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dataset_files import cifar10, cifar100
from report_workspace import RUN, SOURCES, FakeJail, InProcessExecutor, workspace

from fairnad_engine.backbone.export import export_backbone
from fairnad_engine.report.evaluate import evaluate_folder
from fairnad_engine.report.export import export_candidate
from fairnad_engine.report.markdown import report_markdown
from fairnad_engine.report.summary import summarise
from fairnad_engine.search.control import Control
from fairnad_engine.search.finish import Finish
from fairnad_engine.search.finish_results import FinishResult, finish_results, read_plan, split_of_test
from fairnad_engine.store import Store
from fairnad_engine.training import process
from fairnad_engine.training.datasets import load_split, split_sizes
from fairnad_engine.training.jobs import TrainingJob, TrainingOutcome
from fairnad_engine.training.protocol import load_protocol
from fairnad_engine.training_jobs import machine_of_finish
from fairnad_engine.workspace import create_finish_job


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with workspace(tmp_path) as opened:
        yield opened


class Scripted:
    """Scores that count the jobs; one candidate is better by far, and its trainings on ``full`` fail."""

    def __init__(self, failing: str = "", together: int = 1) -> None:
        self.jobs: list[TrainingJob] = []
        self.failing = failing
        self.most = self.running = 0
        self.gate = asyncio.Barrier(together)

    async def run(self, job: TrainingJob, progress: Any, deadline: float) -> TrainingOutcome:
        self.jobs.append(job)
        self.running += 1
        self.most = max(self.most, self.running)
        if job.kind == "score":
            await asyncio.wait_for(self.gate.wait(), 20)
        self.running -= 1
        best = job.id.split("/")[1] == self.failing
        if best and job.train_split == "full":
            return TrainingOutcome("diverged", message="not a number")
        weights = Path(job.weights).name
        return TrainingOutcome("done", (80.0 if best else 50.0) + len(self.jobs), f"{weights[:2]}/{weights}")

    async def close(self) -> None:
        return

    def did(self) -> list[str]:
        return [one.split if one.kind == "score" else one.train_split for one in self.jobs]


def finish(store: Store, executor: Any, *, top: int = 2, seeds: int = 3) -> FinishResult:
    async def work() -> FinishResult:
        control, quiet = Control(), lambda subject, doing: None
        job = Finish(store, RUN, FakeJail(), executor, control=control, activity=quiet, top=top, seeds=seeds)
        return await job.run()

    return asyncio.run(work())


def on(store: Store, dataset: str, root: Path) -> None:
    """Make the stored run one on another data set; its graphs are not trained in such a test."""
    config = store.runs.get(RUN).config
    config["data"] |= {"dataset": dataset, "root": str(root), "protocol": "nasbench201"}
    store.runs._db.table("runs").update(RUN, {"config_json": json.dumps(config)})


def test_cifar10_is_ranked_on_one_half_and_tested_when_trained_on_both(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cifar10(tmp_path, monkeypatch)
    assert split_sizes("cifar10", root=tmp_path) == {"train": 50, "validation": 50, "test": 20, "full": 100}
    on(store, "cifar10", tmp_path)
    executor = Scripted()
    result = finish(store, executor)
    assert executor.did() == ["train"] * 6 + ["full"] * 6 + ["test"] * 6
    ranked, final = ([(j.graph, j.seed, j.weights) for j in executor.jobs[a : a + 6]] for a in (0, 6))
    assert sorted(ranked) == sorted(final)  # the same members, seeds and initial weights
    assert result.complete and result.tested_split == "full"
    assert [len(m.validation) for m in result.members] == [len(m.test) for m in result.members] == [3, 3]
    tests = store.tests.of_run(RUN)
    by_rank = {t.seed: t.accuracy for t in store.runs.evaluations(RUN, "finish")}
    assert {t.seed: t.validation_accuracy for t in tests} == by_rank
    assert {split_of_test(store, RUN, t.candidate_id, t.seed) for t in tests} == {"full"}
    assert "all images of training and validation with the same seeds" in report_markdown(summarise(store, RUN))


def test_data_with_nothing_more_to_train_on_is_tested_as_ranked(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cifar100(tmp_path, monkeypatch)
    on(store, "cifar100", tmp_path)
    executor = Scripted()
    result = finish(store, executor)
    assert executor.did() == ["train"] * 6 + ["test"] * 6
    assert result.complete and result.tested_split == "train"
    assert store.runs.evaluations(RUN, "final") == []
    assert {split_of_test(store, RUN, t.candidate_id, t.seed) for t in store.tests.of_run(RUN)} == {"train"}
    assert "all images of training and validation" not in report_markdown(summarise(store, RUN))


def test_a_final_training_that_fails_is_told_and_changes_no_rank(store: Store) -> None:
    one = summarise(store, RUN).front[1].id
    calm = finish(store, executor := Scripted(failing=one))
    first, second = calm.members
    assert first.id == one and (first.validation_mean or 0) > (second.validation_mean or 0)
    assert first.test == () and first.test_failures == ("diverged",) * 3 and first.failures == ()
    assert len(second.test) == 3
    assert calm.complete and executor.did().count("test") == 3
    assert "diverged, diverged, diverged" in report_markdown(summarise(store, RUN))


def test_all_tests_may_run_at_once(store: Store) -> None:
    executor = Scripted(together=6)  # a test waits for five others
    assert finish(store, executor).complete
    assert executor.most == 6


def test_exported_weights_are_those_of_the_first_seed_on_all_images(store: Store, tmp_path: Path) -> None:
    executor = InProcessExecutor()
    result = finish(store, executor, top=1, seeds=2)
    (member,) = result.members
    folder = export_candidate(store, RUN, member.id, tmp_path)
    model = json.loads((folder / "model.json").read_text())
    final = {one.seed: one for one in store.runs.evaluations(RUN, "final")}
    (planned,) = read_plan(store, RUN, 1) or []
    first = final[planned.seeds[0]]
    assert first.weights is not None
    assert (folder / "weights.safetensors").read_bytes() == store.files.get(first.weights)
    assert model["trained_on"] == "full" and model["training_seed"] == first.seed
    assert model["search_validation_accuracy"] == member.search_accuracy
    found = evaluate_folder(folder)
    assert found.equal and found.protocol.endswith("trained on these images too")
    assert "the validation images\ntoo" in (folder / "README.md").read_text()
    epochs = store.runs.epochs(RUN, member.id, "final")
    assert epochs and all(epoch["validation_accuracy"] is None for epoch in epochs)
    other = next(c.id for c in store.runs.candidates(RUN) if c.id != member.id)
    assert (
        json.loads((export_candidate(store, RUN, other, tmp_path) / "model.json").read_text())["trained_on"] == "train"
    )


def test_a_trainer_learns_from_the_split_that_its_job_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cifar10(tmp_path, monkeypatch)
    request = {"shape": [3, 32, 32], "classes": 10, "width": 1.0, "seed": 0}
    document, weights = export_backbone(SOURCES["seed"][0], request)
    (tmp_path / "graph.json").write_text(json.dumps(document))
    (tmp_path / "weights").write_bytes(weights)
    protocol = load_protocol("nasbench201").model_copy(update={"epochs": 1, "batch_size": 25})
    job = TrainingJob(
        "j", "train", str(tmp_path / "graph.json"), str(tmp_path / "weights"), "cifar10",
        protocol.model_dump(mode="json"), 1, str(tmp_path / "out"), train_split="full", data={"root": str(tmp_path)},
    )  # fmt: skip
    given: list[int] = []
    monkeypatch.setattr(
        "fairnad_engine.training.trainer.train",
        lambda model, info, training, *args, **kwargs: given.append(len(training.labels)) or 12.5,
    )
    process._work(job.as_dict(), lambda message: None)
    process._work({**job.as_dict(), "train_split": "train"}, lambda message: None)
    assert given == [100, 50] == [len(load_split("cifar10", s, root=tmp_path).labels) for s in ("full", "train")]


@pytest.mark.parametrize(
    ("asked", "workers", "devices", "streams"),
    [
        ({}, 7, ("cuda:1",), 3),
        ({"devices": ["cuda:0", "cuda:1"], "streams": 4}, 7, ("cuda:0", "cuda:1"), 4),
        ({"workers": 2, "devices": "auto", "streams": "auto"}, 2, "auto", "auto"),
    ],
)
def test_finish_has_every_device_and_stream_of_the_search(
    store: Store, asked: dict[str, Any], workers: int, devices: Any, streams: Any
) -> None:
    job = store.jobs.of_run(RUN)
    assert job is not None
    machine = {**job.config["machine"], "workers": 7, "devices": ["cuda:1"], "streams": 3}
    store.jobs.set_config(job.id, {**job.config, "machine": machine})  # as ``run --resume --devices`` leaves it
    store.jobs.set_state(job.id, "done", "")
    found = machine_of_finish(store, create_finish_job(store, RUN, top=1, **asked))
    assert (found.workers, found.devices, found.streams) == (workers, devices, streams)


def test_a_finish_of_before_goes_on_as_it_was_planned(store: Store) -> None:
    payload = [{"id": "g01-s01", "seeds": [1, 2]}]  # without a split: all were tested as ranked
    store.runs.record_event(RUN, 1, "finish", payload)
    executor = Scripted()
    assert finish(store, executor).complete
    assert executor.did() == ["train"] * 2 + ["test"] * 2
    assert [one.tested_split for one in finish_results(store, RUN)] == ["train"]
