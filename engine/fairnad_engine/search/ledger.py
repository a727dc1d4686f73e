"""The ledger of a run: where each proposal ended, and which seconds and tokens it took.

It closes at every moment of a run, also where its process was killed: proposed = trained + screened + rejected (by
class) + pending, and the lines' seconds and tokens come to the sums of the tables (method, section 3, accounting).
Only stored rows are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from fairnad_engine.store import Store
from fairnad_engine.store.ledger import CallCost, CandidateCost, Place, ProposalCost, RunSums

TRAINED, SCREENED, PENDING = "trained", "screened", "pending"
NO_IDEA, SEED, ELSEWHERE = "none", "seed", "other requests"
_CENTS = 1e-6  # of a second, per line: what summing floats in another order may differ by


@dataclass(frozen=True)
class Cost:
    """Seconds and tokens; ``call_seconds`` is the part of designing that was spent waiting for the model's server."""

    design_seconds: float = 0.0
    verify_seconds: float = 0.0
    training_seconds: float = 0.0
    finish_seconds: float = 0.0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    call_seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(mine + theirs for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True)))

    @property
    def seconds(self) -> float:
        """All work, summed over processes."""
        return self.design_seconds + self.verify_seconds + self.training_seconds + self.finish_seconds

    @property
    def tokens(self) -> int:
        """Read and written."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True)
class Line:
    """One proposal with all that came of it, or work without a proposal: the seed's, requests of no stored step.

    Attributes:
        place: Generation, slot and step; None for requests that belong to none.
        candidate: The backbone that came of it.
        stage: 1 to 3, 0 where there is none.
        idea: The idea it applies or derived.
        outcome: ``trained``, ``screened``, ``pending`` or the class of its rejection.
        proposed: Whether it is a proposal.
        cost: What it took.
    """

    place: Place | None
    candidate: str | None
    stage: int
    idea: str | None
    outcome: str
    proposed: bool
    cost: Cost


@dataclass(frozen=True)
class Account:
    """Lines that have something in common, summed."""

    name: str
    proposals: int
    trained: int
    cost: Cost


@dataclass(frozen=True)
class Ledger:
    """The whole account of a run.

    Attributes:
        proposed: Stored proposals.
        trained: Trained models, the seed not counted.
        screened: Stopped after a short schedule.
        rejected: Rejected proposals and failed trainings, by class.
        pending: Not decided yet.
        lines: Every proposal, and work without one.
        sums: The sums of the tables.
    """

    proposed: int
    trained: int
    screened: int
    rejected: dict[str, int]
    pending: int
    lines: tuple[Line, ...] = field(repr=False)
    sums: RunSums = field(repr=False)

    @property
    def cost(self) -> Cost:
        """All lines together."""
        return sum((line.cost for line in self.lines), Cost())

    @property
    def problems(self) -> tuple[str, ...]:
        """Where it does not close; empty where it does."""
        found = []
        ended = self.trained + self.screened + sum(self.rejected.values()) + self.pending
        if ended != self.proposed:
            found.append(f"{self.proposed} proposals, but {ended} are accounted for")
        cost, sums = self.cost, self.sums
        for name, mine, theirs in (
            ("design seconds", cost.design_seconds, sums.design_seconds),
            ("verify seconds", cost.verify_seconds, sums.verify_seconds),
            ("training seconds", cost.training_seconds, sums.search_seconds),
            ("finish seconds", cost.finish_seconds, sums.finish_seconds),
            ("requests", cost.calls, sums.calls),
            ("tokens read", cost.prompt_tokens, sums.prompt_tokens),
            ("tokens written", cost.completion_tokens, sums.completion_tokens),
            ("request seconds", cost.call_seconds, sums.call_seconds),
        ):
            if abs(mine - theirs) > _CENTS * max(1, len(self.lines)):
                found.append(f"{name}: lines come to {mine:g}, the tables to {theirs:g}")
        return tuple(found)

    @property
    def closes(self) -> bool:
        """Whether every proposal, second and token is accounted for once."""
        return not self.problems

    def by_stage(self) -> tuple[Account, ...]:
        """Stage I to III, the seed (0) first."""
        return self._accounts(lambda line: str(line.stage) if line.place else ELSEWHERE, by_name=True)

    def by_idea(self) -> tuple[Account, ...]:
        """What each idea took, the dearest first; ``none`` is Stage II and whatever derived no idea."""
        return self._accounts(lambda line: line.idea or NO_IDEA)

    def by_outcome(self) -> tuple[Account, ...]:
        """What each failure class took, and what was trained, the dearest first."""
        return self._accounts(lambda line: line.outcome)

    def by_candidate(self) -> tuple[Account, ...]:
        """What each backbone took, failed proposals of its step included; ``none`` is steps without one."""
        owner = {line.place: line.candidate for line in self.lines if line.place and line.candidate}
        return self._accounts(lambda line: owner.get(line.place) or NO_IDEA if line.place else ELSEWHERE)

    def as_dict(self) -> dict[str, Any]:
        """The documented JSON form: counts, sums, and the accounts by stage, outcome and idea."""
        named = {"stages": self.by_stage(), "outcomes": self.by_outcome(), "ideas": self.by_idea()}
        return {
            "proposed": self.proposed,
            "trained": self.trained,
            "screened": self.screened,
            "rejected": self.rejected,
            "pending": self.pending,
            "closes": self.closes,
            "cost": vars(self.cost),
            **{name: [{**vars(one), "cost": vars(one.cost)} for one in accounts] for name, accounts in named.items()},
        }

    def _accounts(self, name_of: Callable[[Line], str], *, by_name: bool = False) -> tuple[Account, ...]:
        groups: dict[str, list[Line]] = {}
        for line in self.lines:
            groups.setdefault(name_of(line), []).append(line)
        accounts = [
            Account(
                name,
                sum(line.proposed for line in lines),
                sum(line.proposed and line.outcome == TRAINED for line in lines),
                sum((line.cost for line in lines), Cost()),
            )
            for name, lines in groups.items()
        ]
        return tuple(sorted(accounts, key=lambda one: (one.name,) if by_name else (-one.cost.seconds, one.name)))


def read_ledger(store: Store, run_id: str) -> Ledger:
    """Account for everything that a run stored so far.

    Raises:
        InputError: There is no such run.
    """
    with store.snapshot():  # a run that goes on would write between two reads
        store.runs.get(run_id)
        table = store.ledger
        return account(
            run_id, table.proposals(run_id), table.candidates(run_id), table.calls(run_id), table.sums(run_id)
        )


def account(
    run_id: str,
    proposals: Iterable[ProposalCost],
    candidates: Iterable[CandidateCost],
    calls: Iterable[CallCost],
    sums: RunSums,
) -> Ledger:
    """Put together what :func:`read_ledger` reads."""
    proposals, candidates = list(proposals), list(candidates)
    asked = {one.key: one for one in calls}
    made = {one.place: one for one in candidates if one.generation > 0}
    # A step's backbone is of its last proposal that was not rejected; a step has at most one.
    accepted = {one.place: one.attempt for one in proposals if one.failure is None}
    lines: list[Line] = []
    for one in proposals:
        key = "/".join(map(str, (run_id, *one.place, one.attempt)))
        candidate = made.pop(one.place, None) if accepted.get(one.place) == one.attempt else None
        lines.append(_proposal_line(one, candidate, asked.pop(key, None)))
    # What no proposal claims: the seed, and (in a damaged store) backbones whose proposal is lost.
    lines += [_lone_line(one) for one in (*(c for c in candidates if c.generation == 0), *made.values())]
    lines += [Line(None, None, 0, None, ELSEWHERE, False, _cost(asks=one)) for one in asked.values()]
    own = [one for one in candidates if one.generation > 0]
    failures = [one.failure for one in proposals if one.failure] + [one.failure or "" for one in own if _failed(one)]
    return Ledger(
        proposed=sums.proposals,
        trained=sum(one.status == TRAINED for one in own),
        screened=sum(one.status == SCREENED for one in own),
        rejected=dict(sorted(Counter(failures).items(), key=lambda pair: (-pair[1], pair[0]))),
        pending=sum(line.proposed and line.outcome == PENDING for line in lines),
        lines=tuple(lines),
        sums=sums,
    )


def _failed(one: CandidateCost) -> bool:
    return one.status == "failed"


def _proposal_line(one: ProposalCost, candidate: CandidateCost | None, asks: CallCost | None) -> Line:
    outcome = one.failure or PENDING
    if candidate is not None and candidate.status in (TRAINED, SCREENED):
        outcome = candidate.status
    elif candidate is not None and _failed(candidate):
        outcome = candidate.failure or "failed"
    name = candidate.id if candidate else None
    return Line(one.place, name, one.stage, one.idea, outcome, True, _cost(one, candidate, asks))


def _lone_line(one: CandidateCost) -> Line:
    outcome = (one.failure or "failed") if _failed(one) else one.status
    return Line(one.place, one.id, one.stage, one.idea, outcome, False, _cost(candidate=one))


def _cost(
    proposal: ProposalCost | None = None, candidate: CandidateCost | None = None, asks: CallCost | None = None
) -> Cost:
    return Cost(
        design_seconds=proposal.design_seconds if proposal else 0.0,
        verify_seconds=proposal.verify_seconds if proposal else 0.0,
        training_seconds=candidate.search_seconds if candidate else 0.0,
        finish_seconds=candidate.finish_seconds if candidate else 0.0,
        calls=asks.calls if asks else 0,
        prompt_tokens=asks.prompt_tokens if asks else 0,
        completion_tokens=asks.completion_tokens if asks else 0,
        call_seconds=asks.seconds if asks else 0.0,
    )
