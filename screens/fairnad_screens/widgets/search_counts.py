"""Pane 2: turns of each category, as fair sampling compares them."""

from __future__ import annotations

from textual.content import Content

from fairnad_screens.data.search import Category, Counts
from fairnad_screens.text import GLYPHS, plain_line
from fairnad_screens.widgets.search_pane import LinePane


class CountsPane(LinePane):
    """Bars of main categories; each opens to its sub-categories."""

    CURSOR = True

    def __init__(self) -> None:
        super().__init__(2, "Idea sampling")
        self._counts = Counts((), None)
        self.opened: set[str] = set()
        self._rows: list[tuple[Category, Category | None]] = []
        self._longest = 0

    def show(self, counts: Counts) -> None:
        """Show counts."""
        if counts != self._counts:
            self._counts = counts
            names = [one.name for main in counts.mains for one in (main, *main.subs)]
            self._longest = max(map(len, names), default=0) + 5
            told = "" if counts.difference is None else f"most - least = {counts.difference}"
            self.tell(told)
        self._unfold()

    def _unfold(self) -> None:
        here = self._rows[self._cursor][0].id if self._cursor < len(self._rows) else None
        self._rows = []
        for main in self._counts.mains:
            self._rows.append((main, None))
            if main.id in self.opened:
                self._rows += [(sub, main) for sub in main.subs]
        self._cursor = next((i for i, row in enumerate(self._rows) if row[0].id == here), self._cursor)
        self.paint()

    def count(self) -> int:
        """See :class:`LinePane`."""
        return len(self._rows)

    def line(self, index: int, width: int) -> Content:
        """See :class:`LinePane`."""
        one, main = self._rows[index]
        # Names whole where bars of five cells still have room beside them.
        name_width = max(12, min(self._longest, width - 12))
        peers = self._counts.mains if main is None else main.subs
        most = max((peer.turns for peer in peers), default=0)
        room = max(3, width - name_width - 7)
        cells = min(room, -(-room * one.turns // most)) if most and one.turns > 0 else 0
        fold = "    " if main is not None else f"{GLYPHS.down if one.id in self.opened else GLYPHS.right} "
        name = Content.assemble(fold, plain_line(one.name, name_width - 1 - len(fold))).truncate(name_width, pad=True)
        if not one.active:
            # Said in a word as well: nothing may hang on a shade.
            return Content.assemble(name, f"{one.turns:>4} ", "idle").stylize("dim")
        style = "$primary" if main is None else "$secondary"
        return Content.assemble(name, f"{one.turns:>4} ", Content.styled(GLYPHS.bar * cells, style))

    def sideways(self, by: int) -> None:
        """Open the main category under the cursor, or close it."""
        if self._cursor >= len(self._rows):
            return
        one, main = self._rows[self._cursor]
        target = (main or one).id
        if by > 0:
            self.opened.add(target)
        else:
            self.opened.discard(target)
            self._cursor = next((i for i, row in enumerate(self._rows) if row[0].id == target), self._cursor)
        self._unfold()

    def enter(self) -> bool:
        """Open the main category, or close it where it is open."""
        if self._cursor < len(self._rows):
            one, main = self._rows[self._cursor]
            self.sideways(-1 if (main or one).id in self.opened else 1)
        return True
