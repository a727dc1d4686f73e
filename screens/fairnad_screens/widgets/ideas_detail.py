"""The detail pane of the curation desk: everything about one idea, with its quote inside the paper's paragraph."""

from __future__ import annotations

from collections.abc import Iterator

from textual.content import Content
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from fairnad_engine.store.curation import HistoryEntry, IdeaStory
from fairnad_screens.text import GLYPHS, plain
from fairnad_screens.widgets.ideas_list import STATUS_SIGNS

_FIELDS = {"status": "status", "name": "name", "instruction": "text", "sub": "place"}


class IdeaPane(ScrollView, can_focus=False, inherit_bindings=False):
    """Shows an :class:`IdeaStory`; of its lines only those that changed are drawn, for slow connections."""

    DEFAULT_CSS = """
    IdeaPane { padding: 0 1; overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1; }
    """

    def __init__(self) -> None:
        super().__init__(id="idea-pane")
        self._text = Content("")
        self._strips: list[Strip] = []
        self._width = 0

    def show_story(self, story: IdeaStory | None) -> None:
        """Show an idea, from its top."""
        self._text = Content("") if story is None else Content("\n").join(_story(story))
        if self.scroll_offset.y:
            self.scroll_to(y=0, animate=False, force=True)
        self._lay_out()

    def on_resize(self) -> None:
        """Break the lines anew."""
        if self.scrollable_content_region.width != self._width:
            self._lay_out()

    def notify_style_update(self) -> None:
        """Draw in the colours of another theme."""
        super().notify_style_update()
        if self.is_attached:
            self._lay_out()

    def _lay_out(self) -> None:
        self._width = self.scrollable_content_region.width
        before, top = self._strips, self.scroll_offset.y
        self._strips = Visual.to_strips(self, self._text, self._width, None, self.visual_style) if self._width else []
        if self.virtual_size.height != len(self._strips):
            self.virtual_size = Size(self._width, len(self._strips))
        for y in range(self.scrollable_content_region.height):
            if self._strips[top + y : top + y + 1] != before[top + y : top + y + 1]:
                self.refresh(Region(0, y, self._width, 1))

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        row = y + self.scroll_offset.y
        strip = self._strips[row] if row < len(self._strips) else Strip([])
        return strip.adjust_cell_length(self._width, self.rich_style)


def _story(story: IdeaStory) -> Iterator[Content]:
    idea = story.idea
    yield plain(idea.instruction, "bold")
    yield Content("")
    yield from _evidence(story)
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
    if story.sources:
        yield Content.styled(f"\nMerged into this one ({len(story.sources)})", "bold")
        for source in story.sources:
            paper = f"  {GLYPHS.dot} {_paper(source.title, source.year)}" if source.title else ""
            yield plain(f"{GLYPHS.dot} {source.instruction}{paper}")
    if story.history:
        yield Content.styled("\nHistory", "bold")
        yield from (_entry(one) for one in reversed(story.history))


def _evidence(story: IdeaStory) -> Iterator[Content]:
    idea = story.idea
    if story.paper is not None:
        yield plain(_paper(story.paper.title, story.paper.year), "bold")
    if story.quoted is None:
        if story.paper is None:
            yield Content.styled("No paper stands behind this idea.", "dim")
        else:
            yield Content.styled("Not grounded: its quote was not found in the paper.", "bold $warning")
        if idea.quote:
            yield plain(f"Quote as given: {idea.quote}")
        return
    start, end = story.quoted
    # A paper's single line breaks are its layout, not its paragraphs.
    flowing = story.passage.replace("\n", " ")
    yield Content.assemble(plain(flowing[:start]), plain(flowing[start:end], "reverse"), plain(flowing[end:]))


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
