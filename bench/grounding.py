"""How well fuzzy grounding tells slips of the pen from other words: ``python -m bench.grounding``.

Quotes are the sentences of the sample papers. Each is written down with one to three slips, as a paraphrase (a synonym
or the opposite for a word, a word left out or added, two words swapped, another number), and sought in another paper.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable, Iterator
from time import perf_counter

from fairnad_engine.knowledge.grounding import locate
from fairnad_engine.knowledge.papers import PaperText, read_papers
from fairnad_engine.knowledge.sentences import sentence_spans
from fairnad_engine.knowledge.typing_slips import SHORTEST
from fairnad_engine.resources import data_folder

QUOTES = 600
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_OTHER = {
    "large": "small", "small": "large", "use": "employ", "replace": "swap", "more": "fewer", "after": "before",
    "with": "without", "increase": "decrease", "higher": "lower", "each": "every", "deep": "shallow", "is": "is not",
    "two": "three", "first": "last", "block": "stage", "layer": "level", "channel": "spatial", "wide": "narrow",
    "and": "or", "can": "cannot", "are": "were", "the": "a", "convolution": "attention", "add": "remove",
}  # fmt: skip


def quotes(papers: list[PaperText], draws: random.Random) -> list[tuple[PaperText, str]]:
    """Sentences of the papers that are long enough, as many as :data:`QUOTES`."""
    found = [
        (paper, " ".join(paper.text[start:end].split()))
        for paper in papers
        for section in paper.sections
        for start, end in sentence_spans(paper.text, section.start, section.end)
        if sum(map(str.isalnum, paper.text[start:end])) >= SHORTEST and end - start <= 400
    ]
    return draws.sample(found, min(QUOTES, len(found)))


def with_slips(quote: str, slips: int, draws: random.Random) -> str:
    """A quote with letters changed, left out, added or swapped; any letter may be hit."""
    text = quote
    for _ in range(slips):
        places = [at for at, character in enumerate(text[:-1]) if character.isalpha() and text[at + 1].isalpha()]
        at, new = draws.choice(places), draws.choice(_LETTERS)
        ways = (text[:at] + new + text[at + 1 :], text[:at] + text[at + 1 :], text[:at] + new + text[at:])
        text = draws.choice([*ways, text[:at] + text[at + 1] + text[at] + text[at + 2 :]])
    return text


def paraphrases(quote: str, draws: random.Random) -> Iterator[tuple[str, str]]:
    """Ways to say something else with nearly the same words, by kind."""
    words = quote.split()
    known = [at for at, word in enumerate(words) if word.lower() in _OTHER]
    if known:
        at = draws.choice(known)
        yield "another word", " ".join([*words[:at], _OTHER[words[at].lower()], *words[at + 1 :]])
    at = draws.randrange(len(words) - 1)
    yield "a word left out", " ".join(words[:at] + words[at + 1 :])
    yield "a word too many", " ".join([*words[:at], draws.choice(("not", "also", "very", "usually")), *words[at:]])
    yield "two words swapped", " ".join([*words[:at], words[at + 1], words[at], *words[at + 2 :]])
    if re.search(r"\d", quote):
        yield "another number", re.sub(r"\d", lambda match: str((int(match[0]) + 1) % 10), quote, count=1)


def _found(quote: str, paper: PaperText) -> bool:
    place = locate(quote, paper.text)
    return place is not None and place.method == "fuzzy"


def main() -> None:
    """Print the shares found."""
    tell: Callable[[str], object] = sys.stdout.write
    draws = random.Random(2026)
    papers = [one for one in read_papers(str(data_folder("sample_papers"))) if isinstance(one, PaperText)]
    chosen = quotes(papers, draws)
    tell(f"{len(chosen)} quotes of {len(papers)} papers\n")
    for slips in (1, 2, 3):
        right = sum(locate(with_slips(quote, slips, draws), paper.text) is not None for paper, quote in chosen)
        tell(f"{slips} slips: {100 * right / len(chosen):.1f} % found\n")
    wrong: dict[str, list[bool]] = {}
    for paper, quote in chosen:
        for kind, text in paraphrases(quote, draws):
            if locate(text, paper.text) is None or _found(text, paper):  # else the change made no other words
                wrong.setdefault(kind, []).append(_found(text, paper))
        other = draws.choice([one for one in papers if one.id != paper.id])
        if quote not in other.text:
            wrong.setdefault("quote of another paper", []).append(_found(with_slips(quote, 1, draws), other))
    for kind, found in wrong.items():
        tell(f"{kind}: {100 * sum(found) / len(found):.1f} % of {len(found)} found\n")
    long_text = " ".join(paper.text for paper in papers)[:100_000]
    quote = with_slips(" ".join(chosen[0][1] for _ in range(9))[:400], 3, draws)
    locate(quote, long_text)
    start = perf_counter()
    for _ in range(20):
        locate(quote + " ", long_text)
    tell(f"absent quote of 400 in {len(long_text):,} characters: {50 * (perf_counter() - start):.1f} ms\n")


if __name__ == "__main__":
    main()
