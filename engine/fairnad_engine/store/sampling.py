"""Counts of fair sampling: turns of categories, uses of ideas, and what became of the turns, per run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from sqlite_utils import Database

from fairnad_engine.store.records import CountRow, TurnCounts


class SamplingTable:
    """Turn counts and idea uses."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def counts(self, run_id: str) -> dict[str, CountRow]:
        """Counts by category id, of turns."""
        query = "SELECT node, kind, turns, join_offset, active FROM sampling_counts WHERE run_id = ? ORDER BY node"
        return {
            row["node"]: CountRow(row["node"], row["kind"], row["turns"], row["join_offset"], bool(row["active"]))
            for row in self._db.query(query, [run_id])
        }

    def counts_of_trained(self, run_id: str, known: int | None = None) -> dict[str, CountRow]:
        """Counts by category id, of trained models.

        Args:
            run_id: The run.
            known: The last generation whose ends are known; turns after it are open. None: whatever has ended.
        """
        query = """SELECT s.main, s.sub, n.parent level,
                   CASE WHEN ?2 IS NULL THEN s.state = 'pending' ELSE s.generation > ?2 END AS open,
                   s.state IN ('trained', 'screened') came, count(*) n
                   FROM slots s JOIN runs r ON r.id = s.run_id
                   LEFT JOIN template_nodes n ON n.version = r.template_version AND n.id = s.main
                   WHERE s.run_id = ?1 AND s.stage = 1 AND s.sub IS NOT NULL GROUP BY 1, 2, 3, 4, 5"""
        trained: dict[str, int] = {}
        waiting: dict[str, int] = {}
        for row in self._db.query(query, [run_id, known]):
            for node in (row["level"], row["main"], row["sub"]):
                if row["open"]:
                    waiting[node] = waiting.get(node, 0) + row["n"]
                elif row["came"]:
                    trained[node] = trained.get(node, 0) + row["n"]
        return {
            node: replace(count, trained=trained.get(node, 0), open=waiting.get(node, 0))
            for node, count in self.counts(run_id).items()
        }

    def turn_outcomes(self, run_id: str, through: int | None = None) -> dict[str, TurnCounts]:
        """What became of every turn, by main category, by sub-category, and by idea (method, section 3, Stage I).

        Of a category each number is among the one before. An idea's are the turns in which it was drawn or tried.

        Args:
            run_id: The run.
            through: The last generation that counts, whose front is meant then. None: all there are.
        """
        query = """WITH last AS (SELECT front_json FROM generations
                                 WHERE run_id = ?1 AND state = 'done' AND (?2 IS NULL OR number <= ?2)
                                 ORDER BY number DESC LIMIT 1),
                   front AS (SELECT j.value id FROM last, json_each(last.front_json) j)
                   SELECT s.main, s.sub, json_extract(s.ideas_json, '$[0]') drawn, c.idea_id made,
                   (SELECT json_group_array(DISTINCT a.idea_id) FROM attempts a WHERE a.run_id = ?1
                    AND a.generation = s.generation AND a.slot = s.slot AND a.idea_id IS NOT NULL) tried,
                   c.realised, c.status, c.id IN (SELECT id FROM front) on_front
                   FROM slots s LEFT JOIN candidates c
                   ON c.run_id = s.run_id AND c.generation = s.generation AND c.slot = s.slot
                   WHERE s.run_id = ?1 AND s.stage = 1 AND s.sub IS NOT NULL AND (?2 IS NULL OR s.generation <= ?2)
                   ORDER BY s.generation, s.slot"""
        tally: dict[str, list[int]] = {}

        def count(node: str, *ends: bool) -> None:
            sums = tally.setdefault(node, [0] * (1 + len(ends)))
            sums[0] += 1
            for place, end in enumerate(ends, start=1):
                sums[place] += end

        for row in self._db.execute(query, [run_id, through]).fetchall():
            tried, status = json.loads(row["tried"]), row["status"]
            ends = (status is not None, row["realised"] == "yes", status == "trained", bool(row["on_front"]))
            for node in (row["main"], row["sub"]):
                count(node, bool(tried), *ends)
            for idea in dict.fromkeys(filter(None, (row["drawn"], *tried))):  # a turn may have found no idea
                made = idea == row["made"]
                count(idea, idea in tried, *(made and end for end in ends))
        return {node: TurnCounts(*sums) for node, sums in sorted(tally.items())}

    def compared(self, run_id: str, unit: str) -> dict[str, CountRow]:
        """Counts by category id, of what a run keeps equal: of ``turn``, or of ``trained`` models."""
        return self.counts_of_trained(run_id) if unit == "trained" else self.counts(run_id)

    def save_counts(self, run_id: str, counts: Iterable[CountRow]) -> None:
        """Write counts; part of the transaction that opens a generation."""
        self._db.table("sampling_counts").upsert_all(
            (
                {
                    "run_id": run_id,
                    "node": count.node,
                    "kind": count.kind,
                    "turns": count.turns,
                    "join_offset": count.join_offset,
                    "active": int(count.active),
                }
                for count in counts
            ),
            pk=("run_id", "node"),
        )

    def uses(self, run_id: str) -> dict[str, int]:
        """How often each idea was drawn or tried."""
        query = "SELECT idea_id, uses FROM idea_uses WHERE run_id = ? ORDER BY idea_id"
        return {row["idea_id"]: row["uses"] for row in self._db.query(query, [run_id])}

    def save_uses(self, run_id: str, uses: dict[str, int]) -> None:
        """Write idea uses; part of the transaction that opens or closes a generation."""
        self._db.table("idea_uses").upsert_all(
            ({"run_id": run_id, "idea_id": idea, "uses": n} for idea, n in sorted(uses.items())),
            pk=("run_id", "idea_id"),
        )
