"""A chat model as designer of backbones (method, sections 3 and 4; arXiv:2605.19247).

The model writes the whole child; the verifier decides what it is worth. Growing is left to the program, since it
changes one number: the parent's width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from hashlib import sha256

from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.asking import ReplyRefusedError, ask
from fairnad_engine.llm.chat import ChatModel
from fairnad_engine.llm.prompts import Prompt, as_data, render
from fairnad_engine.llm.protocol import (
    Design,
    DesignRefusedError,
    DesignTask,
    EditType,
    IdeaBrief,
    ModelCall,
    Purpose,
)
from fairnad_engine.llm.replies import (
    DerivedDesignReply,
    DerivedIdea,
    DesignReply,
    fenced_program,
    plain_line,
    source_of,
)

FACTORS = (1.25, 1.5, 2.0)
"""What a scale-up multiplies the width by, as far as the budgets leave room."""

MEMORY = 5
"""Outcomes that a prompt shows (method, section 4)."""

_MAX_TOKENS = 8192
_TEMPERATURE = 0.7  # What Qwen3's authors advise without thinking; at 0 a rejected design would only be repeated.
_MAX_SOURCE = 60_000
_MAX_FAILURE = 2000
_DERIVED = (Purpose.SIMILAR, Purpose.OPPOSITE)


class ChatDesigner:
    """Designs backbones with a chat model."""

    def __init__(self, model: ChatModel, template: Template | None = None, *, max_tokens: int = _MAX_TOKENS) -> None:
        """Name the model.

        Args:
            model: Who is asked.
            template: Names the opposite of a sub-category; without it an opposite idea keeps its sub-category.
            max_tokens: Longest reply, in tokens.
        """
        self._model = model
        self._max_tokens = max_tokens
        self._template = template

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return self._model.name

    def design(self, task: DesignTask) -> Design:
        """Return a child of ``task.parent_source``.

        Raises:
            DesignRefusedError: ``inexpressible`` where there is nothing to ask for, ``malformed-reply`` or
                ``truncated-reply`` where the model gave no program, or the parent's own.
            ModelUnavailableError: The model's server is gone.
        """
        goal = task.original or task.purpose
        if goal is Purpose.SCALE_UP:
            return _scale_up(task)
        if goal is Purpose.IDEA and task.idea is None:
            raise DesignRefusedError("inexpressible", "there is no idea to apply")
        return self._ask(task, goal)

    def _ask(self, task: DesignTask, goal: Purpose) -> Design:
        derives = goal in _DERIVED
        schema: type[DesignReply] | type[DerivedDesignReply] = DerivedDesignReply if derives else DesignReply
        otherwise: Callable[[str], DesignReply | DerivedDesignReply | None] = (
            (lambda _: None) if derives else lambda text: _fenced(text, task)
        )
        try:
            answer = ask(
                self._model,
                self._prompt(task, goal),
                schema,
                task.purpose.value,
                max_tokens=self._max_tokens,
                temperature=_TEMPERATURE,
                seed=_seed(task),
                otherwise=otherwise,
            )
        except ReplyRefusedError as refused:
            raise DesignRefusedError(refused.kind, str(refused), refused.calls) from refused
        source = source_of(answer.value.code)
        _refuse_unchanged(source, task, answer.calls)
        derived = answer.value.idea if isinstance(answer.value, DerivedDesignReply) else None
        return Design(
            source=source,
            change=plain_line(answer.value.change, 300),
            edit_type=EditType.HYPERPARAMETER if goal is Purpose.HYPERPARAMETER else EditType.STRUCTURAL,
            derived=self._brief(derived, task.idea, goal) if derived and task.idea else None,
            calls=answer.calls,
        )

    def _prompt(self, task: DesignTask, goal: Purpose) -> Prompt:
        name = task.purpose.value if task.purpose in (Purpose.DEBUG, Purpose.DOWNSCALE) else "design"
        failure = task.failure
        return render(
            name,
            task=task,
            goal=goal.value,
            derives=goal in _DERIVED,
            parent=as_data(task.parent_source, _MAX_SOURCE),
            previous=as_data(task.previous_source or task.parent_source, _MAX_SOURCE),
            idea=_shown(task.idea) if task.idea else None,
            opposite=self._opposite(task.idea) if task.idea else "",
            failure=as_data(f"{failure.kind}: {failure.message}", _MAX_FAILURE) if failure else "",
            memory=[
                plain_line(as_data(f"{one.problem}: {one.change}: {one.outcome}", 400), 300)
                for one in task.memory[-MEMORY:]
            ],
        )

    def _opposite_sub(self, idea: IdeaBrief) -> str:
        try:
            antonym = self._template.sub(idea.sub).antonym if self._template else None
        except KeyError:
            return idea.sub
        return antonym if antonym and "." in antonym else idea.sub

    def _opposite(self, idea: IdeaBrief) -> str:
        """The opposite kind of idea by name, where the template has one."""
        sub = self._opposite_sub(idea)
        return self._template.sub(sub).name if self._template and sub != idea.sub else ""

    def _brief(self, derived: DerivedIdea, origin: IdeaBrief, goal: Purpose) -> IdeaBrief:
        sub = self._opposite_sub(origin) if goal is Purpose.OPPOSITE else origin.sub
        name, instruction = plain_line(derived.name, 80), plain_line(derived.instruction, 400)
        digest = sha256(f"{sub}\n{name}\n{instruction}".encode()).hexdigest()[:12]
        return IdeaBrief(f"derived-{digest}", sub.partition(".")[0], sub, name, instruction)


def _scale_up(task: DesignTask) -> Design:
    """Widen the parent: the factors' squares are what parameters and multiply-accumulates grow by."""
    import numpy as np

    if task.purpose is not Purpose.SCALE_UP:
        raise DesignRefusedError("inexpressible", "a wider parent leaves nothing to rewrite")
    slack = math.sqrt(min(task.max_macs / max(1, task.parent_macs), task.max_params / max(1, task.parent_params)))
    possible = [factor for factor in FACTORS if factor <= slack]
    if not possible:
        raise DesignRefusedError("inexpressible", f"the budgets leave room for {slack:.2f} times the width")
    draw = np.random.default_rng(np.random.SeedSequence((*task.entropy, task.attempt)))
    factor = possible[int(draw.integers(len(possible)))]
    return Design(task.parent_source, f"widened by {factor:g}", EditType.CAPACITY, width_factor=factor)


def _seed(task: DesignTask) -> int:
    import numpy as np

    return int(np.random.SeedSequence((*task.entropy, task.attempt)).generate_state(1)[0]) & 0x7FFFFFFF


def _fenced(text: str, task: DesignTask) -> DesignReply | None:
    found = fenced_program(text)
    if found is None:
        return None
    code, line = found
    change = plain_line(line, 300) or (task.idea.name if task.idea else task.purpose.value)
    return DesignReply(change=change, code=code)


def _refuse_unchanged(source: str, task: DesignTask, calls: tuple[ModelCall, ...]) -> None:
    words = source.split()
    if any(one is not None and words == one.split() for one in (task.parent_source, task.previous_source)):
        raise DesignRefusedError("malformed-reply", "unchanged reply", calls)


def _shown(idea: IdeaBrief) -> IdeaBrief:
    """An idea as it may stand in a prompt: its words come from papers."""
    name, instruction = (plain_line(as_data(text, 500), 500) for text in (idea.name, idea.instruction))
    return IdeaBrief(idea.id, idea.main, idea.sub, name, instruction)
