"""What a run took and still takes, read now and then: the account of a long run is worth no read a second."""

from __future__ import annotations

from fairnad_engine import clock
from fairnad_engine.store import Store
from fairnad_screens.data.search import Outlay, Spending

_SECONDS = 10.0


class SpendingReader:
    """Reads one run's ledger and forecast."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._seen: tuple[object, ...] | None = None
        self._at = 0.0
        self._found: Spending | None = None

    def read(self, store: Store, *seen: object, gpus: int) -> Spending | None:
        """The spending, read anew where ``seen`` is different, or some seconds went by."""
        moment, key = clock.steady(), (*seen, gpus)
        if key != self._seen or moment - self._at >= _SECONDS:
            self._seen, self._at = key, moment
            self._found = _spending(store, self._run_id, gpus)
        return self._found


def _spending(store: Store, run_id: str, gpus: int) -> Spending | None:
    from fairnad_engine.search.forecast import time_left
    from fairnad_engine.search.ledger import Account, read_ledger

    def outlay(account: Account) -> Outlay:
        return Outlay(account.name, account.proposals, account.cost.seconds, account.cost.tokens)

    try:
        with store.snapshot():
            ledger, ahead = read_ledger(store, run_id), time_left(store, run_id, gpus=gpus)
            budget = store.runs.get(run_id).config["budget"]
    except ValueError:
        return None  # settings of a version that is not this one's
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
