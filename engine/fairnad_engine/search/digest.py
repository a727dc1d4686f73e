"""The run digest: one line that says whether two runs did the same. No times, no machine, no paths."""

from __future__ import annotations

import hashlib
import json

from fairnad_engine.search.config import RunConfig
from fairnad_engine.store import Store

# Events that say nothing of what the search did.
_ABOUT_THE_RUN = ("finish", "extended", "control", "warm-start", "given-up")


def run_digest(store: Store, run_id: str) -> str:
    """Hash a run's settings, idea sets, slots, attempts, structures, scores and counts."""
    run = store.runs.get(run_id)
    config = RunConfig.model_validate(run.config)
    document = {
        "settings": config.digest_settings(),
        "seed_source": hashlib.sha256(str(run.environment["seed_source"]).encode()).hexdigest(),
        "dataset": run.dataset_digest,
        "protocol": run.protocol_digest,
        "model": [run.model, run.model_digest],
        "events": [
            [e["generation"], e["kind"], e["payload"]]
            for e in store.runs.events(run_id)
            if not str(e["kind"]).startswith(_ABOUT_THE_RUN)
        ],
        "slots": [
            [s.generation, s.slot, s.stage, s.kind, s.main, s.sub, s.ideas, s.parent_id, s.state, s.failure]
            for s in store.runs.slots(run_id)
        ],
        "attempts": [
            [
                a.generation,
                a.slot,
                a.step,
                a.attempt,
                a.purpose,
                a.idea_id,
                a.failure,
                hashlib.sha256((a.source or "").encode()).hexdigest(),
            ]
            for a in store.runs.attempts(run_id)
        ],
        "candidates": [
            [c.id, c.parent_id, c.exact_hash, c.params, c.macs, c.width, c.realised, c.status, c.accuracy]
            for c in store.runs.candidates(run_id)
        ],
        "counts": [[c.node, c.turns, c.join_offset, c.active] for c in store.sampling.counts(run_id).values()],
        "uses": store.sampling.uses(run_id),
    }
    if config.fidelity.mode != "off":
        document["short"] = [
            [e.candidate_id, e.fidelity, e.status, e.accuracy, e.message]
            for e in store.runs.evaluations(run_id, "screen")
        ]
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
