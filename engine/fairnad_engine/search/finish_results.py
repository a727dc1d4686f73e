"""What a finish planned and what came of it, read from the store."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from fairnad_engine.store import Store
from fairnad_engine.store.records import CandidateRow, EvaluationRow, Row
from fairnad_engine.training.data.description import Split

FINISH_EVENT = "finish"
RANKED, FINAL = "finish", "final"  # purposes of trainings: those that rank, and those on all images that are tested


@dataclass(frozen=True)
class FinishedMember:
    """A member of the front after its trainings.

    Attributes:
        id: Candidate.
        search_accuracy: Validation accuracy that the search saw, percent.
        validation: Validation accuracy of each new training that ended, percent.
        validation_mean: Their mean, by which members are ranked.
        validation_deviation: Their sample standard deviation, from two trainings on.
        failures: Classes of the trainings that gave no score.
        test: Test accuracy of the same trainings, or of those on ``full`` with the same seeds, percent; empty before
            the test.
        test_mean: Their mean.
        test_deviation: Their sample standard deviation, from two on.
        generation_seen: Generation at which its test was read.
        test_failures: Classes of the trainings on ``full`` that gave nothing to test.
    """

    id: str
    search_accuracy: float | None
    validation: tuple[float, ...]
    validation_mean: float | None
    validation_deviation: float | None
    failures: tuple[str, ...]
    test: tuple[float, ...]
    test_mean: float | None
    test_deviation: float | None
    generation_seen: int | None
    test_failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class FinishResult:
    """One finish.

    Attributes:
        run_id: The run.
        generation: Last generation when it began.
        protocol: Protocol of trainings and tests.
        seeds: New trainings of each member.
        complete: Whether every training ended and was tested.
        note: "test seen at generation g" where the run went on after a test was read; otherwise empty.
        members: Ranked by mean validation accuracy, those with failed trainings last.
        tested_split: What the tested trainings learnt from: ``train``, as the ranked ones did, or ``full``, which
            holds the validation images too.
    """

    run_id: str
    generation: int
    protocol: str
    seeds: int
    complete: bool
    note: str
    members: tuple[FinishedMember, ...]
    tested_split: Split = "train"


@dataclass(frozen=True)
class PlannedMember:
    """A candidate, the training seeds it gets, and what its tested trainings learn from."""

    id: str
    seeds: tuple[int, ...]
    split: Split = "train"


def last_generation(store: Store, run_id: str) -> int:
    """Number of the last generation that ended; 0 where none has."""
    return max((g.number for g in store.runs.generations(run_id) if g.state == "done"), default=0)


def read_plan(store: Store, run_id: str, generation: int) -> list[PlannedMember] | None:
    """What the finish of a generation set out to do, or None where there was none."""
    found = store.runs.latest_event(run_id, FINISH_EVENT, generation)
    if found is None or found[0] != generation:
        return None
    return [PlannedMember(e["id"], tuple(e["seeds"]), e.get("split", "train")) for e in found[1]]


def write_plan(store: Store, run_id: str, generation: int, members: Sequence[PlannedMember]) -> None:
    """Record what the finish of a generation sets out to do; a second plan for it is ignored."""
    payload: list[Row] = [{"id": one.id, "seeds": list(one.seeds), "split": one.split} for one in members]
    store.runs.record_event(run_id, generation, FINISH_EVENT, payload)


def trainings_of(store: Store, run_id: str, member: PlannedMember) -> list[EvaluationRow]:
    """The member's new trainings that rank it and are stored, in the order of their seeds."""
    return _stored(store, run_id, member, RANKED)


def final_trainings_of(store: Store, run_id: str, member: PlannedMember) -> list[EvaluationRow]:
    """The member's stored trainings on ``full``, in the order of their seeds; none where the ranked ones are tested."""
    return _stored(store, run_id, member, FINAL)


def exported_training(store: Store, run_id: str, candidate_id: str) -> EvaluationRow | None:
    """The training on ``full`` whose weights are exported: the first seed's that ended, so that no test chose it."""
    generations = [event["generation"] for event in store.runs.events(run_id) if event["kind"] == FINISH_EVENT]
    for generation in reversed(generations):
        for member in read_plan(store, run_id, generation) or []:
            if member.id == candidate_id:
                trainings = final_trainings_of(store, run_id, member)
                return next((one for one in trainings if one.status == "done"), None)
    return None


def split_of_test(store: Store, run_id: str, candidate_id: str, seed: int) -> Split:
    """What the training behind a test score learnt from."""
    return "train" if store.runs.evaluation(run_id, candidate_id, FINAL, seed) is None else "full"


def _stored(store: Store, run_id: str, member: PlannedMember, purpose: str) -> list[EvaluationRow]:
    found = (store.runs.evaluation(run_id, member.id, purpose, seed) for seed in member.seeds)
    return [training for training in found if training is not None]


def finish_results(store: Store, run_id: str) -> tuple[FinishResult, ...]:
    """The result of each finish of a run, oldest first."""
    generations = [event["generation"] for event in store.runs.events(run_id) if event["kind"] == FINISH_EVENT]
    return tuple(finish_result(store, run_id, generation) for generation in generations)


def finish_result(store: Store, run_id: str, generation: int) -> FinishResult:
    """The result of one finish as far as it went."""
    plan = read_plan(store, run_id, generation) or []
    rows = [(member, _candidate(store, run_id, member.id)) for member in plan]
    members = {candidate.id: _member(store, run_id, planned, candidate) for planned, candidate in rows}
    ranked = sorted((candidate for _, candidate in rows), key=lambda c: _rank(members[c.id], c))
    seen = [row.generation_seen for row in store.tests.of_run(run_id) if row.generation_seen <= generation]
    went_on = bool(seen) and min(seen) < last_generation(store, run_id)
    return FinishResult(
        run_id=run_id,
        generation=generation,
        protocol=str(store.runs.get(run_id).environment["protocol"]["name"]),
        seeds=max((len(member.seeds) for member in plan), default=0),
        complete=all(_is_complete(member, members[member.id]) for member in plan),
        note=f"test seen at generation {min(seen)}" if went_on else "",
        members=tuple(members[candidate.id] for candidate in ranked),
        tested_split=plan[0].split if plan else "train",
    )


def _member(store: Store, run_id: str, planned: PlannedMember, candidate: CandidateRow) -> FinishedMember:
    trainings = trainings_of(store, run_id, planned)
    scores = tuple(t.accuracy for t in trainings if t.accuracy is not None)
    by_seed = {row.seed: row for row in store.tests.of_run(run_id) if row.candidate_id == planned.id}
    tests = [by_seed[seed] for seed in planned.seeds if seed in by_seed]
    tested = tuple(row.test_accuracy for row in tests)
    return FinishedMember(
        id=planned.id,
        search_accuracy=candidate.accuracy,
        validation=scores,
        validation_mean=statistics.fmean(scores) if scores else None,
        validation_deviation=statistics.stdev(scores) if len(scores) > 1 else None,
        failures=tuple(t.status for t in trainings if t.accuracy is None),
        test=tested,
        test_mean=statistics.fmean(tested) if tested else None,
        test_deviation=statistics.stdev(tested) if len(tested) > 1 else None,
        generation_seen=min((row.generation_seen for row in tests), default=None),
        test_failures=tuple(t.status for t in final_trainings_of(store, run_id, planned) if t.status != "done"),
    )


def _rank(member: FinishedMember, candidate: CandidateRow) -> tuple[bool, float, int, int]:
    """Best mean first; a mean that leaves failed trainings out must not win by that."""
    return bool(member.failures), -(member.validation_mean or 0.0), candidate.macs, candidate.position


def _is_complete(planned: PlannedMember, member: FinishedMember) -> bool:
    ended = len(member.validation) + len(member.failures) == len(planned.seeds)
    return ended and len(member.test) + len(member.test_failures) == len(member.validation)


def _candidate(store: Store, run_id: str, candidate_id: str) -> CandidateRow:
    found = store.runs.candidate(run_id, candidate_id)
    assert found is not None  # noqa: S101 - a plan names stored candidates
    return found
