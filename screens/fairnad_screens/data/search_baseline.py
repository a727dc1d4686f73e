"""What a baseline reached on the same data under the same protocol, as a study of the workspace measured it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairnad_engine.store import Store

if TYPE_CHECKING:
    from fairnad_engine.search.comparison import Band
    from fairnad_engine.store.records import RunRow


@dataclass(frozen=True)
class Baseline:
    """A baseline's hypervolume over numbers of trained models, the mean over seeds with its 95 % band."""

    method: str
    study: str
    band: Band


def read_baseline(store: Store, run_id: str) -> Baseline | None:
    """The baseline to hold a run against, of the newest study that has one; None where no study is like the run."""
    from fairnad_engine.search.comparison import band_of
    from fairnad_engine.search.config_search import BASELINES
    from fairnad_engine.search.study import run_curve

    like = _likeness(store.runs.get(run_id))
    for study in reversed(store.studies.all()):
        rows = [(one.method, store.runs.get(one.run_id)) for one in store.studies.runs(study.name)]
        usable = [(method, row) for method, row in rows if row.id != run_id and _likeness(row) == like]
        for baseline in BASELINES:
            mine = [(method, row.id) for method, row in usable if row.config["search"].get("method") == baseline]
            curves = [curve.hypervolume for _, one in mine if (curve := run_curve(store, one)) is not None]
            if curves:
                return Baseline(mine[0][0], study.name, band_of(curves))
    return None


def _likeness(row: RunRow) -> tuple[object, ...]:
    """What two runs must have in common for their hypervolumes to compare: data, protocol, budgets of a model, seed."""
    budget = row.config["budget"]
    limits = budget["max_params"], budget["max_macs"]
    return (row.dataset_digest, row.protocol_digest, *limits, row.config["search"]["seed_backbone"])
