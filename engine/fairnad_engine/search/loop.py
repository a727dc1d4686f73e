"""The search: train the seed, then generation after generation until the budget of trained models is spent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fairnad_engine.backbone.verifier import Budget, Verifier
from fairnad_engine.errors import RunFailedError
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.protocol import Designer, IdeaBrief
from fairnad_engine.search.archive import Snapshot, snapshot_at
from fairnad_engine.search.baselines import EDIT, edit_brief, plan_baseline
from fairnad_engine.search.config import BASELINES, RunConfig
from fairnad_engine.search.control import Control, StopRequestedError
from fairnad_engine.search.digest import run_digest
from fairnad_engine.search.fairness import FairSampler
from fairnad_engine.search.last_look import LastLook
from fairnad_engine.search.novelty import Novelty
from fairnad_engine.search.order import UnitOrder
from fairnad_engine.search.plan import Place, approved_ideas, places_again, plan_slots, waves_of
from fairnad_engine.search.posterior import read_posterior
from fairnad_engine.search.proposals import Generation
from fairnad_engine.search.scoring import Scorer
from fairnad_engine.search.seeds import entropy, torch_seed
from fairnad_engine.search.selection import best_accuracy, counted, hypervolume, pareto_front, trained
from fairnad_engine.search.slot import SlotRun
from fairnad_engine.search.spending import Purse
from fairnad_engine.store import Store
from fairnad_engine.store.records import Row, SlotRow
from fairnad_engine.store.runs import SEED_CANDIDATE

_MAX_BARREN = 3  # generations in a row without a trained model before the run is given up,
_LEAST_BARREN = 12  # or as many more as make this many slots


class Search:
    """One run, from wherever the store says it stands to its end."""

    def __init__(
        self,
        store: Store,
        run_id: str,
        job_id: str,
        *,
        template: Template,
        designer: Designer,
        verifier: Verifier,
        scorer: Scorer,
        control: Control,
        budget: Budget,
        seed_source: str,
        activity: Callable[[str, str], None],
    ) -> None:
        self._store = store
        self._run = store.runs.get(run_id)
        self._config = RunConfig.model_validate(self._run.config)
        self._job_id = job_id
        self._template = template
        self._designer = designer
        self._verifier = verifier
        self._scorer = scorer
        self._control = control
        self._budget = budget
        self._seed_source = seed_source
        self._activity = activity
        self._lanes = asyncio.Semaphore(self._config.model.lanes)
        self._briefs: dict[str, IdeaBrief] = {}
        self._purse = Purse(store, run_id, self._config.budget)

    async def run(self) -> str:
        """Search until the budget is spent and return the run digest.

        Raises:
            StopRequestedError: The user asked to stop; the run can be resumed.
            RunFailedError: The seed does not train, or generation after generation yields nothing.
            ModelUnavailableError: The model's server is gone.
        """
        await self._seed()
        done = {g.number for g in self._store.runs.generations(self._run.id) if g.state == "done"}
        number, barren = len(done) + 1, 0
        most_barren = max(_MAX_BARREN, -(-_LEAST_BARREN // sum(self._config.search.stages)))
        last_look = LastLook(self._store, self._run.id, self._config.budget.trained, self._scorer)
        while not last_look.begun and (remaining := self._remaining(number)) > 0 and not self._purse.empty(number):
            await self._generation(number)
            barren = barren + 1 if self._remaining(number + 1) == remaining else 0
            if barren == most_barren and not self._purse.empty(number + 1):
                raise RunFailedError(
                    f"{self._run.id}: {most_barren} generations in a row trained no model; "
                    f"see its failures with: fairnad-tui report {self._run.id}"
                )
            number += 1
        if self._config.fidelity.mode != "off":
            await last_look.run(number - 1)
            self._score(number - 1)
        digest = run_digest(self._store, self._run.id)
        self._store.runs.end(self._run.id, digest)
        return digest

    def _remaining(self, number: int, slot: int = 1) -> int:
        """Models that the budget allowed where everything before this slot of a generation was over."""
        before = [
            c for c in self._store.runs.candidates(self._run.id, number) if (c.generation, c.slot) < (number, slot)
        ]
        return self._config.budget.trained - len(counted(before, self._config.search.stage3_counts))

    async def _seed(self) -> None:
        """Train the seed as candidate 0; it is not counted."""
        run_id = self._run.id
        found = self._store.runs.candidate(run_id, SEED_CANDIDATE)
        if found is None:
            await self._control.gate()
            self._activity(SEED_CANDIDATE, "verifying")
            seed = torch_seed(entropy(self._run.seed, 0, "init"))
            verdict = await asyncio.to_thread(self._verifier.verify, self._seed_source, 1.0, seed)
            if verdict.failure is not None:
                raise RunFailedError(
                    f"seed backbone {self._config.search.seed_backbone}: {verdict.failure}: {verdict.message}; "
                    "mend it or choose another with --seed-backbone"
                )
            self._store.runs.save_candidate(
                run_id,
                SEED_CANDIDATE,
                {
                    "position": 0,
                    "generation": 0,
                    "stage": 0,
                    "slot": 0,
                    "step": 1,
                    "kind": "seed",
                    "parent_id": None,
                    "idea_id": None,
                    "derived": None,
                    "change": "the seed backbone",
                    "edit_type": "structural",
                    "realised": "unknown",
                    "source": self._seed_source,
                    **verdict.measured(),
                    "status": "verified",
                    "failure": None,
                    "accuracy": None,
                },
            )
            found = self._store.runs.candidate(run_id, SEED_CANDIDATE)
        assert found is not None  # noqa: S101 - it was stored above
        found = await self._scorer.train(found)
        if found.status != "trained":
            raise RunFailedError(f"the seed backbone does not train: {found.failure}; lower the learning rate")

    async def _generation(self, number: int) -> None:
        """Wave after wave of slots, those that failed once more where the run is set so, and the record of it."""
        runs: list[SlotRun] = []
        for wave in waves_of(self._config):
            runs += await self._wave(number, wave)
        if self._config.search.refill:
            runs += await self._wave(number, places_again(self._config, self._store.runs.slots(self._run.id, number)))
        self._close(number, runs)

    async def _wave(self, number: int, places: list[Place]) -> list[SlotRun]:
        """Run slots that start together; none where there are none, or no room for a later wave's."""
        if not places:
            return []
        first = places[0].slot
        remaining = self._remaining(number, first)
        if remaining <= 0 or self._purse.empty(number, first):
            return []
        known = snapshot_at(self._store, self._run.id, number, first)
        snapshot = self._seen_by(number, known)
        slots = self._open(number, places, snapshot)
        steps = [(s.slot, 1) for s in slots] + [(s.slot, 2) for s in slots if s.stage == 3]
        order = UnitOrder(
            steps,
            remaining,
            chains_count_once=self._config.search.stage3_counts == "last",
            affordable=self._purse.check(number, first, len(steps)),
        )
        shared = Generation(
            store=self._store,
            run_id=self._run.id,
            job_id=self._job_id,
            run_seed=self._run.seed,
            number=number,
            snapshot=snapshot,
            template=self._template,
            budget=self._budget,
            designer=self._designer,
            verifier=self._verifier,
            scorer=self._scorer,
            control=self._control,
            order=order,
            lanes=self._lanes,
            novelty=Novelty(known, number, self._config.search),
            activity=self._activity,
            idea_briefs=self._brief,
        )
        self._briefs.clear()
        runs = [SlotRun(shared, slot) for slot in slots]
        results = await asyncio.gather(*(one.run() for one in runs), return_exceptions=True)
        errors = [result for result in results if isinstance(result, BaseException)]
        # A stop is the consequence of an error where there is one; the error is what the user needs to see.
        for error in sorted(errors, key=lambda e: isinstance(e, StopRequestedError)):
            raise error
        return runs

    def _seen_by(self, number: int, known: Snapshot) -> Snapshot:
        """What proposals see of what is known where they start."""
        match self._config.search.proposals:
            case "sequential":
                return known
            case "lookahead":
                return snapshot_at(self._store, self._run.id, max(1, number - 1), 1)
        return snapshot_at(self._store, self._run.id, number, 1)

    def _open(self, number: int, places: list[Place], snapshot: Snapshot) -> list[SlotRow]:
        """Plan slots and store their plan, counts and uses in one transaction; or read the stored plan."""
        run_id, mine = self._run.id, {place.slot for place in places}
        with self._store.transaction():
            stored = self._store.runs.slots(run_id, number)
            if not mine & {slot.slot for slot in stored}:
                slots = self._plan(number, places, snapshot, begins=not stored)
                if stored:
                    self._store.runs.add_slots(run_id, number, slots)
                else:
                    self._store.runs.open_generation(run_id, number, slots)
                self._freeze_briefs(number, slots, first=not stored)
                stored = self._store.runs.slots(run_id, number)
        return [slot for slot in stored if slot.slot in mine]

    def _plan(self, number: int, places: list[Place], snapshot: Snapshot, *, begins: bool) -> list[Row]:
        run_id, search = self._run.id, self._config.search
        if search.method in BASELINES:
            mine = [place.slot for place in places]
            return plan_baseline(search.method, mine, number, snapshot, self._template, self._run.seed)
        sampling = self._store.sampling
        # A turn's end is known where what came of it may be seen.
        through = number - 2 if search.proposals == "lookahead" else number - 1
        by_trained = search.fair_unit == "trained"
        levels = {sub.id: self._template.level_of(sub.id) for sub in self._template.subs}
        sampler = FairSampler(
            approved_ideas(self._store, run_id, number, levels, begins=begins),
            sampling.counts_of_trained(run_id, through) if by_trained else sampling.counts(run_id),
            sampling.uses(run_id),
            search.fairness,
            unit=search.fair_unit,
            posterior=read_posterior(self._store, run_id, through, search.thompson),
        )
        slots = plan_slots(places, number, self._config, snapshot, sampler, self._run.seed)
        sampling.save_counts(run_id, sampler.counts.values())
        sampling.save_uses(run_id, sampler.uses)
        return slots

    def _close(self, number: int, runs: list[SlotRun]) -> None:
        with self._store.transaction():
            uses = self._store.sampling.uses(self._run.id)
            for idea in (one for run in runs for one in run.ideas_tried):
                uses[idea] = uses.get(idea, 0) + 1
            self._store.sampling.save_uses(self._run.id, uses)
            self._score(number)

    def _score(self, number: int) -> None:
        """Store what the run has reached with generation ``number``; the last look stores it anew for the last one."""
        run_id, budget = self._run.id, self._config.budget
        candidates = self._store.runs.candidates(run_id)
        self._store.runs.close_generation(
            run_id,
            number,
            front=[c.id for c in pareto_front(candidates)],
            hypervolume=hypervolume(candidates, candidates[0].accuracy or 0.0, budget.max_params, budget.max_macs),
            best=best_accuracy(candidates),
            trained=sum(c.generation == number for c in trained(candidates)),
        )

    def _freeze_briefs(self, number: int, slots: list[Row], *, first: bool) -> None:
        """Keep the drawn ideas as they read now: an edit made while the generation runs counts from the next one."""
        ideas = [one for slot in slots for one in slot["ideas"]]
        if first or ideas:
            briefs = {one: self._brief_now(one) for one in ideas}
            self._store.runs.record_event(self._run.id, number, "briefs" if first else "briefs-again", briefs)

    def _brief_now(self, idea_id: str) -> list[str]:
        if idea_id.startswith(EDIT):
            edit = edit_brief(idea_id, self._template)
            return [edit.main, edit.sub, edit.name, edit.instruction]
        idea = self._store.ideas.get(idea_id)
        return [idea.main, idea.sub, idea.name, idea.instruction]

    def _brief(self, idea_id: str) -> IdeaBrief:
        if idea_id not in self._briefs:
            for event in self._store.runs.events(self._run.id):
                if event["kind"] in ("briefs", "briefs-again"):
                    self._briefs.update({one: IdeaBrief(one, *brief) for one, brief in event["payload"].items()})
        return self._briefs[idea_id]
