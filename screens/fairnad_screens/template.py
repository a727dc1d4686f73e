"""The attribute template as a tree, with the ideas of each category. What changes it is in ``template_work``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from textual import on
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from fairnad_engine.knowledge.template import Level, Main, Sub
from fairnad_engine.store import Store
from fairnad_screens.actions import Action, key_of
from fairnad_screens.bindings import bindings
from fairnad_screens.data.template import Node, TemplateSnapshot, TreeRow, read_template, tree_rows
from fairnad_screens.template_proposals import TemplateProposals
from fairnad_screens.text import plain, plain_line
from fairnad_screens.widgets.ideas_filter import FilterLine
from fairnad_screens.widgets.rows import Rows
from fairnad_screens.widgets.rows_keys import RowsKeys
from fairnad_screens.widgets.template_rows import detail, row
from fairnad_screens.widgets.text_dialog import TextDialog


class TemplateScreen(RowsKeys, TemplateProposals):
    """The template screen."""

    BINDINGS = bindings("template")
    CSS_PATH = "template.tcss"
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-narrow"), (110, "-wide")]

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[str, TreeRow] = {}
        self._folded_levels: set[str] = set()
        self._open_mains: set[str] = set()

    def body(self) -> Iterable[Widget]:
        """See :class:`FairScreen`."""
        with Vertical(id="template"):
            yield FilterLine("template", "filters: words of names, definitions and cues")
            with Container(id="desk"):
                yield Rows()
                with VerticalScroll(id="pane", can_focus=False):
                    yield Static(id="detail")
            yield Static(id="state")

    def restore(self, place: dict[str, Any]) -> None:
        """See :class:`FairScreen`."""
        text, cursor = place.get("filter"), place.get("cursor")
        self.filter_text = text if isinstance(text, str) else ""
        self.go_to = cursor if isinstance(cursor, str) else None
        self._folded_levels = _texts(place.get("folded"))
        self._open_mains = _texts(place.get("open"))
        self.query_one(FilterLine).set_text(self.filter_text)

    def remember(self) -> dict[str, Any]:
        """See :class:`FairScreen`."""
        cursor = self.query_one(Rows).selected if self.snapshot else self.go_to
        opened = {"folded": sorted(self._folded_levels), "open": sorted(self._open_mains)}
        return {"filter": self.filter_text, "cursor": cursor, **opened}

    # -- showing ----------------------------------------------------------------------------------------------

    def loader(self) -> Callable[[Store], TemplateSnapshot]:
        """See :class:`FairScreen`."""
        return read_template

    def show(self, snapshot: TemplateSnapshot) -> None:
        """See :class:`FairScreen`."""
        self.snapshot = snapshot
        self._show_rows()

    def _show_rows(self) -> None:
        if self.snapshot is None:
            return
        snapshot, template = self.snapshot, self.snapshot.template
        if self.go_to is not None:
            self._reveal(self.go_to)
        words = self.filter_text.casefold().split()
        lines = tree_rows(template, self._unfolded, words)
        self._rows = {line.node.id: line for line in lines}
        rows = self.query_one(Rows)
        rows.empty = f"Nothing matches. {key_of('template.clear')} clears the filter."
        most = max((count.all for count in snapshot.ideas.values()), default=0)
        counts = [snapshot.count(line.node) for line in lines]
        paint = lambda place, width: row(lines[place], counts[place], most, width)  # noqa: E731
        rows.show_rows([line.node.id for line in lines], paint, self.go_to)
        self.go_to = None
        found = sum(isinstance(line.node, Sub) for line in lines)
        subs = len(template.subs)
        self.query_one(FilterLine).show_matches(
            f"{found} of {subs}" if words else f"{len(template.mains)} main, {subs} sub"
        )
        self._show_state()
        self._show_detail()

    def _unfolded(self, node: str) -> bool:
        assert self.snapshot is not None  # noqa: S101 - only shown with a snapshot
        levels = {level.id for level in self.snapshot.template.levels}
        return node not in self._folded_levels if node in levels else node in self._open_mains

    def _reveal(self, node_id: str) -> None:
        """Unfold what a category is in."""
        assert self.snapshot is not None  # noqa: S101 - only shown with a snapshot
        for main in self.snapshot.template.mains:
            if main.id == node_id or any(sub.id == node_id for sub in main.subs):
                self._folded_levels.discard(main.level)
                if main.id != node_id:
                    self._open_mains.add(main.id)

    def _show_state(self) -> None:
        assert self.snapshot is not None  # noqa: S101 - only shown with a snapshot
        snapshot = self.snapshot
        width = max(20, self.size.width - 2)
        version = f"version {snapshot.version}" if snapshot.version else "as shipped"
        undo = f"; {key_of('template.undo')} undoes: {snapshot.undoable}" if snapshot.undoable else ""
        lines = [plain_line(f"{version}{undo}", width)]
        if snapshot.proposing:
            lines.append(plain(f"{snapshot.proposing} reads papers for categories that are missing"))
        if snapshot.proposals:
            shows = key_of("template.proposals")
            lines.append(plain(f"{snapshot.proposals:,} proposals from papers; {shows} shows them", "$accent"))
        if snapshot.notes:
            rest = len(snapshot.notes) - 1
            more = f"; {rest} more beside the categories" if rest else ""
            lines.append(plain(f"Note: {snapshot.notes[0]}{more}", "$warning"))
        self.query_one("#state", Static).update(Content("\n").join(lines))

    def _show_detail(self) -> None:
        line = self.selected
        text = detail(self.snapshot, line) if self.snapshot and line else Content("")
        self.query_one("#detail", Static).update(text)

    @on(Rows.Moved)
    def _moved(self) -> None:
        self._show_detail()
        self.query_one("#pane", VerticalScroll).scroll_home(animate=False)
        self.refresh_keys()

    @on(Rows.Opened)
    def _opened(self) -> None:
        self.action_do("template.open")

    # -- the tree ---------------------------------------------------------------------------------------------

    @property
    def selected(self) -> TreeRow | None:
        """The row under the cursor."""
        key = self.query_one(Rows).selected
        return self._rows.get(key) if key else None

    @property
    def node(self) -> Node | None:
        """See :class:`TemplateWork`."""
        return self.selected.node if self.selected else None

    def why_not(self, one: Action) -> str | None:
        """See :class:`FairScreen`."""
        if one.name in ("fold", "unfold", "fold_all") and self.filter_text:
            return f"With a filter everything that matches is unfolded; {key_of('template.clear')} clears it."
        return self.why_no_work(one) or self.why_no_proposals(one)

    def do_open(self) -> None:
        """Fold or unfold the category; show all about a sub-category."""
        line = self.selected
        if line is None or self.snapshot is None:
            return
        if isinstance(line.node, Sub) or self.filter_text:
            self.app.push_screen(TextDialog("Category", detail(self.snapshot, line)))
        else:
            self._set_open(line.node, not line.open)

    def do_fold(self) -> None:
        """Fold the category, or go up to the one it is in."""
        line = self.selected
        if line is None:
            return
        if line.open:
            self._set_open(line.node, False)
        elif not isinstance(line.node, Level):
            self.go_to = line.node.main if isinstance(line.node, Sub) else line.node.level
            self._show_rows()

    def do_unfold(self) -> None:
        """Unfold the category, or go into it."""
        line = self.selected
        if line is not None and not isinstance(line.node, Sub):
            if line.open:
                self.do_down()
            else:
                self._set_open(line.node, True)

    def do_fold_all(self) -> None:
        """Fold all main categories, or unfold them."""
        if self.snapshot is None:
            return
        mains = {main.id for main in self.snapshot.template.mains}
        if self._open_mains & mains:
            node = self.node
            self.go_to = node.main if isinstance(node, Sub) else None
            self._open_mains.clear()
            self._show_folded()
        else:
            self._open_mains = mains
            self._folded_levels.clear()
            self._show_rows()

    def _show_folded(self) -> None:
        # Without unfolding what the cursor goes to.
        wanted, self.go_to = self.go_to, None
        self._show_rows()
        if wanted in self._rows:
            self.query_one(Rows).move_to(list(self._rows).index(wanted))

    def _set_open(self, node: Node, unfold: bool) -> None:
        if isinstance(node, Level):
            (self._folded_levels.discard if unfold else self._folded_levels.add)(node.id)
        elif isinstance(node, Main):
            (self._open_mains.add if unfold else self._open_mains.discard)(node.id)
        self._show_rows()

    # -- filter and ideas -------------------------------------------------------------------------------------

    def do_ideas(self) -> None:
        """Go to the ideas of this category."""
        if self.node is not None:
            self.show_ideas(f"cat:{self.node.id}")

    def show_filtered(self) -> None:
        """See :class:`RowsKeys`."""
        self._show_rows()
        self.refresh_keys()

    def on_resize(self) -> None:
        """Lay the lines out anew."""
        if self.snapshot is not None:
            self._show_state()


def _texts(found: object) -> set[str]:
    return {one for one in found if isinstance(one, str)} if isinstance(found, list) else set()
