"""Fair idea sampling: turns go to categories, not to ideas (method, section 3, Stage I).

Least-turned main category, then least-turned sub-category inside it, then the least-used approved idea inside that;
ties by the seeded draw. Invariant over categories that have approved ideas: *effective* counts (turns plus join
offset) of two main categories differ by at most 1, likewise two sub-categories of one main category. A category that
joins, or comes back after it was empty, enters at the current minimum.

With ``fair_unit = trained`` trained models are kept equal instead of turns: effective = models trained of a category's
turns so far + its turns of this generation (their end is not known yet) + join offset. Every draw goes to a least one,
but ends may part counts by more than 1, which later draws make up for. A category that never comes to a model would
take every turn: from ``FORGIVEN`` failed turns beyond its trained models on, failed turns count too, so none gets
more than twice the turns of another, and a few (:class:`fairnad_engine.store.records.CountRow`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fairnad_engine.search.posterior import Posterior
from fairnad_engine.store.records import CountRow

ALTERNATES = 2  # other ideas of the same sub-category that a failing slot may try


@dataclass(frozen=True)
class FairIdea:
    """An approved idea as sampling sees it."""

    id: str
    level: str
    main: str
    sub: str


@dataclass(frozen=True)
class Turn:
    """One slot's turn: the drawn idea first, then its alternates."""

    main: str
    sub: str
    ideas: tuple[str, ...]


class FairSampler:
    """Draws turns and keeps their counts; a value object around one generation's draw."""

    def __init__(
        self,
        ideas: Sequence[FairIdea],
        counts: Mapping[str, CountRow],
        uses: Mapping[str, int],
        fairness: str,
        *,
        unit: str = "turn",
        posterior: Posterior | None = None,
    ) -> None:
        """Take stock of which categories have approved ideas now, and let those that join enter at the minimum.

        Args:
            ideas: The approved ideas.
            counts: Counts so far; of trained models where ``unit`` says so.
            uses: How often each idea was drawn or tried.
            fairness: On which levels turns are kept equal.
            unit: ``turn`` or ``trained``.
            posterior: What categories brought, where it is mixed in; the invariant then does not hold.
        """
        self._by_sub: dict[str, list[FairIdea]] = {}
        self._parents: dict[str, str] = {}
        self._kinds: dict[str, str] = {}
        for idea in ideas:
            self._by_sub.setdefault(idea.sub, []).append(idea)
            self._parents.update({idea.sub: idea.main, idea.main: idea.level, idea.level: ""})
            self._kinds.update({idea.sub: "sub", idea.main: "main", idea.level: "level"})
        self._ideas = list(ideas)
        self._fairness = fairness
        self._trained = 0 if unit == "trained" else None
        self._posterior = posterior or Posterior()
        self.uses = dict(uses)
        self.counts = self._join(counts)

    def draw(self, turns: int, rng: np.random.Generator) -> list[Turn]:
        """Draw turns one after the other; counts and uses include them."""
        if not self._ideas:
            return []
        return [self._turn(rng) for _ in range(turns)]

    def _turn(self, rng: np.random.Generator) -> Turn:
        sub = self._choose_sub(rng)
        main = self._parents[sub]
        for node in (self._parents[main], main, sub):
            count = self.counts[node]
            self.counts[node] = replace(count, turns=count.turns + 1, open=count.open + 1)
        members = self._by_sub[sub]
        order = rng.permutation(len(members))
        ranked = sorted(order, key=lambda i: self.uses.get(members[i].id, 0))
        chosen = tuple(members[i].id for i in ranked[: 1 + ALTERNATES])
        self.uses[chosen[0]] = self.uses.get(chosen[0], 0) + 1
        return Turn(main, sub, chosen)

    def _choose_sub(self, rng: np.random.Generator) -> str:
        mains = self._children_of_all("main")
        if self._posterior.decides(rng):
            return self._inside(self._posterior.draw(mains, rng), rng)
        match self._fairness:
            case "none":
                return self._ideas[int(rng.integers(len(self._ideas)))].sub
            case "sub":
                return self._least(self._by_sub, rng)
            case "level+main+sub":
                level = self._least(self._children_of_all("level"), rng)
                main = self._least((m for m in mains if self._parents[m] == level), rng)
            case _:
                main = self._least(mains, rng)
        return self._inside(main, rng)

    def _inside(self, main: str, rng: np.random.Generator) -> str:
        """A sub-category of a main category: the least one, or that of an idea drawn from all."""
        if self._fairness in ("main", "none"):
            inside = [idea for idea in self._ideas if idea.main == main]
            return inside[int(rng.integers(len(inside)))].sub
        return self._least((sub for sub in self._by_sub if self._parents[sub] == main), rng)

    def _children_of_all(self, kind: str) -> list[str]:
        return [node for node, found in self._kinds.items() if found == kind]

    def _least(self, nodes: Iterable[str], rng: np.random.Generator) -> str:
        candidates = sorted(nodes)
        fewest = min(self.counts[node].effective for node in candidates)
        tied = [node for node in candidates if self.counts[node].effective == fewest]
        return tied[int(rng.integers(len(tied)))]

    def _join(self, counts: Mapping[str, CountRow]) -> dict[str, CountRow]:
        joined = {node: replace(count, active=node in self._kinds) for node, count in counts.items()}
        known = {node: counts.get(node, self._no_count(node)) for node in self._kinds}
        for node, old in known.items():
            if not old.active:
                minimum = self._entry_count(node, known)
                joined[node] = replace(old, join_offset=minimum - (old.effective - old.join_offset), active=True)
        return joined

    def _no_count(self, node: str) -> CountRow:
        return CountRow(node, self._kinds[node], 0, 0, active=False, trained=self._trained)

    def _entry_count(self, node: str, known: Mapping[str, CountRow]) -> int:
        """The effective count at which a category enters.

        The minimum of its active peers; where it has none, the highest count among those that enter with it, so that
        they start level.
        """
        peers = [count for other, count in known.items() if self._are_peers(node, other)]
        active = [count.effective for count in peers if count.active]
        return min(active) if active else max(count.effective for count in peers)

    def _are_peers(self, one: str, other: str) -> bool:
        """Sub-categories compare within their main category, mains with all mains (or with those of their level)."""
        kind = self._kinds[one]
        if self._kinds[other] != kind:
            return False
        if kind == "sub" and self._fairness == "sub":
            return True
        if kind == "main" and self._fairness != "level+main+sub":
            return True
        return self._parents[one] == self._parents[other]


def largest_difference(counts: Iterable[CountRow], kind: str = "main") -> int:
    """Difference between the most and the least turned active category of a kind."""
    effective = [count.effective for count in counts if count.kind == kind and count.active]
    return max(effective) - min(effective) if effective else 0
