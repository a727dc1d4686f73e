"""Idea sampling as the live desk shows it: what fairness compares of each category, and what its turns became."""

from __future__ import annotations

from collections.abc import Mapping

from fairnad_engine.store import Store
from fairnad_engine.store.records import CountRow, RunRow, TurnCounts
from fairnad_screens.data.search import NO_TURNS, Category, Counts


class CountsReader:
    """Reads one run's; remembers what does not change."""

    def __init__(self, store: Store, row: RunRow) -> None:
        self._row = row
        self._unit = str(row.config.get("search", {}).get("fair_unit", "turn"))
        self._categories = store.live.categories(row.template_version)
        self._active_then: dict[int, set[str]] = {}
        self._names: dict[str, str] = {}

    def read(self, store: Store, through: int, as_of: int | None) -> Counts:
        """Read the counts as they are, or as of a generation."""
        run_id = self._row.id
        rows = store.sampling.compared(run_id, self._unit)
        outcomes = store.sampling.turn_outcomes(run_id, as_of)
        turns = self._compared(store, rows, outcomes, as_of)
        active = {node for node, row in rows.items() if row.active} if as_of is None else self._active(store, as_of)
        ideas = self._ideas(store, through, outcomes)
        subs: dict[str, list[Category]] = {}
        for node, parent, name in self._categories:
            if parent is not None:
                found = Category(
                    node, name, turns.get(node, 0), node in active, ideas.get(node, ()), outcomes.get(node, NO_TURNS)
                )
                subs.setdefault(parent, []).append(found)
        mains = tuple(
            Category(
                node, name, turns.get(node, 0), node in active, tuple(subs.get(node, ())), outcomes.get(node, NO_TURNS)
            )
            for node, parent, name in self._categories
            if parent is None
        )
        compared = [main.turns for main in mains if main.active]
        # Where a category joined later, its entry count of then is not kept.
        told = as_of is None or not any(row.join_offset for row in rows.values())
        return Counts(mains, max(compared) - min(compared) if compared and told else None, self._unit)

    def _compared(
        self, store: Store, rows: Mapping[str, CountRow], outcomes: Mapping[str, TurnCounts], as_of: int | None
    ) -> Mapping[str, int]:
        if as_of is None:
            return {node: row.effective for node, row in rows.items()}
        if self._unit == "trained":
            return {node: count.trained for node, count in outcomes.items()}
        return store.live.turns(self._row.id, as_of)

    def _ideas(self, store: Store, through: int, outcomes: Mapping[str, TurnCounts]) -> dict[str, tuple[Category, ...]]:
        under = store.outcomes.ideas_under(self._row.id, through)
        unnamed = {idea for inside in under.values() for idea in inside} - self._names.keys()
        if unnamed:
            self._names |= store.live.idea_names(unnamed)
        return {
            sub: tuple(
                Category(
                    f"{sub}/{one}",
                    self._names.get(one, one),
                    (made := outcomes.get(one, NO_TURNS)).turns,
                    True,
                    (),
                    made,
                )
                for one in inside
            )
            for sub, inside in under.items()
        }

    def _active(self, store: Store, generation: int) -> set[str]:
        """Categories that had approved ideas when a generation was drawn, as the run recorded it."""
        if generation not in self._active_then:
            # Before the first generation nothing was recorded; what that one drew from is the nearest.
            found = store.runs.latest_event(self._row.id, "ideas", max(1, generation))
            ideas = found[1] if found is not None else []
            self._active_then[generation] = {node for _, main, sub in ideas for node in (main, sub)}
        return self._active_then[generation]
