"""What the search asks of a language model, whichever it is: read papers, design backbones.

Two roles, each a small protocol, are filled by the built-in ``rules`` model and by any chat model. Every reply
carries its accounting; nothing here chooses a model or falls back to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fairnad_engine.knowledge.papers import PaperText
    from fairnad_engine.knowledge.template import Template


class Purpose(StrEnum):
    """Why a design is asked for (method, sections 3 and 4)."""

    IDEA = "idea"  # Stage I: apply one drawn idea
    SCALE_UP = "scale-up"  # Stage II, slack under the budgets
    SCALE_DOWN = (
        "scale-down"  # Stage II where [search] scale_down asks for it: the same network at a fraction of its cost
    )
    HYPERPARAMETER = "hyper-parameter"  # Stage II, otherwise: neither depth nor width
    SIMILAR = "similar"  # Stage III: derive and apply an idea like the one that worked
    OPPOSITE = "opposite"  # Stage III: derive and apply its opposite
    DEBUG = "debug"  # verifier: mend what failed to execute
    DOWNSCALE = "downscale"  # verifier: fit the budgets


class EditType(StrEnum):
    """What kind of change a design makes to its parent."""

    STRUCTURAL = "structural"
    CAPACITY = "capacity"
    HYPERPARAMETER = "hyper-parameter"


@dataclass(frozen=True)
class IdeaBrief:
    """One idea as a designer sees it."""

    id: str
    main: str
    sub: str
    name: str
    instruction: str


@dataclass(frozen=True)
class Outcome:
    """One remembered (problem, change, outcome) triple."""

    problem: str
    change: str
    outcome: str


@dataclass(frozen=True)
class Failure:
    """Why the verifier sent a design back: the machine-readable class and its message."""

    kind: str
    message: str


@dataclass(frozen=True)
class DesignTask:
    """Everything a proposal may see; two equal tasks ask for the same design.

    Attributes:
        purpose: Why the design is asked for.
        parent_source: Complete Python source of the parent backbone.
        idea: The idea to apply (Stage I), or the one to derive from (Stage III).
        input_shape: Channels, height, width of one image.
        num_classes: Number of logits.
        max_params: Budget, number of parameters.
        max_macs: Budget, multiply-accumulates for one image.
        parent_params: The parent's parameters.
        parent_macs: The parent's multiply-accumulates.
        entropy: Seed words of every random choice (``numpy.random.SeedSequence``).
        attempt: 0 for the first proposal, then one more for each time the verifier sent it back.
        previous_source: The design that failed, for ``DEBUG`` and ``DOWNSCALE``.
        failure: Why it failed.
        memory: The last outcomes, oldest first, failures included.
        original: For ``DEBUG`` and ``DOWNSCALE``, the purpose of the proposal that failed.
        derived: Likewise, the idea that it derived and applied; no part of the representation, by which tasks are
            known again, since the tasks of older runs were stored without it.
    """

    purpose: Purpose
    parent_source: str
    idea: IdeaBrief | None
    input_shape: tuple[int, int, int]
    num_classes: int
    max_params: int
    max_macs: int
    parent_params: int
    parent_macs: int
    entropy: tuple[int, ...]
    attempt: int = 0
    previous_source: str | None = None
    failure: Failure | None = None
    memory: tuple[Outcome, ...] = ()
    original: Purpose | None = None
    derived: IdeaBrief | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ModelCall:
    """One request to a model, as it is accounted.

    Attributes:
        purpose: ``screen``, ``extract``, or a :class:`Purpose`.
        model: Name of the model.
        prompt_hash: SHA-256 of the whole prompt.
        prompt_tokens: Tokens read, as the server counted them (0 for ``rules``).
        completion_tokens: Tokens written.
        seconds: Wall time.
        reply: The raw reply.
        prompt: What the model was given, where it is to be kept.
        request: Hash of everything that decides the reply; empty for one that is not to be used again.
        finished: False where the reply was cut off by a limit on its length.
        digest: What identifies the model's weights; empty where that is not known.
    """

    purpose: str
    model: str
    prompt_hash: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    reply: str = ""
    prompt: str = ""
    request: str = ""
    finished: bool = True
    digest: str = ""


@dataclass(frozen=True)
class Design:
    """A proposed backbone.

    Attributes:
        source: Complete Python source of the child.
        change: What was changed, in one line.
        edit_type: Structural, capacity or hyper-parameter.
        derived: For Stage III, the idea that was derived and applied.
        width_factor: What to multiply the parent's width by; the source stays the parent's where only this changes.
        calls: The requests it took.
    """

    source: str
    change: str
    edit_type: EditType
    derived: IdeaBrief | None = None
    width_factor: float = 1.0
    calls: tuple[ModelCall, ...] = ()


class DesignRefusedError(Exception):
    """The designer has no design for the task: a recorded failure, never a no-op.

    Attributes:
        kind: Failure class: ``inexpressible``, ``malformed-reply``, ``truncated-reply``, ``unchanged-reply``,
            ``edit-mismatch``.
        calls: The requests it took.
    """

    def __init__(self, kind: str, message: str, calls: Sequence[ModelCall] = ()) -> None:
        super().__init__(message)
        self.kind = kind
        self.calls = tuple(calls)


class Designer(Protocol):
    """Writes backbones."""

    @property
    def name(self) -> str:
        """The model as the user named it, for example ``rules`` or ``ollama:qwen3:8b``."""

    def design(self, task: DesignTask) -> Design:
        """Return a child of ``task.parent_source``.

        Raises:
            DesignRefusedError: No design can be given for the task.
            ModelUnavailableError: The model's server is gone.
        """


@dataclass(frozen=True)
class Screening:
    """Whether a paper can inspire a better backbone, and why (method, section 1.2)."""

    relevant: bool
    reason: str
    calls: tuple[ModelCall, ...] = ()


@dataclass(frozen=True)
class IdeaDraft:
    """One extracted idea, not yet stored.

    Attributes:
        main: Main category id.
        sub: Sub-category id.
        name: Short name.
        instruction: The idea as one actionable instruction.
        quote: Verbatim evidence.
        span: Start and end character of the quote in the paper's text, or None where it was not found.
        grounded_by: How it was found (:mod:`fairnad_engine.knowledge.grounding`).
        grounding_score: How alike the quote as given and the paper's words are, from 0 to 1.
        quote_given: The quote as the model wrote it, where it is not what stands in the paper.
    """

    main: str
    sub: str
    name: str
    instruction: str
    quote: str
    span: tuple[int, int] | None
    grounded_by: str = ""
    grounding_score: float | None = None
    quote_given: str = ""


@dataclass(frozen=True)
class Extraction:
    """The ideas of one paper."""

    ideas: tuple[IdeaDraft, ...]
    calls: tuple[ModelCall, ...] = field(default=())


class Reader(Protocol):
    """Reads papers."""

    @property
    def name(self) -> str:
        """The model as the user named it."""

    def screen(self, paper: PaperText) -> Screening:
        """Decide from title and abstract whether the paper can inspire a better backbone block."""

    def extract(self, paper: PaperText, template: Template) -> Extraction:
        """Return the paper's design ideas, each filed under a sub-category of the template."""


@dataclass(frozen=True)
class AttributeDraft:
    """A sub-category that a paper suggests.

    Attributes:
        level: Its level's id.
        main: Id of a main category of the template, or the name of a new one.
        name: Its name.
        definition: What belongs under it.
        example: An idea of this kind, as an instruction.
        quote: The paper's own words.
        span: Where they stand in its text.
        main_definition: What belongs under a new main category; empty where it is not new, or nothing is said.
        second_example: Another idea of this kind; may be empty.
    """

    level: str
    main: str
    name: str
    definition: str
    example: str
    quote: str
    span: tuple[int, int]
    main_definition: str = ""
    second_example: str = ""


@dataclass(frozen=True)
class Proposed:
    """What a paper suggests; without evidence in its text an attribute is dropped, and counted.

    Attributes:
        drafts: In the paper's order.
        calls: The requests it took.
        failures: Pieces without a usable reply, and text that was left out.
        ungrounded: Attributes that were dropped because their quote does not stand in the paper.
        usable: Whether there was a usable reply at all, or nothing to ask about.
    """

    drafts: tuple[AttributeDraft, ...]
    calls: tuple[ModelCall, ...]
    failures: tuple[Failure, ...]
    ungrounded: int
    usable: bool


class Author(Protocol):
    """Works on the attribute template: proposes categories and files ideas."""

    @property
    def name(self) -> str:
        """The model as the user named it."""

    def propose(self, paper: PaperText, template: Template) -> Proposed:
        """Return the attributes of a paper that the template lacks.

        Raises:
            ModelUnavailableError: The model's server is gone.
        """
