"""Pane 2: what fair sampling compares of each category, and what its turns became; ideas below sub-categories."""

from __future__ import annotations

from textual.content import Content

from fairnad_engine.store.records import TurnCounts
from fairnad_screens.data.search import Category, Counts
from fairnad_screens.text import GLYPHS, plain_line
from fairnad_screens.widgets.search_pane import LinePane

# Names of the columns of what turns became, in full and where there is little room.
_WIDE = (("tried", 6), ("valid", 6), ("real", 5), ("trained", 8), ("front", 6))
_NARROW = (("tri", 4), ("val", 4), ("rea", 4), ("tra", 4), ("fro", 4))
_ROOMY = 72
_INDENT = 2
_LEAST_NAME, _LEAST_BAR = 12, 5


class CountsPane(LinePane):
    """Main categories; each opens to its sub-categories, and these to their ideas."""

    CURSOR = True

    def __init__(self) -> None:
        super().__init__(2, "Idea sampling")
        self._counts = Counts((), None)
        self.opened: set[str] = set()
        # A row, what it stands below, and how deep it stands.
        self._rows: list[tuple[Category, Category | None, int]] = []
        self._longest = 0

    def show(self, counts: Counts) -> None:
        """Show counts."""
        if counts != self._counts:
            self._counts = counts
            names = [one.name for main in counts.mains for one in (main, *main.subs)]
            self._longest = max(map(len, names), default=0) + 5
            told = "" if counts.difference is None else f"most - least = {counts.difference}"
            if counts.unit == "trained":
                told = f"trained models{', ' if told else ''}{told}"
            self.tell(told)
        self._unfold()

    def _unfold(self) -> None:
        here = self._rows[self._cursor][0].id if 0 <= self._cursor < len(self._rows) else None
        self._rows = []
        for main in self._counts.mains:
            self._rows.append((main, None, 0))
            for sub in main.subs if main.id in self.opened else ():
                self._rows.append((sub, main, 1))
                self._rows += [(idea, sub, 2) for idea in (sub.subs if sub.id in self.opened else ())]
        self._cursor = next((i for i, row in enumerate(self._rows) if row[0].id == here), self._cursor)
        self.paint()

    def count(self) -> int:
        """See :class:`LinePane`."""
        return len(self._rows)

    def _widths(self, width: int) -> tuple[int, int, tuple[tuple[str, int], ...]]:
        """Cells of the name, of the bar, and the columns."""
        columns = _WIDE if width >= _ROOMY else _NARROW
        room = width - 5 - sum(cells for _, cells in columns)
        name = max(_LEAST_NAME, min(self._longest, room))
        return name, max(0, room - name - 1), columns

    def header(self, width: int) -> Content | None:
        """See :class:`LinePane`."""
        if not self._rows:
            return None
        name, _, columns = self._widths(width - self.CURSOR)
        kept = "turn" if self._counts.unit == "turn" else "eff."
        cells = "".join(f"{label:>{size}}" for label, size in columns)
        return Content.styled(f"{'':<{name + self.CURSOR}}{kept:>5}{cells}", "dim")

    def line(self, index: int, width: int) -> Content:
        """See :class:`LinePane`."""
        one, above, depth = self._rows[index]
        name_width, bar_width, columns = self._widths(width)
        sign = f"{GLYPHS.down if one.id in self.opened else GLYPHS.right} " if one.subs else "  "
        fold = " " * (_INDENT * depth) + sign
        name = Content.assemble(fold, plain_line(one.name, name_width - 1 - len(fold)))
        name = name.truncate(name_width, pad=True)
        if not one.active and not one.outcome.turns:
            # Said in a word as well: nothing may hang on a shade.
            return Content.assemble(name, f"{one.turns:>5}", " idle").stylize("dim")
        cells = "".join(
            f"{number or GLYPHS.dot:>{size}}" for number, (_, size) in zip(_became(one.outcome), columns, strict=True)
        )
        peers = self._counts.mains if above is None else above.subs
        bar = _bar(one.turns, max((peer.turns for peer in peers), default=0), bar_width)
        style = ("$primary", "$secondary", "dim")[depth]
        idle = "" if one.active else " idle"
        return Content.assemble(name, f"{one.turns:>5}{cells}{idle} ", Content.styled(bar, style))

    def sideways(self, by: int) -> None:
        """Open the category under the cursor; close it, or what it stands in."""
        if not 0 <= self._cursor < len(self._rows):
            return
        one, above, _ = self._rows[self._cursor]
        if by > 0:
            if one.subs:
                self.opened.add(one.id)
        else:
            target = one if one.id in self.opened or above is None else above
            self.opened.discard(target.id)
            self._cursor = next((i for i, row in enumerate(self._rows) if row[0].id == target.id), self._cursor)
        self._unfold()

    def enter(self) -> bool:
        """Open the category under the cursor, or close it where it is open; what cannot be opened closes its own."""
        if self._cursor < len(self._rows):
            one = self._rows[self._cursor][0]
            self.sideways(1 if one.subs and one.id not in self.opened else -1)
        return True


def _became(counts: TurnCounts) -> tuple[int, ...]:
    return counts.tried, counts.valid, counts.realised, counts.trained, counts.on_front


def _bar(turns: int, most: int, width: int) -> str:
    if width < _LEAST_BAR or most <= 0 or turns <= 0:
        return ""
    return GLYPHS.bar * min(width, -(-width * turns // most))
