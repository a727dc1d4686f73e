"""What finish does beside its first duty: the control row, members at the budget's edge, NADER's column."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_workspace import RUN, SOURCES, FakeJail, InProcessExecutor, exported, workspace

from fairnad_engine.backbone.analysis import measure
from fairnad_engine.backbone.canonical import structure_hashes
from fairnad_engine.backbone.graph import parse_graph
from fairnad_engine.backbone.verifier import Verdict
from fairnad_engine.errors import InputError
from fairnad_engine.lineage import extend_run
from fairnad_engine.report.comparison import BEST_EPOCH, comparison_facts
from fairnad_engine.report.export import export_candidate
from fairnad_engine.report.markdown import report_markdown
from fairnad_engine.report.plain import comparison_text
from fairnad_engine.report.summary import summarise
from fairnad_engine.search.control import Control, StopRequestedError
from fairnad_engine.search.control_row import CONTROL, control_facts
from fairnad_engine.search.digest import run_digest
from fairnad_engine.search.finish import Finish
from fairnad_engine.search.finish_results import FinishResult, finish_results
from fairnad_engine.search.ledger import read_ledger
from fairnad_engine.search.selection import pareto_front
from fairnad_engine.store import Store
from fairnad_engine.training.datasets import load_split
from fairnad_engine.training.jobs import TrainingJob, TrainingOutcome
from fairnad_engine.training.protocol import load_protocol


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with workspace(tmp_path) as opened:
        yield opened


class Widener:
    """Puts a source at half as much width again, without a jail."""

    def __init__(self, store: Store, factor: float = 1.5) -> None:
        self.store, self.factor, self.asked = store, factor, 0

    def verify(self, source: str, width: float, seed: int) -> Verdict:
        self.asked += 1
        wide = width * self.factor
        text, weights = exported(source, wide, seed)
        graph = parse_graph(json.loads(text))
        cost, hashes = measure(graph), structure_hashes(graph)
        files = self.store.files
        return Verdict(
            None, "", wide, cost.params, cost.macs, hashes.exact, hashes.width_normalised,
            files.put(text.encode(), ".graph.json"), files.put(weights, ".safetensors"),
        )  # fmt: skip


class Scripted:
    """Made-up scores by model; remembers the jobs, and stops after so many."""

    def __init__(self, accuracies: dict[str, float] | None = None, stop_after: int | None = None) -> None:
        self.jobs: list[TrainingJob] = []
        self.accuracies, self.stop_after, self.control = accuracies or {}, stop_after, Control()

    async def run(self, job: TrainingJob, progress: Any, deadline: float) -> TrainingOutcome:
        self.jobs.append(job)
        if len(self.jobs) == self.stop_after:
            self.control.handle("stop")
        weights = Path(job.weights).name
        accuracy = self.accuracies.get(job.id.split("/")[1], 50.0) + (len(self.jobs) % 3) * 0.1
        return TrainingOutcome("done", accuracy, f"{weights[:2]}/{weights}" if job.kind == "train" else None)

    async def close(self) -> None:
        return

    def models(self, kind: str) -> set[str]:
        return {job.id.split("/")[1] for job in self.jobs if job.kind == kind}


def finish(store: Store, executor: Any, *, top: int = 2, seeds: int = 2, **options: Any) -> FinishResult:
    control = getattr(executor, "control", None) or Control()
    options.setdefault("widener", Widener(store))
    job = Finish(
        store, RUN, FakeJail(), executor, control=control, activity=lambda subject, doing: None, top=top, seeds=seeds,
        **options,
    )  # fmt: skip
    return asyncio.run(job.run())


def front(store: Store) -> list[str]:
    return [one.id for one in pareto_front(store.runs.candidates(RUN))]


# -- the control row ---------------------------------------------------------------------------------------------


def test_the_control_is_trained_beside_the_archive_and_never_tested(store: Store) -> None:
    before, digest = store.runs.candidates(RUN), run_digest(store, RUN)
    executor = Scripted({CONTROL: 71.0})
    finish(store, executor)
    assert executor.models("score") == set(front(store)[:2])
    facts = control_facts(store, RUN)
    assert (facts.state, len(facts.validation), facts.width) == ("trained", 2, 1.5)
    assert facts.params > before[0].params and facts.validation_mean == pytest.approx(71.0, abs=0.3)
    assert store.runs.candidates(RUN) == before and run_digest(store, RUN) == digest
    assert store.runs.progress(RUN).trained == 2
    ledger = read_ledger(store, RUN)
    assert not ledger.problems
    again = Scripted()
    finish(store, again)
    assert again.jobs == []


def test_every_report_and_export_has_the_control(store: Store, tmp_path: Path) -> None:
    summary = summarise(store, RUN)
    assert summary.control.state == "open"
    assert "Control, the seed only scaled up" in report_markdown(summary)
    assert f"finish {RUN}" in comparison_text(summary)
    finish(store, Scripted({CONTROL: 71.0}))
    summary = summarise(store, RUN)
    assert json.loads(json.dumps(summary.as_dict()))["control"]["validation"] == list(summary.control.validation)
    assert "71." in comparison_text(summary) and "over 2 trainings" in report_markdown(summary)
    model = json.loads((export_candidate(store, RUN, front(store)[0], tmp_path) / "model.json").read_text())
    assert model["control"]["params"] == summary.control.params
    assert model["control"]["validation_mean"] == summary.control.validation_mean
    exported_control = export_candidate(store, RUN, CONTROL, tmp_path)
    assert json.loads((exported_control / "model.json").read_text())["width"] == 1.5


def test_a_seed_at_the_edge_has_no_wider_control(store: Store) -> None:
    widener = Widener(store, 1.0)
    executor = Scripted()
    finish(store, executor, widener=widener)
    assert control_facts(store, RUN).state == "none"
    assert CONTROL not in executor.models("train")
    finish(store, Scripted(), widener=widener)
    assert widener.asked == 1
    assert "no wider seed" in report_markdown(summarise(store, RUN))


def test_a_run_with_its_side_models_is_deleted_whole(store: Store) -> None:
    finish(store, Scripted(), fill=True)
    names = [one.graph for one in store.beside.of_run(RUN)]
    store.deletion.delete(RUN)
    assert names and not any(store.files.path(name).exists() for name in names)
    assert store.beside.of_run(RUN) == []


# -- fill --------------------------------------------------------------------------------------------------------


def test_of_a_member_and_its_wide_form_validation_decides_which_is_tested(store: Store) -> None:
    first, second = front(store)[:2]
    executor = Scripted({first: 60.0, f"{first}-wide": 70.0, second: 65.0, f"{second}-wide": 40.0})
    result = finish(store, executor, fill=True)
    assert result.complete
    assert executor.models("score") == {f"{first}-wide", second}
    assert [(one.id, one.set_aside) for one in result.members] == [
        (f"{first}-wide", False), (second, False), (first, True), (f"{second}-wide", True),
    ]  # fmt: skip
    kinds = [job.kind for job in executor.jobs]
    assert "train" not in kinds[kinds.index("score") :]
    assert {row.candidate_id for row in store.tests.of_run(RUN)} == {f"{first}-wide", second}
    assert result.members[0].params > store.runs.candidate(RUN, first).params
    text = report_markdown(summarise(store, RUN))
    assert "set aside by validation" in text and "at the budget's edge (`--fill`)" in text
    assert not read_ledger(store, RUN).problems


@pytest.mark.parametrize("after", [1, 4, 9, 13, 17])
def test_an_interrupted_fill_goes_on_and_reads_each_test_once(store: Store, after: int) -> None:
    broken = Scripted(stop_after=after)
    with pytest.raises(StopRequestedError):
        finish(store, broken, fill=True)
    rest = Scripted()
    assert finish(store, rest, fill=True).complete
    jobs = [job.id for job in (*broken.jobs, *rest.jobs) if job.kind == "train"]
    assert len(jobs) == len(set(jobs)) == 8 + 4 + 2  # ranked, on all images, control
    assert sum(job.kind == "score" for job in (*broken.jobs, *rest.jobs)) == 4


def test_a_wide_member_is_exported_with_weights_that_fit_it(store: Store, tmp_path: Path) -> None:
    result = finish(store, InProcessExecutor(), fill=True, top=1, seeds=1)
    (wide,) = [one for one in result.members if one.of]
    folder = export_candidate(store, RUN, wide.id, tmp_path)
    about = json.loads((folder / "model.json").read_text())
    assert about["width"] == wide.width and about["params"] == wide.params
    assert (folder / "features.py").read_text().startswith('"""')


def test_fill_comes_not_after_the_test_was_read(store: Store) -> None:
    finish(store, Scripted())
    with pytest.raises(InputError, match="without --fill, and the test is read once"):
        finish(store, Scripted(), fill=True)


# -- NADER's column ----------------------------------------------------------------------------------------------


def test_the_column_is_made_last_kept_apart_and_marked(store: Store) -> None:
    executor = InProcessExecutor()
    finish(store, executor, top=1, seeds=2, nader_column=True)
    scored = [(job.kind, job.scored) for job in executor.jobs]
    assert scored[-1] == ("train", "whole-test") and scored.count(("train", "whole-test")) == 1
    (row,) = store.tests.columns_of(RUN)
    assert row.images == len(load_split("digits", "test").labels)  # its validation images were taken from training
    assert row.accuracy >= row.last_accuracy and 1 <= row.epoch <= load_protocol("smoke").epochs
    tests = {one.seed: one.test_accuracy for one in store.tests.of_run(RUN)}
    assert row.last_accuracy == tests[row.seed]  # the same training, scored on the same images
    purposes = {one.purpose for one in store.runs.evaluations_of(RUN, row.candidate_id)}
    assert purposes == {"search", "finish", "final"}  # nothing of it lies with the trainings
    summary = summarise(store, RUN)
    for text in (report_markdown(summary), comparison_text(summary)):
        assert BEST_EPOCH in text
    again = InProcessExecutor()
    finish(store, again, top=1, seeds=2, nader_column=True)
    assert again.jobs == []


# -- extended runs -----------------------------------------------------------------------------------------------


def test_a_run_that_is_extended_inside_its_last_generation_is_finished_anew_and_says_so(store: Store) -> None:
    finish(store, Scripted())
    seen = len(store.tests.of_run(RUN))
    extend_run(store, RUN, 5)
    assert store.runs.get(RUN).digest is None
    store.runs.close_generation(RUN, 1, front=front(store), hypervolume=0.3, best=60.0, trained=2)
    executor = Scripted()
    result = finish(store, executor, top=3)
    assert result.note == "test seen at generation 1" and len(result.members) == 3
    assert len(executor.models("score")) == 1 and len(store.tests.of_run(RUN)) == seen + 2
    assert [one.note for one in finish_results(store, RUN)] == ["test seen at generation 1"] * 2
    assert "test seen at generation 1" in report_markdown(summarise(store, RUN))


# -- beside what was published -----------------------------------------------------------------------------------


def published(store: Store, **changes: Any) -> Any:
    protocol = load_protocol("nasbench201")
    run = store.runs.get(RUN)
    environment = run.environment | {
        "dataset": {"name": "cifar100", "shape": [3, 32, 32], "classes": 100},
        "protocol": protocol.model_dump(mode="json"),
        "split_label": "nb201-split",
    }
    values = {"protocol_digest": protocol.digest} | changes
    environment |= values.pop("environment", {})
    store.runs._db.table("runs").update(RUN, {"environment_json": json.dumps(environment), **values})
    return comparison_facts(store, store.runs.get(RUN), finish_results(store, RUN), 2)


def test_only_what_was_made_alike_stands_side_by_side(store: Store) -> None:
    facts = published(store)
    assert facts.why_not == () and len(facts.rows) == 8
    fairnad = next(row for row in facts.rows if row.method == "FairNAD")
    assert (fairnad.test, fairnad.deviation, fairnad.trained) == (78.17, 1.25, "500, 3 runs")
    assert facts.rows[-1].own and facts.rows[-1].test is None and "not tested yet" in facts.rows[-1].tested
    assert next(row for row in facts.rows if row.method == "NADER").tested == BEST_EPOCH
    for change, told in (
        ({"environment": {"split_label": "own-split"}}, "split"),
        ({"protocol_digest": "x"}, "protocol"),
        ({"environment": {"dataset": {"name": "digits", "shape": [1, 8, 8], "classes": 10}}}, "digits"),
    ):
        other = published(store, **change)
        assert other.rows == () and len(other.why_not) == 1 and told in other.why_not[0]


def test_the_best_by_validation_is_the_own_row(store: Store) -> None:
    first, second = front(store)[:2]
    finish(store, Scripted({first: 60.0, second: 70.0}))
    store.tests.save_column(
        RUN, second, 1, "nader", generation=1, epoch=3, accuracy=77.0, last_accuracy=70.0, images=10, protocol="p"
    )
    *_, own, nader = published(store).rows
    assert second in own.method and own.trained == "2" and own.test == pytest.approx(70.1, abs=0.2)
    assert (nader.test, nader.tested, nader.own) == (77.0, BEST_EPOCH, True)
    text = report_markdown(summarise(store, RUN))
    assert "| FairNAD | 500, 3 runs | 78.17 % ± 1.25 | as published |" in text


def test_where_nothing_compares_the_report_says_why(store: Store) -> None:
    text = comparison_text(summarise(store, RUN))
    assert "nothing was published on digits" in text and "smoke" in text and "FairNAD" not in text
    assert SOURCES  # the workspace of these tests is that of the others
