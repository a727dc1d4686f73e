"""The search: train the seed, then generation after generation until the budget of trained models is spent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from fairnad_engine.backbone.verifier import Budget, Verifier
from fairnad_engine.errors import RunFailedError
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.protocol import Designer
from fairnad_engine.search.archive import Archive, Snapshot
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.control import Control
from fairnad_engine.search.digest import run_digest
from fairnad_engine.search.lanes import Lanes
from fairnad_engine.search.last_look import LastLook
from fairnad_engine.search.novelty import Novelty
from fairnad_engine.search.opening import Opener
from fairnad_engine.search.order import Unit, UnitOrder, units_of
from fairnad_engine.search.overlap import overlap
from fairnad_engine.search.plan import Place, places_again, places_of, waves_of
from fairnad_engine.search.proposals import Generation
from fairnad_engine.search.scoring import Scorer
from fairnad_engine.search.seeds import entropy, torch_seed
from fairnad_engine.search.selection import best_accuracy, counted, hypervolume, pareto_front, trained
from fairnad_engine.search.slot import SlotRun, run_slots
from fairnad_engine.search.spending import Purse
from fairnad_engine.search.warm import start_warm
from fairnad_engine.store import Store
from fairnad_engine.store.runs import SEED_CANDIDATE

_MAX_BARREN = 3  # generations in a row without a trained model before the run is given up,
_LEAST_BARREN = 12  # or as many more as make this many slots
GIVEN_UP = "given-up"  # event: the run was given up after this generation


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
        self._lanes = Lanes(self._config.model.lanes)
        self._purse = Purse(store, run_id, self._config.budget)
        self._archive = Archive(store, run_id)
        self._opener = Opener(store, run_id, self._config, template, self._archive)
        self._barren = 0

    async def run(self) -> str:
        """Search until the budget is spent and return the run digest.

        Raises:
            StopRequestedError: The user asked to stop; the run can be resumed.
            RunFailedError: The seed does not train, or generation after generation yields nothing.
            ModelUnavailableError: The model's server is gone.
        """
        await self._seed()
        await start_warm(
            self._store, self._run, self._verifier, self._scorer, control=self._control, activity=self._activity
        )
        done = {g.number for g in self._store.runs.generations(self._run.id) if g.state == "done"}
        number = len(done) + 1
        self._count_barren(number - 1)
        self._give_up_where_barren(number - 1)
        last_look = LastLook(self._store, self._run.id, self._config.budget.trained, self._scorer)
        if not last_look.begun:
            number = await (self._overlapping(number) if self._config.search.overlaps else self._one_by_one(number))
        if self._config.fidelity.mode != "off":
            await last_look.run(number - 1)
            self._archive = Archive(self._store, self._run.id)  # candidates that were stopped were trained after all
            self._score(number - 1)
        digest = run_digest(self._store, self._run.id)
        self._store.runs.end(self._run.id, digest)
        return digest

    def _remaining(self, number: int, slot: int = 1) -> int:
        """Models that the budget allowed where everything before this slot of a generation was over."""
        before = self._archive.before(number, slot)
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

    async def _one_by_one(self, number: int) -> int:
        """Generation after generation, each when the one before is closed; the number behind the last one."""
        while self._remaining(number) > 0 and not self._purse.empty(number):
            runs: list[SlotRun] = []
            for wave in waves_of(self._config):
                runs += await self._wave(number, wave)
            if self._config.search.refill:
                failed = places_again(self._config, self._store.runs.slots(self._run.id, number))
                runs += await self._wave(number, failed)
            self._close(number, runs)
            number += 1
        return number

    async def _wave(self, number: int, places: list[Place]) -> list[SlotRun]:
        """Run slots that start together; none where there are none, or no room for a later wave's."""
        if not places:
            return []
        first = places[0].slot
        remaining = self._remaining(number, first)
        if remaining <= 0 or self._purse.empty(number, first):
            return []
        seen = self._opener.seen(number, first)
        slots = self._opener.open(number, places, seen)
        units = units_of(number, slots)
        near = self._purse.is_near(number, first, len(units), number - 1)
        order = self._order(remaining)
        order.extend(units, self._purse.left_after(number, first) if near else None)
        novelty = self._novelty(number, first)
        return await run_slots(self._shared(number, seen, order, novelty, begins=first == 1), slots)

    async def _overlapping(self, number: int) -> int:
        """Generations of which two are under way at a time; the number behind the last one."""
        order = self._order(self._config.budget.trained)
        for before in range(1, number):
            order.extend(units_of(before, self._store.runs.slots(self._run.id, before), chains_lead=True))
        counts = {Unit(c.generation, c.slot, c.step) for c in counted(self._archive.candidates())}
        for unit in order.units:
            order.note(unit, unit in counts)
        novelty = self._novelty(number, 1)
        places = places_of(self._config)

        def is_near(number: int) -> bool:
            # What the generation before costs is not known while it goes on.
            return self._purse.is_near(number, 1, len(units_of(number, places)), max(0, number - 2))

        async def is_wanted(number: int) -> bool:
            if not await order.room_behind():
                return False
            if not is_near(number):
                return True
            await order.all_over()
            return not self._purse.empty(number)

        def begin(number: int) -> Coroutine[None, None, list[SlotRun]]:
            seen = self._opener.seen(number, 1)
            slots = self._opener.open(number, places, seen)
            affordable = self._purse.left_after(1) if is_near(number) else None
            order.extend(units_of(number, slots, chains_lead=True), affordable)
            shared = self._shared(number, seen, order, novelty, since=1)
            return run_slots(shared, slots)

        return await overlap(number, order, is_wanted=is_wanted, begin=begin, close=self._close)

    def _order(self, remaining: int) -> UnitOrder:
        return UnitOrder(remaining, chains_count_once=self._config.search.stage3_counts == "last")

    def _novelty(self, number: int, slot: int) -> Novelty:
        search = self._config.search
        # Programs are read where they are compared; nothing else of selection needs them.
        sources = self._store.live.sources(self._run.id, number) if search.near_duplicates == "strict" else {}
        known = self._archive.at(number, slot)
        mine = {one.id: sources[one.id] for one in known.candidates if one.id in sources}
        return Novelty(known, search, mine)

    def _shared(
        self,
        number: int,
        seen: Snapshot,
        order: UnitOrder,
        novelty: Novelty,
        *,
        begins: bool = True,
        since: int | None = None,
    ) -> Generation:
        """What slots of a generation share that start together."""
        return Generation(
            store=self._store,
            run_id=self._run.id,
            job_id=self._job_id,
            run_seed=self._run.seed,
            number=number,
            snapshot=seen,
            template=self._template,
            budget=self._budget,
            designer=self._designer,
            verifier=self._verifier,
            scorer=self._scorer,
            control=self._control,
            order=order,
            lanes=self._lanes,
            novelty=novelty,
            activity=self._activity,
            idea_briefs=self._opener.briefs(number, begins=begins),
            since=number if since is None else since,
            seeds_by=self._config.search.seeds_by,
            judges_edits=bool(self._run.environment.get("edits_judged")),
        )

    def _close(self, number: int, runs: list[SlotRun]) -> None:
        """Record how a generation ended, and give up where too many brought nothing."""
        with self._store.transaction():
            uses = self._store.sampling.uses(self._run.id)
            for idea in (one for run in runs for one in run.ideas_tried):
                uses[idea] = uses.get(idea, 0) + 1
            self._store.sampling.save_uses(self._run.id, uses)
            self._score(number)
        self._barren = self._barren + 1 if self._is_barren(number) else 0
        self._give_up_where_barren(number)

    def _is_barren(self, number: int) -> bool:
        return self._remaining(number) == self._remaining(number + 1)

    def _count_barren(self, last: int) -> None:
        """Count as an earlier life of this process did, through the last closed generation.

        A run that was given up and resumed all the same begins to count anew.
        """
        given_up = self._store.runs.latest_event(self._run.id, GIVEN_UP, last)
        while last > (given_up[0] if given_up else 0) and self._is_barren(last):
            self._barren += 1
            last -= 1

    def _give_up_where_barren(self, number: int) -> None:
        most = max(_MAX_BARREN, -(-_LEAST_BARREN // sum(self._config.search.slots)))
        if self._barren >= most and not self._purse.empty(number + 1):
            self._store.runs.record_event(self._run.id, number, GIVEN_UP, {"barren": self._barren})
            raise RunFailedError(
                f"{self._run.id}: {most} generations in a row trained no model; "
                f"see its failures with: fairnad-tui report {self._run.id}"
            )

    def _score(self, number: int) -> None:
        """Store what the run has reached with generation ``number``; the last look stores it anew for the last one."""
        run_id, budget = self._run.id, self._config.budget
        candidates = self._archive.before(number + 1)
        front = pareto_front(candidates)
        self._store.runs.close_generation(
            run_id,
            number,
            front=[c.id for c in front],
            hypervolume=hypervolume(front, candidates[0].accuracy or 0.0, budget.max_params, budget.max_macs),
            best=best_accuracy(candidates),
            trained=sum(c.generation == number for c in trained(candidates)),
        )
