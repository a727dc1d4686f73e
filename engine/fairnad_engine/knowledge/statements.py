"""Statements: which sentences of a paper are design ideas, of which sub-category, by all evidence together.

What speaks for a sentence: the learned scores of its subject and its manner, the template's cues and vocabulary, the
rules of :mod:`.design_sentences`, the kind of its section, and the paper's other sentences about the same.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fairnad_engine.knowledge.cues import compile_cues, find_cues, fold
from fairnad_engine.knowledge.design_sentences import is_design, is_harm, is_order, is_training
from fairnad_engine.knowledge.filing import LEAST, LIKENESS_WEIGHT, scores
from fairnad_engine.knowledge.likeness import likeness, vocabulary
from fairnad_engine.knowledge.paper_voice import EXPERIMENTS, OVERVIEW, Passage, of_others, own_passages
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.knowledge.statement_model import Linear, StatementModel
from fairnad_engine.knowledge.statement_words import manner_features, subject_features
from fairnad_engine.knowledge.template import Template

LIKELY = 0.32
"""Likelihood from which a statement is an idea; chosen by leaving one paper out (``bench.reading_model``)."""
_READINGS = 4
"""Sub-categories that are considered for each sentence."""
_IDEAS_EACH = 2
_LONGEST = 1500  # Characters; a longer sentence is a table or formula without line ends.
_CUE, _LIKENESS = 0.03, 0.1
"""What cues and likeness count beside the learned score when readings are ranked."""
_STRONGEST_CUES = 5.0
_UNLEARNED, _UNLEARNED_MOST = 0.08, 0.5
"""What the same two count alone, for a sub-category that the learned part does not know."""
_PLAIN_SUBJECT = 0.3
"""Learned score from which the subject of an imperative is plain."""
_TELLING = 8
"""The paper's most design-like sentences, which tell how much it speaks of design."""
_RUN_IN = re.compile(r"(?:[A-Z]\.\s+)?(?:\*\*|\*|__|_)([^*_]{2,60}?)[.:]?(?:\*\*|\*|__|_)")


@dataclass(frozen=True)
class Told:
    """A sentence with what stands around it."""

    passage: Passage
    text: str
    heading: str
    before: str


@dataclass(frozen=True)
class Reading:
    """One sentence read as a statement about one sub-category."""

    told: Told
    sub: str
    evidence: Mapping[str, float]


@dataclass(frozen=True)
class Statement:
    """A reading that was found likely."""

    told: Told
    sub: str
    likelihood: float


def told(paper: PaperText) -> list[Told]:
    """Return the sentences in which a paper may speak of its design."""
    found: list[Told] = []
    paragraph, before = -1, ""
    for passage in own_passages(paper):
        begin = paper.text.rfind("\n\n", 0, passage.start) + 2
        run_in = _RUN_IN.match(paper.text, begin, begin + 120)
        text = " ".join(paper.text[passage.start : passage.end].split())
        if passage.end - passage.start <= _LONGEST:
            found.append(Told(passage, text, run_in[1] if run_in else "", before if begin == paragraph else ""))
        paragraph, before = begin, text
    return found


def readings(paper: PaperText, template: Template, subject: Linear, manner: Linear) -> list[Reading]:
    """Return each sentence's likeliest readings, with the evidence for each."""
    alike, design, learned, cued = [], [], [], []
    sentences, known = told(paper), vocabulary(template)
    folded = fold(paper.text)
    hits = find_cues(folded, compile_cues(template))
    starts = [hit.start for hit in hits]
    subs = {sub.id for sub in template.subs}
    for one in sentences:
        start, end = one.passage.start, one.passage.end
        inside = [hit for hit in hits[bisect_left(starts, start) : bisect_left(starts, end)] if hit.end <= end]
        cues = {sub: min(_STRONGEST_CUES, of) for sub, of in scores(folded[start:end], start, inside).items()}
        like = likeness(one.text, known)
        model = subject.scores(subject_features(one.text, one.heading))
        cued.append(cues)
        alike.append(like)
        learned.append({sub: model[sub] if sub in model else _unlearned(cues, like, sub) for sub in subs})
        design.append(manner.scores(_manner(one))["design"])
    ranked = [
        {sub: of[sub] + _CUE * cues.get(sub, 0.0) + _LIKENESS * like[sub] for sub in subs}
        for of, cues, like in zip(learned, cued, alike, strict=True)
    ]
    columns = {sub: sorted((row[sub] for row in ranked), reverse=True)[:3] for sub in subs}
    telling = sorted(design, reverse=True)[:_TELLING]
    told_of_design = sum(telling) / max(1, len(telling))
    found = []
    for place, one in enumerate(sentences):
        rules = _rules(one, sum(cued[place].values()))
        row = ranked[place]
        order = sorted(row, key=lambda sub: (-row[sub], sub))[:_READINGS]
        for nth, sub in enumerate(order):
            rival = row[order[1 if nth == 0 else 0]] if len(order) > 1 else 0.0
            evidence = rules | {
                "subject": learned[place][sub],
                "manner": design[place],
                "lead": row[sub] - rival,
                "second": float(nth == 1),
                "later": float(nth > 1),
                "paper": told_of_design,
                "foremost": float(columns[sub][0] <= row[sub]),
                "both": learned[place][sub] * design[place],
                "elsewhere": sum(columns[sub]) - row[sub],
                "cues": cued[place].get(sub, 0.0),
                "likeness": alike[place][sub],
                "other cues": sum(cued[place].values()) - cued[place].get(sub, 0.0),
            }
            found.append(Reading(one, sub, evidence))
    return found


def _unlearned(cues: Mapping[str, float], like: Mapping[str, float], sub: str) -> float:
    return min(_UNLEARNED_MOST, _UNLEARNED * (cues.get(sub, 0.0) + LIKENESS_WEIGHT * like[sub]))


def _manner(one: Told) -> dict[str, float]:
    return manner_features(one.text, one.heading, one.passage.section, one.before, one.passage.rank)


def _rules(one: Told, strength: float) -> dict[str, float]:
    return {
        "experiments": float(one.passage.rank == EXPERIMENTS),
        "overview": float(one.passage.rank == OVERVIEW),
        "harm": float(is_harm(one.text)),
        "advice": float(is_design(one.text, max(strength, 2.5))),
        "others": float(of_others(one.text, frozenset())),
        "training": float(is_training(one.text)),
    }


def chosen(judged: Sequence[tuple[float, Reading]], least: float = LIKELY) -> Iterator[Statement]:
    """Yield the likely readings, likeliest first: one for each sub-category, two at most for each sentence."""
    taken: set[str] = set()
    used: dict[tuple[int, int], int] = {}
    for likelihood, one in sorted(judged, key=lambda row: (-row[0], row[1].told.passage.start, row[1].sub)):
        place = (one.told.passage.start, one.told.passage.end)
        if likelihood < least:
            return
        if one.sub not in taken and used.get(place, 0) < _IDEAS_EACH:
            taken.add(one.sub)
            used[place] = used.get(place, 0) + 1
            yield Statement(one.told, one.sub, likelihood)


def statements(paper: PaperText, template: Template, model: StatementModel) -> list[Statement]:
    """Return a paper's design statements, likeliest first."""
    found = readings(paper, template, model.subject, model.manner)
    judged = [(model.judge.likelihood(one.evidence), one) for one in found]
    return list(chosen([(max(likely, LIKELY) if _orders(one) else likely, one) for likely, one in judged]))


def _orders(one: Reading) -> bool:
    # "Use X" is advice to the reader, as papers rarely give it and people's notes do: cues alone file it.
    plain = one.evidence["cues"] >= LEAST or one.evidence["subject"] >= _PLAIN_SUBJECT
    return plain and bool(one.evidence["advice"]) and is_order(one.told.text)
