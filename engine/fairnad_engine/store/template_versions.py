"""Versions of the attribute template."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlite_utils import Database

from fairnad_engine.store.connection import now, transaction

if TYPE_CHECKING:  # what reads a template is not needed to say which version is the newest
    from fairnad_engine.knowledge.template import Template


class TemplateTable:
    """Versions of the attribute template."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def save(self, template: Template, source: str, note: str, *, restores: int | None = None) -> int:
        """Store a template unless the newest version is the same; return its version.

        Args:
            template: The template.
            source: Its YAML text.
            note: What was changed, in one line.
            restores: The version that it goes back to, where it undoes a change.
        """
        with transaction(self._db):
            newest = self.newest()
            if newest is not None and newest[1] == template.digest:
                return newest[0]
            version = 1 if newest is None else newest[0] + 1
            self._db.table("template_versions").insert(
                {
                    "version": version,
                    "digest": template.digest,
                    "note": note,
                    "created_at": now(),
                    "source": source,
                    "restores": restores,
                }
            )
            self._db.table("template_nodes").insert_all(_nodes(template, version))
        return version

    def newest(self) -> tuple[int, str] | None:
        """Version and digest of the newest template, or None in a new workspace."""
        row = next(self._db.query("SELECT version, digest FROM template_versions ORDER BY version DESC LIMIT 1"), None)
        return None if row is None else (row["version"], row["digest"])

    def source(self, version: int) -> str:
        """The YAML text of a version."""
        return str(self._db.table("template_versions").get(version)["source"])

    def note(self, version: int) -> str:
        """What a version changed, in one line."""
        return str(self._db.table("template_versions").get(version)["note"])

    def stands_for(self, version: int) -> int:
        """The version that first had this one's template: an undo stands for what it restores."""
        restored = self._db.table("template_versions").get(version)["restores"]
        return version if restored is None else self.stands_for(restored)


def _nodes(template: Template, version: int) -> Iterable[dict[str, object]]:
    position = 0
    for level in template.levels:
        yield _node(version, level.id, None, "level", level.id, position, level.name, "")
        for main in template.mains_of(level.id):
            position += 1
            yield _node(version, main.id, level.id, "main", level.id, position, main.name, main.definition)
            for sub in template.subs_of(main.id):
                position += 1
                yield _node(version, sub.id, main.id, "sub", level.id, position, sub.name, sub.definition)


def _node(
    version: int, node: str, parent: str | None, kind: str, level: str, position: int, name: str, definition: str
) -> dict[str, object]:
    return {
        "version": version,
        "id": node,
        "parent": parent,
        "kind": kind,
        "level": level,
        "position": position,
        "name": name,
        "definition": definition,
    }
