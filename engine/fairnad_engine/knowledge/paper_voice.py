"""Whose design a passage of a paper speaks of, and whether it is the place where the paper tells its own.

Body sections tell the design; experiments, abstract, introduction and conclusion tell it once more. What other
people built stands in sections of related work, in introductions, and in sentences whose subject is their network.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from fairnad_engine.knowledge.paper_layout import section_name
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.knowledge.sentences import sentence_spans

BODY, EXPERIMENTS, OVERVIEW = 0, 1, 2

_SKIPPED = re.compile(
    r"references?|bibliography|works cited|acknowledge?ments?|funding|author contributions|ethics(?: statement)?|"
    r"further reading|sources?|citations?|(?:related|prior|previous) works?|literature(?: review)?"
)
_EXPERIMENTS = re.compile(
    r"(?:main |additional )?(?:experiments?|results?|evaluations?)(?: and (?:results?|discussion|analysis))?|"
    r"experimental (?:set-?up|results?|evaluation)|ablations?|ablation (?:study|studies|experiments?)"
)
_BACKGROUND = re.compile(r"(?:introduction|background)(?: and (?:related work|motivation|background))?")
_OVERVIEW = re.compile(r"abstract|conclusions?|concluding remarks|summary|discussion(?: and conclusions?)?|limitations?")
_OWN = re.compile(r"\b(?:we|our|ours|us|this (?:paper|work)|the (?:authors|paper))\b", re.IGNORECASE)
_NETWORK = re.compile(
    r"\b(?:[A-Z][A-Za-z]*(?:Nets?|Ne[Xx]t|Former|former|ViT|Lab|VGG|CNN|Mixer|FPN|DETR|UNet)|VGG|ViT|DeiT|Swin|"
    r"Inception|Xception|U-Net)(?:[A-Z]?\d*\w*)(?:-[\w.]+)*"
)
_OTHERS_WORK = re.compile(
    r"[A-Z][\w'-]+,? (?:and [A-Z][\w'-]+ (?:propos|introduc|show|found|observ|report)|et al\.)|"
    r"(?:Earlier|Previous|Prior|Recent|Usual|Conventional|Typical|Existing|Traditional|Classical) \w+\s"
)
_ABLATION = re.compile(r"(?:replacing|removing|swapping|exchanging|omitting|dropping|without|with|using)\s", re.IGNORECASE)


@dataclass(frozen=True)
class Passage:
    """One sentence: its place in the text, and in what kind of section it stands."""

    start: int
    end: int
    rank: int


def own_passages(paper: PaperText) -> Iterator[Passage]:
    """Yield the sentences in which a paper may speak of its own design, in its order."""
    named = _named(f"{paper.title}\n{paper.abstract}")
    # A paper whose network goes by a common name need not say so at its head.
    own = named | {_family(name) for name, _ in Counter(_NETWORK.findall(paper.text)).most_common(1)}
    for section in paper.sections:
        name = section_name(section.title)
        if _SKIPPED.fullmatch(name):
            continue
        background = bool(_BACKGROUND.fullmatch(name))
        rank = EXPERIMENTS if _EXPERIMENTS.fullmatch(name) else BODY
        rank = OVERVIEW if background or _OVERVIEW.fullmatch(name) else rank
        for start, end in sentence_spans(paper.text, section.start, section.end):
            sentence = paper.text[start:end]
            # Where the design itself is told, a relative's is told as advice.
            if rank != BODY and _of_others(sentence, own):
                continue
            if rank == EXPERIMENTS and _ABLATION.match(sentence):
                continue
            if not background or _OWN.search(sentence) or _named(sentence) & named:
                yield Passage(start, end, rank)


def _named(text: str) -> frozenset[str]:
    return frozenset(_family(match[0]) for match in _NETWORK.finditer(text))


def _family(network: str) -> str:
    return re.split(r"(?<=[a-z])V?\d|-", network)[0].removesuffix("s").casefold()


def _of_others(sentence: str, own: frozenset[str]) -> bool:
    if _OTHERS_WORK.match(sentence):
        return True
    subject = _NETWORK.match(sentence.removeprefix("In "))
    return subject is not None and _family(subject[0]) not in own
