"""What a report says of a run, as plain data. The attribute names are the keys of ``report.json``.

Accuracies are percent, times seconds, sizes counts. ``None`` means that there is nothing to say yet.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fairnad_engine.report.comparison import ComparisonFacts, TestColumn
from fairnad_engine.report.ledger import LedgerFacts
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
class CountFacts:
    """How proposals fared.

    Attributes:
        slots: Slots of all generations so far.
        slots_trained: Of them, ended with a trained model.
        slots_failed: Ended without one.
        slots_screened: Ended with a model that was stopped after a short schedule.
        slots_cut: Not worked on, because the budget was spent.
        slots_open: Not ended.
        proposals: Model replies.
        rejected: Rejected proposals by failure class.
        valid: Verified backbones, the seed not counted.
        trained: Trained models, the seed not counted.
        training_failures: Verified backbones that gave no score, by class.
        distinct_structures: Different exact hashes among the trained models.
        pass_rate: Share of the slot steps that were tried and gave a verified backbone.
        proposal_pass_rate: Share of the proposals that were accepted.
    """

    slots: int
    slots_trained: int
    slots_failed: int
    slots_cut: int
    slots_open: int
    proposals: int
    rejected: dict[str, int]
    valid: int
    trained: int
    training_failures: dict[str, int]
    distinct_structures: int
    pass_rate: float | None
    proposal_pass_rate: float | None
    slots_screened: int = 0


@dataclass(frozen=True)
class CategoryLine:
    """Turns of a category; ``effective`` is what fairness compares, ``ideas`` the approved ones in the run.

    ``trained`` are turns that came to a trained model, where these are kept equal; None where turns are.
    """

    id: str
    name: str
    level: str
    main: str | None
    turns: int
    join_offset: int
    effective: int
    active: bool
    ideas: int
    trained: int | None = None


@dataclass(frozen=True)
class SamplingFacts:
    """Fair sampling.

    Attributes:
        fairness: On which levels turns are kept equal.
        mains: Every main category of the template.
        subs: Every sub-category.
        largest_difference: Between effective counts of two main categories that have approved ideas.
        subs_active: Sub-categories with approved ideas.
        subs_with_turns: Of them, had a turn.
        ideas_approved: Ideas the run draws from.
        ideas_used: Of them, drawn or tried.
        unit: What is kept equal: ``turn``, or ``trained`` models.
    """

    fairness: str
    mains: tuple[CategoryLine, ...]
    subs: tuple[CategoryLine, ...]
    largest_difference: int
    subs_active: int
    subs_with_turns: int
    ideas_approved: int
    ideas_used: int
    unit: str = "turn"


@dataclass(frozen=True)
class TurnOutcome:
    """What the turns of one main category became; each number is among the one before.

    Attributes:
        main: Category id.
        name: Category name.
        turns: Turns given.
        tried: Had a proposal.
        valid: Gave a verified backbone.
        realised: Whose graph shows the idea.
        trained: Verified (realised or not) and trained.
        on_front: Trained and on the front.
    """

    main: str
    name: str
    turns: int
    tried: int
    valid: int
    realised: int
    trained: int
    on_front: int


@dataclass(frozen=True)
class RealisationLine:
    """The backbones of one category's ideas, by whether their graphs show the idea.

    Attributes:
        id: Category id.
        name: Category name.
        main: The main category of a sub-category; None for a main category.
        yes: Realised.
        no: Not realised.
        unknown: Cannot be told from the graph.
        rate: Realised among those that can be told; None where none can.
    """

    id: str
    name: str
    main: str | None
    yes: int
    no: int
    unknown: int
    rate: float | None


@dataclass(frozen=True)
class EditTypeLine:
    """What edits of one type came to.

    Attributes:
        edit_type: ``structural``, ``capacity`` or ``hyper-parameter``.
        made: Verified backbones.
        trained: Of them, trained.
        gain: Validation accuracy beyond the parent's, in points, the mean over those trained; None without any.
        best_gain: The largest of them.
        by_generation: How many were made in each generation, from the first on.
    """

    edit_type: str
    made: int
    trained: int
    gain: float | None
    best_gain: float | None
    by_generation: tuple[int, ...]


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
