"""The desk's headline: which run, its state, and whether it is followed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.content import Content

from fairnad_screens.actions import key_of
from fairnad_screens.data.search import SearchSnapshot
from fairnad_screens.text import GLYPHS, plain_line
from fairnad_screens.widgets.search_pane import LineView

_NAMES = {1: "progress", 2: "ideas", 3: "front", 4: "volume", 5: "candidates", 6: "failures", 7: "log", 8: "ledger"}


class HeadLine(LineView):
    """One line."""

    def __init__(self) -> None:
        super().__init__()
        self._content = Content("")
        self._hidden: tuple[int, ...] = ()

    def show(self, snapshot: SearchSnapshot, *, frozen: bool, hidden: Sequence[int] = ()) -> None:
        """Show which run it is, and which panes are not in view."""
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
            parts.append(
                f"  run {place} of {len(snapshot.runs)} ({key_of('search.previous-run')} {key_of('search.next-run')})"
            )
        if snapshot.as_of is not None:
            told = f"  as of generation {snapshot.as_of} of {snapshot.closed}, {key_of('search.follow')} follows "
            parts.append(Content.styled(told, "reverse"))
        if frozen:
            parts.append(Content.styled(f"  refresh held, {key_of('search.freeze')} lets it go ", "reverse"))
        self._content = Content.assemble(*parts)
        self._hidden = tuple(hidden)
        self.paint()

    def count(self) -> int:
        """See :class:`LineView`."""
        return 1

    def line(self, index: int, width: int) -> Content:
        """See :class:`LineView`."""
        room = width - self._content.cell_length
        for told in self._told_hidden():
            if len(told) <= room:
                return Content.assemble(self._content, Content.styled(f"{told:>{room}}", "dim"))
        return self._content

    def _told_hidden(self) -> Iterator[str]:
        """Panes that a key would bring, at length and in short."""
        keys = [(key_of(f"search.pane-{number}"), _NAMES[number]) for number in self._hidden]
        if keys:
            for gap in ("  ", " "):
                yield "  hidden: " + gap.join(f"{key} {name}" for key, name in keys) + " "
            yield "  hidden: " + " ".join(key for key, _ in keys) + " "
