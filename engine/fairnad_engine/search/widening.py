"""Networks at the budget's edge: what puts them there, and ``finish --fill``, which tries front members in that form.

A widened member lies beside the archive; nothing of the search reads it (method, section 4, ``fill``).
"""

from __future__ import annotations

import asyncio

from fairnad_engine.backbone.jail.client import Confinement
from fairnad_engine.backbone.verifier import Budget, Verifier
from fairnad_engine.errors import RunFailedError
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.control_row import beside_columns
from fairnad_engine.search.finish_results import PlannedMember
from fairnad_engine.search.fresh_weights import PASSING_FAILURES
from fairnad_engine.search.seeds import entropy, torch_seed
from fairnad_engine.store import Store
from fairnad_engine.store.records import CandidateRow, RunRow


def budget_of(run: RunRow) -> Budget:
    """What a network of the run may cost, and what it must fit."""
    data, limits = run.environment["dataset"], RunConfig.model_validate(run.config).budget
    return Budget(
        input_shape=(data["shape"][0], data["shape"][1], data["shape"][2]),
        num_classes=data["classes"],
        max_params=limits.max_params,
        max_macs=limits.max_macs,
    )


def widener_of(jail: Confinement, store: Store, run: RunRow) -> Verifier:
    """What puts a network at the budget's edge, whatever the search does with those over it."""
    return Verifier(jail, store.files, budget_of(run), "fill")


async def widened(
    store: Store, run: RunRow, widener: Verifier, candidate: CandidateRow, member: PlannedMember
) -> PlannedMember | None:
    """The member in its widest form within the budgets, verified and stored; None where it is there already.

    Args:
        store: The workspace.
        run: The run.
        widener: A verifier with ``fit = fill``.
        candidate: The front member.
        member: Its place in the plan, whose split and number of seeds the wide form takes over.

    Raises:
        RunFailedError: The machine did not let it be built this time.
    """
    words = (run.seed, candidate.position, "finish", "fill")
    seed = torch_seed(entropy(*words, "init"))
    verdict = await asyncio.to_thread(widener.verify, candidate.source, candidate.width, seed)
    if verdict.failure in PASSING_FAILURES:
        raise RunFailedError(
            f"{candidate.id}: could not be widened ({verdict.failure}: {verdict.message}); "
            f"free the machine, then go on with: fairnad-tui finish {run.id} --fill"
        )
    if verdict.failure is not None or verdict.width <= candidate.width:
        return None
    model_id = f"{candidate.id}-wide"
    change = f"{candidate.id} at the budget's edge: width {candidate.width:g} -> {verdict.width:g}"
    columns = beside_columns(verdict.measured(), "fill", candidate.id, candidate.source, change, candidate.position)
    store.beside.save(run.id, model_id, columns)
    seeds = tuple(torch_seed(entropy(*words, number, "train")) for number in range(len(member.seeds)))
    return PlannedMember(model_id, seeds, member.split, of=candidate.id, fill=True)
