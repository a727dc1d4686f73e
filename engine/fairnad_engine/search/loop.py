"""The search: train the seed, then generation after generation until the budget of trained models is spent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fairnad_engine.backbone.verifier import Budget, Verifier
from fairnad_engine.errors import RunFailedError
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.protocol import Designer, IdeaBrief
from fairnad_engine.search.archive import Snapshot, remember
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.control import Control, StopRequestedError
from fairnad_engine.search.digest import run_digest
from fairnad_engine.search.fairness import FairSampler
from fairnad_engine.search.last_look import LastLook
from fairnad_engine.search.order import UnitOrder
from fairnad_engine.search.plan import approved_ideas, plan_generation
from fairnad_engine.search.proposals import Generation
from fairnad_engine.search.scoring import Scorer
from fairnad_engine.search.seeds import entropy, torch_seed
from fairnad_engine.search.selection import best_accuracy, counted, hypervolume, pareto_front, trained
from fairnad_engine.search.slot import SlotRun
from fairnad_engine.store import Store
from fairnad_engine.store.records import Row, SlotRow
from fairnad_engine.store.runs import SEED_CANDIDATE

_MAX_BARREN = 3  # generations in a row without a trained model before the run is given up


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
        last_look = LastLook(self._store, self._run.id, self._config.budget.trained, self._scorer)
        while not last_look.begun and (remaining := self._remaining(number)) > 0:
            await self._generation(number, remaining)
            barren = barren + 1 if self._remaining(number + 1) == remaining else 0
            if barren == _MAX_BARREN:
                raise RunFailedError(
                    f"{self._run.id}: {_MAX_BARREN} generations in a row trained no model; "
                    f"see its failures with: fairnad-tui report {self._run.id}"
                )
            number += 1
        if self._config.fidelity.mode != "off":
            await last_look.run(number - 1)
            self._score(number - 1)
        digest = run_digest(self._store, self._run.id)
        self._store.runs.end(self._run.id, digest)
        return digest

    def _remaining(self, number: int) -> int:
        """Models that the budget allowed when generation ``number`` began: what it trained itself does not count."""
        models = counted(self._store.runs.candidates(self._run.id, number - 1))
        return self._config.budget.trained - len(models)

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

    async def _generation(self, number: int, remaining: int) -> None:
        run_id = self._run.id
        snapshot = self._snapshot(number - 1)
        slots = self._open(number, snapshot)
        steps = [(s.slot, 1) for s in slots] + [(s.slot, 2) for s in slots if s.stage == 3]
        shared = Generation(
            store=self._store,
            run_id=run_id,
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
            order=UnitOrder(steps, remaining),
            lanes=self._lanes,
            structures=snapshot.exact_hashes(),
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
        self._close(number, runs)

    def _snapshot(self, through: int) -> Snapshot:
        candidates = self._store.runs.candidates(self._run.id, through)
        attempts = self._store.runs.attempts(self._run.id, through)
        return Snapshot(tuple(candidates), remember(attempts, candidates))

    def _open(self, number: int, snapshot: Snapshot) -> list[SlotRow]:
        """Plan a generation and store its plan, counts and uses in one transaction; or read the stored plan."""
        run_id = self._run.id
        with self._store.transaction():
            stored = self._store.runs.slots(run_id, number)
            if not stored:
                levels = {sub.id: self._template.level_of(sub.id) for sub in self._template.subs}
                ideas = approved_ideas(self._store, run_id, number, levels)
                sampler = FairSampler(
                    ideas,
                    self._store.sampling.counts(run_id),
                    self._store.sampling.uses(run_id),
                    self._config.search.fairness,
                )
                plan = plan_generation(number, self._config, snapshot, sampler, self._run.seed)
                self._store.runs.open_generation(run_id, number, plan.slots)
                self._freeze_briefs(number, plan.slots)
                self._store.sampling.save_counts(run_id, plan.sampler.counts.values())
                self._store.sampling.save_uses(run_id, plan.sampler.uses)
                stored = self._store.runs.slots(run_id, number)
        return stored

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

    def _freeze_briefs(self, number: int, slots: list[Row]) -> None:
        """Keep the drawn ideas as they read now: an edit made while the generation runs counts from the next one."""
        drawn = [self._store.ideas.get(one) for slot in slots for one in slot["ideas"]]
        briefs = {idea.id: [idea.main, idea.sub, idea.name, idea.instruction] for idea in drawn}
        self._store.runs.record_event(self._run.id, number, "briefs", briefs)

    def _brief(self, idea_id: str) -> IdeaBrief:
        if idea_id not in self._briefs:
            for event in self._store.runs.events(self._run.id):
                if event["kind"] == "briefs":
                    self._briefs.update({one: IdeaBrief(one, *brief) for one, brief in event["payload"].items()})
        return self._briefs[idea_id]
