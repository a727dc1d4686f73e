"""The ideas in memory: what matches the filter, where the cursor is, what is marked. No widget and no store here."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from fairnad_engine.store.curation import PaperName
from fairnad_engine.store.outcomes import IdeaOutcome
from fairnad_screens.data.ideas import DeskLine
from fairnad_screens.data.ideas_filter import IdeaFilter

PLACE = "place"
# By what ideas can be sorted, the most first; those that have no such figure follow in library order.
ORDERS: dict[str, Callable[[IdeaOutcome], float | None]] = {
    PLACE: lambda _: None,
    "gain": lambda one: one.gain,
    "best": lambda one: one.best,
    "trained": lambda one: one.trained,
    "tried": lambda one: one.tried,
}


class IdeaBook:
    """Up to tens of thousands of ideas; ``shown`` are positions in ``lines`` that match the filter, in order."""

    def __init__(self) -> None:
        self.lines: list[DeskLine] = []
        self.shown: list[int] = []
        self.cursor = 0
        self.marks: set[str] = set()
        self.anchor: str | None = None
        self.statuses: Counter[str] = Counter()
        self.filter = IdeaFilter()
        self._place: dict[str, int] = {}
        self._titles: dict[str, str] = {}
        self.outcomes: Mapping[str, IdeaOutcome] = {}
        self.order = PLACE
        self._misplaced = False  # the idea under the cursor was moved, and its row waits for the cursor to leave it

    # -- content ----------------------------------------------------------------------------------------------

    def load(self, lines: Sequence[DeskLine]) -> None:
        """Take all ideas; the cursor stays on its idea."""
        self._replace(list(lines) if self.order == PLACE else self._in_order(lines))

    def set_outcomes(self, outcomes: Mapping[str, IdeaOutcome]) -> bool:
        """Take what ideas brought; returns whether any of it is new."""
        if outcomes == self.outcomes:
            return False
        self.outcomes = outcomes
        if self.order != PLACE:
            self._sort()
        return True

    def order_by(self, order: str) -> None:
        """Sort by what ideas brought, which puts the cursor on the first one, or by their place."""
        self.order = order
        self._sort()
        if order != PLACE:
            self.move_to(0)

    def set_papers(self, papers: Iterable[PaperName]) -> None:
        """Take the papers' titles for the filter."""
        self._titles = {paper.id: paper.title.casefold() for paper in papers}

    def merge(self, lines: Sequence[DeskLine]) -> bool:
        """Take changed and new ideas; return whether anything is different.

        With a new or moved one all are put in order; the one under the cursor keeps its row until the cursor leaves
        it, so that it can be decided about where it is.
        """
        here, different, elsewhere, new = self.current, False, False, []
        for line in lines:
            place = self._place.get(line.id)
            if place is None:
                new.append(line)
            elif self.lines[place] != line:
                elsewhere |= line.order != self.lines[place].order and (here is None or line.id != here.id)
                self._put(place, line)
                different = True
        if new:
            self.lines += new
        if new or elsewhere:
            self._sort()
        elif different:
            self._match()
        return different or bool(new)

    def put(self, line: DeskLine) -> None:
        """Take another state of an idea that is here; it leaves the shown ones where the filter says so."""
        place = self._place[line.id]
        self._put(place, line)
        at = bisect_left(self.shown, place)
        here = at < len(self.shown) and self.shown[at] == place
        if here and not self.filter.accepts(line, self._titles):
            del self.shown[at]
            self.cursor -= at < self.cursor
        elif not here and self.filter.accepts(line, self._titles):
            self.shown.insert(at, place)
            self.cursor += at <= self.cursor and len(self.shown) > 1
        self._clamp()

    def _sort(self) -> None:
        self._replace(self._in_order(self.lines))

    def _in_order(self, lines: Iterable[DeskLine]) -> list[DeskLine]:
        by_place = sorted(lines, key=lambda line: line.order)
        if self.order == PLACE:
            return by_place
        value = ORDERS[self.order]
        figures = {idea: figure for idea, one in self.outcomes.items() if (figure := value(one)) is not None}
        # Few of all ideas were tried: only these are sorted.
        tried = [line for line in by_place if line.id in figures]
        tried.sort(key=lambda line: -figures[line.id])
        return tried + [line for line in by_place if line.id not in figures]

    def _put(self, place: int, line: DeskLine) -> None:
        self._misplaced |= line.order != self.lines[place].order
        self.statuses[self.lines[place].status] -= 1
        self.statuses[line.status] += 1
        self.lines[place] = line

    def _replace(self, lines: list[DeskLine]) -> None:
        here = self.current
        self.lines, self._misplaced = lines, False
        self._place = {line.id: place for place, line in enumerate(self.lines)}
        self.statuses = Counter(line.status for line in self.lines)
        self.marks &= self._place.keys()
        if self.anchor not in self._place:
            self.anchor = None
        self._match(here.id if here else None)

    def get(self, idea: str) -> DeskLine | None:
        """An idea by id."""
        place = self._place.get(idea)
        return None if place is None else self.lines[place]

    @property
    def decided(self) -> int:
        """How many ideas are decided about."""
        return self.statuses["approved"] + self.statuses["rejected"]

    # -- filter -----------------------------------------------------------------------------------------------

    def refilter(self) -> None:
        """Find anew what matches; the cursor stays on its idea, or near it where that is gone."""
        if self._misplaced:
            self._sort()
        else:
            self._match()

    def _match(self, stay_on: str | None = None) -> None:
        place = self._place.get(stay_on) if stay_on else self.shown[self.cursor] if self.shown else None
        self.shown = self.filter.matches(self.lines, self._titles)
        if place is not None:
            self.cursor = bisect_left(self.shown, place)
        self._clamp()

    # -- cursor -----------------------------------------------------------------------------------------------

    @property
    def current(self) -> DeskLine | None:
        """The idea under the cursor."""
        if not self.shown or self.cursor >= len(self.shown) or self.shown[self.cursor] >= len(self.lines):
            return None
        return self.lines[self.shown[self.cursor]]

    def move_to(self, row: int) -> None:
        """Put the cursor on a row of the shown ones, or on the nearest there is."""
        self.cursor = row
        self._clamp()
        self._left()

    def go(self, idea: str) -> bool:
        """Put the cursor on an idea, where it is shown."""
        place = self._place.get(idea, -1)
        at = bisect_left(self.shown, place)
        if at < len(self.shown) and self.shown[at] == place:
            self.cursor = at
            self._left()
            return True
        return False

    def _left(self) -> None:
        """Put a moved idea where it belongs, now that the cursor may have left it."""
        if self._misplaced:
            self._sort()

    def undecided(self, step: int, start: int | None = None, *, around: bool = False) -> int | None:
        """The next row (``step`` 1) or the one before (-1) that is undecided, seen from the cursor."""
        first = self.cursor + step if start is None else start
        rows = [range(first, len(self.shown)) if step > 0 else range(min(first, len(self.shown) - 1), -1, -1)]
        if around:
            rows.append(range(max(0, min(first, len(self.shown)))))
        return next((row for part in rows for row in part if self.lines[self.shown[row]].undecided), None)

    def _clamp(self) -> None:
        self.cursor = max(0, min(self.cursor, len(self.shown) - 1))

    # -- marks ------------------------------------------------------------------------------------------------

    def ranged(self) -> range:
        """Rows of the range that is being chosen."""
        if self.anchor is None:
            return range(0)
        at = bisect_left(self.shown, self._place[self.anchor])
        return range(min(at, self.cursor), min(max(at, self.cursor) + 1, len(self.shown)))

    def end_range(self) -> None:
        """Mark the range."""
        self.marks |= {self.lines[self.shown[row]].id for row in self.ranged()}
        self.anchor = None

    def mark_shown(self) -> None:
        """Mark everything that matches."""
        self.marks |= {self.lines[place].id for place in self.shown}

    def marked(self) -> list[str]:
        """Ids of the marked ideas, in library order."""
        return sorted(self.marks, key=self._place.__getitem__)

    def hidden_marks(self) -> int:
        """How many marked ideas the filter hides."""
        return len(self.marks) - sum(self.lines[place].id in self.marks for place in self.shown)
