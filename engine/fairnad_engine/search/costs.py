"""What one proposal and one training cost: measured in a run, timed on the seed, or assumed; each says which.

An assumption is the method's own figure where it has one (sections 4 and 6), and its interval is wide.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fairnad_engine.search.ledger import PENDING, TRAINED, Ledger
from fairnad_engine.store.ledger import Measures, Moments

if TYPE_CHECKING:
    from fairnad_engine.search.config import RunConfig

_ENOUGH = 3  # measurements before they are believed
_CHARACTERS_PER_TOKEN = 3.3  # of Python source
_TOKENS_AROUND = 1500  # rules, contract, memory: what a prompt holds beside sources
# GPU-days of 500 candidates on A100-40GB, two trainings at a time on each GPU (method, section 6).
_PUBLISHED_GPU_DAYS = {"cifar10": 24.22, "cifar100": 26.56, "imagenet16-120": 30.06}
_PUBLISHED_CANDIDATES, _PUBLISHED_STREAMS = 500, 2
# Images that an epoch trains on and that are scored (method, section 5); those that are always here are counted.
_IMAGES = {"cifar10": (25_000, 25_000), "cifar100": (50_000, 5_000), "imagenet16-120": (151_700, 3_000)}


@dataclass(frozen=True)
class Figure:
    """A number with an interval, and where it is from."""

    low: float
    middle: float
    high: float
    source: str

    def times(self, factor: float) -> Figure:
        """The same, scaled."""
        return replace(self, low=self.low * factor, middle=self.middle * factor, high=self.high * factor)


def assumed(low: float, middle: float, high: float, why: str) -> Figure:
    """A figure that nobody measured here."""
    return Figure(low, middle, high, f"assumed: {why}")


@dataclass(frozen=True)
class Costs:
    """Of one proposal and of one training.

    Attributes:
        call: Seconds of a lane for a proposal: model and verifier.
        training: Seconds of a stream for one training in full; None where nothing is known.
        passing: Trained models per proposal.
        prompt_tokens: Read for a proposal.
        completion_tokens: Written for a proposal.
        params: Parameters of a candidate.
        graph_bytes: Of a candidate's graph description.
        source_bytes: Of a candidate's source.
    """

    call: Figure
    training: Figure | None
    passing: Figure
    prompt_tokens: Figure
    completion_tokens: Figure
    params: Figure
    graph_bytes: float = 60_000.0
    source_bytes: float = 5_000.0


@dataclass(frozen=True)
class SeedTiming:
    """The seed backbone, verified and timed for moments on images of noise; no data set is read.

    Attributes:
        params: Its parameters.
        macs: Its multiply-accumulates for one image.
        graph_bytes: Size of its graph description.
        seconds: What its training would take alone, extrapolated.
        verify_seconds: What the verifier took.
        device: Where it was timed.
        epochs: Seconds of each timed epoch.
    """

    params: int
    macs: int
    graph_bytes: int
    seconds: float
    verify_seconds: float
    device: str
    epochs: tuple[float, ...] = field(default=(), repr=False)


def time_seed(config: RunConfig) -> SeedTiming:
    """Verify the seed backbone and time its training on images of noise, within seconds.

    Raises:
        FairnadError: The seed, protocol or data set is not there, the jail lacks a layer, or the seed does not pass.
    """
    import numpy as np
    import torch
    from safetensors.torch import load

    from fairnad_engine.backbone.rebuild import GraphBackbone
    from fairnad_engine.by_hand import Subject, examine, require_passed, scratch_files
    from fairnad_engine.by_hand_training import Course
    from fairnad_engine.training.datasets import LabelledImages, dataset_info
    from fairnad_engine.training.devices import choose_devices
    from fairnad_engine.training.protocol import load_protocol
    from fairnad_engine.training.trainer import train
    from fairnad_engine.workspace import seed_backbone_source

    info = dataset_info(config.data.dataset, **config.data.location())
    protocol = load_protocol(config.data.protocol)
    machine = config.machine
    device = choose_devices(machine.devices, workers=1)[0].name
    count = protocol.batch_size if device != "cpu" else min(protocol.batch_size, 32)
    rng = np.random.default_rng(0)
    noise = torch.from_numpy(rng.integers(0, 256, (count, *info.image_shape), dtype=np.uint8))
    images = LabelledImages(noise, torch.from_numpy(rng.integers(0, info.num_classes, count)))
    steps = 1 if device == "cpu" else 20
    seconds: list[float] = []
    with scratch_files() as files:
        subject = Subject(config.search.seed_backbone, seed_backbone_source(config.search.seed_backbone))
        limits = Course(config.data.dataset, info, protocol).limits()
        (seen,) = examine([subject], limits, files, accept_weak_jail=machine.accept_weak_jail)
        require_passed(seen)
        assert seen.graph is not None  # noqa: S101 - it passed
        graph_bytes = len(files.get(seen.graph_file))
        model = GraphBackbone(seen.graph, load(files.get(seen.weights_file)))
        # The last epoch is always scored, so one more is trained than timed; nothing is learnt at this rate.
        short = protocol.model_copy(
            update={"epochs": 2 * steps + 2, "batch_size": count, "learning_rate": 1e-6, "warmup_epochs": 0}
        )
        short = short.model_copy(update={"eval_every": short.epochs})
        train(
            model, info, images, images, short, 0, lambda one: seconds.append(one.seconds),
            device=device, precision="fp32" if device == "cpu" else machine.precision,
        )  # fmt: skip
    per_image = statistics.median(seconds[1:-1]) / count
    trained, scored = images_of(config)
    scorings = math.ceil(protocol.epochs / protocol.eval_every)
    # A backward pass costs about two forward passes.
    total = per_image * (trained * protocol.epochs + scored * scorings / 3)
    return SeedTiming(seen.params, seen.macs, graph_bytes, total, seen.seconds, device, tuple(seconds))


def images_of(config: RunConfig) -> tuple[int, int]:
    """Images of the training and of the validation split, known or counted.

    Raises:
        InputError: They must be counted and the data set is not there.
    """
    if config.data.dataset in _IMAGES:
        return _IMAGES[config.data.dataset]
    from fairnad_engine.training.datasets import split_sizes

    sizes = split_sizes(config.data.dataset, **config.data.location())
    return sizes["train"], sizes["validation"]


def before_start(config: RunConfig, seed: SeedTiming | None, seed_source: str, why_not: str = "") -> Costs:
    """What is known before a run: the seed's timing, and otherwise assumptions.

    Args:
        config: The run's settings.
        seed: The seed, timed here; None where it could not be.
        seed_source: Its source.
        why_not: Why it was not timed.
    """
    rules = config.model.llm == "rules"
    budget = config.budget
    tokens = len(seed_source) / _CHARACTERS_PER_TOKEN
    verify = seed.verify_seconds if seed else 4.0
    if rules:
        call = assumed(0.5 * verify, verify, 3 * verify, "the built-in rules take what the verifier takes")
        passing = assumed(0.6, 0.8, 0.95, "of the built-in rules")
        prompt = completion = Figure(0, 0, 0, "the built-in rules use none")
    else:
        call = assumed(30 + verify, 60 + verify, 120 + 3 * verify, "a design takes about a minute (method, section 6)")
        passing = assumed(0.3, 0.56, 0.75, "pass rate 0.56 (method, section 4)")
        prompt = assumed(tokens, 1.5 * tokens + _TOKENS_AROUND, 3 * tokens + 2 * _TOKENS_AROUND, "by the seed's source")
        completion = assumed(tokens, 1.5 * tokens, 6 * tokens, "a whole source, and thinking before it")
    least = min(seed.params, budget.max_params) if seed else budget.max_params / 10
    params = assumed(least, math.sqrt(least * budget.max_params), budget.max_params, "between seed and budget")
    return Costs(
        call=call,
        training=_training(config, seed, why_not),
        passing=passing,
        prompt_tokens=prompt,
        completion_tokens=completion,
        params=params,
        graph_bytes=2.0 * seed.graph_bytes if seed else Costs.graph_bytes,
        source_bytes=1.5 * len(seed_source) or Costs.source_bytes,
    )


def _training(config: RunConfig, seed: SeedTiming | None, why_not: str) -> Figure | None:
    if seed is not None:
        ratio = max(1.0, config.budget.max_macs / max(seed.macs, 1))
        told = f"timed: the seed on {seed.device} for moments; a candidate costs between it and the budget"
        return Figure(0.8 * seed.seconds, seed.seconds * math.sqrt(ratio), seed.seconds * ratio, told)
    return published_training(config, f"not timed here ({why_not}); " if why_not else "")


def published_training(config: RunConfig, before: str = "") -> Figure | None:
    """Seconds of a training by the paper's account of its cost, where data set and protocol are the paper's."""
    days = _PUBLISHED_GPU_DAYS.get(config.data.dataset)
    if days is None or config.data.protocol != "nasbench201":
        return None
    seconds = days * 86_400 * _PUBLISHED_STREAMS / _PUBLISHED_CANDIDATES
    told = f"{before}the paper: {days} GPU-days for {_PUBLISHED_CANDIDATES} candidates on A100, two streams each"
    return Figure(0.5 * seconds, seconds, 2 * seconds, told)


def measured(ledger: Ledger, params: Sequence[int], before: Costs) -> Costs:
    """What a run has measured so far, by its ledger; where it is too little, what was thought before."""
    proposals = [line for line in ledger.lines if line.proposed]
    decided = [line for line in proposals if line.outcome != PENDING]
    asked = [line for line in proposals if line.cost.calls]
    found = Measures(
        Moments.of([line.cost.design_seconds + line.cost.verify_seconds for line in decided]),
        sum(line.outcome == TRAINED for line in decided),
        Moments.of([line.cost.training_seconds for line in ledger.lines if line.outcome == TRAINED]),
        Moments.of([line.cost.prompt_tokens for line in asked]),
        Moments.of([line.cost.completion_tokens for line in asked]),
        Moments.of(params),
    )
    return updated(before, found)


def updated(before: Costs, found: Measures) -> Costs:
    """Costs with what was measured in the place of what was thought before, where it is enough."""
    return replace(
        before,
        call=_mean(found.proposals, "proposals") or before.call,
        training=_mean(found.trainings, "trainings") or before.training,
        passing=_share(found.trained, found.proposals.count) or before.passing,
        prompt_tokens=_mean(found.prompt_tokens, "proposals") or before.prompt_tokens,
        completion_tokens=_mean(found.completion_tokens, "proposals") or before.completion_tokens,
        params=_mean(found.params, "candidates") or before.params,
    )


def _mean(values: Moments, what: str) -> Figure | None:
    """The mean with twice its standard error, at least a tenth, to either side."""
    if values.count < _ENOUGH:
        return None
    mean = values.total / values.count
    variance = max(0.0, values.squares - values.total * mean) / (values.count - 1)
    error = max(2 * math.sqrt(variance / values.count), 0.1 * mean)
    return Figure(max(mean - error, 0.1 * mean), mean, mean + error, f"measured: {values.count} {what}")


def _share(good: int, of: int) -> Figure | None:
    """A share with its Wilson interval, two standard errors wide."""
    if of < _ENOUGH or not good:
        return None
    share, z = good / of, 2.0
    centre = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return Figure(max(centre - half, 0.01), share, min(centre + half, 1.0), f"measured: {of} proposals")
