"""A small library of ideas for tests of the curation desk."""

from pathlib import Path

from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.llm.protocol import IdeaDraft
from fairnad_engine.store import Store
from fairnad_engine.workspace import template_of

SUBS = ("act.hard", "conv.depthwise", "norm.layer-norm")
HOSTILE = "Use [/b] [@click=app.quit]this[/] \x1b]0;gone\x07 \u202eand\u200b it."


def fill(place: Path) -> Path:
    """Nine proposed ideas of two papers, three a sub-category; the last is not grounded, the fifth is hostile."""
    with Store(place) as store:
        template, _ = template_of(store)
        for number, title in enumerate(("Deep residual learning", "Rethinking layers")):
            text = "".join(f"Before {i}.\nQuote number {i} of it.\nAfter {i}.\n\n" for i in range(9))
            paper = PaperText(
                id=f"p{number}", title=title, authors=(), year=2016 + number, venue="", arxiv="", abstract="",
                text=text, source="x", sections=(),
            )  # fmt: skip
            store.papers.add(paper)
            drafts = []
            for i in range(9):
                if (i < 5) != (number == 0):
                    continue
                quote = f"Quote number {i} of it."
                start = text.index(quote)
                span = None if i == 8 else (start, start + len(quote))
                sub = SUBS[i // 3]
                instruction = HOSTILE if i == 4 else f"Instruction number {i}."
                drafts.append(IdeaDraft(sub.split(".")[0], sub, f"Name {i}", instruction, quote, span))
            store.ideas.file_extracted(paper.id, drafts, template, "rules")
    return place
