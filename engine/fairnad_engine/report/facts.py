"""What a report says of a run, as plain data. The attribute names are the keys of ``report.json``.

Accuracies are percent, times seconds, sizes counts. ``None`` means that there is nothing to say yet.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fairnad_engine.report.comparison import ComparisonFacts, TestColumn
from fairnad_engine.report.ledger import LedgerFacts
from fairnad_engine.report.turn_facts import CountFacts, EditTypeLine, RealisationLine, SamplingFacts, TurnOutcome
from fairnad_engine.search.control_row import ControlFacts
from fairnad_engine.search.finish_results import FinishResult
from fairnad_engine.store.calls import CallTotals


@dataclass(frozen=True)
class RunFacts:
    """Which run it is.

    Attributes:
        id: Run id.
        name: As the user named it.
        state: ``queued``, ``running``, ``waiting``, ``paused``, ``stopping``, ``stopped``, ``failed``, ``done``, or
            ``interrupted`` where the process that worked on it is gone.
        message: What the job said last.
        created_at: ISO 8601, UTC.
        ended_at: When the budget was reached.
        model: Language model.
        model_digest: Its digest, as the server gave it.
        template_version: Version of the attribute template.
        seed: Seed of every random choice.
        digest: Run digest: equal for two runs that did the same. None before the end.
        dataset_digest: Hash over all splits.
        protocol_digest: Hash over every setting of the protocol.
    """

    id: str
    name: str
    state: str
    message: str
    created_at: str
    ended_at: str | None
    model: str
    model_digest: str
    template_version: int
    seed: int
    digest: str | None
    dataset_digest: str
    protocol_digest: str


@dataclass(frozen=True)
class ProtocolFacts:
    """What a score of the run means.

    Attributes:
        name: Protocol.
        epochs: Passes over the training split.
        dataset: Data set.
        split: Whose split it is.
        label: All of it in the words that stand beside every number.
    """

    name: str
    epochs: int
    dataset: str
    split: str
    label: str


@dataclass(frozen=True)
class IdeaLine:
    """The idea behind a model; ``origin`` is that of the library, or ``derived`` for Stage III."""

    id: str
    name: str
    instruction: str
    main: str
    sub: str
    origin: str


@dataclass(frozen=True)
class ModelLine:
    """A verified backbone.

    Attributes:
        id: Candidate id, ``seed`` for the seed.
        generation: 0 for the seed.
        stage: 1 to 3, 0 for the seed.
        slot: Slot in its generation.
        step: 1, or 2 for the second step of a Stage III chain.
        kind: Why it was designed.
        parent: Candidate it was made from.
        idea: The idea it applies.
        change: What was changed, in the designer's words.
        edit_type: ``structural``, ``capacity`` or ``hyper-parameter``.
        realised: Whether its graph shows the idea: ``yes``, ``no``, ``unknown``.
        status: ``verified``, ``training``, ``trained``, ``screened`` (stopped after a short schedule) or ``failed``.
        failure: Class of a failed training.
        validation_accuracy: Percent, on the validation split.
        params: Parameters.
        macs: Multiply-accumulates for one image.
        width: Width it was built with.
        exact_hash: Structure hash.
        on_front: Whether it is on the Pareto front.
        latency: Milliseconds of a pass, where the run selects by it.
    """

    id: str
    generation: int
    stage: int
    slot: int
    step: int
    kind: str
    parent: str | None
    idea: IdeaLine | None
    change: str
    edit_type: str
    realised: str
    status: str
    failure: str | None
    validation_accuracy: float | None
    params: int
    macs: int
    width: float
    exact_hash: str
    on_front: bool
    latency: float | None = None


@dataclass(frozen=True)
class BudgetFacts:
    """What may be trained, how many were (the seed is not counted), and what a model may cost.

    ``screened_so_far`` were stopped after a short schedule; the budget counts them as well.
    """

    trained: int
    trained_so_far: int
    max_params: int
    max_macs: int
    screened_so_far: int = 0
    counted_so_far: int = 0


@dataclass(frozen=True)
class FidelityFacts:
    """How trainings were shortened; without an effect where ``mode`` is ``off``.

    Attributes:
        mode: ``off`` or ``promote``.
        short: The short schedule, such as ``short:4``; None where there is none.
        confidence: Of the bound that stops a model while the search runs.
        last_confidence: Of the bound that keeps it stopped at the end.
        tolerance: In standard errors of accuracy.
        epochs: Epochs trained by the search at each fidelity, the seed included.
        epochs_in_full: What every one of these models in full would have taken.
    """

    mode: str
    short: str | None
    confidence: float
    last_confidence: float
    tolerance: float
    epochs: dict[str, int]
    epochs_in_full: int


@dataclass(frozen=True)
class GenerationLine:
    """A generation: state, models trained in it, and hypervolume, best accuracy and front at its end."""

    number: int
    state: str
    trained: int
    hypervolume: float | None
    best_accuracy: float | None
    front: tuple[str, ...]


@dataclass(frozen=True)
class StageTime:
    """Work of a stage (0: the seed), in seconds summed over processes."""

    stage: int
    proposals: int
    trained: int
    design_seconds: float
    verify_seconds: float
    training_seconds: float


@dataclass(frozen=True)
class ModelTotals:
    """All requests to one language model."""

    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float


@dataclass(frozen=True)
class RunSummary:
    """Everything a report says.

    Attributes:
        run: Which run.
        settings: Its frozen configuration.
        protocol: What a score means.
        seed: The seed backbone, the baseline; None before it is verified.
        budget: Models and costs allowed.
        fidelity: How trainings were shortened.
        generations: In order.
        front: The Pareto front now, best accuracy first.
        models: Every verified backbone, the seed first.
        counts: How proposals fared.
        sampling: Turns of categories.
        turns: What they became, by main category.
        realisation: How often ideas were really applied, by main and by sub-category, Stage III included.
        stages: Time by stage.
        calls: Requests, tokens and time by purpose and model.
        language_models: Sums by model.
        tests: Results of each ``finish``, oldest first; empty where it never ran.
        finish_command: The command that makes test results, where there are none.
        ledger: What was spent on what.
        control: The seed, only scaled up to the budget's edge.
        comparison: The published table beside this run, or why nothing of it compares.
        test_columns: Tested models scored in another paper's manner, marked so.
        ancestry: What the run came from (``fork``, ``warm-start``); None where it began by itself.
        edits: What edits of each type came to.
        guards: Which guards of replies its model's server allowed, as it was probed before; empty where it was not.
    """

    run: RunFacts
    settings: dict[str, Any]
    protocol: ProtocolFacts
    seed: ModelLine | None
    budget: BudgetFacts
    fidelity: FidelityFacts
    generations: tuple[GenerationLine, ...]
    front: tuple[ModelLine, ...]
    models: tuple[ModelLine, ...]
    counts: CountFacts
    sampling: SamplingFacts
    turns: tuple[TurnOutcome, ...]
    realisation: tuple[RealisationLine, ...]
    stages: tuple[StageTime, ...]
    calls: tuple[CallTotals, ...]
    language_models: tuple[ModelTotals, ...]
    tests: tuple[FinishResult, ...]
    finish_command: str | None
    control: ControlFacts
    comparison: ComparisonFacts
    ledger: LedgerFacts | None = None
    test_columns: tuple[TestColumn, ...] = ()
    ancestry: dict[str, Any] | None = None
    guards: tuple[dict[str, Any], ...] = ()
    edits: tuple[EditTypeLine, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON-able form with the attribute names as keys."""
        return asdict(self)

    @property
    def best(self) -> ModelLine | None:
        """The most accurate model of the front."""
        return self.front[0] if self.front else None
