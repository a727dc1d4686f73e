"""What the study screen reads: the studies, one of them as it stands, and what its methods made of their proposals."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from fairnad_engine.search.study import Cell, MethodCurves, StudyLine, StudyView
from fairnad_engine.store import Store


@dataclass(frozen=True)
class MethodSums:
    """What the runs of one method made together; ``entropy`` of their edits' types, in bits."""

    proposed: int = 0
    trained: int = 0
    edits: dict[str, int] = field(default_factory=dict)
    entropy: float = 0.0

    @property
    def passing(self) -> float | None:
        """Trained models per proposal."""
        return self.trained / self.proposed if self.proposed else None


@dataclass(frozen=True)
class StudySnapshot:
    """The studies of the workspace, and the one that is shown."""

    studies: tuple[StudyLine, ...]
    view: StudyView | None = None
    sums: dict[str, MethodSums] = field(default_factory=dict)

    def cells(self, method: str) -> tuple[Cell, ...]:
        """The cells of a method, by seed."""
        return tuple(one for one in self.view.cells if one.method == method) if self.view else ()

    def curves(self, method: str) -> MethodCurves | None:
        """The curves of a method, where any of its runs has trained its seed."""
        found = next((one for one in self.view.curves if one.method == method), None) if self.view else None
        return found if found is not None and found.best.mean else None

    @property
    def going_on(self) -> bool:
        """Whether a run of the study is not over."""
        return self.view is not None and any(one.status not in ("done", "failed") for one in self.view.cells)


def read_study(store: Store, wanted: str) -> StudySnapshot:
    """Read the studies and one of them, the newest where the wanted one is not there; this takes seconds."""
    from fairnad_engine.search.study import studies, study_view

    found = studies(store)
    if not found:
        return StudySnapshot(found)
    names = [one.name for one in found]
    view = study_view(store, wanted if wanted in names else names[-1])
    return StudySnapshot(found, view, {method: _sums(store, view, method) for method in view.methods})


def _sums(store: Store, view: StudyView, method: str) -> MethodSums:
    from fairnad_engine.search.comparison import entropy_of
    from fairnad_engine.search.run_record import record_of

    runs = [one.run_id for one in view.cells if one.method == method and one.run_id]
    records = [found for run in runs if (found := record_of(store, run, method)) is not None]
    edits: Counter[str] = Counter()
    for one in records:
        edits.update(one.edits)
    return MethodSums(
        proposed=sum(one.proposed for one in records),
        trained=sum(one.trained for one in records),
        edits=dict(edits.most_common()),
        entropy=entropy_of(edits.values()),
    )
