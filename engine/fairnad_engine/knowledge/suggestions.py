"""Suggested sub-categories: what several papers say alike is one suggestion, and accepting one changes the template.

A suggestion is a main and a sub-category with a definition, an example and the papers whose words stand behind it
(method, section 1.1). The more papers, the higher it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rapidfuzz import fuzz

from fairnad_engine.errors import InputError
from fairnad_engine.knowledge.cues import fold
from fairnad_engine.knowledge.template import Template
from fairnad_engine.knowledge.template_edit import Edit, add_main, add_sub, change
from fairnad_engine.knowledge.template_fields import MAX_EXAMPLES, field_text
from fairnad_engine.store.proposals import ProposalRow

ALIKE = 88.0
"""Similarity of two names, 0 to 100 and whatever the order of their words, from which they mean the same."""


@dataclass(frozen=True)
class Suggestion:
    """A sub-category that papers suggest.

    Attributes:
        rows: What each paper says, the first one first.
        known: Id of the sub-category of today's template that has nearly this name, or None.
    """

    rows: tuple[ProposalRow, ...]
    known: str | None

    @property
    def head(self) -> ProposalRow:
        """The words that stand for all: the first paper's."""
        return self.rows[0]

    @property
    def papers(self) -> int:
        """How many papers suggest it."""
        return len({row.paper_id for row in self.rows})

    @property
    def ids(self) -> tuple[int, ...]:
        """The rows' numbers."""
        return tuple(row.id for row in self.rows)


def suggestions(rows: Iterable[ProposalRow], template: Template) -> tuple[Suggestion, ...]:
    """Put together what means the same; those that most papers name first, then as they came."""
    groups: list[list[ProposalRow]] = []
    of_main: dict[str, list[list[ProposalRow]]] = {}
    for row in rows:
        near = of_main.setdefault(fold(row.main), [])
        group = next((one for one in near if _alike(one[0].name, row.name)), None)
        if group is None:
            near.append([row])
            groups.append(near[-1])
        else:
            group.append(row)
    found = [Suggestion(tuple(group), _known(group[0], template)) for group in groups]
    return tuple(sorted(found, key=lambda one: (-one.papers, one.head.id)))


def accepted(template: Template, chosen: Sequence[Suggestion], names: dict[int, str] | None = None) -> Edit:
    """A change that adds suggested sub-categories, and their main categories where the template lacks them.

    A signature is left to a person: no paper says what a graph shows.

    Args:
        template: The template as it is.
        chosen: What to add, in this order.
        names: Other names than the suggested ones, by the number of a suggestion's first row.

    Raises:
        InputError: A name cannot be used, or the template has it already.
    """
    if not chosen:
        raise InputError("no proposal was named; see: fairnad-tui template proposals")
    now = template
    edit: Edit | None = None
    for one in chosen:
        head = one.head
        main = _main_of(now, head)
        if main is None:
            edit = add_main(now, head.level, head.main, _main_definition(head, chosen))
            now, main = edit.template, edit.selected
        name = (names or {}).get(head.id, head.name)
        edit = add_sub(now, main, name, head.definition)
        new = edit.selected
        edit = change(edit.template, new, "examples", _examples(one))
        if fold(name) != fold(head.name):
            # Papers speak of it by the name that was suggested.
            sub = edit.template.sub(new)
            edit = change(edit.template, new, "cues", f"{field_text(sub, 'cues')}; {head.name.lower()}")
        edit = replace(edit, selected=new)
        now = edit.template
    assert edit is not None  # noqa: S101 - there is at least one
    what = chosen[0].head.name if len(chosen) == 1 else f"{len(chosen)} proposed sub-categories"
    return replace(edit, base=template.digest, note=f"added {what}", gone=(), moved={})


def _main_definition(head: ProposalRow, chosen: Sequence[Suggestion]) -> str:
    """What belongs under a new main category: in the first words about it, else as its first sub-category says."""
    alike = (row for one in chosen for row in one.rows if fold(row.main) == fold(head.main))
    return next((row.main_definition for row in alike if row.main_definition), head.definition)


def _examples(one: Suggestion) -> str:
    """The first examples that the papers give, as a field's line."""
    said = (example for row in one.rows for example in (row.example, row.second_example) if example)
    return " | ".join(list(dict.fromkeys(example.replace("|", "/") for example in said))[:MAX_EXAMPLES])


def _alike(one: str, other: str) -> bool:
    return fuzz.token_sort_ratio(fold(one), fold(other), score_cutoff=ALIKE) > 0


def _known(row: ProposalRow, template: Template) -> str | None:
    return next((sub.id for sub in template.subs if _alike(sub.name, row.name)), None)


def _main_of(template: Template, row: ProposalRow) -> str | None:
    """The main category that a suggestion names, by id or name."""
    wanted = fold(row.main)
    return next((main.id for main in template.mains if wanted in (fold(main.id), fold(main.name))), None)
