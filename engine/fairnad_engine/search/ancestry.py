"""What a run reads of its own past, made again from stored rows: idea uses, and the turns of fair sampling.

Counts are kept as they are now. Where a run goes on from an earlier place, they are counted anew from the slots, with
the approved ideas and the fairness that each generation had.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fairnad_engine.knowledge.template import Template
from fairnad_engine.search.baselines import EDIT
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.config_search import BASELINES, SearchSection
from fairnad_engine.search.fairness import FairSampler
from fairnad_engine.search.plan import approved_ideas, places_of, waves_of
from fairnad_engine.store import Store
from fairnad_engine.store.records import RunRow, SlotRow


def uses_through(store: Store, run_id: str, generation: int, *, closed: int) -> dict[str, int]:
    """How often each idea was drawn up to a generation, or tried in its stead up to the generation ``closed``.

    A generation's alternates are counted when it ends.
    """
    uses: dict[str, int] = {}
    tried: dict[tuple[int, int], list[str]] = {}
    for attempt in store.runs.attempts(run_id, closed):
        if attempt.idea_id is not None:
            ideas = tried.setdefault((attempt.generation, attempt.slot), [])
            if attempt.idea_id not in ideas:
                ideas.append(attempt.idea_id)
    for slot in store.runs.slots(run_id):
        if slot.stage != 1 or not slot.ideas or slot.generation > generation or slot.ideas[0].startswith(EDIT):
            continue
        alternates = tried.get((slot.generation, slot.slot), [])[1:]
        for idea in (slot.ideas[0], *alternates):
            uses[idea] = uses.get(idea, 0) + 1
    return uses


def copy_archive(store: Store, source: RunRow, run: RunRow, through: int) -> None:
    """Copy generations 0 to ``through`` of a run to one that has none yet, with their counts and uses."""
    store.lineage.copy_seed(source.id, run.id)
    for number in range(1, through + 1):
        store.lineage.copy_generation(source.id, run.id, number)
        _copy_turns(store, source, run, number)
    store.sampling.save_uses(run.id, uses_through(store, run.id, through, closed=through))


def _copy_turns(store: Store, source: RunRow, run: RunRow, number: int) -> None:
    """Copy a generation's slots, wave by wave as they were planned, and count their turns."""
    config = RunConfig.model_validate({**source.config, "search": _settings_at(source, number).model_dump()})
    template = Template.parse(store.templates.source(source.template_version), f"version {source.template_version}")
    levels = {sub.id: template.level_of(sub.id) for sub in template.subs}
    search = config.search
    for wave in _planned(config, store.runs.slots(source.id, number)):
        if search.method not in BASELINES:
            by_trained = search.fair_unit == "trained"
            known = number - 2 if search.proposals == "lookahead" else number - 1
            counts = store.sampling.counts_of_trained(run.id, known) if by_trained else store.sampling.counts(run.id)
            ideas = approved_ideas(store, run.id, number, levels, begins=False)
            sampler = FairSampler(ideas, counts, {}, search.fairness, unit=search.fair_unit)
            for slot in wave:
                if slot.stage == 1 and slot.main is not None and slot.sub is not None:
                    for node in (levels[slot.sub], slot.main, slot.sub):
                        count = sampler.counts[node]
                        sampler.counts[node] = replace(count, turns=count.turns + 1)
            store.sampling.save_counts(run.id, sampler.counts.values())
        store.lineage.copy_slots(source.id, run.id, number, [slot.slot for slot in wave])


def _planned(config: RunConfig, slots: list[SlotRow]) -> Iterator[list[SlotRow]]:
    """A generation's slots in the groups that were planned together; those that were given once more come last."""
    for wave in waves_of(config):
        mine = {place.slot for place in wave}
        if found := [slot for slot in slots if slot.slot in mine]:
            yield found
    if again := [slot for slot in slots if slot.slot > len(places_of(config))]:
        yield again


def _settings_at(source: RunRow, number: int) -> SearchSection:
    """The settings under which a generation was drawn; a fork's first generations were drawn by those of its past."""
    for part in source.environment.get("ancestry", {}).get("settings", ()):
        if number <= part["through"]:
            return SearchSection.model_validate(part["search"])
    return SearchSection.model_validate(source.config["search"])
