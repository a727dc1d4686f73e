"""The journal of curation: what is done to ideas is an operation, kept with its old values, that can be undone as one.

An operation decides about ideas, edits or moves them, merges them or adds one. Thousands of ideas are a handful of
statements. Undoing leaves alone what was changed again since, and is part of the history itself.
"""

# Statements are put together from this file's own names; every value is bound.
# ruff: noqa: S608

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from fairnad_engine.errors import InputError
from fairnad_engine.store.connection import now, transaction

UNDONE_BY = "undo"
MERGED_BY = "merged:"
_EDITABLE = ("name", "instruction", "main", "sub", "level")
_CHOSEN = "SELECT value FROM json_each(:ids)"
# A decision of an operation that nothing has replaced since.
_STANDS = "d.operation = :op AND d.idea_id = ideas.id AND ideas.decided_by = d.decided_by AND ideas.decided_at = d.at"


@dataclass(frozen=True)
class Operation:
    """Something done to ideas.

    Attributes:
        kind: ``decide``, ``edit``, ``move``, ``merge`` or ``add``.
        detail: The new status, the edited fields, the new sub-category, or the id of the representative.
        ideas: How many ideas it changed.
    """

    id: int
    kind: str
    detail: str
    ideas: int
    by: str
    at: str

    @property
    def summary(self) -> str:
        """What was done, for example ``approved 12 ideas``."""
        some = "1 idea" if self.ideas == 1 else f"{self.ideas:,} ideas"
        return {
            "decide": f"{self.detail} {some}",
            "edit": f"edited {some}",
            "move": f"moved {some} to {self.detail}",
            "merge": f"merged {some} into another",
            "add": f"added {some}",
        }[self.kind]


@dataclass(frozen=True)
class Undone:
    """What undoing changed; ``left`` ideas were changed again since and stay as they are."""

    operation: Operation
    ids: tuple[str, ...]
    left: int


class IdeaJournal:
    """Changes of ideas; each method is one transaction and one operation."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def decide(self, ids: Iterable[str], status: str, by: str) -> int:
        """Set the status of ideas; return how many changed.

        Raises:
            InputError: There is no such idea.
        """
        chosen = list(dict.fromkeys(ids))
        if not chosen:
            return 0
        with transaction(self._db):
            self._check(chosen)
            operation = self._begin("decide", status, by)
            changed = self._set_status(operation, chosen, status, by, "ideas.status != :status")
            self._end(operation, changed)
        return changed

    def edit(self, idea: str, changes: Mapping[str, str], by: str) -> bool:
        """Change fields of an idea; return whether any was different.

        Raises:
            InputError: There is no such idea, or a field cannot be edited.
        """
        for field in changes:
            if field not in _EDITABLE:
                raise InputError(f"idea {idea}: {field!r} cannot be edited; editable: {', '.join(_EDITABLE)}")
        with transaction(self._db):
            self._check([idea])
            operation = self._begin("edit", ", ".join(changes), by)
            changed = self._set_fields(operation, [idea], changes, by)
            self._end(operation, changed)
        return bool(changed)

    def move(self, ids: Iterable[str], place: Mapping[str, str], by: str) -> int:
        """File ideas under another sub-category; return how many were elsewhere.

        Args:
            ids: The ideas.
            place: ``sub``, ``main`` and ``level`` of the new place.
            by: Who moves them.
        """
        chosen = list(dict.fromkeys(ids))
        with transaction(self._db):
            self._check(chosen)
            operation = self._begin("move", place["sub"], by)
            changed = self._set_fields(operation, chosen, {key: place[key] for key in ("sub", "main", "level")}, by)
            self._end(operation, changed)
        return changed

    def merge(self, representative: str, ids: Iterable[str], by: str) -> int:
        """Reject ideas in favour of one that stays, which keeps them as its sources; return how many.

        What was merged into one of them before becomes a source of the representative too.

        Raises:
            InputError: There is no such idea, or the representative is itself rejected.
        """
        others = [one for one in dict.fromkeys(ids) if one != representative]
        with transaction(self._db):
            self._check([representative, *others])
            found = self._db.query("SELECT status FROM ideas WHERE id = ?", [representative])
            if next(found)["status"] == "rejected":
                raise InputError(f"idea {representative} is rejected; approve it before others are merged into it")
            operation = self._begin("merge", representative, by)
            changed = self._set_status(operation, others, "rejected", f"{MERGED_BY}{representative}", "1")
            self._execute(
                f"""INSERT OR IGNORE INTO idea_sources (idea_id, source_id, operation)
                    SELECT :one, value, :op FROM json_each(:ids) UNION ALL
                    SELECT :one, source_id, :op FROM idea_sources WHERE idea_id IN ({_CHOSEN}) AND source_id != :one""",
                one=representative,
                op=operation,
                ids=json.dumps(others),
            )
            self._end(operation, changed)
        return changed

    def approve_added(self, ideas: Sequence[str], origin: str, by: str) -> None:
        """Approve ideas that were just added, one or a file of them; part of the transaction that stores them.

        An idea is never deleted, since a run may have used it: undoing this rejects it. What a search derives is not
        a person's to undo.
        """
        if origin not in ("own", "imported"):
            self._set_status(None, ideas, "approved", by, "1")
            return
        operation = self._begin("add", origin, by)
        self._end(operation, self._set_status(operation, ideas, "approved", by, "1"))

    def last(self) -> Operation | None:
        """The newest operation that was not undone."""
        query = """SELECT id, kind, detail, ideas, done_by AS "by", at FROM idea_operations
                   WHERE undone_at IS NULL ORDER BY id DESC LIMIT 1"""
        row = next(self._db.query(query), None)
        return None if row is None else Operation(**dict(row))

    def undo(self, operation_id: int | None = None) -> Undone | None:
        """Undo the newest operation, or none where that is not the one meant; None where nothing was undone."""
        with transaction(self._db):
            last = self.last()
            if last is None or operation_id not in (None, last.id):
                return None
            ids = {*self._undo_decisions(last), *self._undo_edits(last.id)}
            self._execute("DELETE FROM idea_sources WHERE operation = :op", op=last.id)
            self._execute("UPDATE idea_operations SET undone_at = :at WHERE id = :op", at=now(), op=last.id)
        return Undone(last, tuple(sorted(ids)), max(0, last.ideas - len(ids)))

    # -- parts of an operation --------------------------------------------------------------------------------

    def _execute(self, statement: str, **arguments: object) -> int:
        return int(self._db.conn.execute(statement, arguments).rowcount)

    def _check(self, ids: Sequence[str]) -> None:
        known = {
            row["id"]
            for row in self._db.query(f"SELECT id FROM ideas WHERE id IN ({_CHOSEN})", {"ids": json.dumps(ids)})
        }
        missing = next((one for one in ids if one not in known), None)
        if missing is not None:
            raise InputError(f"idea {missing!r}: no ideas have this id; see: ideas list")

    def _begin(self, kind: str, detail: str, by: str) -> int:
        cursor = self._db.conn.execute(
            "INSERT INTO idea_operations (kind, detail, ideas, done_by, at) VALUES (?, ?, 0, ?, ?)",
            [kind, detail, by, now()],
        )
        return int(cursor.lastrowid or 0)

    def _end(self, operation: int, changed: int) -> None:
        if changed:
            self._execute("UPDATE idea_operations SET ideas = :n WHERE id = :op", n=changed, op=operation)
        else:  # what changed nothing needs no undoing
            self._execute("DELETE FROM idea_operations WHERE id = :op", op=operation)

    def _set_status(self, operation: int | None, ids: Sequence[str], status: str, by: str, where: str) -> int:
        values = {"ids": json.dumps(ids), "status": status, "by": by, "at": now(), "op": operation}
        self._execute(
            f"""INSERT INTO idea_decisions (idea_id, old_status, new_status, decided_by, at, old_by, old_at, operation)
                SELECT id, status, :status, :by, :at, decided_by, decided_at, :op FROM ideas
                WHERE id IN ({_CHOSEN}) AND {where}""",
            **values,
        )
        return self._execute(
            f"""UPDATE ideas SET status = :status, decided_by = :by, decided_at = :at
                WHERE id IN ({_CHOSEN}) AND {where}""",
            **values,
        )

    def _set_fields(self, operation: int, ids: Sequence[str], changes: Mapping[str, str], by: str) -> int:
        values: dict[str, object] = {"ids": json.dumps(ids), "by": by, "at": now(), "op": operation}
        for field, new in changes.items():
            self._execute(
                f"""INSERT INTO idea_edits (idea_id, field, old, new, edited_by, at, operation)
                    SELECT id, '{field}', {field}, :new, :by, :at, :op FROM ideas
                    WHERE id IN ({_CHOSEN}) AND {field} IS NOT :new""",
                **values,
                new=new,
            )
        different = " OR ".join(f"{field} IS NOT :{field}" for field in changes)
        sets = ", ".join(f"{field} = :{field}" for field in changes)
        return self._execute(f"UPDATE ideas SET {sets} WHERE id IN ({_CHOSEN}) AND ({different})", **values, **changes)

    # -- undoing ----------------------------------------------------------------------------------------------

    def _undo_decisions(self, operation: Operation) -> list[str]:
        values = {"op": operation.id, "by": UNDONE_BY, "at": now()}
        query = f"SELECT d.idea_id FROM idea_decisions d JOIN ideas ON {_STANDS}"
        ids = [row["idea_id"] for row in list(self._db.query(query, {"op": operation.id}))]
        if operation.kind == "add":
            self._set_status(None, ids, "rejected", UNDONE_BY, "1")
            return ids
        self._execute(
            f"""INSERT INTO idea_decisions (idea_id, old_status, new_status, decided_by, at, old_by, old_at)
                SELECT d.idea_id, d.new_status, d.old_status, :by, :at, d.decided_by, d.at
                FROM idea_decisions d JOIN ideas ON {_STANDS}""",
            **values,
        )
        self._execute(
            f"""UPDATE ideas SET status = d.old_status, decided_by = coalesce(d.old_by, ''),
                decided_at = coalesce(d.old_at, '') FROM idea_decisions d WHERE {_STANDS}""",
            op=operation.id,
        )
        return ids

    def _undo_edits(self, operation: int) -> set[str]:
        edits: dict[str, list[tuple[str, str, str]]] = {}
        query = "SELECT idea_id, field, old, new FROM idea_edits WHERE operation = ? ORDER BY id"
        for row in list(self._db.query(query, [operation])):
            edits.setdefault(row["idea_id"], []).append((row["field"], row["old"], row["new"]))
        newest = "SELECT id FROM template_nodes WHERE version = (SELECT max(version) FROM template_versions)"
        subs = {row["id"] for row in self._db.query(newest)}
        done = set()
        for idea, changes in edits.items():
            current = next(self._db.query("SELECT * FROM ideas WHERE id = ?", [idea]), None)
            if current is None or any(current[field] != new for field, _, new in changes):
                continue
            if subs and any(field == "sub" and old not in subs for field, old, _ in changes):
                continue  # that sub-category is no more
            self._set_undone(idea, changes)
            done.add(idea)
        return done

    def _set_undone(self, idea: str, changes: Sequence[tuple[str, str, str]]) -> None:
        at = now()
        for field, old, new in changes:
            self._execute(f"UPDATE ideas SET {field} = :old WHERE id = :id", old=old, id=idea)
            self._execute(
                """INSERT INTO idea_edits (idea_id, field, old, new, edited_by, at)
                   VALUES (:id, :field, :new, :old, :by, :at)""",
                id=idea,
                field=field,
                new=new,
                old=old,
                by=UNDONE_BY,
                at=at,
            )
