"""Counts of fair sampling: turns of categories and uses of ideas, per run."""

from __future__ import annotations

from collections.abc import Iterable

from sqlite_utils import Database

from fairnad_engine.store.records import CountRow


class SamplingTable:
    """Turn counts and idea uses."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def counts(self, run_id: str) -> dict[str, CountRow]:
        """Counts by category id."""
        query = "SELECT node, kind, turns, join_offset, active FROM sampling_counts WHERE run_id = ? ORDER BY node"
        return {
            row["node"]: CountRow(row["node"], row["kind"], row["turns"], row["join_offset"], bool(row["active"]))
            for row in self._db.query(query, [run_id])
        }

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
