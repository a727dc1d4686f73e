"""The detail pane of the curation desk: everything about one idea, with its quote inside the paper's paragraph."""

from __future__ import annotations

from collections.abc import Iterator

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget

from fairnad_engine.store.curation import HistoryEntry, IdeaStory
from fairnad_engine.store.outcomes import IdeaOutcome
from fairnad_screens.actions import key_of
from fairnad_screens.text import GLYPHS, plain
from fairnad_screens.widgets.ideas_list import STATUS_SIGNS

_FIELDS = {"status": "status", "name": "name", "instruction": "text", "sub": "place"}
LOW = 16  # a pane of fewer lines shows the quote with little before it, and the whole paragraph further below
NEAR = 90


class IdeaPane(Widget, inherit_bindings=False):
    """Shows an :class:`IdeaStory`.

    It scrolls by itself, without the layout that a scroll view asks for, and draws only lines that changed: on a slow
    connection going down the list costs little more than the words that are new.
    """

    DEFAULT_CSS = "IdeaPane { padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__(id="idea-pane")
        self._story: IdeaStory | None = None
        self._outcome: IdeaOutcome | None = None
        self._strips: list[Strip] = []
        self._shown: list[Strip] = []
        self._top = 0

    def show_story(self, story: IdeaStory | None, outcome: IdeaOutcome | None = None) -> None:
        """Show an idea and what it brought, from its top unless it is the one that is shown already."""
        if (story, outcome) == (self._story, self._outcome):
            return
        self._outcome = outcome
        if story is None or self._story is None or story.idea.id != self._story.idea.id:
            self._top = 0
        self._story = story
        self._lay_out()

    def scroll_lines(self, by: int) -> None:
        """Scroll."""
        self._top += by
        self._draw()

    def on_resize(self) -> None:
        """Break the lines anew."""
        self._lay_out()

    def on_mouse_scroll_down(self) -> None:
        """The wheel scrolls."""
        self.scroll_lines(2)

    def on_mouse_scroll_up(self) -> None:
        """The wheel scrolls."""
        self.scroll_lines(-2)

    def notify_style_update(self) -> None:
        """Draw in the colours of another theme."""
        super().notify_style_update()
        if self.is_attached:
            self._lay_out()

    def _lay_out(self) -> None:
        width, low = self.size.width, self.size.height < LOW
        text = Content("") if self._story is None else Content("\n").join(_lines(self._story, self._outcome, low))
        self._strips = Visual.to_strips(self, text, width, None, self.visual_style) if width else []
        self._draw()

    def _draw(self) -> None:
        width, height = self.size
        base = self.rich_style
        self._top = max(0, min(self._top, len(self._strips) - height))
        shown = self._strips[self._top : self._top + height]
        below = len(self._strips) - self._top - height
        if below > 0 and shown:
            down, up = key_of("ideas.pane-down"), key_of("ideas.pane-up")
            note = f"{GLYPHS.down} {below + 1} more lines: {down} and {up} scroll"
            shown[-1] = Strip([Segment(note, base + Style(dim=True))])
        shown += [Strip([])] * (height - len(shown))
        before, self._shown = self._shown, [strip.adjust_cell_length(width, base) for strip in shown]
        if len(before) != height:
            self.refresh()
            return
        for y, strip in enumerate(self._shown):
            if strip != before[y]:
                self.refresh(Region(0, y, width, 1))

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        return self._shown[y] if y < len(self._shown) else Strip.blank(self.size.width, self.rich_style)


def _lines(story: IdeaStory, outcome: IdeaOutcome | None, low: bool) -> Iterator[Content]:
    idea = story.idea
    yield plain(idea.instruction, "bold")
    if outcome is not None:
        yield from _brought(outcome)
    yield Content("")
    yield from _evidence(story, NEAR if low else None)
    yield Content("")
    yield _field("Name", idea.name)
    place = story.place
    where = f"{place.level} › {place.main_name} › {place.name}" if place else "no longer in the template"
    yield _field("Filed", f"{where}  ({idea.sub})")
    decided = f", by {_who(idea.decided_by)}, {_when(idea.decided_at)}" if idea.decided_by else ""
    yield _field("Status", f"{STATUS_SIGNS.get(idea.status, '?')} {idea.status}{decided}")
    if story.merged_into is not None:
        yield _field("Merged", f"into: {story.merged_into}")
    yield _field("Origin", f"{idea.origin}, {_when(idea.created_at)}  id {idea.id}")
    for one in story.ancestry:
        of = f" of: {one.origin}" if one.origin else ""
        yield _field("Derived", f"{one.kind}{of}; {one.candidate} of {one.run}, from {one.parent}")
    if story.sources:
        yield Content.styled(f"\nMerged into this one ({len(story.sources)})", "bold")
        for source in story.sources:
            paper = f"  {GLYPHS.dot} {_paper(source.title, source.year)}" if source.title else ""
            yield plain(f"{GLYPHS.dot} {source.instruction}{paper}")
    if story.history:
        yield Content.styled("\nHistory", "bold")
        yield from (_entry(one) for one in reversed(story.history))
    if low and story.quoted and story.quoted[0] > NEAR:
        yield Content.styled("\nThe whole paragraph", "bold")
        yield from _evidence(story, None)


def _evidence(story: IdeaStory, before: int | None) -> Iterator[Content]:
    idea = story.idea
    if story.paper is not None:
        yield plain(_paper(story.paper.title, story.paper.year), "bold")
    if story.quoted is None:
        if idea.origin == "derived":
            yield Content.styled("Derived by a search: no paper stands behind this idea.", "dim")
        elif story.paper is None:
            yield Content.styled("No paper stands behind this idea.", "dim")
        else:
            yield Content.styled("Not grounded: its quote was not found in the paper.", "bold $warning")
        if idea.quote:
            yield plain(f"Quote as given: {idea.quote}")
        return
    start, end = story.quoted
    # A paper's single line breaks are its layout, not its paragraphs.
    flowing = story.passage.replace("\n", " ")
    first = 0 if before is None or start <= before else start - before
    yield Content.assemble(
        plain(f"…{flowing[first:start]}" if first else flowing[:start]),
        plain(flowing[start:end], "reverse"),
        plain(flowing[end:]),
    )
    if idea.grounded_by == "fuzzy":
        yield Content.styled(f"Found but for slips ({_alike(idea.grounding_score)}); the model wrote:", "$warning")
        yield plain(idea.quote_given)
    elif idea.grounded_by == "tolerant":
        yield Content.styled(f"Found but for line ends and signs ({_alike(idea.grounding_score)}).", "dim")


def _alike(score: float | None) -> str:
    return "" if score is None else f"{100 * score:.1f} % alike"


def _brought(outcome: IdeaOutcome) -> Iterator[Content]:
    times = "once" if outcome.tried == 1 else f"{outcome.tried:,} times"
    told = f"tried {times}: {outcome.valid:,} valid, {outcome.realised:,} realised, {outcome.trained:,} trained"
    yield _field("Brought", f"{told}, {outcome.on_front:,} on the front")
    if outcome.best is not None:
        gains = ""
        if outcome.gain is not None and outcome.best_gain is not None:
            most = f", {outcome.best_gain:+.2f} at best" if outcome.trained > 1 else ""
            gains = f"; {outcome.gain:+.2f} points against its parent{most}"
        yield _field("", f"best {outcome.best:.2f} % in {outcome.best_run}{gains}")
    if len(outcome.runs) > 1 or outcome.best is None:
        yield _field("", f"in {', '.join(outcome.runs)}")


def _entry(entry: HistoryEntry) -> Content:
    what = _FIELDS.get(entry.field, entry.field)
    return Content.assemble(
        Content.styled(f"{_when(entry.at)}  ", "dim"),
        plain(f"{what}: {entry.old} → {entry.new}  ({_who(entry.by)})"),
    )


def _field(name: str, text: str) -> Content:
    return Content.assemble(Content.styled(f"{name:<8}", "dim"), plain(text))


def _paper(title: str, year: int | None) -> str:
    return f"{title} ({year})" if year else title


def _who(by: str) -> str:
    kind, _, name = by.partition(":")
    return {"merged": "merging", "policy": f"policy {name}"}.get(kind, by)


def _when(at: str) -> str:
    return at[:16].replace("T", " ")
