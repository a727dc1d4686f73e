"""Finish: fresh trainings, ranked by validation, tested once and last; resumable, and never repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_workspace import RUN, SOURCES, FakeJail, InProcessExecutor, workspace

from fairnad_engine.backbone.jail import Jail
from fairnad_engine.errors import InputError, RunFailedError
from fairnad_engine.report.evaluate import check_standalone, evaluate_folder
from fairnad_engine.report.markdown import report_markdown
from fairnad_engine.report.summary import summarise
from fairnad_engine.report.write import write_report
from fairnad_engine.search.control import Control, StopRequestedError
from fairnad_engine.search.finish import Finish
from fairnad_engine.search.finish_results import FinishResult, finish_results
from fairnad_engine.store import Store
from fairnad_engine.training.executor import LocalExecutor
from fairnad_engine.training.jobs import TrainingJob, TrainingOutcome


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with workspace(tmp_path) as opened:
        yield opened


class CountingExecutor:
    """Gives made-up outcomes; remembers the jobs in order."""

    def __init__(self, accuracies: dict[str, float] | None = None, stop_after: int | None = None) -> None:
        self.jobs: list[TrainingJob] = []
        self.accuracies = accuracies or {}
        self.stop_after = stop_after
        self.control = Control()

    async def run(self, job: TrainingJob, progress: Any, deadline: float) -> TrainingOutcome:
        self.jobs.append(job)
        if self.stop_after is not None and len(self.jobs) >= self.stop_after:
            self.control.handle("stop")
        candidate = job.id.split("/")[1]
        accuracy = self.accuracies.get(candidate, 50.0) + (len(self.jobs) % 3) * 0.1
        if accuracy < 0:
            return TrainingOutcome("diverged", message="not a number")
        weights = Path(job.weights).name
        return TrainingOutcome("done", accuracy, f"{weights[:2]}/{weights}" if job.kind == "train" else None)

    async def close(self) -> None:
        return

    def count(self, split: str) -> int:
        return sum((job.split if job.kind == "score" else job.kind) == split for job in self.jobs)


def finish(
    store: Store, executor: Any, jail: Any = None, *, top: int = 2, seeds: int = 2, control: Control | None = None
) -> FinishResult:
    job = Finish(
        store, RUN, jail or FakeJail(), executor, control=control or Control(), activity=lambda subject, doing: None,
        top=top, seeds=seeds,
    )  # fmt: skip
    return asyncio.run(job.run())


def extend(store: Store) -> None:
    store.runs.open_generation(RUN, 2, [])
    store.runs.close_generation(RUN, 2, front=["seed"], hypervolume=0.3, best=60.0, trained=0)


def test_real_trainings_from_fresh_weights(store: Store) -> None:
    jail, executor = FakeJail(), InProcessExecutor()
    result = finish(store, executor, jail)
    top = [m.id for m in summarise(store, RUN).front][:2]
    assert {m.id for m in result.members} == set(top)
    assert result.complete and result.note == "" and result.protocol == "smoke"
    means = [m.validation_mean or 0.0 for m in result.members]
    assert means == sorted(means, reverse=True)
    assert all(len(m.validation) == len(m.test) == 2 and m.test_deviation is not None for m in result.members)
    trained = [job for job in executor.jobs if job.kind == "train"]
    assert len({(job.graph, job.weights) for job in trained}) == len({job.seed for job in trained}) == 4
    assert [job.train_split for job in trained] == ["train"] * 4 + ["full"] * 4
    assert len({payload["seed"] for payload in jail.asked}) == 4
    initial = {c.weights for c in store.runs.candidates(RUN)}
    assert not {str(Path(job.weights).name) for job in trained} & {Path(name).name for name in initial}


def test_the_test_split_is_read_only_after_every_training(store: Store) -> None:
    executor = CountingExecutor()
    finish(store, executor)
    kinds = [job.kind for job in executor.jobs]
    assert kinds == ["train"] * 8 + ["score"] * 4
    assert {job.split for job in executor.jobs if job.kind == "score"} == {"test"}


def test_members_are_ranked_by_mean_validation_not_by_the_search(store: Store) -> None:
    front = [m.id for m in summarise(store, RUN).front]
    better = {front[0]: 50.0, front[1]: 70.0}
    assert [m.id for m in finish(store, CountingExecutor(better)).members] == [front[1], front[0]]


def test_a_second_finish_reads_nothing(store: Store) -> None:
    first = finish(store, CountingExecutor())
    rows = store.tests.of_run(RUN)
    again = CountingExecutor()
    assert finish(store, again, FakeJail(failure="crash"), top=3, seeds=5) == first
    assert again.jobs == [] and store.tests.of_run(RUN) == rows


@pytest.mark.parametrize("after", [1, 3, 5, 7, 9, 11])
def test_an_interrupted_finish_goes_on_where_it_was(store: Store, after: int) -> None:
    broken = CountingExecutor(stop_after=after)
    with pytest.raises(StopRequestedError):
        finish(store, broken, control=broken.control)
    assert not finish_results(store, RUN)[0].complete
    rest = CountingExecutor()
    result = finish(store, rest, top=3)
    assert result.complete and len(result.members) == 2
    assert broken.count("train") + rest.count("train") == 8
    assert broken.count("test") + rest.count("test") == 4


def test_an_extended_run_says_when_its_test_was_seen(store: Store) -> None:
    finish(store, CountingExecutor())
    extend(store)
    (result,) = finish_results(store, RUN)
    assert result.note == "test seen at generation 1"
    assert "test seen at generation 1" in report_markdown(summarise(store, RUN))
    executor = CountingExecutor()
    later = finish(store, executor, top=3)
    assert later.generation == 2 and later.note == "test seen at generation 1"
    assert executor.count("test") == 2  # the new member alone
    assert {m.generation_seen for m in later.members} == {1, 2}


def test_results_reach_the_summary(store: Store) -> None:
    result = finish(store, CountingExecutor())
    s = summarise(store, RUN)
    assert s.tests == (result,) and s.finish_command is None
    text = report_markdown(s)
    assert f"{result.members[0].test_mean:.2f} %" in text and "Not measured" not in text


def test_a_source_that_builds_another_network_is_not_trained(store: Store) -> None:
    other = FakeJail(source=SOURCES["g01-s03"][0].replace("padding=1)", "padding=1, bias=False)"))
    executor = CountingExecutor()
    result = finish(store, executor, other)
    assert executor.jobs == []
    assert result.complete and all(m.failures == ("not-reproduced",) * 2 for m in result.members)
    assert all(m.test == () and m.validation_mean is None for m in result.members)
    assert "not-reproduced" in report_markdown(summarise(store, RUN))


def test_a_failed_training_ranks_last_and_the_others_are_tested(store: Store) -> None:
    front = [m.id for m in summarise(store, RUN).front]
    result = finish(store, CountingExecutor({front[0]: -99.0}))
    assert [m.id for m in result.members] == [front[1], front[0]]
    assert result.members[1].failures == ("diverged", "diverged")
    assert result.complete and len(result.members[0].test) == 2


def test_a_jail_short_of_time_can_be_tried_again(store: Store) -> None:
    with pytest.raises(RunFailedError, match="fairnad-tui finish run-1"):
        finish(store, CountingExecutor(), FakeJail(failure="timeout"))
    assert store.runs.evaluations(RUN, "finish") == []
    assert finish(store, CountingExecutor()).complete


def test_a_test_that_cannot_be_scored_is_one_line(store: Store) -> None:
    class Broken(CountingExecutor):
        async def run(self, job: TrainingJob, progress: Any, deadline: float) -> TrainingOutcome:
            if job.kind == "score":
                return TrainingOutcome("trainer-error", message="disk full")
            return await super().run(job, progress, deadline)

    with pytest.raises(RunFailedError, match=r"disk full.*go on with"):
        finish(store, Broken())


def test_nothing_to_finish(store: Store) -> None:
    with pytest.raises(InputError, match="1 or more"):
        finish(store, CountingExecutor(), top=0)
    run = store.runs.get(RUN)
    frozen = {key: getattr(run, key) for key in run.__dataclass_fields__}
    for key in ("id", "name", "digest", "created_at", "ended_at"):
        frozen.pop(key)
    fresh = store.runs.create("fresh", frozen)
    job = Finish(store, fresh.id, FakeJail(), CountingExecutor(), control=Control(), activity=lambda a, b: None)
    with pytest.raises(InputError, match="no generation has ended"):
        asyncio.run(job.run())


@pytest.mark.slow
def test_finish_and_export_through_the_real_jail_and_trainers(store: Store, tmp_path: Path) -> None:
    async def work(jail: Jail) -> FinishResult:
        executor = LocalExecutor(1)
        try:
            job = Finish(
                store, RUN, jail, executor, control=Control(), activity=lambda subject, doing: None, top=2, seeds=1
            )
            return await job.run()
        finally:
            await executor.close()

    with Jail() as jail:
        result = asyncio.run(work(jail))
        assert result.complete and all(not m.failures for m in result.members)
        write_report(store, RUN, tmp_path / "report")
        for folder in sorted((tmp_path / "report" / "front").iterdir()):
            assert evaluate_folder(folder).equal
            assert check_standalone(folder, jail) < 1e-4
