"""Whose design a passage of a paper speaks of, and whether it is the place where the paper tells its own.

Body sections tell the design; experiments, abstract, introduction and conclusion tell it once more. What other
people built stands in sections of related work, in introductions, and in sentences whose subject is their network.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from fairnad_engine.knowledge.paper_layout import Section, section_name
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.knowledge.sentences import sentence_spans

BODY, EXPERIMENTS, OVERVIEW = 0, 1, 2

_SKIPPED = re.compile(
    r"references?|bibliography|works cited|acknowledge?ments?|funding|author contributions|ethics(?: statement)?|"
    r"further reading|sources?|citations?|(?:related|prior|previous) works?|literature(?: review)?"
)
_EXPERIMENTS = re.compile(
    r"(?:main |additional )?(?:experiments?|results?|evaluations?)(?: and (?:results?|discussion|analysis))?|"
    r"experimental (?:set-?up|results?|evaluation)|ablations?|ablation (?:study|studies|experiments?)|"
    r"(?:set-?up|protocol|recipe|data(?: ?sets?)?|training|implementation)(?: details)?|"
    r"baselines?|(?:compared |candidate )?(?:networks|models|methods)"
)
_BACKGROUND = re.compile(r"(?:introduction|background)(?: and (?:related work|motivation|background))?")
_OVERVIEW = re.compile(
    r"abstract|conclusions?|concluding remarks|summary|discussion(?: and conclusions?)?|limitations?"
)
_OWN = re.compile(r"\b(?:we|our|ours|us|this (?:paper|work)|the (?:authors|paper))\b", re.IGNORECASE)
_NETWORK = re.compile(
    r"\b(?:[A-Z][A-Za-z]*(?:Nets?|Ne[Xx]t|Former|former|ViT|Lab|VGG|CNN|Mixer|FPN|DETR|UNet)|VGG|ViT|DeiT|Swin|"
    r"Inception|Xception|U-Net)(?:[A-Z]?\d*\w*)(?:-[\w.]+)*"
)
_OTHERS_WORK = re.compile(
    r"[A-Z][\w'-]+,? (?:and [A-Z][\w'-]+ (?:propos|introduc|show|found|observ|report)|et al\.)|"
    r"(?:Earlier|Previous|Prior|Recent) \w+\s"
)
_CUSTOM = re.compile(r"(?:Usual|Usually|Conventional|Typical|Typically|Existing|Traditional|Classical)\b")
_SEMICOLON = re.compile(r";\s+")
_LEAST_CLAUSE = 5
"""Words."""
_HEADING = re.compile(r"\s*(#{1,6})\s")
_NUMBERED = re.compile(r"\d+(?:\.\d+)*")
_ABLATION = re.compile(
    r"(?:replacing|removing|swapping|exchanging|omitting|dropping|without|with|using)\s", re.IGNORECASE
)


@dataclass(frozen=True)
class Passage:
    """One sentence: its place in the text, in what kind of section it stands, and the section's name."""

    start: int
    end: int
    rank: int
    section: str = ""


def own_passages(paper: PaperText) -> Iterator[Passage]:
    """Yield the sentences in which a paper may speak of its own design, in its order."""
    named = _named(f"{paper.title}\n{paper.abstract}")
    # A paper whose network goes by a common name need not say so at its head.
    own = named | {_family(name) for name, _ in Counter(_NETWORK.findall(paper.text)).most_common(1)}
    for section, name in _told(paper):
        background = bool(_BACKGROUND.fullmatch(name))
        rank = EXPERIMENTS if _EXPERIMENTS.fullmatch(name) else BODY
        rank = OVERVIEW if background or _OVERVIEW.fullmatch(name) else rank
        for start, end in sentence_spans(paper.text, section.start, section.end):
            sentence = paper.text[start:end]
            # Where the design itself is told, a relative's is told as advice.
            if _CUSTOM.match(sentence) or (rank != BODY and of_others(sentence, own)):
                continue
            if rank == EXPERIMENTS and _ABLATION.match(sentence):
                continue
            if not background or _OWN.search(sentence) or _named(sentence) & named:
                parts = _clauses(paper.text, start, end)
                yield from (Passage(first, last, rank, section_name(section.title)) for first, last in parts)


def _clauses(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield a sentence's parts at its semicolons, each a statement of its own; a short part stays where it is."""
    for mark in _SEMICOLON.finditer(text, start, end):
        if min(len(text[start : mark.start()].split()), len(text[mark.end() : end].split())) >= _LEAST_CLAUSE:
            yield start, mark.start()
            start = mark.end()
    yield start, end


def _told(paper: PaperText) -> Iterator[tuple[Section, str]]:
    """Yield the sections that are read, each with the name that tells its kind: its own, or that of one around it."""
    around, depth = "", 0
    for section in paper.sections:
        name, deep = section_name(section.title), _depth(paper, section)
        if around and depth and deep > depth:
            name = around
        else:
            telling = any(kind.fullmatch(name) for kind in (_SKIPPED, _EXPERIMENTS, _BACKGROUND))
            around, depth = (name, deep) if telling else ("", 0)
        if not _SKIPPED.fullmatch(name):
            yield section, name


def _depth(paper: PaperText, section: Section) -> int:
    """Return how deep a section's heading stands, 0 where that cannot be seen."""
    before = paper.text[: section.start].rstrip()
    heading = _HEADING.match(before, before.rfind("\n") + 1)
    if heading:
        return len(heading[1])
    numbered = _NUMBERED.match(section.title)
    return 1 + numbered[0].count(".") if numbered else 0


def _named(text: str) -> frozenset[str]:
    return frozenset(_family(match[0]) for match in _NETWORK.finditer(text))


def _family(network: str) -> str:
    return re.split(r"(?<=[a-z])V?\d|-", network)[0].removesuffix("s").casefold()


def of_others(sentence: str, own: frozenset[str]) -> bool:
    """Return whether a sentence's subject is other people's network, ``own`` being the paper's."""
    if _OTHERS_WORK.match(sentence):
        return True
    subject = _NETWORK.match(sentence.removeprefix("In "))
    return subject is not None and _family(subject[0]) not in own
