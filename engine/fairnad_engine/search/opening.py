"""How slots are opened: what they may see is read, their turns and parents are drawn, and all of it is stored at once.

Slots that were opened before are read as they were stored: what an interrupted run goes on with never depends on when
it was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable

from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.protocol import IdeaBrief
from fairnad_engine.search.ancestry import uses_through
from fairnad_engine.search.archive import Archive, Snapshot
from fairnad_engine.search.baselines import EDIT, edit_brief, plan_baseline
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.config_search import BASELINES
from fairnad_engine.search.fairness import FairSampler
from fairnad_engine.search.plan import Place, approved_ideas, plan_slots
from fairnad_engine.search.posterior import read_posterior
from fairnad_engine.store import Store
from fairnad_engine.store.records import Row, SlotRow

_FIRST, _AGAIN = "briefs", "briefs-again"  # events


class Opener:
    """Opens the slots of one run."""

    def __init__(self, store: Store, run_id: str, config: RunConfig, template: Template, archive: Archive) -> None:
        self._store = store
        self._archive = archive
        self._run = store.runs.get(run_id)
        self._config = config
        self._template = template

    def seen(self, number: int, slot: int) -> Snapshot:
        """What the proposals of slots see that start in a generation with ``slot``."""
        match self._config.search.proposals:
            case "sequential":
                return self._archive.at(number, slot)
            case "lookahead":
                return self._archive.at(max(1, number - 1), 1)
        return self._archive.at(number, 1)

    def open(self, number: int, places: list[Place], seen: Snapshot) -> list[SlotRow]:
        """Plan slots and store their plan, counts and uses in one transaction; or read the stored plan."""
        run_id, mine = self._run.id, {place.slot for place in places}
        with self._store.transaction():
            stored = self._store.runs.slots(run_id, number)
            if not mine & {slot.slot for slot in stored}:
                slots = self._plan(number, places, seen, begins=not stored)
                if stored:
                    self._store.runs.add_slots(run_id, number, slots)
                else:
                    self._store.runs.open_generation(run_id, number, slots)
                self._freeze_briefs(number, slots, first=not stored)
                stored = self._store.runs.slots(run_id, number)
        return [slot for slot in stored if slot.slot in mine]

    def briefs(self, number: int, *, begins: bool) -> Callable[[str], IdeaBrief]:
        """How ideas read for slots of a generation: as when they were drawn last, edits made since not seen.

        Args:
            number: The generation.
            begins: For the slots that it began with, not for those that were given again.
        """
        briefs: dict[str, IdeaBrief] = {}
        for event in self._store.runs.events(self._run.id, (_FIRST, _AGAIN)):
            own = event["generation"] == number
            if event["generation"] > number or (own and begins and event["kind"] == _AGAIN):
                continue
            briefs.update({one: IdeaBrief(one, *brief) for one, brief in event["payload"].items()})
        return briefs.__getitem__

    def _plan(self, number: int, places: list[Place], seen: Snapshot, *, begins: bool) -> list[Row]:
        run_id, search = self._run.id, self._config.search
        if search.method in BASELINES:
            mine = [place.slot for place in places]
            return plan_baseline(search.method, mine, number, seen, self._template, self._run.seed)
        sampling = self._store.sampling
        # A turn's end is known where what came of it may be seen.
        through = number - 2 if search.proposals == "lookahead" else number - 1
        by_trained = search.fair_unit == "trained"
        levels = {sub.id: self._template.level_of(sub.id) for sub in self._template.subs}
        live = begins and "replay" not in self._run.environment  # a replay has its ideas recorded
        uses = sampling.uses(run_id)
        # The generation before may be over by chance, after an interruption or in a fork: it is read as if it were not.
        seen_uses = uses_through(self._store, run_id, number - 1, closed=number - 2) if search.overlaps else uses
        sampler = FairSampler(
            approved_ideas(self._store, run_id, number, levels, begins=live),
            sampling.counts_of_trained(run_id, through) if by_trained else sampling.counts(run_id),
            seen_uses,
            search.fairness,
            unit=search.fair_unit,
            posterior=read_posterior(self._store, run_id, through, search.thompson),
        )
        slots = plan_slots(places, number, self._config, seen, sampler, self._run.seed)
        sampling.save_counts(run_id, sampler.counts.values())
        drawn = {one: uses.get(one, 0) + n - seen_uses.get(one, 0) for one, n in sampler.uses.items()}
        sampling.save_uses(run_id, drawn)
        return slots

    def _freeze_briefs(self, number: int, slots: list[Row], *, first: bool) -> None:
        """Keep the drawn ideas as they read now: an edit made while the generation runs counts from the next one."""
        ideas = [one for slot in slots for one in slot["ideas"]]
        if first or ideas:
            briefs = {one: self._brief_now(one) for one in ideas}
            self._store.runs.record_event(self._run.id, number, _FIRST if first else _AGAIN, briefs)

    def _brief_now(self, idea_id: str) -> list[str]:
        if idea_id.startswith(EDIT):
            edit = edit_brief(idea_id, self._template)
            return [edit.main, edit.sub, edit.name, edit.instruction]
        idea = self._store.ideas.get(idea_id)
        return [idea.main, idea.sub, idea.name, idea.instruction]
