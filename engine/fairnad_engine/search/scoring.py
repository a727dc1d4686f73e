"""From a verified candidate to its validation accuracy, once per (candidate, purpose, seed)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from fairnad_engine.errors import DiskFullError, MachineFaultError
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.config_search import LATENCY_BATCH
from fairnad_engine.search.control import Control
from fairnad_engine.search.fidelity import FULL, PromotionRule, Seen, short_name, short_protocol
from fairnad_engine.search.seeds import SeedRule, training_seed
from fairnad_engine.search.shared_scores import SharedScores
from fairnad_engine.store import Store
from fairnad_engine.store.records import CandidateRow, Row
from fairnad_engine.training.checkpoints import discard_checkpoints
from fairnad_engine.training.data.description import Split
from fairnad_engine.training.executor import Executor, Progress
from fairnad_engine.training.jobs import DISK_FULL, MACHINE_FAULT, JobSettings, TrainingJob, TrainingOutcome
from fairnad_engine.training.protocol import Protocol

_STORED = ("epoch", "train_loss", "train_accuracy", "validation_accuracy", "learning_rate", "seconds")
_SHARED = ("search", "screen", "control")  # purposes of which runs of one workspace take over each other's scores
_MORE_IMAGES = 2  # of CIFAR-10, in the final training
Readable = Callable[[CandidateRow], bool]
Earlier = Callable[[int], Awaitable[Readable]]


@dataclass(frozen=True)
class Screening:
    """Short schedule first: the rule, and how many places back a decision reads its own generation."""

    rule: PromotionRule
    window: int


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
        screening: Screening | None = None,
        settings: JobSettings | None = None,
        seeds_by: SeedRule = "place",
        shared: SharedScores | None = None,
        mend: Callable[[CandidateRow], Awaitable[None]] | None = None,
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
        self._screening = screening
        self._settings = settings or JobSettings()
        self._seeds_by = seeds_by
        self._shared = shared
        self._mend = mend

    async def train(self, candidate: CandidateRow, earlier: Earlier | None = None) -> CandidateRow:
        """Train a candidate for the search and return it with its score, failure, or stopped as ``screened``.

        Args:
            candidate: What to train.
            earlier: Says which candidates a decision about it may read, once those so many places earlier are over;
                without it those of the generations before.
        """
        seed = self._seed(candidate)
        if self._store.runs.evaluation(self._run_id, candidate.id, "search", seed) is not None:
            return self._stored(candidate)
        if self._screening is not None:
            candidate = await self._screen(candidate, seed, self._screening, earlier)
            if candidate.status in ("failed", "screened"):
                return candidate
        await self._control.gate()
        await self._evaluate(candidate, "search", seed, candidate.weights)
        return self._stored(candidate)

    async def _screen(
        self, candidate: CandidateRow, seed: int, screening: Screening, earlier: Earlier | None
    ) -> CandidateRow:
        """Train over the short schedule and decide; a decision that was made before is the same again."""
        if candidate.status == "screened":
            return candidate
        if self._store.runs.evaluation(self._run_id, candidate.id, "screen", seed) is None:
            await self._control.gate()
            await self._evaluate(candidate, "screen", seed, candidate.weights)
        ended = self._store.runs.evaluation(self._run_id, candidate.id, "screen", seed)
        if ended is None or ended.accuracy is None:
            return self._stored(candidate)
        before = candidate.generation
        may_read = await earlier(screening.window) if earlier is not None else lambda one: one.generation < before
        seen = self._as_seen([one for one in self._store.runs.candidates(self._run_id, before) if may_read(one)])
        decision = screening.rule.decide(candidate.params, candidate.macs, ended.accuracy, seen)
        self._store.runs.decide_screening(
            self._run_id, candidate.id, seed, promoted=decision.promoted, reason=decision.reason
        )
        return self._stored(candidate)

    def look_again(self) -> list[tuple[str, str]]:
        """Of the stopped candidates those to train in full after all, with the reason; no more than one batch."""
        if self._screening is None:
            return []
        candidates = self._store.runs.candidates(self._run_id)
        seen = self._as_seen(candidates)
        stopped = [one for one, row in zip(seen, candidates, strict=True) if row.status == "screened"]
        return self._screening.rule.look_again(stopped, seen)[: self._screening.window]

    async def train_after_all(self, candidate_id: str, reason: str) -> None:
        """Train a candidate in full that was stopped before, once."""
        candidate = self._store.runs.candidate(self._run_id, candidate_id)
        assert candidate is not None  # noqa: S101 - it was chosen among stored ones
        seed = self._seed(candidate)
        if self._store.runs.evaluation(self._run_id, candidate_id, "search", seed) is None:
            self._store.runs.decide_screening(self._run_id, candidate_id, seed, promoted=True, reason=reason)
            await self._control.gate()
            await self._evaluate(candidate, "search", seed, candidate.weights)
        self._store.runs.settle_slot(self._run_id, candidate_id)

    def _seed(self, candidate: CandidateRow) -> int:
        return training_seed(self._seeds_by, self._run_seed, candidate.position, candidate.exact_hash)

    def _as_seen(self, candidates: list[CandidateRow]) -> list[Seen]:
        short = {e.candidate_id: e.accuracy for e in self._store.runs.evaluations(self._run_id, "screen")}
        return [Seen(one.id, one.params, one.macs, short.get(one.id), one.accuracy) for one in candidates]

    def _stored(self, candidate: CandidateRow) -> CandidateRow:
        found = self._store.runs.candidate(self._run_id, candidate.id)
        assert found is not None  # noqa: S101 - it was read from there
        return found

    async def retrain(self, candidate: CandidateRow, seed: int, weights: str, purpose: str = "finish") -> None:
        """Train a candidate anew from fresh weights, for ``finish``; as ``final`` on all that is there to train on."""
        if self._store.runs.evaluation(self._run_id, candidate.id, purpose, seed) is None:
            await self._control.gate()
            await self._evaluate(candidate, purpose, seed, weights)

    async def test(self, candidate: CandidateRow, weights: str) -> float:
        """Score trained weights on the test split; only ``finish`` may call this."""
        job = self._job(candidate, "test", 0, weights, self._protocol)
        job = replace(job, kind="score", split="test")
        outcome = await self._carried_out(job, candidate, lambda _: None, self._deadline)
        if outcome.accuracy is None:
            raise RuntimeError(f"test of {candidate.id}: {outcome.status}: {outcome.message}")
        return outcome.accuracy

    async def best_on_whole_test(
        self, candidate: CandidateRow, seed: int, weights: str, train_split: Split
    ) -> tuple[int, float, float]:
        """Train once more and score every epoch on the whole test set; only ``finish`` may call this, at its very end.

        Nothing of it is stored with the trainings.

        Returns:
            The best epoch, its accuracy, and that of the last epoch, in percent.

        Raises:
            RuntimeError: The training gave no score.
        """
        protocol = self._protocol.model_copy(update={"eval_every": 1})
        job = self._job(candidate, "whole-test", seed, weights, protocol)
        job = replace(job, scored="whole-test", train_split=train_split)
        scores: dict[int, float] = {}

        def progress(message: dict[str, Any]) -> None:
            scores[int(message["epoch"])] = float(message["validation_accuracy"])
            self._activity(candidate.id, f"finish: NADER's column, epoch {message['epoch']}/{protocol.epochs}")

        try:
            outcome = await self._carried_out(job, candidate, progress, self._deadline * _MORE_IMAGES)
        finally:
            self._activity(candidate.id, "")
        if outcome.accuracy is None or not scores:
            raise RuntimeError(f"NADER's column of {candidate.id}: {outcome.status}: {outcome.message}")
        best = max(scores, key=lambda epoch: (scores[epoch], -epoch))
        return best, scores[best], outcome.accuracy

    async def _evaluate(self, candidate: CandidateRow, purpose: str, seed: int, weights: str) -> None:
        epochs: list[Row] = []
        protocol, fidelity = self._schedule(purpose)
        if self._shared and purpose in _SHARED:
            key = self._shared.key(candidate, protocol, seed)
            if self._shared.take(key, self._run_id, candidate.id, purpose):
                return

        def progress(message: dict[str, Any]) -> None:
            if purpose == "final":  # it learns from the validation images: what it scores there says nothing
                message = {**message, "validation_accuracy": None}
            epochs.append({name: message[name] for name in _STORED})
            text = f"training: epoch {message['epoch']}/{protocol.epochs}"
            if fidelity != FULL:
                text += f" ({fidelity})"
            if message["validation_accuracy"] is not None:
                text += f", validation {message['validation_accuracy']:.2f} %"
            text += f", {1 / max(message['seconds'], 1e-6):.2g} epochs/s"
            if message.get("memory"):
                text += f", {message['memory'] / 2**20:.0f} MiB"
            self._activity(candidate.id, text)

        if self._mend is not None and weights == candidate.weights:
            await self._mend(candidate)
        if purpose in ("search", "screen"):
            self._store.runs.start_training(self._run_id, candidate.id)
        self._activity(candidate.id, "training: waiting for a worker")
        try:
            job = self._job(candidate, purpose, seed, weights, protocol)
            deadline = self._deadline * (_MORE_IMAGES if purpose == "final" else 1)
            outcome = await self._carried_out(job, candidate, progress, deadline)
        finally:
            self._activity(candidate.id, "")
        self._store.runs.save_evaluation(
            self._run_id,
            candidate.id,
            {
                "purpose": purpose,
                "seed": seed,
                "protocol": protocol.name,
                "protocol_digest": protocol.digest,
                "fidelity": fidelity,
                "status": "training-timeout" if outcome.status == "timeout" else outcome.status,
                "accuracy": outcome.accuracy,
                "weights": outcome.weights,
                "message": outcome.message,
                "seconds": outcome.seconds,
                "latency_1": outcome.latency.get(1),
                "latency_256": outcome.latency.get(256),
            },
            epochs,
            latency=outcome.latency.get(self._settings.latency_batch) if purpose == "search" else None,
        )
        discard_checkpoints(job)  # not before, lest a kill between the two cost the whole training
        if self._shared and purpose in _SHARED and outcome.accuracy is not None:
            self._shared.offer(key, self._run_id, candidate.id, purpose, seed)

    async def _carried_out(
        self, job: TrainingJob, candidate: CandidateRow, progress: Progress, deadline: float
    ) -> TrainingOutcome:
        """Have a job done.

        Raises:
            MachineFaultError: Not the candidate but the machine ended it; nothing of it may be stored.
            DiskFullError: The trainer found no room to write.
        """
        outcome = await self._executor.run(job, progress, deadline)
        if outcome.status == DISK_FULL:
            raise DiskFullError(f"{candidate.id} could not be trained: {outcome.message}; free some space, then resume")
        if outcome.status == MACHINE_FAULT:
            raise MachineFaultError(
                f"{candidate.id} could not be trained: {outcome.message}; that is not the candidate's doing: mend it"
            )
        return outcome

    def _schedule(self, purpose: str) -> tuple[Protocol, str]:
        """The protocol of a purpose, and the fidelity of its score."""
        if purpose != "screen" or self._screening is None:
            return self._protocol, FULL
        epochs = self._screening.rule.epochs
        return short_protocol(self._protocol, epochs), short_name(epochs)

    def _job(self, candidate: CandidateRow, purpose: str, seed: int, weights: str, protocol: Protocol) -> TrainingJob:
        files = self._store.files
        return TrainingJob(
            id=f"{self._run_id}/{candidate.id}/{purpose}/{seed}",
            kind="train",
            graph=str(files.path(candidate.graph).resolve()),
            weights=str(files.path(weights).resolve()),
            dataset=self._dataset,
            protocol=protocol.model_dump(mode="json"),
            seed=seed,
            artifacts=str(files.root.resolve()),
            data=self._settings.data,
            precision=self._settings.precision,
            train_split="full" if purpose == "final" else "train",
            checkpoint_seconds=self._settings.checkpoint_seconds,
            dataset_digest=self._settings.dataset_digest,
            latency_rounds=self._settings.latency_rounds if purpose == "search" else 0,
            rank=_rank(candidate) if purpose in ("search", "screen") else 0,
        )


def _rank(candidate: CandidateRow) -> int:
    """Generation by generation, and in each the first steps of chains first: a chain is what takes longest to end."""
    return 2 * candidate.generation + (candidate.stage != 3 or candidate.step > 1)


def job_settings(config: RunConfig, dataset_digest: str) -> JobSettings:
    """What a run's settings, and the data set that it was started with, say about each of its jobs."""
    return JobSettings(
        data=config.data.model_dump(mode="json", exclude={"dataset", "protocol"}),
        precision=config.machine.precision,
        checkpoint_seconds=config.machine.checkpoint_seconds,
        latency_rounds=config.machine.latency_rounds,
        latency_batch=LATENCY_BATCH[config.search.latency_objective],
        dataset_digest=dataset_digest,
    )
