"""Pane 8: edits by type, and the ledger: what proposals took, by what came of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from textual.content import Content

from fairnad_engine.store.live import CandidateLine
from fairnad_screens.data.search import Outlay, Spending
from fairnad_screens.figures import compact, span
from fairnad_screens.text import GLYPHS, plain_line
from fairnad_screens.widgets.search_pane import LinePane

EDIT_TYPES = ("structural", "capacity", "hyper-parameter")
_LABEL, _LONGEST_BAR = 16, 24


class SpendingPane(LinePane):
    """What kinds of edits were made, and what it all took."""

    def __init__(self) -> None:
        super().__init__(8, "Edits and ledger")
        self._edits: dict[str, tuple[int, int]] = {}
        self._spending: Spending | None = None
        self._lines: list[Content] = []

    def show(self, candidates: Iterable[CandidateLine], spending: Spending | None, *, now: bool) -> None:
        """Show the edits that candidates were made by; the ledger is that of ``now``, which the title says if not."""
        made = [one for one in candidates if one.generation > 0]
        kinds, trained = (
            Counter(one.edit_type for one in made),
            Counter(one.edit_type for one in made if one.status == "trained"),
        )
        known = [*EDIT_TYPES, *sorted(kinds.keys() - set(EDIT_TYPES))]
        self._edits = {kind: (kinds[kind], trained[kind]) for kind in known}
        self._spending = spending
        self.tell("" if now else "the ledger as it stands now")
        self.paint()

    def paint(self) -> None:
        """Make the lines for the present size, then see :class:`LinePane`."""
        if self.display and self.size:
            self._lines = [*self._edit_lines(self.size.width), *self._ledger_lines(self.size.width)]
        super().paint()

    def _edit_lines(self, width: int) -> Iterable[Content]:
        yield Content.styled(f"{'edits':<{_LABEL}}{'made':>6}{'trained':>9}", "dim")
        most = max((made for made, _ in self._edits.values()), default=0)
        room = max(0, min(_LONGEST_BAR, width - _LABEL - 17))
        for kind, (made, trained) in self._edits.items():
            bar = GLYPHS.bar * -(-room * made // most) if most else ""
            label = plain_line(kind, _LABEL - 1).truncate(_LABEL, pad=True)
            yield Content.assemble(label, f"{made:>6}{trained:>9}  ", Content.styled(bar, "$secondary"))

    def _ledger_lines(self, width: int) -> Iterable[Content]:
        found = self._spending
        if found is None:
            return
        label = max(_LABEL, min(28, width - 26))
        yield Content.styled(f"{'what came of it':<{label}}{'made':>6}{'work':>9}{'tokens':>8}", "dim")
        for one in (*found.outlays, found.total):
            yield _outlay(one, label, "bold" if one is found.total else "")

    def count(self) -> int:
        """See :class:`LinePane`."""
        return len(self._lines)

    def line(self, index: int, width: int) -> Content:
        """See :class:`LinePane`."""
        return self._lines[index]


def _outlay(one: Outlay, label: int, style: str) -> Content:
    name = plain_line(one.name, label - 1).truncate(label, pad=True)
    return Content.assemble(name, f"{one.proposals:>6}{span(one.seconds):>9}{compact(one.tokens):>8}").stylize(style)
