"""What became of turns, proposals and edits, as plain data; part of :class:`fairnad_engine.report.facts.RunSummary`."""

from __future__ import annotations

from dataclasses import dataclass


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
