"""Panes 6 and 7: failures by class, and the end of the worker's log."""

from __future__ import annotations

from textual.content import Content

from fairnad_screens.data.search import Failures
from fairnad_screens.text import GLYPHS, fold, plain, plain_line
from fairnad_screens.widgets.search_pane import LinePane


class FailurePane(LinePane):
    """Classes of failure with their number."""

    def __init__(self) -> None:
        super().__init__(6, "Failures")
        self._failures = Failures(0, (), ())
        self._rows: list[tuple[str, int, str]] = []

    def show(self, failures: Failures) -> None:
        """Show counts."""
        if failures != self._failures:
            self._failures = failures
            self._rows = [(name, n, "") for name, n in failures.rejected]
            self._rows += [(name, n, " (training)") for name, n in failures.trainings]
        self.paint()

    def count(self) -> int:
        """See :class:`LinePane`."""
        return len(self._rows)

    def header(self, width: int) -> Content:
        """See :class:`LinePane`."""
        rejected = sum(n for _, n in self._failures.rejected)
        proposals = self._failures.proposals
        share = f", {100 * rejected / proposals:.0f} %" if proposals else ""
        return Content(f"{rejected} of {proposals} proposals rejected{share}")

    def line(self, index: int, width: int) -> Content:
        """See :class:`LinePane`."""
        name, number, where = self._rows[index]
        most = max(n for _, n, _ in self._rows)
        label = plain_line(name + where, 27).truncate(28, pad=True)
        room = max(1, width - 28 - 6)
        return Content.assemble(
            label, f"{number:>5} ", Content.styled(GLYPHS.bar * -(-room * number // most), "$warning")
        )


class LogPane(LinePane):
    """The last lines of the log, folded so that nothing is lost; follows unless one has scrolled up."""

    def __init__(self) -> None:
        super().__init__(7, "Log of the worker")
        self._log: tuple[str, ...] = ()
        self._folded: tuple[object, list[Content]] = (None, [])
        self._follow = True

    def show(self, log: tuple[str, ...]) -> None:
        """Show the end of a log."""
        self._log = log
        self.paint()

    def move(self, by: int) -> None:
        """See :class:`LinePane`."""
        top = max(0, self.count() - self._room)
        self._top = max(0, min(top, self._top + by))
        self._follow = self._top == top
        self.paint()

    def paint(self) -> None:
        """Fold for the present width, then see :class:`LinePane`."""
        key = (self._log, self.size.width)
        if self.display and self.size and self._folded[0] != key:
            self._folded = (key, [part for line in self._log for part in fold(plain(line), self.size.width)])
        super().paint()

    def _settle(self) -> None:
        if self._follow:
            self._top = self.count()
        super()._settle()

    def count(self) -> int:
        """See :class:`LinePane`."""
        return max(1, len(self._folded[1]))

    def line(self, index: int, width: int) -> Content:
        """See :class:`LinePane`."""
        lines = self._folded[1]
        return lines[index] if lines else Content.styled("The worker has written nothing.", "dim")
