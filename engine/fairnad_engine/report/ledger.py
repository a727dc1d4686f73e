"""The report's section on what was spent on what: the ledger with names that people know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fairnad_engine.errors import InputError
from fairnad_engine.search.ledger import ELSEWHERE, NO_IDEA, Account, Cost, read_ledger
from fairnad_engine.store import Store

_STAGES = {"0": "seed", "1": "I", "2": "II", "3": "III"}


@dataclass(frozen=True)
class AccountLine:
    """What one stage, outcome, idea or backbone took; seconds are summed over processes.

    Attributes:
        id: Stage number, failure class, idea id or candidate id.
        name: The same for people.
        proposals: Model replies.
        trained: Models trained of them.
        design_seconds: Asking the model.
        verify_seconds: Verifying.
        training_seconds: Training by the search.
        finish_seconds: Training by ``finish``.
        prompt_tokens: Read by the model.
        completion_tokens: Written by the model.
    """

    id: str
    name: str
    proposals: int
    trained: int
    design_seconds: float
    verify_seconds: float
    training_seconds: float
    finish_seconds: float
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class LedgerFacts:
    """Proposed = trained + screened + rejected + pending, and what each part took.

    Attributes:
        proposed: Model replies.
        trained: Models trained.
        screened: Stopped after a short schedule.
        rejected: Rejected proposals and failed trainings by class.
        pending: Not decided yet.
        closes: Whether every proposal, second and token is accounted for once.
        problems: Where it does not close.
        total: Everything.
        stages: By stage.
        outcomes: By what became of the proposal, the dearest first.
        ideas: By idea, the dearest first.
        candidates: By backbone, failed proposals of its step included, the dearest first; ``none`` is steps that gave
            none.
    """

    proposed: int
    trained: int
    screened: int
    rejected: dict[str, int]
    pending: int
    closes: bool
    problems: tuple[str, ...]
    total: AccountLine
    stages: tuple[AccountLine, ...]
    outcomes: tuple[AccountLine, ...]
    ideas: tuple[AccountLine, ...]
    candidates: tuple[AccountLine, ...] = ()


def ledger_facts(store: Store, run_id: str) -> LedgerFacts:
    """Read a run's ledger for the report.

    Raises:
        InputError: There is no such run.
    """
    ledger = read_ledger(store, run_id)
    return LedgerFacts(
        proposed=ledger.proposed,
        trained=ledger.trained,
        screened=ledger.screened,
        rejected=ledger.rejected,
        pending=ledger.pending,
        closes=ledger.closes,
        problems=ledger.problems,
        total=_line("all", "all", ledger.proposed, ledger.trained, ledger.cost),
        stages=_lines(ledger.by_stage(), lambda stage: _STAGES.get(stage, stage)),
        outcomes=_lines(ledger.by_outcome(), lambda outcome: outcome),
        ideas=_lines(ledger.by_idea(), lambda idea: _idea_name(store, idea)),
        candidates=_lines(ledger.by_candidate(), lambda candidate: candidate),
    )


def _lines(accounts: Sequence[Account], name: Callable[[str], str]) -> tuple[AccountLine, ...]:
    return tuple(_line(one.name, name(one.name), one.proposals, one.trained, one.cost) for one in accounts)


def _line(key: str, name: str, proposals: int, trained: int, cost: Cost) -> AccountLine:
    return AccountLine(
        id=key,
        name=name,
        proposals=proposals,
        trained=trained,
        design_seconds=cost.design_seconds,
        verify_seconds=cost.verify_seconds,
        training_seconds=cost.training_seconds,
        finish_seconds=cost.finish_seconds,
        prompt_tokens=cost.prompt_tokens,
        completion_tokens=cost.completion_tokens,
    )


def _idea_name(store: Store, idea: str) -> str:
    """The library's name of an idea; a derived one stands under its own id."""
    if idea in (NO_IDEA, ELSEWHERE):
        return "no idea"
    try:
        found = store.ideas.get(idea)
        return f"{found.name} (derived)" if found.origin == "derived" else found.name
    except InputError:
        return f"{idea} (derived)"
