"""Likeness: which sub-category a sentence resembles, by the words that it shares with the template.

A cue is a phrase that must stand there; likeness needs only enough of a sub-category's own words, in any order and
form: its name, definition, examples and cues are its vocabulary, and a word counts the more, the fewer
sub-categories know it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from fairnad_engine.knowledge.cues import fold
from fairnad_engine.knowledge.template import Sub, Template

_WORD = re.compile(r"[a-z]+(?:\d+[a-z]*)?|\d+x\d+")
_ENDINGS = re.compile(r"(?:isation|ization|ations?|ings?|ed|ers?|ions?|ities|ity|ally|ly|es|s|e)$")
COMMON = frozenset(
    " ".join(
        (
            "a an and are as at be by each every for from has have in into is it its more no not of on one only or so",
            "than that the then they this to use used using we when where which with without",
        )
    ).split()
)
_SAME = (
    "learned learnt learnable trainable trained parametric",
    "factor coefficient scalar multiplier gain",
    "pointwise 1x1",
    "linear dense-layer fully",
    "image picture photograph",
    "position token location pixel site",
    "widen expand expansion enlarge widening inflate",
    "narrow compress narrowing squeeze shrink",
    "block unit module cell",
    "stage level",
    "concatenate concatenation stack stacking join joined joining",
    "add sum addition summation summed",
    "maximum max largest strongest",
    "average mean averaging averaged avg",
    "shuffle permute reorder interleave permutation",
    "multiply multiplied modulate product multiplication",
    "rescale reweigh reweight recalibrate",
    "remove omit omitted leaving dispense absent",
    "separate stand-alone standalone dedicated",
    "dilated atrous dilation holes",
    "path branch paths branches",
    "parallel beside side",
    "activation non-linearity nonlinearity rectifier",
    "normalise normalisation normalize normalization standardise standardize norm",
    "downsample downsampling subsample subsampling reduction",
    "early soon quickly",
    "late later",
    "depthwise per-channel channelwise",
    "bypass untouched unchanged untransformed",
    "gate gating gated mask",
)
"""Words of one meaning in talk of networks; the first stands for all."""
_SHARES = {"name": 2.0, "definition": 4.0, "examples": 4.0, "cues": 1.0}
"""How often a word of each field counts: whole sentences show how it is spoken of, cues are many and alike."""
_RARITY = 1.5
"""Power of a word's rarity among the sub-categories."""


@dataclass(frozen=True)
class Vocabulary:
    """What a template's sub-categories are told apart by: for each, its stems (single and in pairs) with weights."""

    weights: dict[str, dict[str, float]]


@lru_cache(maxsize=4)
def vocabulary(template: Template) -> Vocabulary:
    """Return a template's vocabulary; it depends on its text alone."""
    counts = {sub.id: _counts(sub) for sub in template.subs}
    known = Counter(stem for of_sub in counts.values() for stem in of_sub)
    weights: dict[str, dict[str, float]] = {}
    for sub_id, of_sub in counts.items():
        raw = {
            stem: (1 + math.log(count)) * math.log(len(counts) / known[stem]) ** _RARITY
            for stem, count in of_sub.items()
        }
        length = math.hypot(*raw.values()) or 1.0
        weights[sub_id] = {stem: value / length for stem, value in raw.items()}
    return Vocabulary(weights)


def _counts(sub: Sub) -> dict[str, float]:
    found: dict[str, float] = {}
    fields = {"name": (sub.name,), "definition": (sub.definition,), "examples": sub.examples, "cues": sub.cues}
    for field, share in _SHARES.items():
        for stem in (stem for text in fields[field] for stem in stems(text)):
            found[stem] = found.get(stem, 0.0) + share
    return found


def stems(text: str) -> list[str]:
    """Return the stems of a text's telling words, and each two neighbours as one."""
    words = [stem_of(word) for word in words_of(text) if word not in COMMON]
    return [*words, *(f"{one} {other}" for one, other in pairwise(words))]


def words_of(text: str) -> list[str]:
    """Return a text's words and kernel sizes in lower case; other numbers are left out."""
    return _WORD.findall(fold(text).replace("-", " "))


@lru_cache(maxsize=20_000)
def stem_of(word: str) -> str:
    """Return what a word means in talk of networks: its stem, or the first of the words that say the same."""
    sizes = re.fullmatch(r"(\d+)x(\d+)", word)
    if sizes:
        side = int(sizes[1])
        return "kernel-large" if side >= 5 and sizes[1] == sizes[2] else word
    return _MEANT.get(word) or _MEANT.get(_cut(word)) or _cut(word)


def _cut(word: str) -> str:
    short = _ENDINGS.sub("", word)
    return (short if len(short) >= 3 else word)[:7]


_MEANT = {form: group.split()[0] for group in _SAME for word in group.split() for form in (word, _cut(word))}


def likeness(sentence: str, known: Vocabulary) -> dict[str, float]:
    """Return how much a sentence resembles each sub-category; 0 where they share no telling word."""
    present = set(stems(sentence))
    return {
        sub: sum(weights[stem] for stem in sorted(present & weights.keys())) for sub, weights in known.weights.items()
    }
