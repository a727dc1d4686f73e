"""A column as NADER's released scripts would fill it: the best epoch, on the whole test set (method, section 5).

It is chosen by test accuracy, so it says what such a number would look like and nothing else. It is made at the very
end of ``finish``, by one further training of each tested member, when nothing is left to be decided; it is kept
with the test scores and in no training's record.
"""

from __future__ import annotations

import asyncio

from fairnad_engine.errors import RunFailedError
from fairnad_engine.search.finish_results import PlannedMember, trainings_of
from fairnad_engine.search.fresh_weights import FreshWeights, NotReproducedError
from fairnad_engine.search.scoring import Scorer
from fairnad_engine.store import Store
from fairnad_engine.store.records import CandidateRow, RunRow
from fairnad_engine.training.datasets import whole_test_size

NADER = "nader"


async def score_as_nader(
    store: Store,
    run: RunRow,
    scorer: Scorer,
    fresh: FreshWeights,
    candidate: CandidateRow,
    member: PlannedMember,
    *,
    generation: int,
    protocol: str,
    location: tuple[str, dict[str, object]],
) -> None:
    """Train a tested member once more with the first seed that ended, and keep its best epoch; once.

    Args:
        store: The workspace.
        run: The run.
        scorer: Trains.
        fresh: Draws the weights that the member's training began with.
        candidate: The member.
        member: Its place in the plan.
        generation: Generation of the finish.
        protocol: Name of the protocol.
        location: Data set, and where it lies.

    Raises:
        RunFailedError: The training gave no score this time.
    """
    done = [one for one in trainings_of(store, run.id, member) if one.accuracy is not None]
    known = {(one.candidate_id, one.kind) for one in store.tests.columns_of(run.id)}
    if not done or (member.id, NADER) in known:
        return
    seed = done[0].seed
    try:
        weights = await asyncio.to_thread(fresh.draw, candidate, member.seeds.index(seed))
        epoch, best, last = await scorer.best_on_whole_test(candidate, seed, weights, member.split)
    except (RuntimeError, NotReproducedError) as error:
        raise RunFailedError(f"{error}; go on with: fairnad-tui finish {run.id} --nader-column") from error
    name, where = location
    store.tests.save_column(
        run.id,
        member.id,
        seed,
        NADER,
        generation=generation,
        epoch=epoch,
        accuracy=best,
        last_accuracy=last,
        images=await asyncio.to_thread(whole_test_size, name, where),
        protocol=protocol,
    )
