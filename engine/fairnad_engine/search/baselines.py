"""Searches without ideas, behind the same evaluator, verifier and accounts.

They are random, regularized evolution, NSGA-II, and a language model that is left to itself. A child is its parent
with one random edit: sub-categories of the template are drawn uniformly, and the designer applies some change of the
first one's kind; where it has none on this parent, of the second or third. No idea, no turn, no memory of what
helped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.protocol import IdeaBrief, Purpose
from fairnad_engine.search.archive import Snapshot
from fairnad_engine.search.seeds import entropy, generator
from fairnad_engine.search.selection import Ranking
from fairnad_engine.store.live import CandidateLine
from fairnad_engine.store.records import Row

EDIT = "edit:"  # how the id of an edit begins, where an idea's would stand
OWN_CHOICE = "any"  # the edit that is left to the model
POPULATION = 20  # of evolution and of NSGA-II
TOURNAMENT = 5  # of evolution
_EDITS = 3  # as a turn has an idea and two alternates


def plan_baseline(
    method: str, places: Sequence[int], number: int, snapshot: Snapshot, template: Template, run_seed: int
) -> list[Row]:
    """Draw parents and edits of a generation's slots.

    Args:
        method: ``random``: a parent drawn from all models. ``evolution``: regularized evolution (Real et al. 2019,
            arXiv:1802.01548): the best of 5 drawn from the 20 youngest models, validation accuracy deciding.
            ``nsga2``: a binary tournament by rank and crowding among the 20 best by these (Deb et al. 2002).
            ``llm-no-idea``: parents as in Stage I; the language model is given no idea and chooses its change.
        places: Numbers of the slots.
        number: The generation.
        snapshot: What may be seen.
        template: Whose sub-categories are drawn from.
        run_seed: The run's seed.
    """
    draw_parent = _parents(method, snapshot)
    slots: list[Row] = []
    for slot in places:
        parent = draw_parent(generator(entropy(run_seed, number, 1, slot, "parent")))
        drawn = generator(entropy(run_seed, number, 1, slot, "edit")).permutation(len(template.subs))[:_EDITS]
        edits = [EDIT + (OWN_CHOICE if method == "llm-no-idea" else template.subs[int(n)].id) for n in drawn]
        slots.append(
            {
                "slot": slot,
                "stage": 1,
                "kind": Purpose.IDEA.value,
                "main": None,
                "sub": None,
                "ideas": edits,
                "parent_id": parent.id,
            }
        )
    return slots


def edit_brief(edit: str, template: Template) -> IdeaBrief:
    """An edit as a designer sees it: its kind alone, so that place and parameters are the designer's draw."""
    if edit == EDIT + OWN_CHOICE:
        told = "Choose one change of the parent's structure yourself, the one that you expect to help most."
        return IdeaBrief(edit, "", "", "a change of your own", told)
    sub = template.sub(edit.removeprefix(EDIT))
    return IdeaBrief(edit, sub.main, sub.id, sub.name, f"Make one change of this kind: {sub.name}.")


def _parents(method: str, snapshot: Snapshot) -> Callable[[np.random.Generator], CandidateLine]:
    """What draws a parent; the archive is looked at once, as all draws see the same."""
    pool = snapshot.best() if method == "llm-no-idea" else snapshot.trained()
    if method == "evolution":
        youngest = sorted(pool, key=lambda c: c.position)[-POPULATION:]

        def fittest(rng: np.random.Generator) -> CandidateLine:
            drawn = rng.choice(len(youngest), size=min(TOURNAMENT, len(youngest)), replace=False)
            return youngest[min(drawn, key=lambda i: (-(youngest[i].accuracy or 0.0), i))]

        return fittest
    if method == "nsga2":
        return Ranking(Ranking(pool).best(POPULATION)).tournament
    return lambda rng: pool[int(rng.integers(len(pool)))]
