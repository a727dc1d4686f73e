"""What of a run enters a comparison: its models in order, where its proposals ended, and what it took.

A record is small and plain, so that it can be kept as one line of JSON after its workspace is gone
(``bench/data/search-*.jsonl``) and still be compared as a stored run is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from fairnad_engine.search.comparison import Model, Reference

if TYPE_CHECKING:
    from fairnad_engine.search.ledger import Ledger
    from fairnad_engine.store import Store


@dataclass(frozen=True)
class RunRecord:
    """One run of a method under a seed.

    Attributes:
        method: The method, or a variant's name.
        seed: The run's seed.
        digest: The run digest; None while it is under way.
        reference: What its hypervolume is measured against.
        start: The seed backbone as trained; not counted.
        models: What the budget counts, in the order of the run.
        proposed: Proposals.
        rejected: Proposals that came to nothing, by class.
        edits: Trained models by the type of their edit, those left out whose edit was not realised.
        realised: Trained models by whether their idea was realised: ``yes``, ``no``, ``unknown``.
        seconds: Of work, summed over processes: ``design``, ``verify``, ``training``.
        tokens: Read and written.
    """

    method: str
    seed: int
    digest: str | None
    reference: Reference
    start: Model
    models: tuple[Model, ...]
    proposed: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    edits: dict[str, int] = field(default_factory=dict)
    realised: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    tokens: int = 0

    @property
    def trained(self) -> int:
        """Models that the budget counts."""
        return sum(model.counts for model in self.models)

    def to_json(self) -> dict[str, Any]:
        """As plain values; models as [position, params, macs, accuracy, status, counts]."""
        document = {name: value for name, value in vars(self).items() if name not in ("reference", "start", "models")}
        return {
            **document,
            "reference": asdict(self.reference),
            "start": list(vars(self.start).values()),
            "models": [list(vars(model).values()) for model in self.models],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> RunRecord:
        """Read what :meth:`to_json` gave; other keys are ignored."""
        known = {name: document[name] for name in cls.__dataclass_fields__}
        return cls(
            **{
                **known,
                "reference": Reference(**document["reference"]),
                "start": Model(*document["start"]),
                "models": tuple(Model(*model) for model in document["models"]),
            }
        )


def run_models(store: Store, run_id: str) -> tuple[Reference, Model, tuple[Model, ...]] | None:
    """Reference, seed and models of a run; None before its seed is trained."""
    from fairnad_engine.search.selection import counted

    run = store.runs.get(run_id)
    budget, chains = run.config["budget"], run.config["search"]["stage3_counts"]
    candidates = store.runs.candidates(run_id)
    if not candidates or candidates[0].accuracy is None:
        return None
    counting = {one.id for one in counted(candidates, chains)}
    ended = [one for one in candidates if one.status in ("trained", "screened")]
    start, *models = (
        Model(one.position, one.params, one.macs, one.accuracy or 0.0, one.status, one.id in counting) for one in ended
    )
    reference = Reference(candidates[0].accuracy, budget["max_params"], budget["max_macs"])
    return reference, start, tuple(models)


def record_of(store: Store, run_id: str, method: str) -> RunRecord | None:
    """A run's record as it stands; None before its seed is trained."""
    from fairnad_engine.search.ledger import read_ledger

    found = run_models(store, run_id)
    if found is None:
        return None
    reference, start, models = found
    run = store.runs.get(run_id)
    made = [one for one in store.runs.candidates(run_id) if one.status == "trained" and one.generation > 0]
    ledger: Ledger = read_ledger(store, run_id)
    cost = ledger.cost
    return RunRecord(
        method=method,
        seed=run.seed,
        digest=run.digest,
        reference=reference,
        start=start,
        models=models,
        proposed=ledger.proposed,
        rejected=dict(sorted(ledger.rejected.items())),
        edits=dict(sorted(Counter(one.edit_type for one in made if one.realised != "no").items())),
        realised=dict(sorted(Counter(one.realised for one in made).items())),
        seconds={"design": cost.design_seconds, "verify": cost.verify_seconds, "training": cost.training_seconds},
        tokens=cost.tokens,
    )
