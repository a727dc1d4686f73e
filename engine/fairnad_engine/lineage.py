"""Runs that come of runs: one that is extended, a fork with other settings, and a warm start from another's front.

Extending keeps the run: its last generation, which the budget cut, goes on as if it had been given the larger budget
from the start. A fork copies generations with everything that later ones read, sampling counts among it, and goes on
under its own settings. A warm start copies models alone. What a run came from stands in its environment
(``ancestry``), with what of a test split had been seen by then; nothing of it enters the run digest but its content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairnad_engine.errors import InputError, StoreError
from fairnad_engine.search.ancestry import copy_archive, uses_through
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.config_search import BASELINES
from fairnad_engine.search.finish_results import EXTENDED, last_generation, own_test_seen, where_test_seen
from fairnad_engine.search.selection import counted, pareto_front
from fairnad_engine.search.spending import Purse
from fairnad_engine.search.warm import WARM_START, warm_candidate
from fairnad_engine.store.runs import SEED_CANDIDATE
from fairnad_engine.workspace import create_run, seed_backbone_source, template_of

if TYPE_CHECKING:
    from fairnad_engine.store import Store
    from fairnad_engine.store.records import CandidateRow, JobRow, Row, RunRow


def extend_run(store: Store, run_id: str, trained: int) -> tuple[RunRow, JobRow]:
    """Let a run train more models than it was started with; its job is queued again.

    With ``proposals = snapshot`` or ``sequential`` and whole trainings the run then ends with the digest of one that
    had the larger budget from the start: parents are drawn from the top 5 or 25 by how many models there are, never by
    how many there are to be. With ``[fidelity] mode = "promote"`` it does not: the last look at the smaller budget
    trained models in full that the larger one would have looked at later.

    Raises:
        InputError: The run is being worked on, has that budget already, or another of its budgets is spent.
    """
    run = store.runs.get(run_id)
    job = store.jobs.of_run(run_id)
    if job is None:
        raise InputError(f"{run_id} has no job; start a new run with: fairnad-tui run")
    held = [one for one in store.jobs.all() if one.run_id == run_id and store.jobs.is_held(one.id)]
    if held:
        raise StoreError(f"{run_id} is being worked on ({held[0].kind}); stop it first, then give it more models")
    config = RunConfig.model_validate(run.config)
    before = config.budget.trained
    if trained <= before:
        raise InputError(f"--trained {trained}: {run_id} has a budget of {before} models; name a larger one")
    generation = max((one.number for one in store.runs.generations(run_id)), default=0)
    if Purse(store, run_id, config.budget).empty(generation + 1):
        raise InputError(
            f"{run_id} ended by its hours or tokens, which more models do not change; "
            f"fork it with a larger budget: fairnad-tui run --fork {run_id} --config FILE"
        )
    with store.transaction():
        if run.ended_at is not None or generation:
            known = {"from": before, "to": trained, "test_seen": own_test_seen(store, run_id)}
            store.runs.record_event(run_id, generation, f"{EXTENDED}-{trained}", known)
        # Its end will count the alternates of the last generation again.
        store.lineage.reopen(run_id, trained, uses_through(store, run_id, generation, closed=generation - 1))
        settings = {**job.config, "budget": {**job.config["budget"], "trained": trained}}
        job = store.jobs.set_config(job.id, settings)
    return store.runs.get(run_id), job


def fork_run(store: Store, run_id: str, generation: int | None, config: RunConfig) -> tuple[RunRow, JobRow]:
    """Store a run that begins with a copy of another's archive and goes on under its own settings.

    Args:
        store: The workspace.
        run_id: The run to copy.
        generation: The last generation to copy; None: the last that ended.
        config: Settings of the new run.

    Raises:
        InputError: There is no such generation, or scores of the two would not be comparable.
    """
    source = store.runs.get(run_id)
    last = last_generation(store, run_id)
    through = last if generation is None else generation
    if not 1 <= through <= last:
        known = f"1 to {last}" if last else "none has ended yet"
        raise InputError(f"--generation {through}: {run_id} has no such generation that ended; there are: {known}")
    _check_comparable(source, config)
    kept = [one for one in store.runs.candidates(run_id, through) if one.status == "trained"]
    _check_budget(config, kept, len(counted(store.runs.candidates(run_id, through), config.search.stage3_counts)))
    earlier = list(source.environment.get("ancestry", {}).get("settings", ()))
    settings = [one for one in earlier if one["through"] < through]
    ancestry = {
        "kind": "fork",
        "run": run_id,
        "name": source.name,
        "generation": through,
        "test_seen": where_test_seen(store, run_id),
        # How the copied generations were drawn, for a fork of this fork.
        "settings": [*settings, {"through": through, "search": source.config["search"]}],
    }
    with store.transaction():
        run, job = create_run(store, config, ancestry=ancestry, template_version=source.template_version)
        if run.dataset_digest != source.dataset_digest or run.protocol_digest != source.protocol_digest:
            raise InputError(_not_comparable(run_id, "data set, its split, or protocol"))
        copy_archive(store, source, run, through)
    return run, job


def warm_start_run(store: Store, run_id: str, config: RunConfig) -> tuple[RunRow, JobRow]:
    """Store a run whose archive begins with another run's front as further members of generation 0.

    They are not counted by the budget. Where data set, protocol and precision are the same, they come with the scores
    they had; otherwise, or where a model is over the new budget, they are verified and trained anew when the run
    starts. Scores that are taken over were the best of many and flatter themselves a little; the report says which.

    Raises:
        InputError: There is no such run, or its front is empty.
    """
    from fairnad_engine.training.datasets import dataset_info

    source = store.runs.get(run_id)
    front = [one for one in pareto_front(store.runs.candidates(run_id)) if one.id != SEED_CANDIDATE]
    if not front:
        raise InputError(f"{run_id} has no front beside its seed yet; let it train some models first")
    info = dataset_info(config.data.dataset, **config.data.location())
    shape = source.environment["dataset"]
    fits = (shape["classes"], tuple(shape["shape"])) == (info.num_classes, tuple(info.image_shape))
    fits = fits and source.config["machine"].get("precision", "fp32") == config.machine.precision
    subs = {sub.id for sub in template_of(store)[0].subs}
    members = [_member(store, one, number, subs) for number, one in enumerate(front, start=1)]
    ancestry: Row = {
        "kind": WARM_START,
        "run": run_id,
        "name": source.name,
        "generation": last_generation(store, run_id),
        "test_seen": where_test_seen(store, run_id),
        "members": members,
    }
    with store.transaction():
        run, job = create_run(store, config, ancestry=ancestry)
        same = fits and (run.dataset_digest, run.protocol_digest) == (source.dataset_digest, source.protocol_digest)
        for one, member in zip(front, members, strict=True):
            within = one.params <= config.budget.max_params and one.macs <= config.budget.max_macs
            if same and within:
                store.runs.save_candidate(run.id, member["id"], warm_candidate(member, _measured(one), one.accuracy))
                store.lineage.copy_model(run_id, one.id, run.id, member["id"])
    return run, job


def _measured(one: CandidateRow) -> Row:
    names = ("width", "params", "macs", "exact_hash", "width_hash", "graph", "weights")
    return {name: getattr(one, name) for name in names}


def _member(store: Store, one: CandidateRow, number: int, subs: set[str]) -> Row:
    """What a new run needs of a model, whatever becomes of the run it was found by."""
    idea = one.derived
    if idea is None and one.idea_id is not None:
        found = store.ideas.get(one.idea_id)
        names = ("id", "main", "sub", "name", "instruction")
        idea = {name: getattr(found, name) for name in names}
    return {
        "id": f"w{number:02d}",
        "number": number,
        "from": one.id,
        "source": one.source,
        "width": one.width,
        "change": one.change,
        "edit_type": one.edit_type,
        "idea": idea if idea is not None and idea["sub"] in subs else None,
    }


def _check_comparable(source: RunRow, config: RunConfig) -> None:
    was = RunConfig.model_validate(source.config)
    seed = seed_backbone_source(config.search.seed_backbone)
    differs = [
        name
        for name, same in (
            ("data set", was.data.dataset == config.data.resolved().dataset or was.data.dataset == config.data.dataset),
            ("seed backbone", source.environment["seed_source"] == seed),
            ("latency_objective", was.search.latency_objective == config.search.latency_objective),
            ("[fidelity]", was.fidelity == config.fidelity),
            ("precision", was.machine.precision == config.machine.precision),
            ("kind of method", (was.search.method in BASELINES) == (config.search.method in BASELINES)),
        )
        if not same
    ]
    if differs:
        raise InputError(_not_comparable(source.id, ", ".join(differs)))


def _not_comparable(run_id: str, what: str) -> str:
    return (
        f"a fork goes on with the scores of {run_id}, so it cannot have another {what}; "
        f"start a run that trains that front anew: fairnad-tui run --warm-start {run_id}"
    )


def _check_budget(config: RunConfig, kept: list[CandidateRow], count: int) -> None:
    budget = config.budget
    over = [one.id for one in kept if one.params > budget.max_params or one.macs > budget.max_macs]
    if over:
        raise InputError(
            f"{over[0]} of the archive is over the new budget of {budget.max_params} parameters and {budget.max_macs} "
            "MACs; give a budget that holds it, or use --warm-start, which fits models anew"
        )
    if count >= budget.trained:
        raise InputError(
            f"the archive has {count} models already, the budget is {budget.trained}; give more with --trained N, "
            "or fork an earlier generation with --generation G"
        )


def ancestry_of(run: RunRow) -> dict[str, Any] | None:
    """What a run came from, without the models themselves; None where it began by itself."""
    found = run.environment.get("ancestry")
    if not found:
        return None
    told = {name: value for name, value in found.items() if name not in ("members", "settings")}
    return {**told, "members": [{"id": one["id"], "from": one["from"]} for one in found.get("members", ())]}
