"""How long near-duplicates among 15,000 ideas take to find: ``python -m bench.near_duplicates``."""

from __future__ import annotations

import random
import sys
from time import process_time

from fairnad_engine.knowledge.near_duplicates import duplicate_groups, group_of
from fairnad_engine.knowledge.papers import PaperText, read_papers
from fairnad_engine.knowledge.rules_reader import RulesReader
from fairnad_engine.knowledge.template import Template
from fairnad_engine.resources import data_folder
from fairnad_engine.store.knowledge_records import IdeaRow

_NUMBERS = ("3x3", "5x5", "7x7", "half", "a quarter of", "two", "four")


def ideas(number: int, seed: int = 11) -> list[IdeaRow]:
    """Ideas over all sub-categories: pieces of the sample papers' sentences, one in eight said twice."""
    draws = random.Random(seed)
    template = Template.load()
    papers = [one for one in read_papers(str(data_folder("sample_papers"))) if isinstance(one, PaperText)]
    said = [draft.instruction.split() for paper in papers for draft in RulesReader().extract(paper, template).ideas]
    subs = [sub.id for sub in template.subs]
    made: list[IdeaRow] = []
    for place in range(number):
        if made and draws.random() < 1 / 8:
            other = draws.choice(made[-200:])
            words = other.instruction.split()
            words[draws.randrange(len(words))] += draws.choice((",", "s", ""))
            made.append(_idea(place, other.sub, " ".join(words)))
            continue
        first, second = draws.choice(said), draws.choice(said)
        words = [*first[: draws.randint(4, 12)], draws.choice(_NUMBERS), *second[-draws.randint(4, 12) :]]
        made.append(_idea(place, subs[place % len(subs)], " ".join(words)))
    return sorted(made, key=lambda one: one.sub)


def _idea(place: int, sub: str, text: str) -> IdeaRow:
    main = sub.split(".")[0]
    return IdeaRow(
        f"{place:012x}",
        "p",
        "operation",
        main,
        sub,
        "n",
        text,
        "q",
        (0, 1),
        "extracted",
        "proposed",
        "",
        "",
        "",
        "exact",
    )


def main() -> None:
    """Print groups and seconds."""
    for number in (15_000, 50_000):
        made = ideas(number)
        start = process_time()
        groups = duplicate_groups(made)
        whole = process_time() - start
        start = process_time()
        group_of(made[number // 2], made)
        one = process_time() - start
        inside = sum(len(group.ideas) for group in groups)
        sys.stdout.write(
            f"{number:,} ideas: {len(groups):,} groups of {inside:,} in {whole:.2f} s; the group of one {one:.2f} s\n"
        )


if __name__ == "__main__":
    main()
