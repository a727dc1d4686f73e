"""The built-in reader: no model, only the template's vocabulary and the grammar of design advice.

It is the baseline that any language model has to beat, and what runs where there is no model. It never rewrites
what a paper says: an idea is a quoted sentence, filed by the cues in it, with an imperative put before it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

from fairnad_engine.knowledge.cues import compile_cues, find_cues, fold
from fairnad_engine.knowledge.design_sentences import MAX_INSTRUCTION, hints, instruct, is_design, trimmed
from fairnad_engine.knowledge.filing import filed_under, scores, weighed
from fairnad_engine.knowledge.likeness import likeness, vocabulary
from fairnad_engine.knowledge.paper_voice import OVERVIEW, Passage, own_passages
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.knowledge.rules_screening import screen
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.protocol import Extraction, IdeaDraft, Screening
from fairnad_engine.llm.replies import plain_line

SAME_IDEA = 0.8
"""Share of common words from which two sentences under one sub-category count as one idea."""

SPARSE = 0.2
"""Share of design statements among a paper's sentences below which it is not about design..."""
SPARSE_EVIDENCE = 5.0
"""...and a statement must be plain to count."""

_MAX_NAME = 80
_MAX_SENTENCE = 1500  # A longer one is a table or formula without line ends.


class RulesReader:
    """Reads papers by rule (``--llm rules``); the same paper always gives the same ideas."""

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return "rules"

    def screen(self, paper: PaperText) -> Screening:
        """Decide from the words of title and abstract whether the paper can inspire a better backbone block."""
        relevant, reason = screen(paper.title, paper.abstract)
        return Screening(relevant, reason)

    def extract(self, paper: PaperText, template: Template) -> Extraction:
        """Return the paper's design sentences as ideas, in its order, each under one or two sub-categories.

        What experiments only tell once more is left out where the body has an idea under the sub-category; abstract,
        introduction and conclusion are read only where nothing else has one.
        """
        ideas: list[IdeaDraft] = []
        seen: dict[str, list[tuple[int, frozenset[str]]]] = {}
        statements = _statements(paper, template)
        retold = any(one.passage.rank < OVERVIEW for one in statements)
        for one in sorted(statements, key=lambda one: (one.passage.rank, one.passage.start)):
            if retold and one.passage.rank == OVERVIEW:
                continue
            span = (one.passage.start, one.passage.end)
            quote = paper.text[slice(*span)]
            flat = " ".join(quote.split())
            words = frozenset(word for word in re.findall(r"\w+", fold(quote)) if _tells(word))
            for sub_id in one.filed:
                known = seen.setdefault(sub_id, [])
                if any(rank < one.passage.rank or _overlap(words, other) >= SAME_IDEA for rank, other in known):
                    continue
                known.append((one.passage.rank, words))
                sub = template.sub(sub_id)
                # The quote is the paper's; what people and models read of the idea holds nothing invisible.
                instruction = plain_line(instruct(flat, sub.action), MAX_INSTRUCTION)
                name = plain_line(_short_name(flat, sub.name), _MAX_NAME)
                ideas.append(IdeaDraft(sub.main, sub.id, name, instruction, quote, span, "exact", 1.0))
        return Extraction(tuple(sorted(ideas, key=lambda idea: idea.span or (0, 0))))


@dataclass(frozen=True)
class _Statement:
    """A sentence that states a design, where it is filed, and the evidence for that."""

    passage: Passage
    filed: tuple[str, ...]
    evidence: float


def _statements(paper: PaperText, template: Template) -> list[_Statement]:
    folded = fold(paper.text)
    hits = find_cues(folded, compile_cues(template))
    starts = [hit.start for hit in hits]
    known = vocabulary(template)
    found: list[_Statement] = []
    passages = [one for one in own_passages(paper) if one.end - one.start <= _MAX_SENTENCE]
    for passage in passages:
        start, end = passage.start, passage.end
        inside = [hit for hit in hits[bisect_left(starts, start) : bisect_left(starts, end)] if hit.end <= end]
        sentence = " ".join(paper.text[start:end].split())
        cues = scores(folded[start:end], start, inside)
        evidence = weighed(cues, likeness(sentence, known))
        filed = filed_under(evidence)
        if filed and is_design(sentence, sum(cues.values())):
            found.append(_Statement(passage, tuple(filed), evidence[filed[0]]))
    # A paper that hardly speaks of design mentions parts in passing.
    if len(found) < SPARSE * len(passages):
        found = [one for one in found if one.evidence >= SPARSE_EVIDENCE]
    return found


def _tells(word: str) -> bool:
    return len(word) > 3 or any(character.isdigit() for character in word)


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, len(one | other))


def _short_name(sentence: str, sub_name: str) -> str:
    detail = ", ".join(hints(sentence)[:2])
    if not detail:
        words = trimmed(sentence).split()
        detail = " ".join(words[:6]).rstrip(".,;:")
    name = f"{sub_name}: {detail}"
    return name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1].rstrip() + "…"
