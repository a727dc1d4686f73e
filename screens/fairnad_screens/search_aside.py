"""What the live desk reads beside its snapshots, because it takes longer: the machine, the ledger, a baseline."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fairnad_engine import clock
from fairnad_engine.machine import MachineLoad, machine_load
from fairnad_screens.background import begin
from fairnad_screens.data.search import RunHead, SearchSnapshot, Spending
from fairnad_screens.data.search_baseline import Baseline, read_baseline
from fairnad_screens.data.search_spending import SpendingPace, read_spending
from fairnad_screens.widgets.search_curve import CurvePane
from fairnad_screens.widgets.search_pane import SearchPane
from fairnad_screens.widgets.search_progress import ProgressPane
from fairnad_screens.widgets.search_spending import SpendingPane

# nvidia-smi costs tens of milliseconds of a core; memory does not change that fast.
_MACHINE_SECONDS = 10.0
_AFTER_PAINT = 0.5

if TYPE_CHECKING:
    from fairnad_screens.base import FairScreen

    _Base = FairScreen[SearchSnapshot]
else:
    _Base = object


class SideReadings(_Base):
    """Readings that come after the first paint and go to a few panes; mixed into the screen."""

    _snapshot: SearchSnapshot | None
    _machine: MachineLoad | None
    _baseline: Baseline | None
    _spending: Spending | None

    if TYPE_CHECKING:

        def on_desk(self) -> list[SearchPane]: ...

        def _fill(self, pane: SearchPane) -> None: ...

    def __init__(self) -> None:
        super().__init__()
        self._machine = None
        self._machine_asked = -_MACHINE_SECONDS
        self._baseline = None
        self._spending = None
        self._pace = SpendingPace()
        self._aside_of = ""

    def look_aside(self, head: RunHead, closed: int) -> None:
        """Ask for what belongs to the run that is shown, as far as it is due.

        Args:
            head: The run.
            closed: Its last generation that ended.
        """
        if head.id != self._aside_of:
            self._aside_of, self._baseline, self._spending, self._pace = head.id, None, None, SpendingPace()
            # Whichever run a reading is of, its pace tells: another run has another one.
            begin(self, partial(self._read_baseline, head.id), group="baseline", exclusive=True)
        gpus = len(self._machine.gpus) if self._machine is not None else 0
        if self._pace.due((head.state, closed, gpus)):
            # After the paint: it would take the interpreter from the rows that are waited for.
            self.set_timer(_AFTER_PAINT, partial(self._begin_spending, head.id, gpus))

    def _begin_spending(self, run_id: str, gpus: int) -> None:
        begin(self, partial(self._read_spending, run_id, gpus, self._pace), group="spending")

    async def _read_spending(self, run_id: str, gpus: int, pace: SpendingPace) -> None:
        try:
            found = await self.tell(self.desk.apart(partial(read_spending, run_id=run_id, gpus=gpus)))
        finally:
            pace.ended()
        if self.there and pace is self._pace and self._snapshot is not None:
            self._spending = found
            self._snapshot = replace(self._snapshot, spending=found)
            if not self.frozen:
                self._fill_again(SpendingPane, ProgressPane)

    async def _read_baseline(self, run_id: str) -> None:
        """Look once a run for a study to hold it against; computing its curves takes seconds."""
        found = await self.tell(self.desk.apart(partial(read_baseline, run_id=run_id)))
        if found is not None and self.there and run_id == self._aside_of:
            self._baseline = found
            self._fill_again(CurvePane)

    def look_at_machine(self) -> None:
        """Ask how busy the machine is, now and then."""
        if clock.steady() - self._machine_asked >= _MACHINE_SECONDS:
            self._machine_asked = clock.steady()
            begin(self, self._read_machine, group="machine", exclusive=True)

    async def _read_machine(self) -> None:
        self._machine = await asyncio.to_thread(machine_load)
        if not self.frozen and self.there:
            self._fill_again(ProgressPane)

    def _fill_again(self, *kinds: type[SearchPane]) -> None:
        for pane in self.on_desk():
            if isinstance(pane, kinds):
                self._fill(pane)
