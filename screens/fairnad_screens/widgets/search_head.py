"""The desk's headline: which run, its state, and whether it is followed."""

from __future__ import annotations

from textual.content import Content

from fairnad_screens.data.search import SearchSnapshot
from fairnad_screens.text import GLYPHS, plain_line
from fairnad_screens.widgets.search_pane import LineView


class HeadLine(LineView):
    """One line."""

    def __init__(self) -> None:
        super().__init__()
        self._content = Content("")

    def show(self, snapshot: SearchSnapshot, *, frozen: bool) -> None:
        """Show which run it is."""
        head = snapshot.head
        if head is None:
            self._content = Content("")
            self.paint()
            return
        parts: list[Content | str] = [
            Content.styled(f" {head.id} ", "bold"),
            plain_line(head.name, 30),
            f"  {GLYPHS.of_state(head.state)} {head.state}",
        ]
        if len(snapshot.runs) > 1:
            place = [run for run, _ in snapshot.runs].index(head.id) + 1
            parts.append(f"  run {place} of {len(snapshot.runs)} (< >)")
        if snapshot.as_of is not None:
            told = f"  as of generation {snapshot.as_of} of {snapshot.closed}, f follows "
            parts.append(Content.styled(told, "reverse"))
        if frozen:
            parts.append(Content.styled("  refresh held, p lets it go ", "reverse"))
        self._content = Content.assemble(*parts)
        self.paint()

    def count(self) -> int:
        """See :class:`LineView`."""
        return 1

    def line(self, index: int, width: int) -> Content:
        """See :class:`LineView`."""
        return self._content
