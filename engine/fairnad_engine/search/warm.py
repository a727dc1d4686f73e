"""A warm start: another run's front as further members of generation 0, which the budget does not count.

What they are was frozen when the run was made. Those that could bring their scores along lie in the archive already;
the others are verified under this run's budgets and trained under its protocol, in their order, before its first
generation. One that does not pass is left out, and the run says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fairnad_engine.backbone.verifier import Verifier
from fairnad_engine.search.control import Control, StopRequestedError
from fairnad_engine.search.scoring import Scorer
from fairnad_engine.search.seeds import entropy, torch_seed
from fairnad_engine.store import Store
from fairnad_engine.store.records import CandidateRow, Row, RunRow

WARM_START = "warm-start"  # a candidate's kind, and the event that tells what became of each
KEPT, ANEW = "came with its score", "trained anew"


def warm_candidate(member: Row, measured: Row, accuracy: float | None) -> Row:
    """The columns of a member of generation 0 that another run found; with its accuracy, or yet to be trained."""
    return {
        "position": member["number"],
        "generation": 0,
        "stage": 0,
        "slot": member["number"],
        "step": 1,
        "kind": WARM_START,
        "parent_id": None,
        "idea_id": None,
        "derived": member["idea"],
        "change": member["change"],
        "edit_type": member["edit_type"],
        "realised": "unknown",
        "source": member["source"],
        **measured,
        "status": "verified" if accuracy is None else "trained",
        "failure": None,
        "accuracy": accuracy,
    }


async def start_warm(
    store: Store,
    run: RunRow,
    verifier: Verifier,
    scorer: Scorer,
    *,
    control: Control,
    activity: Callable[[str, str], None],
) -> None:
    """Bring the members that a run was started with into its archive, once.

    Raises:
        StopRequestedError: The user asked to stop; the run can be resumed.
    """
    ancestry = run.environment.get("ancestry", {})
    if ancestry.get("kind") != WARM_START or store.runs.latest_event(run.id, WARM_START, 0) is not None:
        return
    told, to_train = [], []
    for member in ancestry["members"]:
        found = store.runs.candidate(run.id, member["id"])
        kept = (
            found is not None and store.runs.evaluation(run.id, member["id"], "search", _train_seed(run, found)) is None
        )
        if found is None:
            outcome, found = await _verify(store, run, member, verifier, control, activity)
        elif kept and found.status == "trained":
            outcome = KEPT
        else:
            outcome = ANEW
        told.append({"id": member["id"], "from": member["from"], "outcome": outcome})
        if found is not None and outcome == ANEW:
            to_train.append(found)
    ended = await asyncio.gather(*(scorer.train(one) for one in to_train), return_exceptions=True)
    errors = [one for one in ended if isinstance(one, BaseException)]
    for error in sorted(errors, key=lambda e: isinstance(e, StopRequestedError)):
        raise error
    store.runs.record_event(run.id, 0, WARM_START, told)


def _train_seed(run: RunRow, candidate: CandidateRow) -> int:
    return torch_seed(entropy(run.seed, candidate.position, "train"))


async def _verify(
    store: Store,
    run: RunRow,
    member: Row,
    verifier: Verifier,
    control: Control,
    activity: Callable[[str, str], None],
) -> tuple[str, CandidateRow | None]:
    await control.gate()
    activity(member["id"], "verifying")
    seed = torch_seed(entropy(run.seed, member["number"], WARM_START, "init"))
    try:
        verdict = await asyncio.to_thread(verifier.verify, member["source"], member["width"], seed)
    finally:
        activity(member["id"], "")
    if verdict.failure is not None:
        return f"left out: {verdict.failure}: {verdict.message}"[:300], None
    same = {one.exact_hash: one.id for one in store.runs.candidates(run.id, 0)}.get(verdict.exact_hash)
    if same is not None:
        return f"left out: its graph equals that of {same}", None
    store.runs.save_candidate(run.id, member["id"], warm_candidate(member, verdict.measured(), None))
    return ANEW, store.runs.candidate(run.id, member["id"])
