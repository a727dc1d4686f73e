"""What a run took and still takes, read now and then: the account of a long run is worth no read a second."""

from __future__ import annotations

from fairnad_engine import clock
from fairnad_engine.store import Store
from fairnad_screens.data.search import Outlay, Spending

_SECONDS = 10.0
_RESTS = 20.0  # times as long as a read took: of a run of thousands of models it takes a second


class SpendingPace:
    """When one run's spending is read: when it stands differently, or some seconds went by."""

    def __init__(self) -> None:
        self._seen: object = None
        self._begun, self._took = clock.steady() - _SECONDS, 0.0
        self._reading = False

    def due(self, seen: object) -> bool:
        """Whether to read now; True begins a read, whose end has to be told."""
        moment = clock.steady()
        waited = moment - self._begun
        if self._reading or waited < _RESTS * self._took or (seen == self._seen and waited < _SECONDS):
            return False
        self._seen, self._begun, self._reading = seen, moment, True
        return True

    def ended(self) -> None:
        """The read is over."""
        self._took, self._reading = clock.steady() - self._begun, False


def read_spending(store: Store, run_id: str, gpus: int) -> Spending | None:
    """Read a run's ledger and forecast; None where its settings are of a version that is not this one's.

    Args:
        store: The workspace.
        run_id: The run.
        gpus: GPUs that are seen on this machine, for the time that is left.
    """
    from fairnad_engine.search.forecast import time_left
    from fairnad_engine.search.ledger import Account, read_ledger

    def outlay(account: Account) -> Outlay:
        return Outlay(account.name, account.proposals, account.cost.seconds, account.cost.tokens)

    try:
        with store.snapshot():
            ledger = read_ledger(store, run_id)
            ahead = time_left(store, run_id, gpus=gpus)
            budget = store.runs.get(run_id).config["budget"]
    except ValueError:
        return None
    cost = ledger.cost
    return Spending(
        outlays=tuple(outlay(one) for one in ledger.by_outcome()),
        total=Outlay("all", ledger.proposed, cost.seconds, cost.tokens),
        pending=ledger.pending,
        hours=float(budget.get("hours", 0)),
        tokens=int(budget.get("tokens", 0)),
        left=ahead.hours if ahead.models else None,
        bottleneck=ahead.bottleneck,
        lanes=ahead.lanes,
        lanes_enough=ahead.lanes_enough,
    )
