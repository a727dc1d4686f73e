"""How often ideas were really applied, by category (method, section 1, realisation signatures).

Every verified backbone that applies an idea counts, whatever stage it is of: a turn's idea in Stage I, a derived one in
Stage III. Where no signature can tell, it counts as unknown and not in the rate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from fairnad_engine.knowledge.template import Template
from fairnad_engine.report.facts import ModelLine
from fairnad_engine.report.turn_facts import RealisationLine

_JUDGEMENTS = ("yes", "no", "unknown")


def realisation_lines(template: Template, models: Iterable[ModelLine]) -> tuple[RealisationLine, ...]:
    """Main categories, then sub-categories, in the template's order; those without a backbone are left out."""
    tally: dict[str, Counter[str]] = {}
    for model in models:
        if model.idea is None or model.generation == 0:
            continue
        for category in filter(None, (model.idea.main, model.idea.sub)):
            tally.setdefault(category, Counter())[model.realised] += 1
    found: list[tuple[str, str, str | None]] = [(main.id, main.name, None) for main in template.mains]
    found += [(sub.id, sub.name, sub.main) for sub in template.subs]
    return tuple(_line(*one, tally[one[0]]) for one in found if one[0] in tally)


def _line(category: str, name: str, main: str | None, count: Counter[str]) -> RealisationLine:
    yes, no, unknown = (count[judgement] for judgement in _JUDGEMENTS)
    return RealisationLine(category, name, main, yes, no, unknown, yes / (yes + no) if yes + no else None)
