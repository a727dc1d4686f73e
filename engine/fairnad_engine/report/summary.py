"""From the store to a summary of a run, finished or still going."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fairnad_engine.knowledge.template import Template
from fairnad_engine.lineage import ancestry_of
from fairnad_engine.report.comparison import columns_of_test, comparison_facts
from fairnad_engine.report.facts import (
    BudgetFacts,
    FidelityFacts,
    GenerationLine,
    IdeaLine,
    ModelLine,
    ModelTotals,
    ProtocolFacts,
    RunFacts,
    RunSummary,
    StageTime,
)
from fairnad_engine.report.ledger import ledger_facts
from fairnad_engine.report.realisation import realisation_lines
from fairnad_engine.report.turns import count_facts, edit_type_lines, sampling_facts, trained_beyond_seed, turn_outcomes
from fairnad_engine.search.config import RunConfig, without_commands
from fairnad_engine.search.control_row import control_facts
from fairnad_engine.search.fidelity import short_length, short_name
from fairnad_engine.search.finish_results import finish_results
from fairnad_engine.search.selection import counted, pareto_front, trained
from fairnad_engine.search.warm import WARM_START
from fairnad_engine.store import Store
from fairnad_engine.store.calls import CallTotals
from fairnad_engine.store.jobs import AT_WORK
from fairnad_engine.store.records import AttemptRow, CandidateRow, RunRow, SlotRow
from fairnad_engine.store.runs import SEED_CANDIDATE


def summarise(store: Store, run_id: str) -> RunSummary:
    """Summarise a run as it stands.

    Raises:
        InputError: There is no such run.
    """
    with store.snapshot():  # a run that goes on would add models between two reads
        return _summarise(store, run_id)


def _summarise(store: Store, run_id: str) -> RunSummary:
    run = store.runs.get(run_id)
    config = RunConfig.model_validate(run.config)
    candidates = store.runs.candidates(run_id)
    attempts, slots = store.runs.attempts(run_id), store.runs.slots(run_id)
    front = pareto_front(candidates)
    front_ids = {candidate.id for candidate in front}
    models = {c.id: _model(store, c, c.id in front_ids) for c in candidates}
    template = Template.parse(store.templates.source(run.template_version), f"template {run.template_version}")
    calls = tuple(store.calls.totals(run_id))
    tests = finish_results(store, run_id)
    return RunSummary(
        run=_run(store, run),
        settings=without_commands(run.config),
        protocol=protocol_facts(run),
        seed=models.get(SEED_CANDIDATE),
        budget=BudgetFacts(
            trained=config.budget.trained,
            trained_so_far=len(trained_beyond_seed(candidates)),
            max_params=config.budget.max_params,
            max_macs=config.budget.max_macs,
            screened_so_far=sum(c.status == "screened" for c in candidates),
            counted_so_far=len(counted(candidates, config.search.stage3_counts)),
        ),
        fidelity=_fidelity(store, run, config, candidates),
        generations=tuple(
            GenerationLine(g.number, g.state, g.trained, g.hypervolume, g.best_accuracy, g.front)
            for g in store.runs.generations(run_id)
        ),
        front=tuple(models[candidate.id] for candidate in front),
        models=tuple(models.values()),
        counts=count_facts(slots, attempts, candidates),
        sampling=sampling_facts(store, run_id, config, template),
        turns=turn_outcomes(template, slots, attempts, candidates, front_ids),
        realisation=realisation_lines(template, models.values()),
        stages=_stages(store, run_id, slots, attempts, candidates),
        calls=calls,
        language_models=_by_model(calls),
        tests=tests,
        finish_command=None if tests else f"fairnad-tui finish {run_id}",
        ledger=ledger_facts(store, run_id),
        control=control_facts(store, run_id),
        comparison=comparison_facts(store, run, tests, len(trained_beyond_seed(candidates))),
        test_columns=columns_of_test(store, run_id),
        ancestry=_ancestry(store, run),
        guards=tuple(run.environment.get("guards", ())),
        edits=edit_type_lines(candidates),
    )


def _ancestry(store: Store, run: RunRow) -> dict[str, Any] | None:
    """What the run came from, and what became of the models that it began with."""
    found = ancestry_of(run)
    if found is None:
        return None
    event = store.runs.latest_event(run.id, WARM_START, 0)
    return {**found, "members": found["members"] if event is None else event[1]}


def run_state(store: Store, run: RunRow) -> str:
    """The state of a run's search, told apart from what its last process left behind."""
    job = store.jobs.of_run(run.id)
    if job is None:
        return "done" if run.ended_at else "queued"
    if job.state in AT_WORK and not store.jobs.is_held(job.id):
        return "interrupted"
    return job.state


def protocol_facts(run: RunRow) -> ProtocolFacts:
    """What a score of the run means."""
    protocol, split = run.environment["protocol"], str(run.environment["split_label"])
    name, epochs = str(protocol["name"]), int(protocol["epochs"])
    dataset = str(run.environment["dataset"]["name"])
    label = f"protocol {name}, {epochs} epochs, {dataset}, {split}"
    return ProtocolFacts(name=name, epochs=epochs, dataset=dataset, split=split, label=label)


def _run(store: Store, run: RunRow) -> RunFacts:
    job = store.jobs.of_run(run.id)
    return RunFacts(
        id=run.id,
        name=run.name,
        state=run_state(store, run),
        message=job.message if job else "",
        created_at=run.created_at,
        ended_at=run.ended_at,
        model=run.model,
        model_digest=run.model_digest,
        template_version=run.template_version,
        seed=run.seed,
        digest=run.digest,
        dataset_digest=run.dataset_digest,
        protocol_digest=run.protocol_digest,
    )


def _model(store: Store, candidate: CandidateRow, on_front: bool) -> ModelLine:
    return ModelLine(
        id=candidate.id,
        generation=candidate.generation,
        stage=candidate.stage,
        slot=candidate.slot,
        step=candidate.step,
        kind=candidate.kind,
        parent=candidate.parent_id,
        idea=idea_line(store, candidate),
        change=candidate.change,
        edit_type=candidate.edit_type,
        realised=candidate.realised,
        status=candidate.status,
        failure=candidate.failure,
        validation_accuracy=candidate.accuracy,
        params=candidate.params,
        macs=candidate.macs,
        width=candidate.width,
        exact_hash=candidate.exact_hash,
        on_front=on_front,
        latency=candidate.latency,
    )


def idea_line(store: Store, candidate: CandidateRow) -> IdeaLine | None:
    """The idea that a candidate applies, if it applies one."""
    if candidate.derived is not None:
        return IdeaLine(**candidate.derived, origin="derived" if candidate.kind != WARM_START else WARM_START)
    if candidate.idea_id is None:
        return None
    idea = store.ideas.get(candidate.idea_id)
    return IdeaLine(idea.id, idea.name, idea.instruction, idea.main, idea.sub, idea.origin)


def _fidelity(store: Store, run: RunRow, config: RunConfig, candidates: Sequence[CandidateRow]) -> FidelityFacts:
    chosen = config.fidelity
    scored = sum(c.status in ("trained", "screened") for c in candidates)
    epochs = int(run.environment["protocol"]["epochs"])
    return FidelityFacts(
        mode=chosen.mode,
        short=None if chosen.mode == "off" else short_name(short_length(chosen.short_epochs, epochs)),
        confidence=chosen.confidence,
        last_confidence=chosen.last_confidence,
        tolerance=chosen.tolerance,
        epochs=store.runs.epochs_spent(run.id),
        epochs_in_full=scored * epochs,
    )


def _stages(
    store: Store,
    run_id: str,
    slots: Sequence[SlotRow],
    attempts: Sequence[AttemptRow],
    candidates: Sequence[CandidateRow],
) -> tuple[StageTime, ...]:
    stage_of = {(slot.generation, slot.slot): slot.stage for slot in slots}
    stage_of_model = {c.id: c.stage for c in candidates}
    evaluations = [*store.runs.evaluations(run_id, "search"), *store.runs.evaluations(run_id, "screen")]
    lines = []
    for stage in sorted({*stage_of.values(), *stage_of_model.values()}):
        own = [a for a in attempts if stage_of[a.generation, a.slot] == stage]
        lines.append(
            StageTime(
                stage=stage,
                proposals=len(own),
                trained=sum(c.stage == stage for c in trained(candidates)),
                design_seconds=sum(a.design_seconds for a in own),
                verify_seconds=sum(a.verify_seconds for a in own),
                training_seconds=sum(e.seconds for e in evaluations if stage_of_model[e.candidate_id] == stage),
            )
        )
    return tuple(lines)


def _by_model(calls: Sequence[CallTotals]) -> tuple[ModelTotals, ...]:
    return tuple(
        ModelTotals(
            model=model,
            calls=sum(c.calls for c in calls if c.model == model),
            prompt_tokens=sum(c.prompt_tokens for c in calls if c.model == model),
            completion_tokens=sum(c.completion_tokens for c in calls if c.model == model),
            seconds=sum(c.seconds for c in calls if c.model == model),
        )
        for model in sorted({call.model for call in calls})
    )
