"""From a verified candidate to its validation accuracy, once per (candidate, purpose, seed)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fairnad_engine.search.control import Control
from fairnad_engine.search.seeds import entropy, torch_seed
from fairnad_engine.store import Store
from fairnad_engine.store.records import CandidateRow, Row
from fairnad_engine.training.executor import Executor
from fairnad_engine.training.jobs import TrainingJob
from fairnad_engine.training.protocol import Protocol


class Scorer:
    """Trains candidates through an executor and stores how it went."""

    def __init__(
        self,
        store: Store,
        run_id: str,
        run_seed: int,
        executor: Executor,
        *,
        dataset: str,
        protocol: Protocol,
        deadline: float,
        control: Control,
        activity: Callable[[str, str], None],
    ) -> None:
        self._store = store
        self._run_id = run_id
        self._run_seed = run_seed
        self._executor = executor
        self._dataset = dataset
        self._protocol = protocol
        self._deadline = deadline
        self._control = control
        self._activity = activity

    async def train(self, candidate: CandidateRow) -> CandidateRow:
        """Train a candidate for the search and return it with its score or failure."""
        seed = torch_seed(entropy(self._run_seed, candidate.position, "train"))
        if self._store.runs.evaluation(self._run_id, candidate.id, "search", seed) is None:
            await self._control.gate()
            await self._evaluate(candidate, "search", seed, candidate.weights)
        found = self._store.runs.candidate(self._run_id, candidate.id)
        assert found is not None  # noqa: S101 - it was read from there
        return found

    async def retrain(self, candidate: CandidateRow, seed: int, weights: str) -> None:
        """Train a candidate anew from fresh weights, for ``finish``."""
        if self._store.runs.evaluation(self._run_id, candidate.id, "finish", seed) is None:
            await self._control.gate()
            await self._evaluate(candidate, "finish", seed, weights)

    async def test(self, candidate: CandidateRow, weights: str) -> float:
        """Score trained weights on the test split; only ``finish`` may call this."""
        job = self._job(candidate, "test", 0, weights)
        outcome = await self._executor.run(
            TrainingJob(**{**job.as_dict(), "kind": "score", "split": "test"}), lambda _: None, self._deadline
        )
        if outcome.accuracy is None:
            raise RuntimeError(f"test of {candidate.id}: {outcome.status}: {outcome.message}")
        return outcome.accuracy

    async def _evaluate(self, candidate: CandidateRow, purpose: str, seed: int, weights: str) -> None:
        epochs: list[Row] = []

        def progress(message: dict[str, Any]) -> None:
            epochs.append({k: v for k, v in message.items() if k != "type"})
            text = f"training: epoch {message['epoch']}/{self._protocol.epochs}"
            if message["validation_accuracy"] is not None:
                text += f", validation {message['validation_accuracy']:.2f} %"
            self._activity(candidate.id, text)

        if purpose == "search":
            self._store.runs.start_training(self._run_id, candidate.id)
        self._activity(candidate.id, "training: waiting for a worker")
        try:
            outcome = await self._executor.run(self._job(candidate, purpose, seed, weights), progress, self._deadline)
        finally:
            self._activity(candidate.id, "")
        self._store.runs.save_evaluation(
            self._run_id,
            candidate.id,
            {
                "purpose": purpose,
                "seed": seed,
                "protocol": self._protocol.name,
                "protocol_digest": self._protocol.digest,
                "status": "training-timeout" if outcome.status == "timeout" else outcome.status,
                "accuracy": outcome.accuracy,
                "weights": outcome.weights,
                "message": outcome.message,
                "seconds": outcome.seconds,
            },
            epochs,
        )

    def _job(self, candidate: CandidateRow, purpose: str, seed: int, weights: str) -> TrainingJob:
        files = self._store.files
        return TrainingJob(
            id=f"{self._run_id}/{candidate.id}/{purpose}/{seed}",
            kind="train",
            graph=str(files.path(candidate.graph).resolve()),
            weights=str(files.path(weights).resolve()),
            dataset=self._dataset,
            protocol=self._protocol.model_dump(mode="json"),
            seed=seed,
            artifacts=str(files.root.resolve()),
        )
