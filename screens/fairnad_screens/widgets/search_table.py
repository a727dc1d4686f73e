"""Pane 5: the candidates, in an order of choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from textual.content import Content

from fairnad_engine.store.live import CandidateLine
from fairnad_engine.text import sanitize
from fairnad_screens.figures import compact
from fairnad_screens.text import GLYPHS, plain_line
from fairnad_screens.widgets.search_pane import LinePane

_STAGES = {0: "seed", 1: "I", 2: "II", 3: "III"}
_SIGNS = {
    "trained": GLYPHS.done,
    "failed": GLYPHS.failed,
    "training": GLYPHS.running,
    "verified": GLYPHS.mark,
    "screened": GLYPHS.down,
}
_STYLES = {"failed": "$error", "training": "bold $accent", "verified": "dim", "screened": "dim"}


def _accuracy(line: CandidateLine) -> tuple[float, int]:
    return (-(line.accuracy if line.accuracy is not None else -1.0), line.position)


ORDERS: dict[str, Callable[[CandidateLine], tuple[float, int] | tuple[str, int]]] = {
    "newest": lambda line: (-line.position, 0),
    "val %": _accuracy,
    "params": lambda line: (line.params, line.position),
    "MACs": lambda line: (line.macs, line.position),
    "stage": lambda line: (line.stage, line.position),
    "status": lambda line: (line.status, line.position),
}


class CandidatePane(LinePane):
    """One line a candidate."""

    CURSOR = True

    def __init__(self) -> None:
        super().__init__(5, "Candidates")
        self.order = "newest"
        self._lines: tuple[CandidateLine, ...] = ()
        self._ideas: Mapping[str, str] = {}
        self._front: frozenset[str] = frozenset()
        self._sorted: list[CandidateLine] = []
        self._wanted: str | None = None

    def show(self, lines: tuple[CandidateLine, ...], ideas: Mapping[str, str], front: frozenset[str]) -> None:
        """Show candidates."""
        self._ideas, self._front = ideas, front
        if lines is not self._lines:
            self._lines = lines
            self._sort()
        self.paint()

    def order_by(self, order: str) -> None:
        """Sort anew; the cursor stays on its candidate."""
        self.order = order
        self._sort()
        self.paint()

    def point_at(self, candidate: str | None) -> None:
        """Put the cursor on a candidate, now or when it comes."""
        self._wanted = candidate
        self._sort()
        self.paint()

    def _sort(self) -> None:
        here = self._wanted or self.chosen()
        # Who stands on the newest stays on the newest.
        follow = self.order == "newest" and self._cursor == 0 and self._wanted is None
        self._sorted = sorted(self._lines, key=ORDERS[self.order])
        place = next((i for i, line in enumerate(self._sorted) if line.id == here), None)
        if place is not None:
            self._wanted = None
            self._cursor = 0 if follow else place
        self.tell(f"by {self.order}")

    def chosen(self) -> str | None:
        """See :class:`SearchPane`."""
        return self._sorted[self._cursor].id if 0 <= self._cursor < len(self._sorted) else None

    def count(self) -> int:
        """See :class:`LinePane`."""
        return len(self._sorted)

    def header(self, width: int) -> Content:
        """See :class:`LinePane`."""
        columns = f"   {'id':<10}{'st':<5}{'val %':>6}{'params':>8}{'MACs':>8}"
        return Content.styled(f"{columns}  change, idea ({len(self._sorted)} in all)", "dim")

    def line(self, index: int, width: int) -> Content:
        """See :class:`LinePane`."""
        one = self._sorted[index]
        sign = _SIGNS.get(one.status, GLYPHS.idle)
        score = f"{one.accuracy:6.2f}" if one.accuracy is not None else f"{'-':>6}"
        name = sanitize(one.id)[:10]
        figures = f"{name:<10}{_STAGES.get(one.stage, ''):<5}{score}{compact(one.params):>8}{compact(one.macs):>8}  "
        idea = self._ideas.get(one.idea_id or "", "")
        told = f"{one.status}: {one.failure}" if one.failure else one.change + (f" ({idea})" if idea else "")
        room = max(1, width - len(figures) - 2)
        style = "bold" if one.id in self._front else _STYLES.get(one.status, "")
        mark = sign + ("*" if one.id in self._front else " ")
        return Content.assemble(mark, figures, plain_line(told, room)).stylize(style)
