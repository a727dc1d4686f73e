"""The built-in reader: no model, only the template's vocabulary and the grammar of design advice.

It is the baseline that any language model has to beat, and what runs where there is no model. It never rewrites
what a paper says: an idea is a quoted sentence, filed by the cues in it, with an imperative put before it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from fairnad_engine.knowledge.cues import compile_cues, find_cues, fold
from fairnad_engine.knowledge.design_sentences import MAX_INSTRUCTION, hints, instruct, is_design, trimmed
from fairnad_engine.knowledge.filing import filed_under, scores
from fairnad_engine.knowledge.paper_layout import section_name
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.knowledge.rules_screening import screen
from fairnad_engine.knowledge.sentences import sentence_spans
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.protocol import Extraction, IdeaDraft, Screening
from fairnad_engine.llm.replies import plain_line

SAME_IDEA = 0.8
"""Share of common words from which two sentences under one sub-category count as one idea."""

_SKIPPED_SECTION = re.compile(
    r"references?|bibliography|works cited|acknowledge?ments?|funding|author contributions|ethics statement|"
    r"further reading|sources?|citations?"
)
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
        """Return the paper's design sentences as ideas, in its order, each under one or two sub-categories."""
        folded = fold(paper.text)
        hits = find_cues(folded, compile_cues(template))
        starts = [hit.start for hit in hits]
        ideas: list[IdeaDraft] = []
        seen: dict[str, list[frozenset[str]]] = {}
        for start, end in _body_sentences(paper):
            inside = [hit for hit in hits[bisect_left(starts, start) : bisect_left(starts, end)] if hit.end <= end]
            quote = paper.text[start:end]
            flat = " ".join(quote.split())
            evidence = scores(folded[start:end], start, inside)
            if not evidence or not is_design(flat, sum(evidence.values())):
                continue
            words = frozenset(word for word in re.findall(r"\w+", folded[start:end]) if _tells(word))
            for sub_id in filed_under(evidence):
                if any(_overlap(words, other) >= SAME_IDEA for other in seen.setdefault(sub_id, [])):
                    continue
                seen[sub_id].append(words)
                sub = template.sub(sub_id)
                # The quote is the paper's; what people and models read of the idea holds nothing invisible.
                instruction = plain_line(instruct(flat, sub.action), MAX_INSTRUCTION)
                name = plain_line(_short_name(flat, sub.name), _MAX_NAME)
                ideas.append(IdeaDraft(sub.main, sub.id, name, instruction, quote, (start, end), "exact", 1.0))
        return Extraction(tuple(ideas))


def _body_sentences(paper: PaperText) -> Iterator[tuple[int, int]]:
    for section in paper.sections:
        if not _SKIPPED_SECTION.fullmatch(section_name(section.title)):
            spans = sentence_spans(paper.text, section.start, section.end)
            yield from ((start, end) for start, end in spans if end - start <= _MAX_SENTENCE)


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
