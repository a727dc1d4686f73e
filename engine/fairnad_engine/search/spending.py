"""Budgets of hours and tokens: what a run spent, and whether it may go on (method, section 3, accounting).

Only stored costs are read, and of a generation under way those of a fixed number of units back: a run that is
resumed ends at the very unit at which it would have ended. Hours are work, summed over processes: asking the model,
verifying, training for the search.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fairnad_engine.search.config import BudgetSection
from fairnad_engine.search.order import Unit
from fairnad_engine.store import Store

_MARGIN = 2.0  # a generation is taken to cost at most this many times the dearest one before it
Place = tuple[int, int, int]  # generation, slot, step


@dataclass(frozen=True)
class Spent:
    """Work and tokens."""

    seconds: float = 0.0
    tokens: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.seconds + other.seconds, self.tokens + other.tokens)


class Purse:
    """The time and tokens of one run."""

    def __init__(self, store: Store, run_id: str, budget: BudgetSection) -> None:
        self._store = store
        self._run_id = run_id
        self._seconds = budget.hours * 3600
        self._tokens = budget.tokens

    @property
    def limited(self) -> bool:
        """Whether anything but the number of models ends the run."""
        return bool(self._seconds or self._tokens)

    def empty(self, generation: int, slot: int = 1) -> bool:
        """Whether what was before this slot of a generation spent it all."""
        return self.limited and self._is_out(self._before(self._by_place(), generation, slot))

    def is_near(self, generation: int, slot: int, units: int, known: int) -> bool:
        """Whether so many units of a generation, from a slot on, may reach the end.

        Where they cannot, asking before each of them would hold them up for nothing. The generations before tell how
        dear one is; before the first, the seed.

        Args:
            generation: The generation.
            slot: The first of its slots that are meant.
            units: How many units they have.
            known: The last generation that is over.
        """
        if not self.limited:
            return False
        costs = self._by_place()
        place = (generation, slot) if known == generation - 1 else (known + 1, 1)
        dear = self._dearest(costs, known, units)
        spent = self._before(costs, *place)
        for _ in range(known, generation):
            spent += dear
        return self._is_out(spent)

    def left_after(self, generation: int, slot: int = 1) -> Callable[[frozenset[Unit]], bool]:
        """How units from a slot on ask whether there is still something left after others of them."""
        before = self._before(self._by_place(), generation, slot)

        def affordable(over: frozenset[Unit]) -> bool:
            mine = (cost for place, cost in self._by_place().items() if place in over)
            return not self._is_out(sum(mine, before))

        return affordable

    def _is_out(self, spent: Spent) -> bool:
        return bool(self._seconds and spent.seconds >= self._seconds) or bool(
            self._tokens and spent.tokens >= self._tokens
        )

    def _dearest(self, costs: dict[Place, Spent], known: int, units: int) -> Spent:
        found = [
            sum((cost for place, cost in costs.items() if place[0] == number), Spent())
            for number in range(1, known + 1)
        ]
        seed = costs.get((0, 0, 1), Spent())
        # The seed asks no model: how many tokens a first generation takes is not known, so all of them are in reach.
        found = found or [Spent(seed.seconds * units, self._tokens)]
        return Spent(_MARGIN * max(one.seconds for one in found), round(_MARGIN * max(one.tokens for one in found)))

    @staticmethod
    def _before(costs: dict[Place, Spent], generation: int, slot: int) -> Spent:
        return sum((cost for place, cost in costs.items() if place[:2] < (generation, slot)), Spent())

    def _by_place(self) -> dict[Place, Spent]:
        """What every step of the run cost so far; the seed stands at (0, 0, 1)."""
        ledger, costs = self._store.ledger, dict[Place, Spent]()
        for proposal in ledger.proposals(self._run_id):
            work = Spent(proposal.design_seconds + proposal.verify_seconds)
            costs[proposal.place] = costs.get(proposal.place, Spent()) + work
        for candidate in ledger.candidates(self._run_id):
            costs[candidate.place] = costs.get(candidate.place, Spent()) + Spent(candidate.search_seconds)
        for call in ledger.calls(self._run_id):
            parts = call.key.split("/")
            if len(parts) == 5:  # run, generation, slot, step, attempt
                place = (int(parts[1]), int(parts[2]), int(parts[3]))
                costs[place] = costs.get(place, Spent()) + Spent(0.0, call.prompt_tokens + call.completion_tokens)
        return costs
