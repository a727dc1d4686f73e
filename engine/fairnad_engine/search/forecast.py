"""What a search will take, before it starts and while it runs: hours, disk, tokens, and what it waits for.

Closed forms over seconds per proposal and per training, lanes, streams and pass rate; where these come from is part
of the forecast. ``bench/pipeline.py`` holds them against the scheduler itself.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.costs import Costs, Figure, SeedTiming, before_start, updated
from fairnad_engine.store.runs import SEED_CANDIDATE

if TYPE_CHECKING:
    from fairnad_engine.store import Store

_HOUR = 3600.0
_AUTO_STREAMS = 2  # on a GPU, where measured memory and speed decide later
_SHARING = 1.4  # what a GPU trains with two or more streams over what it trains with one
_EPOCH_BYTES, _ROW_BYTES = 120.0, 4_000.0  # of the store: an epoch's row, a proposal's rows without its texts
_REPLY_SHARE = 0.4  # of a reply's characters are left when it is compressed
_PROMOTED = (1 / 3, 0.6, 1.0)  # of the models, trained in full after a short schedule: the best third, or all


@dataclass(frozen=True)
class Pipeline:
    """Proposals on one side, trainings on the other.

    Attributes:
        lanes: Proposals at a time.
        streams: Trainings at a time.
        call: Seconds of a lane for one proposal: model and verifier.
        training: Seconds of a stream for one training.
        passing: Trained models per proposal.
    """

    lanes: int
    streams: int
    call: float
    training: float
    passing: float = 1.0

    @property
    def model_rate(self) -> float:
        """Backbones per second that the lanes can give."""
        return self.lanes * self.passing / max(self.call, 1e-9)

    @property
    def training_rate(self) -> float:
        """Backbones per second that the streams can train."""
        return self.streams / max(self.training, 1e-9)

    @property
    def bottleneck(self) -> Literal["model", "training"]:
        """Which of them the other waits for."""
        return "model" if self.model_rate < self.training_rate else "training"

    @property
    def lanes_enough(self) -> int:
        """The fewest lanes with which training is no longer kept waiting."""
        return max(1, math.ceil(self.streams * self.call / (max(self.training, 1e-9) * self.passing) - 1e-9))

    def steady_seconds(self, models: int) -> float:
        """Seconds for so many trained models where proposals never wait for a generation's end."""
        return models / min(self.model_rate, self.training_rate) + self.call + self.training

    def snapshot_seconds(self, models: int, stages: tuple[int, int, int], rounds: int = 1) -> float:
        """Seconds where no proposal of a generation is made before the one before has ended (method, section 3).

        A generation's trainings begin when its first proposals are settled in slot order, and end with the second
        steps of its chains: proposed, then trained, after the first steps were.

        Args:
            models: Trained models.
            stages: Slots of each stage.
            rounds: Stages that wait for one another: 3 where each sees the results of the one before.
        """
        per_generation = self.models_of(stages)
        work = per_generation / min(self.model_rate, self.training_rate)
        begin, tail = self._begin(stages), self._tail(stages)
        return models / per_generation * (rounds * begin + work + tail + (rounds - 1) * 0.5 * self.training)

    def lookahead_seconds(self, models: int, stages: tuple[int, int, int]) -> float:
        """Seconds where a generation's proposals see the one before the last, so that two generations overlap.

        Only the first generation is waited for, and only the last one's chains are.
        """
        return self._begin(stages) + models / min(self.model_rate, self.training_rate) + self._tail(stages)

    def _begin(self, stages: tuple[int, int, int]) -> float:
        """Until a generation's first training: its proposals are settled in slot order, failing ones tried again."""
        failing = 1 - self.passing
        tries = 1 if failing < 0.01 else math.ceil(math.log(max(sum(stages), 2)) / -math.log(failing))
        return self.call * min(tries, 1 + 2)  # as often as an idea is debugged

    def _tail(self, stages: tuple[int, int, int]) -> float:
        """From where streams run dry to a generation's end: the second steps of its chains."""
        return self.call / self.passing + self.training if stages[2] else 0.5 * self.training

    @staticmethod
    def models_of(stages: tuple[int, int, int]) -> int:
        """Models of a generation in which no slot fails; a chain gives two."""
        return stages[0] + stages[1] + 2 * stages[2]


@dataclass(frozen=True)
class Forecast:
    """What is still to be done and what it will take.

    Attributes:
        models: Trained models to come; more than the budget counts where a chain counts once.
        generations: Generations they take, where no slot fails.
        proposals: Model replies.
        hours: Wall time; None where nothing is known of a training's cost.
        stream_hours: Hours of trainings, summed over streams.
        weights_bytes: Initial and trained weights.
        graphs_bytes: Graph descriptions.
        store_bytes: Sources, replies and rows of the workspace file.
        prompt_tokens: Read by the language model.
        completion_tokens: Written by it.
        bottleneck: ``model`` or ``training``: which the other waits for.
        lanes: Proposals at a time, as set.
        lanes_enough: The fewest lanes with which training is not kept waiting.
        streams: Trainings at a time.
        costs: What it was worked out from.
    """

    models: int
    generations: int
    proposals: Figure
    hours: Figure | None
    stream_hours: Figure | None
    weights_bytes: Figure
    graphs_bytes: Figure
    store_bytes: Figure
    prompt_tokens: Figure
    completion_tokens: Figure
    bottleneck: str | None
    lanes: int
    lanes_enough: int | None
    streams: int
    costs: Costs

    @property
    def disk_bytes(self) -> Figure:
        """All files together."""
        parts = (self.weights_bytes, self.graphs_bytes, self.store_bytes)
        return Figure(
            sum(one.low for one in parts),
            sum(one.middle for one in parts),
            sum(one.high for one in parts),
            "weights, graphs and the workspace file",
        )

    @property
    def advice(self) -> str:
        """The bottleneck in a sentence, with what would end it."""
        if self.bottleneck is None or self.lanes_enough is None:
            return "nothing is known of a training's cost here"
        if self.bottleneck == "model":
            return (
                f"the model is the bottleneck: {self.lanes} lanes cannot feed {self.streams} trainings at a time; "
                f"{self.lanes_enough} lanes would, where the model's server answers them side by side"
            )
        enough = self.lanes_enough
        lanes = f"{self.lanes} lanes are enough" + (f", {enough} would be too" if enough < self.lanes else "")
        return f"training is the bottleneck: {lanes}; more streams or devices shorten it"

    def as_dict(self) -> dict[str, Any]:
        """The documented JSON form."""
        return {**asdict(self), "disk_bytes": asdict(self.disk_bytes), "advice": self.advice}


def streams_of(config: RunConfig, gpus: int) -> tuple[int, float]:
    """Trainings at a time, and by how much one is slower for those beside it on the same device."""
    machine = config.machine
    named = () if machine.devices == "auto" else machine.devices
    places = sum(name != "cpu" for name in named) if named else gpus
    if not places:
        return _within_window(config, machine.workers), 1.0
    each = _AUTO_STREAMS if machine.streams == "auto" else machine.streams
    return _within_window(config, places * each), each / _SHARING if each > 1 else 1.0


def _within_window(config: RunConfig, streams: int) -> int:
    """No more trainings run at a time than a decision about a short schedule looks back."""
    return streams if config.fidelity.mode == "off" else min(streams, config.fidelity.window)


def forecast(config: RunConfig, costs: Costs, *, models: int | None = None, gpus: int = 0, epochs: int = 1) -> Forecast:
    """Work out what so many models take.

    Args:
        config: The run's settings.
        costs: Of one proposal and one training.
        models: Trained models to come, as the budget counts them; None takes the whole budget.
        gpus: Visible GPUs.
        epochs: Of the protocol.
    """
    stages = config.search.slots
    counted = config.budget.trained if models is None else models
    every = Pipeline.models_of(stages)
    each = every if config.search.stage3_counts == "both" else sum(stages)
    count = math.ceil(counted * every / each)
    streams, slower = streams_of(config, gpus)
    if slower > 1 and costs.training and not costs.training.source.startswith(("timed", "assumed")):
        slower = 1.0  # it was measured with the others beside it
    training = _with_screening(config, costs.training, epochs)
    training = training.times(slower) if training else None
    passing, proposals = costs.passing, _over(count, costs.passing)
    hours = stream_hours = middle = None
    if training is not None:
        low, middle, high = (
            Pipeline(config.model.lanes, streams, call, seconds, share)
            for call, seconds, share in (
                (costs.call.low, training.low, passing.high),
                (costs.call.middle, training.middle, passing.middle),
                (costs.call.high, training.high, passing.low),
            )
        )
        spans = (low.steady_seconds(count), _seconds(config, middle, count), 1.15 * _seconds(config, high, count))
        least, likely, most = (span / _HOUR if count else 0.0 for span in spans)
        hours = Figure(least, likely, most, "closed form of the costs")
        stream_hours = training.times(count / _HOUR)
    return Forecast(
        models=count,
        generations=math.ceil(count / every),
        proposals=proposals,
        hours=hours,
        stream_hours=stream_hours,
        weights_bytes=costs.params.times(2 * 4.0 * count),
        graphs_bytes=_around(costs.graph_bytes * count),
        store_bytes=_store_bytes(costs, proposals, count, epochs),
        prompt_tokens=_product(costs.prompt_tokens, proposals),
        completion_tokens=_product(costs.completion_tokens, proposals),
        bottleneck=middle.bottleneck if middle else None,
        lanes=config.model.lanes,
        lanes_enough=middle.lanes_enough if middle else None,
        streams=streams,
        costs=costs,
    )


def time_left(store: Store, run_id: str, *, gpus: int = 0) -> Forecast:
    """What a run still takes, by what it has measured so far; quick enough for a screen that asks now and then.

    Args:
        store: The workspace.
        run_id: The run.
        gpus: GPUs that are seen.

    Raises:
        InputError: There is no such run.
    """
    run = store.runs.get(run_id)
    job = store.jobs.of_run(run_id)
    config = RunConfig.model_validate(run.config)
    if job is not None:  # it may go on with other machine settings than it began with
        config = config.model_copy(update={"machine": RunConfig.model_validate(job.config).machine})
    source = str(run.environment.get("seed_source", ""))
    seed = store.runs.candidate(run_id, SEED_CANDIDATE)
    trainings = store.runs.evaluations_of(run_id, SEED_CANDIDATE)
    seconds = sum(one.seconds for one in trainings if one.purpose in ("search", "screen"))
    timing = None
    if seed is not None and seconds:
        timing = SeedTiming(seed.params, seed.macs, int(Costs.graph_bytes / 2), seconds, 4.0, "this machine")
    before = before_start(config, timing, source, "the seed is not trained yet")
    costs = updated(before, store.ledger.measures(run_id))
    left = max(0, config.budget.trained - store.runs.progress(run_id).counted)
    protocol = run.environment.get("protocol", {})
    return forecast(config, costs, models=0 if run.ended_at else left, gpus=gpus, epochs=int(protocol.get("epochs", 1)))


def _seconds(config: RunConfig, pipeline: Pipeline, models: int) -> float:
    if config.search.proposals == "lookahead":
        return pipeline.lookahead_seconds(models, config.search.slots)
    rounds = 3 if config.search.proposals == "sequential" else 1
    return pipeline.snapshot_seconds(models, config.search.slots, rounds)


def _with_screening(config: RunConfig, training: Figure | None, epochs: int) -> Figure | None:
    if training is None or config.fidelity.mode == "off":
        return training
    short = min(1.0, config.fidelity.short_epochs / max(epochs, 1))
    low, middle, high = (short + share for share in _PROMOTED)
    return Figure(
        training.low * low,
        training.middle * middle,
        training.high * high,
        f"{training.source}; most on a short schedule",
    )


def _store_bytes(costs: Costs, proposals: Figure, models: int, epochs: int) -> Figure:
    """Each proposal keeps its source and its compressed reply, each backbone its source and its epochs."""
    replies = _product(costs.completion_tokens, proposals).times(3.3 * _REPLY_SHARE)
    rows = proposals.times(costs.source_bytes + _ROW_BYTES)
    fixed = models * (costs.source_bytes + epochs * _EPOCH_BYTES)
    return Figure(
        replies.low + rows.low + fixed,
        replies.middle + rows.middle + fixed,
        replies.high + rows.high + fixed,
        "by sources, replies and epochs",
    )


def _over(models: int, passing: Figure) -> Figure:
    return Figure(models / passing.high, models / passing.middle, models / passing.low, passing.source)


def _product(each: Figure, times: Figure) -> Figure:
    return Figure(each.low * times.low, each.middle * times.middle, each.high * times.high, each.source)


def _around(value: float) -> Figure:
    return Figure(0.5 * value, value, 2 * value, "by the seed's")
