"""The end of a search: the front's best are trained anew, ranked, and only then tested, once (method, section 5).

The best of many validation scores flatters itself. So the top members of the front by validation accuracy get fresh
initial weights and several seeds, their mean validation accuracy ranks them, and the test split is read once, after
every training has ended. Where the data set gives more to train on than the search had, as CIFAR-10 does (its 25,000
validation images), the ranked members are then trained on all of it with the same seeds, and those trainings are the
tested ones. With ``fill`` each member has a form at the budget's edge beside it, and of the two the better by mean
validation accuracy goes on to the test. What is to be done is recorded first, so that an interrupted finish goes on
where it was, and a second one at the same generation gives the stored results and reads nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from fairnad_engine.errors import InputError, RunFailedError
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.control import Control, StopRequestedError
from fairnad_engine.search.control_row import CONTROL, control_seed, find_control
from fairnad_engine.search.finish_results import (
    FINAL,
    RANKED,
    FinishResult,
    PlannedMember,
    candidate_or_beside,
    final_trainings_of,
    finish_result,
    last_generation,
    read_plan,
    trainings_of,
    write_plan,
)
from fairnad_engine.search.fresh_weights import Exporter, FreshWeights, NotReproducedError
from fairnad_engine.search.nader_column import score_as_nader
from fairnad_engine.search.scoring import Scorer, job_settings
from fairnad_engine.search.seeds import entropy, torch_seed
from fairnad_engine.search.selection import pareto_front, top_by_accuracy
from fairnad_engine.search.widening import widened
from fairnad_engine.store import Store
from fairnad_engine.store.records import CandidateRow, EvaluationRow
from fairnad_engine.training.datasets import Split, split_sizes
from fairnad_engine.training.executor import Executor

if TYPE_CHECKING:
    from fairnad_engine.backbone.verifier import Verifier


class Finish:
    """Retrains, ranks and tests the front's best members of one run."""

    def __init__(
        self,
        store: Store,
        run_id: str,
        jail: Exporter,
        executor: Executor,
        *,
        control: Control,
        activity: Callable[[str, str], None],
        deadline: float = 3600.0,
        top: int = 3,
        seeds: int = 3,
        widener: Verifier | None = None,
        fill: bool = False,
        nader_column: bool = False,
    ) -> None:
        """Set up.

        Args:
            store: The workspace.
            run_id: A run with at least one generation that ended.
            jail: Where fresh initial weights are drawn.
            executor: Where trainings run.
            control: Pause and stop.
            activity: Told what each candidate is going through.
            deadline: Seconds after which one training is given up.
            top: Members of the front, best validation accuracy first.
            seeds: Trainings of each.
            widener: A verifier with ``fit = fill``; None trains no control row and widens nothing.
            fill: Whether members are also tried at the budget's edge.
            nader_column: Whether each tested member is trained once more and scored as NADER does, at the very end.

        Raises:
            InputError: There is no such run, or nothing to do.
        """
        from fairnad_engine.training.protocol import Protocol as TrainingProtocol

        if top < 1 or seeds < 1:
            raise InputError(f"finish: {top} members with {seeds} seeds; give 1 or more of each")
        self._store = store
        self._run = store.runs.get(run_id)
        self._fresh = FreshWeights(store, self._run, jail)
        self._control = control
        self._activity = activity
        self._top, self._seeds = top, seeds
        self._widener, self._fill, self._nader_column = widener, fill, nader_column
        config = RunConfig.model_validate(self._run.config)
        if fill and widener is None:
            raise InputError("finish: nothing is given that widens a model")
        self._wants_no_control = config.search.control == "off"
        self._lanes = asyncio.Semaphore(config.machine.workers)
        self._data = config.data
        self._protocol = TrainingProtocol.model_validate(self._run.environment["protocol"])
        self._scorer = Scorer(
            store,
            run_id,
            self._run.seed,
            executor,
            dataset=config.data.dataset,
            protocol=self._protocol,
            deadline=deadline,
            control=control,
            activity=activity,
            settings=job_settings(config, self._run.dataset_digest),
        )

    async def run(self) -> FinishResult:
        """Do what is not yet done and return the result.

        Raises:
            InputError: No generation has ended.
            RunFailedError: Weights could not be drawn or a test not be scored this time.
            StopRequestedError: The user asked to stop; a later finish goes on.
        """
        run_id = self._run.id
        generation = last_generation(self._store, run_id)
        if generation == 0:
            raise InputError(f"{run_id}: no generation has ended yet; let the search go on first")
        plan = await self._plan(generation)
        control = await self._control_row()
        await _all(
            [
                *(
                    self._retrain(self._candidate(member.id), number, member.seeds[number], RANKED)
                    for number in range(max(len(member.seeds) for member in plan))
                    for member in plan
                ),
                *(self._retrain_control(control, number) for number in range(self._seeds) if control is not None),
            ]
        )
        ranked_members = finish_result(self._store, run_id, generation).members
        ranks = {member.id: rank for rank, member in enumerate(ranked_members) if not member.set_aside}
        plan = sorted((member for member in plan if member.id in ranks), key=lambda member: ranks[member.id])
        await _all(
            self._retrain(self._candidate(member.id), member.seeds.index(ranked.seed), ranked.seed, FINAL)
            for member in plan
            if member.split == "full"
            for ranked in trainings_of(self._store, run_id, member)
            if ranked.accuracy is not None and not self._is_tested(member.id, ranked.seed)
        )
        # Every training has ended and nothing is chosen any more: now the test may be read.
        await _all(
            self._test(self._candidate(member.id), ranked, generation, weights)
            for member in plan
            for ranked, weights in self._to_test(member)
        )
        if self._nader_column:
            await _all(self._score_as_nader(member, generation) for member in plan)
        return finish_result(self._store, run_id, generation)

    async def _control_row(self) -> CandidateRow | None:
        """The seed at the budget's edge, where the settings want it and a wider one fits."""
        if self._widener is None or self._wants_no_control:
            return None
        await self._control.gate()
        return await find_control(self._store, self._run, self._widener)

    async def _retrain_control(self, control: CandidateRow, number: int) -> None:
        seed = control_seed(self._run, number)
        if number:
            await self._retrain(control, number, seed, CONTROL)
        else:
            await self._scorer.retrain(control, seed, control.weights, CONTROL)

    async def _score_as_nader(self, member: PlannedMember, generation: int) -> None:
        await self._control.gate()
        await score_as_nader(
            self._store,
            self._run,
            self._scorer,
            self._fresh,
            self._candidate(member.id),
            member,
            generation=generation,
            protocol=self._protocol.name,
            location=(self._data.dataset, self._data.location()),
        )

    def _to_test(self, member: PlannedMember) -> list[tuple[EvaluationRow, str]]:
        """Of what is not yet tested: the training that ranked, and the weights that the test reads."""
        run_id = self._run.id
        tested = trainings_of if member.split == "train" else final_trainings_of
        weights = {one.seed: one.weights for one in tested(self._store, run_id, member) if one.status == "done"}
        return [
            (one, found)
            for one in trainings_of(self._store, run_id, member)
            if (found := weights.get(one.seed)) is not None and not self._is_tested(member.id, one.seed)
        ]

    def _is_tested(self, candidate_id: str, seed: int) -> bool:
        return any(
            (one.candidate_id, one.seed) == (candidate_id, seed) for one in self._store.tests.of_run(self._run.id)
        )

    async def _plan(self, generation: int) -> list[PlannedMember]:
        """The members and their seeds, drawn and recorded once for this generation."""
        found = read_plan(self._store, self._run.id, generation)
        if found is not None:
            if self._fill and not any(member.fill for member in found):
                raise InputError(
                    f"{self._run.id} was finished at generation {generation} without --fill, and the test is read "
                    f"once; train more models first: fairnad-tui run --resume {self._run.id} --trained N"
                )
            return found
        sizes = await asyncio.to_thread(split_sizes, self._data.dataset, **self._data.location())
        split: Split = "full" if sizes["full"] > sizes["train"] else "train"
        front = pareto_front(self._store.runs.candidates(self._run.id, generation))
        plan = [
            PlannedMember(
                candidate.id,
                tuple(
                    torch_seed(entropy(self._run.seed, candidate.position, "finish", number, "train"))
                    for number in range(self._seeds)
                ),
                split,
                fill=self._fill,
            )
            for candidate in top_by_accuracy(front, self._top)
        ]
        if self._fill:
            plan = [one for member in plan for one in (member, await self._widen(member)) if one is not None]
        write_plan(self._store, self._run.id, generation, plan)
        return plan

    async def _widen(self, member: PlannedMember) -> PlannedMember | None:
        assert self._widener is not None  # noqa: S101 - checked when this was set up
        await self._control.gate()
        self._activity(member.id, "finish: widening")
        try:
            return await widened(self._store, self._run, self._widener, self._candidate(member.id), member)
        finally:
            self._activity(member.id, "")

    async def _retrain(self, candidate: CandidateRow, number: int, seed: int, purpose: str) -> None:
        if self._store.runs.evaluation(self._run.id, candidate.id, purpose, seed) is not None:
            return
        try:
            async with self._lanes:
                await self._control.gate()
                self._activity(candidate.id, f"finish: fresh weights {number + 1}")
                weights = await asyncio.to_thread(self._fresh.draw, candidate, number)
        except NotReproducedError as error:
            self._save_failure(candidate, seed, purpose, str(error))
        else:
            await self._scorer.retrain(candidate, seed, weights, purpose)
        finally:
            self._activity(candidate.id, "")

    def _save_failure(self, candidate: CandidateRow, seed: int, purpose: str, message: str) -> None:
        self._store.runs.save_evaluation(
            self._run.id,
            candidate.id,
            {
                "purpose": purpose,
                "seed": seed,
                "protocol": self._protocol.name,
                "protocol_digest": self._protocol.digest,
                "status": "not-reproduced",
                "accuracy": None,
                "weights": None,
                "message": message[:500],
                "seconds": 0.0,
            },
            [],
        )

    async def _test(self, candidate: CandidateRow, ranked: EvaluationRow, generation: int, weights: str) -> None:
        """Score trained weights on the test split, once."""
        run_id = self._run.id
        await self._control.gate()
        self._activity(candidate.id, "finish: test")
        try:
            accuracy = await self._scorer.test(candidate, weights)
        except RuntimeError as error:
            raise RunFailedError(f"{error}; go on with: fairnad-tui finish {run_id}") from error
        finally:
            self._activity(candidate.id, "")
        self._store.tests.save(
            run_id,
            candidate.id,
            ranked.seed,
            generation=generation,
            validation=ranked.accuracy or 0.0,
            test=accuracy,
            protocol=ranked.protocol,
        )

    def _candidate(self, candidate_id: str) -> CandidateRow:
        return candidate_or_beside(self._store, self._run.id, candidate_id)


async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do everything at once and let it end, whatever fails meanwhile; then raise what failed."""
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    # A stop is the consequence of an error where there is one; the error is what the user needs to see.
    for error in sorted(errors, key=lambda e: isinstance(e, StopRequestedError)):
        raise error
