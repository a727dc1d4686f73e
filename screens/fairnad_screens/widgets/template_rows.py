"""A category as a row of the tree and as the text of the detail pane."""

from __future__ import annotations

from rich.cells import set_cell_size
from textual.content import Content

from fairnad_engine.knowledge.template import Level, Main, Sub
from fairnad_engine.knowledge.template_fields import signature_text
from fairnad_engine.store.filing import IdeaCount
from fairnad_engine.text import single_line
from fairnad_screens.actions import key_of
from fairnad_screens.data.template import TemplateSnapshot, TreeRow
from fairnad_screens.text import GLYPHS, plain

_COUNT = 13
_BAR = 10


def row(line: TreeRow, count: IdeaCount, most: int, width: int) -> Content:
    """One category: name, a bar of its ideas where there is room, approved of all."""
    node = line.node
    sign = " " if isinstance(node, Sub) else GLYPHS.down if line.open else GLYPHS.right
    bar = _BAR if width >= 60 else 0
    room = max(8, width - _COUNT - 1 - (bar + 1 if bar else 0))
    indent = "  " * line.depth
    name = set_cell_size(f"{indent}{sign} {single_line(node.name, room)}", room)
    style = "bold" if isinstance(node, Level) else "" if isinstance(node, Main) else "dim" if not count.all else ""
    parts = [Content.styled(name, style), Content(f" {f'{count.approved:,}/{count.all:,}':>{_COUNT}}")]
    if bar and isinstance(node, Sub):
        filled = 0 if not most else -(-count.all * bar // most)
        parts.append(Content.styled(f" {GLYPHS.bar * filled:<{bar}}", "$accent"))
    return Content.assemble(*parts)


def detail(snapshot: TemplateSnapshot, line: TreeRow) -> Content:
    """Everything that the template says about a category."""
    node, count = line.node, snapshot.count(line.node)
    lines = [
        plain(f"{node.name}", "bold"),
        plain(f"{node.id} {GLYPHS.dot} {count.all:,} ideas, {count.approved:,} approved", "dim"),
        plain(node.definition or f"It has no definition; {key_of('template.edit')} gives it one."),
    ]
    own = [note for note in snapshot.notes if note.startswith(f"{node.id}: ")]
    lines += [plain(f"! {note.partition(': ')[2]}", "$warning") for note in own]
    if isinstance(node, Sub):
        lines += _sub_lines(snapshot, node)
    elif isinstance(node, Main):
        lines.append(plain(f"{len(node.subs)} sub-categories; {key_of('template.new')} adds one"))
    else:
        lines.append(plain(f"{len(node.mains)} main categories; {key_of('template.new')} adds one"))
    return Content("\n").join(lines)


def _sub_lines(snapshot: TemplateSnapshot, sub: Sub) -> list[Content]:
    names = {one.id: one.name for one in snapshot.template.subs}
    opposite = f"{sub.antonym} ({names[sub.antonym]})" if sub.antonym in names else sub.antonym
    fields = [
        ("Opposite", opposite or "none"),
        ("Begins", f"{sub.action} …"),
        ("Shows as", signature_text(sub) or "nothing: no child can be seen to realise it"),
        ("Cues", "; ".join(sub.cues) or "none: the built-in reader never finds it"),
    ]
    lines = [Content.assemble(Content.styled(f"{name}: ", "dim"), plain(text)) for name, text in fields]
    if sub.examples:
        lines.append(Content.styled("For example:", "dim"))
        lines += [plain(f"{GLYPHS.dot} {example}") for example in sub.examples]
    return lines
