"""Proposed categories beside the part of the tree that they would extend, with the evidence and what would move."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from rich.cells import set_cell_size
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from fairnad_engine.knowledge.refiling import Preview
from fairnad_engine.knowledge.suggestions import Suggestion
from fairnad_engine.knowledge.template import Template
from fairnad_engine.text import single_line
from fairnad_screens.background import begin
from fairnad_screens.dialogs import Dialog
from fairnad_screens.text import GLYPHS, plain
from fairnad_screens.widgets.rows import Rows

_QUOTES = 3  # Papers whose words are shown.
_MOVES = 4


@dataclass(frozen=True)
class Decision:
    """What to do with a proposal, by the number of its first row; who files ideas, and what was seen to move."""

    what: Literal["accept", "rename", "refuse"]
    number: int
    by_model: bool = False
    seen: Preview | None = None


class ProposalsDialog(Dialog[Decision | None]):
    """A list to go through; each key that decides closes it with the decision."""

    CSS = """
    ProposalsDialog { align: center middle; }
    ProposalsDialog > Vertical { width: 120; max-width: 98%; height: 94%; padding: 0 1;
        background: $surface; border: round $primary; }
    ProposalsDialog .title { text-style: bold; height: auto; }
    ProposalsDialog .keys { color: $foreground 70%; height: auto; }
    ProposalsDialog Horizontal { height: 1fr; }
    ProposalsDialog Rows { width: 2fr; }
    ProposalsDialog VerticalScroll { width: 3fr; padding: 0 0 0 1; }
    ProposalsDialog #said { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Close"),
        Binding("j,down", "move(1)", "Down", priority=True),
        Binding("k,up", "move(-1)", "Up", priority=True),
        Binding("J,ctrl+d,pagedown", "scroll_by(8)", "Detail down"),
        Binding("K,ctrl+u,pageup", "scroll_by(-8)", "Detail up"),
        Binding("enter,a", "decide('accept')", "Accept", priority=True),
        Binding("e", "decide('rename')", "Rename and accept"),
        Binding("x", "decide('refuse')", "Refuse"),
        Binding("m", "by_model", "Let the model file, or the rules"),
    ]

    def __init__(
        self,
        template: Template,
        proposals: tuple[Suggestion, ...],
        moves: Callable[[Suggestion, bool], Awaitable[Preview | str]],
        llm: str,
        select: int = 0,
    ) -> None:
        """Show proposals.

        Args:
            template: The template as it is.
            proposals: What to go through.
            moves: What accepting one would move by rule, or as the model files, or why it cannot be accepted.
            llm: The model, which files ideas where one asks for it.
            select: Place of the one under the cursor.
        """
        super().__init__()
        self._template = template
        self._by_key = {str(one.head.id): one for one in proposals}
        self._moves = moves
        self._llm = llm.partition("@")[0]
        self._select = select
        self._by_model: set[str] = set()
        self._looking: set[tuple[str, bool]] = set()
        self._seen: dict[tuple[str, bool], Preview | str] = {}

    def compose(self) -> ComposeResult:
        """Title, list and detail, keys."""
        with Vertical():
            yield Static(plain(f"{len(self._by_key):,} proposed categories"), classes="title")
            with Horizontal():
                yield Rows(id="proposals")
                with VerticalScroll(can_focus=False):
                    yield Static(id="said")
            yield Static(
                plain("Enter: accept  e: rename  x: refuse  m: by model  j k: next  Esc: close"),
                classes="keys",
            )

    def on_mount(self) -> None:
        """Fill the list."""
        for rows in self.query(Rows):
            keys = list(self._by_key)
            place = max(0, min(self._select, len(keys) - 1))
            rows.show_rows(keys, self._row, keys[place] if keys else None)
        self._show()

    def _row(self, place: int, width: int) -> Content:
        one = list(self._by_key.values())[place]
        head = f"{one.papers:>3}  {one.head.name}"
        return plain(set_cell_size(single_line(head, width), width), "dim" if one.known else "")

    @property
    def _chosen(self) -> Suggestion | None:
        key = next((rows.selected for rows in self.query(Rows)), None)
        return self._by_key.get(key) if key else None

    @on(Rows.Moved)
    def _show(self) -> None:
        one = self._chosen
        for said in self.query("#said").results(Static):
            said.update(self._detail(one) if one else plain("Nothing is proposed."))
        if one is not None and (way := self._way(one)) not in self._seen and way not in self._looking:
            self._looking.add(way)
            begin(self, partial(self._look, one, way), group="look")

    async def _look(self, one: Suggestion, way: tuple[str, bool]) -> None:
        try:
            self._seen[way] = await self._moves(one, way[1])
        finally:
            self._looking.discard(way)
        if self._chosen is one:
            self._show()

    def _way(self, one: Suggestion) -> tuple[str, bool]:
        """The proposal and who files ideas where it is accepted."""
        key = str(one.head.id)
        return key, key in self._by_model

    def _detail(self, one: Suggestion) -> Content:
        head = one.head
        lines = [
            plain(head.name, "bold"),
            plain(f"{head.level} {GLYPHS.dot} by {one.papers} of the papers {GLYPHS.dot} {head.model}", "dim"),
            plain(head.definition),
            plain(f"For example: {head.example}"),
            Content(""),
            *self._tree(one),
            Content(""),
            *self._move_lines(one),
            Content(""),
        ]
        for row in one.rows[:_QUOTES]:
            lines.append(plain(f"{single_line(row.title, 80)}:", "dim"))
            lines.append(plain(f"“{' '.join(row.quote.split())}”"))
        if len(one.rows) > _QUOTES:
            lines.append(plain(f"and {len(one.rows) - _QUOTES} more", "dim"))
        return Content("\n").join(lines)

    def _tree(self, one: Suggestion) -> list[Content]:
        """The main category that it would stand under, as it is today, and the new line in it."""
        wanted = one.head.main.casefold()
        main = next((m for m in self._template.mains if wanted in (m.id.casefold(), m.name.casefold())), None)
        title = main.name if main else f"+ {one.head.main} (a new main category)"
        lines = [plain(title, "bold" if main else "$success")]
        if not main and one.head.main_definition:
            lines.append(plain(f"  {one.head.main_definition}", "$success"))
        for sub in main.subs if main else ():
            lines.append(plain(f"  {sub.name}", "$warning" if sub.id == one.known else ""))
        lines.append(plain(f"+ {one.head.name}", "$success"))
        if one.known:
            lines.append(plain(f"The template has nearly this already: {one.known}", "$warning"))
        return lines

    def _move_lines(self, one: Suggestion) -> list[Content]:
        way = self._way(one)
        seen, filer = self._seen.get(way), f"as {self._llm} files them" if way[1] else "by rule"
        if seen is None:
            return [plain(f"Looking which ideas would move, {filer} …", "dim")]
        if isinstance(seen, str):
            return [plain(seen, "$error")]
        ideas = "idea" if seen.moved == 1 else "ideas"
        lines = [plain(f"{seen.moved:,} {ideas} would move here, {filer}{':' if seen.moves else '.'}")]
        lines += [plain(f"{count:>6,} from {source}") for source, _, count in seen.moves[:_MOVES]]
        if len(seen.moves) > _MOVES:
            lines.append(plain(f"       and from {len(seen.moves) - _MOVES} others"))
        return lines

    def action_move(self, by: int) -> None:
        """Go to another proposal."""
        for rows in self.query(Rows):
            rows.move(by)
        for view in self.query(VerticalScroll):
            view.scroll_home(animate=False)

    def action_scroll_by(self, lines: int) -> None:
        """Scroll the detail."""
        for view in self.query(VerticalScroll):
            view.scroll_relative(y=lines, animate=False)

    def action_decide(self, what: Literal["accept", "rename", "refuse"]) -> None:
        """Close with a decision about the one under the cursor."""
        one = self._chosen
        if one is None:
            return
        way = self._way(one)
        seen = self._seen.get(way)
        if way[1] and what != "refuse" and not isinstance(seen, Preview):
            return  # a model's word is taken only after it was seen
        self.dismiss(Decision(what, one.head.id, way[1], seen if isinstance(seen, Preview) else None))

    def action_by_model(self) -> None:
        """Let the model file ideas where this one is accepted, or the rules again; what would move is shown first."""
        if self._chosen is not None:
            self._by_model ^= {str(self._chosen.head.id)}
            self._show()

    def action_leave(self) -> None:
        """Close without a decision."""
        self.dismiss(None)
