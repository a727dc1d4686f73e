"""What a finish planned and what came of it, read from the store."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fairnad_engine.store import Store
from fairnad_engine.store.records import CandidateRow, EvaluationRow, Row
from fairnad_engine.training.data.description import Split

FINISH_EVENT = "finish"
EXTENDED = "extended"  # followed by the new budget: the run went on after the generation that it is an event of
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
        of: The front member that it is a widened form of (``finish --fill``); None for the members themselves.
        set_aside: Whether the other one of the two was better by mean validation accuracy, so that this is not tested.
        params: Parameters.
        macs: Multiply-accumulates for one image.
        width: Width it was built with.
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
    of: str | None = None
    set_aside: bool = False
    params: int = 0
    macs: int = 0
    width: float = 1.0


@dataclass(frozen=True)
class FinishResult:
    """One finish.

    Attributes:
        run_id: The run.
        generation: Last generation when it began.
        protocol: Protocol of trainings and tests.
        seeds: New trainings of each member.
        complete: Whether every training ended and was tested.
        note: "test seen at generation g" where the run went on after a test was read, or began with what came of a
            run whose test was; otherwise empty.
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
    """A model that is trained anew.

    Attributes:
        id: A candidate, or a widened one.
        seeds: Training seeds it gets.
        split: What its tested trainings learn from.
        of: Whose widened form it is.
        fill: Whether the plan was made with ``--fill``.
    """

    id: str
    seeds: tuple[int, ...]
    split: Split = "train"
    of: str | None = None
    fill: bool = False


def last_generation(store: Store, run_id: str) -> int:
    """Number of the last generation that ended; 0 where none has."""
    return max((g.number for g in store.runs.generations(run_id) if g.state == "done"), default=0)


def own_test_seen(store: Store, run_id: str) -> int | None:
    """First generation at which a test score of the run was read."""
    return min((row.generation_seen for row in store.tests.of_run(run_id)), default=None)


def where_test_seen(store: Store, run_id: str) -> str:
    """Where, in a run or in what it came from, a test was seen: ``generation 3 of run-1``; empty where none was."""
    own = own_test_seen(store, run_id)
    if own is not None:
        return f"generation {own} of {run_id}"
    return str(store.runs.get(run_id).environment.get("ancestry", {}).get("test_seen", ""))


def read_plan(store: Store, run_id: str, generation: int) -> list[PlannedMember] | None:
    """What the newest finish of a generation set out to do, or None where there was none."""
    return _planned(store.runs.events(run_id), generation, _kind_at(store, run_id, generation))


def write_plan(store: Store, run_id: str, generation: int, members: Sequence[PlannedMember]) -> None:
    """Record what the finish of a generation sets out to do; a second plan for it is ignored."""
    payload: list[Row] = [
        {"id": one.id, "seeds": list(one.seeds), "split": one.split}
        | ({"of": one.of, "fill": True} if one.fill else {})
        for one in members
    ]
    store.runs.record_event(run_id, generation, _kind_at(store, run_id, generation), payload)


def _kind_at(store: Store, run_id: str, generation: int) -> str:
    """The kind of event that is a finish now: a generation that was reopened by an extension may be finished anew."""
    extended = sum(
        event["generation"] == generation and str(event["kind"]).startswith(EXTENDED)
        for event in store.runs.events(run_id)
    )
    return FINISH_EVENT if not extended else f"{FINISH_EVENT}-{extended + 1}"


def _planned(events: Sequence[Row], generation: int, kind: str) -> list[PlannedMember] | None:
    for event in events:
        if (event["generation"], event["kind"]) == (generation, kind):
            return [
                PlannedMember(e["id"], tuple(e["seeds"]), e.get("split", "train"), e.get("of"), e.get("fill", False))
                for e in event["payload"]
            ]
    return None


def _finishes(store: Store, run_id: str) -> list[tuple[int, str]]:
    """Generation and kind of each finish, oldest first."""
    return [
        (event["generation"], str(event["kind"]))
        for event in store.runs.events(run_id)
        if str(event["kind"]).startswith(FINISH_EVENT)
    ]


def trainings_of(store: Store, run_id: str, member: PlannedMember) -> list[EvaluationRow]:
    """The member's new trainings that rank it and are stored, in the order of their seeds."""
    return _stored(store, run_id, member, RANKED)


def final_trainings_of(store: Store, run_id: str, member: PlannedMember) -> list[EvaluationRow]:
    """The member's stored trainings on ``full``, in the order of their seeds; none where the ranked ones are tested."""
    return _stored(store, run_id, member, FINAL)


def exported_training(store: Store, run_id: str, candidate_id: str) -> EvaluationRow | None:
    """The training on ``full`` whose weights are exported: the first seed's that ended, so that no test chose it."""
    events = store.runs.events(run_id)
    for generation, kind in reversed(_finishes(store, run_id)):
        for member in _planned(events, generation, kind) or []:
            if member.id == candidate_id:
                trainings = final_trainings_of(store, run_id, member)
                return next((one for one in trainings if one.status == "done"), None)
    return None


def ranked_training(store: Store, run_id: str, model_id: str) -> EvaluationRow | None:
    """The first training that ranked a model and ended; of a widened member the search has none to export."""
    found = [one for one in store.runs.evaluations_of(run_id, model_id) if one.purpose == RANKED]
    events = store.runs.events(run_id)
    for generation, kind in reversed(_finishes(store, run_id)):
        for member in _planned(events, generation, kind) or []:
            if member.id == model_id:
                done = {one.seed: one for one in found if one.status == "done"}
                return next((done[seed] for seed in member.seeds if seed in done), None)
    return None


def split_of_test(store: Store, run_id: str, candidate_id: str, seed: int) -> Split:
    """What the training behind a test score learnt from."""
    return "train" if store.runs.evaluation(run_id, candidate_id, FINAL, seed) is None else "full"


def _stored(store: Store, run_id: str, member: PlannedMember, purpose: str) -> list[EvaluationRow]:
    found = (store.runs.evaluation(run_id, member.id, purpose, seed) for seed in member.seeds)
    return [training for training in found if training is not None]


def finish_results(store: Store, run_id: str) -> tuple[FinishResult, ...]:
    """The result of each finish of a run, oldest first."""
    return tuple(_result(store, run_id, generation, kind) for generation, kind in _finishes(store, run_id))


def finish_result(store: Store, run_id: str, generation: int) -> FinishResult:
    """The result of the newest finish of a generation as far as it went."""
    return _result(store, run_id, generation, _kind_at(store, run_id, generation))


def _result(store: Store, run_id: str, generation: int, kind: str) -> FinishResult:
    plan = _planned(store.runs.events(run_id), generation, kind) or []
    rows = [(member, candidate_or_beside(store, run_id, member.id)) for member in plan]
    members = {candidate.id: _member(store, run_id, planned, candidate) for planned, candidate in rows}
    ranked = sorted((candidate for _, candidate in rows), key=lambda c: _rank(members[c.id], c))
    aside = _set_aside(plan, members, [candidate.id for candidate in ranked])
    members = {name: replace(one, set_aside=name in aside) for name, one in members.items()}
    ranked = sorted(ranked, key=lambda c: c.id in aside)
    return FinishResult(
        run_id=run_id,
        generation=generation,
        protocol=str(store.runs.get(run_id).environment["protocol"]["name"]),
        seeds=max((len(member.seeds) for member in plan), default=0),
        complete=all(_is_complete(member, members[member.id]) for member in plan),
        note=_note(store, run_id, generation),
        members=tuple(members[candidate.id] for candidate in ranked),
        tested_split=plan[0].split if plan else "train",
    )


def _note(store: Store, run_id: str, generation: int) -> str:
    seen = [row.generation_seen for row in store.tests.of_run(run_id) if row.generation_seen <= generation]
    extended = any(
        str(event["kind"]).startswith(EXTENDED) and event["payload"]["test_seen"] is not None
        for event in store.runs.events(run_id)
    )
    went_on = bool(seen) and (min(seen) < last_generation(store, run_id) or extended)
    notes = [f"test seen at generation {min(seen)}"] if went_on else []
    before = str(store.runs.get(run_id).environment.get("ancestry", {}).get("test_seen", ""))
    return "; ".join(notes + ([f"test seen at {before}, before this run began"] if before else []))


def _set_aside(plan: Sequence[PlannedMember], members: Mapping[str, FinishedMember], order: Sequence[str]) -> set[str]:
    """Of a member and its widened form the worse by validation, once all trainings of both have ended."""
    aside = set()
    seeds = {one.id: len(one.seeds) for one in plan}
    for one in plan:
        if one.of is not None:
            pair = (one.of, one.id)
            if all(len(members[name].validation) + len(members[name].failures) == seeds[name] for name in pair):
                aside.add(max(pair, key=order.index))
    return aside


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
        of=planned.of,
        params=candidate.params,
        macs=candidate.macs,
        width=candidate.width,
    )


def _rank(member: FinishedMember, candidate: CandidateRow) -> tuple[bool, float, int, int]:
    """Best mean first; a mean that leaves failed trainings out must not win by that."""
    return bool(member.failures), -(member.validation_mean or 0.0), candidate.macs, candidate.position


def _is_complete(planned: PlannedMember, member: FinishedMember) -> bool:
    ended = len(member.validation) + len(member.failures) == len(planned.seeds)
    tested = len(member.test) + len(member.test_failures) == len(member.validation)
    return ended and (member.set_aside or tested)


def candidate_or_beside(store: Store, run_id: str, candidate_id: str) -> CandidateRow:
    """A model that a plan names: a candidate, or a member that was widened beside the archive."""
    found = store.runs.candidate(run_id, candidate_id) or store.beside.get(run_id, candidate_id)
    assert found is not None  # noqa: S101 - a plan names stored candidates
    return found
