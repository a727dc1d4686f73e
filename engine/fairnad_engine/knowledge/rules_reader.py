"""The built-in reader: no language model, but the template's vocabulary, rules of grammar, and small learned weights.

It is the baseline that any language model has to beat, and what runs where there is no model. It never rewrites
what a paper says: an idea is a quoted sentence, filed by what it speaks of, with an imperative put before it.
"""

from __future__ import annotations

from functools import cache

from fairnad_engine.knowledge.design_sentences import MAX_INSTRUCTION, hints, instruct, trimmed
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.knowledge.rules_screening import screen
from fairnad_engine.knowledge.statement_model import shipped_model
from fairnad_engine.knowledge.statements import statements
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.protocol import Extraction, IdeaDraft, Screening
from fairnad_engine.llm.replies import plain_line

ENOUGH = 3
"""Design statements that make a paper worth reading whatever its title and abstract say."""

_MAX_NAME = 80


class RulesReader:
    """Reads papers by rule (``--llm rules``); the same paper always gives the same ideas."""

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return "rules"

    def screen(self, paper: PaperText) -> Screening:
        """Decide whether the paper can inspire a better backbone block.

        Words of title and abstract suffice; where they speak of something else, the text may still be full of
        design statements.
        """
        relevant, reason = screen(paper.title, paper.abstract)
        if not relevant:
            found = len(statements(paper, _shipped_template(), shipped_model()))
            if found >= ENOUGH:
                return Screening(True, f"states {found} designs of a network; by title and abstract {reason}")
        return Screening(relevant, reason)

    def extract(self, paper: PaperText, template: Template) -> Extraction:
        """Return the paper's design sentences as ideas, in its order.

        A sub-category has one idea at most, the likeliest statement of it; a sentence has two at most.
        """
        ideas: list[IdeaDraft] = []
        for one in statements(paper, template, shipped_model()):
            passage, sub = one.told.passage, template.sub(one.sub)
            span = (passage.start, passage.end)
            # The quote is the paper's; what people and models read of the idea holds nothing invisible.
            instruction = plain_line(instruct(one.told.text, sub.action), MAX_INSTRUCTION)
            name = plain_line(_short_name(one.told.text, sub.name), _MAX_NAME)
            quote = paper.text[slice(*span)]
            ideas.append(IdeaDraft(sub.main, sub.id, name, instruction, quote, span, "exact", 1.0))
        return Extraction(tuple(sorted(ideas, key=lambda idea: idea.span or (0, 0))))


@cache
def _shipped_template() -> Template:
    return Template.load()


def _short_name(sentence: str, sub_name: str) -> str:
    detail = ", ".join(hints(sentence)[:2])
    if not detail:
        words = trimmed(sentence).split()
        detail = " ".join(words[:6]).rstrip(".,;:")
    name = f"{sub_name}: {detail}"
    return name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1].rstrip() + "…"
