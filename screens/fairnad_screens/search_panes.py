"""The live desk's panes: which are shown, which has the focus, and keys that move inside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from textual.geometry import Region
from textual.screen import Screen

from fairnad_screens.text import unicode_works
from fairnad_screens.widgets.search_layout import PANES, arrange, is_roomy
from fairnad_screens.widgets.search_pane import SearchPane

_BESIDE = 3  # the bars and the headline
_CANDIDATES = 5
_LEDGER = 8


class PaneKeys(Screen[None] if TYPE_CHECKING else object):  # type: ignore[misc]
    """Shows, hides, zooms and focuses panes; mixed into the screen."""

    # What is shown, the one asked for last at the end; apart for desks with room for all and for smaller ones.
    _roomy: list[int]
    _narrow: list[int]
    _zoomed: int | None
    _placed: dict[int, Region]

    if TYPE_CHECKING:

        def _fill(self, pane: SearchPane) -> None: ...

    def __init__(self) -> None:
        super().__init__()
        self._roomy = [pane for pane in PANES if pane != _LEDGER]  # which only the tallest desks have room for
        self._narrow = [5, 3, 1]
        self._zoomed = None
        self._placed = {}

    def _panes(self) -> Iterator[SearchPane]:
        # By class: Textual's selectors know a widget's first base only.
        yield from self.query(".pane").results(SearchPane)

    def off_desk(self) -> list[SearchPane]:
        """The panes that their keys would show."""
        return [pane for pane in self._panes() if pane.number not in self._placed]

    def on_desk(self) -> list[SearchPane]:
        """The panes in view."""
        return [pane for pane in self._panes() if pane.number in self._placed]

    @property
    def zoomed(self) -> bool:
        """Whether one pane has the whole desk."""
        return self._zoomed is not None

    @property
    def focused_pane(self) -> SearchPane | None:
        """The pane that has the focus."""
        return self.focused if isinstance(self.focused, SearchPane) else None

    @property
    def _list(self) -> list[int]:
        return self._roomy if is_roomy(*self._space) else self._narrow

    @property
    def _space(self) -> tuple[int, int]:
        return self.size.width, max(1, self.size.height - _BESIDE)

    def on_resize(self) -> None:
        """Lay out anew."""
        self.lay_out()

    def lay_out(self) -> None:
        """Put the panes where they belong, and fill those that come into view."""
        width, height = self._space
        placed = arrange(self._list, width, height, self._zoomed)
        if placed == self._placed:
            return
        self._placed = placed
        for pane in self._panes():
            pane.display = pane.number in placed
            pane.set_class(not unicode_works(), "-ascii")
            if pane.display:
                region = placed[pane.number]
                pane.set_class(region.right == width, "-last")
                pane.styles.offset = region.offset
                pane.styles.width, pane.styles.height = region.size
        for pane in self.on_desk():
            self._fill(pane)
        if self.focused_pane is None or self.focused_pane.number not in placed:
            self.focus_pane(self._first(placed))

    def _first(self, placed: dict[int, Region]) -> int | None:
        """The pane that has the focus where none had it: candidates, since keys do most there."""
        if not placed:
            return None
        return _CANDIDATES if _CANDIDATES in placed else max(placed)

    def focus_pane(self, number: int | None) -> None:
        """Give a pane the focus, or none."""
        self.set_focus(None if number is None else self.query_one(f"#pane-{number}", SearchPane))

    # -- toggles ----------------------------------------------------------------------------------------------

    def toggle(self, number: int) -> None:
        """Show or hide a pane; while one is zoomed, zoom this one or end the zoom."""
        if self._zoomed is not None:
            self._zoomed = None if self._zoomed == number else number
            if number not in self._list:
                self._list.append(number)
        elif number in self._placed and number in self._list:
            # Between a change of the terminal's size and the new layout the two differ.
            self._list.remove(number)
        else:
            self._bring(number)
        self.lay_out()
        if number in self._placed:
            self.focus_pane(number)

    def _bring(self, number: int) -> None:
        shown = self._list
        if number in shown:
            shown.remove(number)
        shown.append(number)
        # What gave way is hidden from now on: it does not come back by itself when another one is hidden.
        placed = arrange(shown, *self._space)
        shown[:] = [one for one in shown if one in placed]

    def do_pane_1(self) -> None:
        """Show or hide progress."""
        self.toggle(1)

    def do_pane_2(self) -> None:
        """Show or hide idea sampling."""
        self.toggle(2)

    def do_pane_3(self) -> None:
        """Show or hide the front."""
        self.toggle(3)

    def do_pane_4(self) -> None:
        """Show or hide hypervolume."""
        self.toggle(4)

    def do_pane_5(self) -> None:
        """Show or hide candidates."""
        self.toggle(5)

    def do_pane_6(self) -> None:
        """Show or hide failures."""
        self.toggle(6)

    def do_pane_7(self) -> None:
        """Show or hide the log."""
        self.toggle(7)

    def do_pane_8(self) -> None:
        """Show or hide edits and ledger."""
        self.toggle(8)

    def do_zoom(self) -> None:
        """Zoom the focused pane, or end the zoom."""
        pane = self.focused_pane
        self._zoomed = None if self._zoomed is not None or pane is None else pane.number
        self.lay_out()

    def do_next_pane(self) -> None:
        """Focus the next pane."""
        self.focus_next(".pane")

    def do_previous_pane(self) -> None:
        """Focus the pane before."""
        self.focus_previous(".pane")

    # -- movement in the focused pane -------------------------------------------------------------------------

    def do_down(self) -> None:
        """Go down."""
        if self.focused_pane:
            self.focused_pane.move(1)

    def do_up(self) -> None:
        """Go up."""
        if self.focused_pane:
            self.focused_pane.move(-1)

    def do_left(self) -> None:
        """Go left."""
        if self.focused_pane:
            self.focused_pane.sideways(-1)

    def do_right(self) -> None:
        """Go right."""
        if self.focused_pane:
            self.focused_pane.sideways(1)

    def do_top(self) -> None:
        """Go to the first line."""
        if self.focused_pane:
            self.focused_pane.to_end(last=False)

    def do_bottom(self) -> None:
        """Go to the last line."""
        if self.focused_pane:
            self.focused_pane.to_end(last=True)

    def do_page_down(self) -> None:
        """Go a page down."""
        if self.focused_pane:
            self.focused_pane.page(1)

    def do_page_up(self) -> None:
        """Go a page up."""
        if self.focused_pane:
            self.focused_pane.page(-1)

    # -- place ------------------------------------------------------------------------------------------------

    def remember_panes(self) -> dict[str, Any]:
        """Which panes are shown, zoomed and focused."""
        focused = self.focused_pane.number if self.focused_pane else None
        return {"roomy": self._roomy, "narrow": self._narrow, "zoomed": self._zoomed, "focused": focused}

    def restore_panes(self, place: dict[str, Any]) -> None:
        """Take up what was remembered."""
        for name, shown in (("roomy", self._roomy), ("narrow", self._narrow)):
            if isinstance(place.get(name), list):
                shown[:] = [one for one in dict.fromkeys(place[name]) if one in PANES]
        self._zoomed = place.get("zoomed") if place.get("zoomed") in PANES else None
        self._placed = {}
        self.lay_out()
        if place.get("focused") in self._placed:
            self.focus_pane(place["focused"])
