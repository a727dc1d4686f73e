"""What ideas brought: over all runs of the workspace, and which ideas a run tried under each sub-category."""

from __future__ import annotations

from dataclasses import dataclass

from sqlite_utils import Database

# Stage I applies an idea of the library; one that a chain derived may have been taken into it since.
_MADE = """SELECT c.run_id, coalesce(c.idea_id, json_extract(c.derived_json, '$.id')) idea, c.realised = 'yes' realised,
           c.status = 'trained' trained, c.accuracy, c.accuracy - p.accuracy gain, f.id IS NOT NULL on_front
           FROM candidates c LEFT JOIN candidates p ON p.run_id = c.run_id AND p.id = c.parent_id
           LEFT JOIN front f ON f.run_id = c.run_id AND f.id = c.id WHERE c.generation > 0"""
_LAST = """SELECT run_id, max(number) number FROM generations WHERE state = 'done' GROUP BY 1"""
_FRONT = """SELECT run_id, j.value id FROM generations JOIN last USING (run_id, number), json_each(front_json) j"""
_TRIED = """SELECT idea_id idea, run_id, count(DISTINCT generation * 100000 + slot) n FROM attempts
            WHERE idea_id IN (SELECT id FROM ideas) GROUP BY 1, 2"""


@dataclass(frozen=True)
class IdeaOutcome:
    """What came of one idea in all runs.

    Attributes:
        tried: Slots in which a proposal applied it; of a derived one, those that came to a backbone.
        valid: Verified backbones.
        realised: Of them, those whose graph shows the idea.
        trained: Of them, those with a score.
        on_front: Models on the front of their run's last generation that ended.
        best: Best validation accuracy, percent; None before one is trained.
        best_run: The run that has it.
        gain: Validation accuracy beyond the parent's, in points, the mean over its trained models.
        best_gain: The largest of them.
        runs: The runs that tried it, oldest first.
    """

    tried: int = 0
    valid: int = 0
    realised: int = 0
    trained: int = 0
    on_front: int = 0
    best: float | None = None
    best_run: str = ""
    gain: float | None = None
    best_gain: float | None = None
    runs: tuple[str, ...] = ()


class _Tally:
    """An outcome as it is summed up, row by row."""

    def __init__(self) -> None:
        self.tried = self.valid = self.realised = self.trained = self.on_front = 0
        self.best: tuple[float, str] | None = None
        self.gains: list[float] = []
        self.runs: dict[str, None] = {}

    def add(self, run: str, realised: int, trained: int, accuracy: float | None, gain: float | None, on: int) -> None:
        self.runs.setdefault(run)
        self.valid += 1
        self.realised += realised
        self.trained += trained
        self.on_front += on
        if accuracy is not None and (self.best is None or accuracy > self.best[0]):
            self.best = accuracy, run
        if gain is not None:
            self.gains.append(gain)

    def outcome(self) -> IdeaOutcome:
        best, run = self.best or (None, "")
        gains = self.gains
        return IdeaOutcome(
            tried=max(self.tried, self.valid),
            valid=self.valid,
            realised=self.realised,
            trained=self.trained,
            on_front=self.on_front,
            best=best,
            best_run=run,
            gain=sum(gains) / len(gains) if gains else None,
            best_gain=max(gains, default=None),
            runs=tuple(sorted(self.runs, key=lambda one: (len(one), one))),
        )


class OutcomeTable:
    """Reads only. What they cost depends on the models that were made, not on how many ideas there are."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def version(self) -> tuple[int, ...]:
        """Numbers that are different where :meth:`of_ideas` may be."""
        query = """SELECT (SELECT max(rowid) FROM attempts), (SELECT max(rowid) FROM candidates),
                   (SELECT max(rowid) FROM evaluations), (SELECT count(*) FROM generations WHERE state = 'done'),
                   (SELECT count(*) FROM runs)"""
        return tuple(number or 0 for number in self._db.conn.execute(query).fetchone())

    def of_ideas(self) -> dict[str, IdeaOutcome]:
        """Every idea of the library that a run tried, by id."""
        tallies: dict[str, _Tally] = {}
        for idea, run, tried in self._db.conn.execute(_TRIED):
            tally = tallies.setdefault(idea, _Tally())
            tally.tried += tried
            tally.runs.setdefault(run)
        query = f"""WITH last AS ({_LAST}), front AS ({_FRONT}), made AS ({_MADE})
                    SELECT idea, run_id, realised, trained, accuracy, gain, on_front FROM made
                    WHERE idea IN (SELECT id FROM ideas)"""  # noqa: S608 - this file's own texts
        for idea, *values in self._db.conn.execute(query):
            tallies.setdefault(idea, _Tally()).add(*values)
        return {idea: tally.outcome() for idea, tally in tallies.items()}

    def of_idea(self, idea: str) -> IdeaOutcome:
        """One idea's."""
        return self.of_ideas().get(idea, IdeaOutcome())

    def ideas_under(self, run_id: str, through: int) -> dict[str, tuple[str, ...]]:
        """Ideas that had a turn or were tried up to a generation, by sub-category, in the order in which they came."""
        query = """SELECT s.sub, json_extract(s.ideas_json, '$[0]') idea, s.generation, s.slot, 0 attempt
                   FROM slots s WHERE s.run_id = ?1 AND s.stage = 1 AND s.sub IS NOT NULL AND s.generation <= ?2
                   UNION ALL SELECT s.sub, a.idea_id, s.generation, s.slot, a.attempt
                   FROM slots s JOIN attempts a USING (run_id, generation, slot)
                   WHERE s.run_id = ?1 AND s.stage = 1 AND s.sub IS NOT NULL AND s.generation <= ?2 ORDER BY 3, 4, 5"""
        under: dict[str, dict[str, None]] = {}
        for sub, idea, *_ in self._db.conn.execute(query, [run_id, through]).fetchall():
            if idea is not None:
                under.setdefault(sub, {}).setdefault(idea)
        return {sub: tuple(ideas) for sub, ideas in under.items()}
