"""Scores that runs of one workspace share, so that equal networks of paired runs are trained once.

A training is a function of its graph, its initial weights, data, protocol, seed and the kind of machine; a score is
taken over only where all of them are the same, so it is the very score that a fresh training would give. That holds
with ``seeds_by = "structure"``, where seeds do not depend on the place in a run, and on the CPU, whose results do not
depend on what else goes on.
"""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairnad_engine.store import Store
from fairnad_engine.store.records import CandidateRow
from fairnad_engine.training.protocol import Protocol

_PACKAGES = ("torch", "numpy")


@dataclass(frozen=True)
class SharedScores:
    """Takes and offers scores of a workspace.

    Attributes:
        store: The workspace.
        dataset_digest: Hash of the images and labels of all splits.
        machine: What else a score depends on: processor, versions, timed passes.
    """

    store: Store
    dataset_digest: str
    machine: str

    @classmethod
    def of_run(cls, store: Store, run_id: str, latency_rounds: int) -> SharedScores:
        """For the run's trainings on this machine's CPU."""
        run = store.runs.get(run_id)
        versions = {name: run.environment["packages"].get(name) for name in _PACKAGES}
        machine: dict[str, Any] = {"processor": _processor(), "packages": versions, "latency_rounds": latency_rounds}
        if trainer := run.environment.get("trainer"):
            machine["trainer"] = trainer  # no score of a simulated training becomes a real run's
        return cls(store, run.dataset_digest, json.dumps(machine, sort_keys=True))

    def key(self, candidate: CandidateRow, protocol: Protocol, seed: int) -> str:
        """Everything that decides the score of a candidate, as a hash."""
        parts = [
            candidate.exact_hash,
            candidate.graph,
            candidate.weights,
            self.dataset_digest,
            protocol.digest,
            seed,
            self.machine,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def take(self, key: str, run_id: str, candidate_id: str, purpose: str) -> bool:
        """Store a shared score as the candidate's own; False where there is none."""
        return self.store.studies.take_score(key, run_id, candidate_id, purpose)

    def offer(self, key: str, run_id: str, candidate_id: str, purpose: str, seed: int) -> None:
        """Let other runs take a score."""
        self.store.studies.offer_score(key, run_id, candidate_id, purpose, seed)


def _processor() -> str:
    """The processor's model: kernels are chosen by it, and with them the order of sums."""
    try:
        told = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        told = []
    lines = {line.partition(":")[2].strip() for line in told if line.startswith(("model name", "flags"))}
    return hashlib.sha256("\n".join([platform.machine(), *sorted(lines)]).encode()).hexdigest()[:16]
