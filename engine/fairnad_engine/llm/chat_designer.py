"""A chat model as designer of backbones (method, sections 3, 4 and 7; arXiv:2605.19247).

The model writes the whole child (the paper's form), edits of its parent, or picks a transformation that the program
applies; the verifier decides what it is worth. Growing is left to the program, since it changes one number: the
parent's width.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TypeVar

from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.asking import Answer, ReplyRefusedError, ask
from fairnad_engine.llm.chat import ChatModel
from fairnad_engine.llm.derived import derived_idea
from fairnad_engine.llm.edits import MAX_EDITS, Edit, EditMismatchError, EditSettings, apply_edits, conflict_blocks
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
    DerivedDiffReply,
    DesignReply,
    DiffReply,
    EditItem,
    Reply,
    fenced_program,
    pick_reply,
    plain_line,
    source_of,
)
from fairnad_engine.llm.unchanged import says_the_same

FACTORS = (1.25, 1.5, 2.0)
"""What a scale-up multiplies the width by, as far as the budgets leave room."""

MEMORY = 5
"""Outcomes that a prompt shows (method, section 4)."""

_TEMPERATURE = 0.7  # What Qwen3's authors advise without thinking; at 0 a rejected design would only be repeated.
_MAX_FAILURE = 2000
_DERIVED = (Purpose.SIMILAR, Purpose.OPPOSITE)
_SENT_BACK = (Purpose.DEBUG, Purpose.DOWNSCALE)
_BEFORE = "; before that: "
# The built-in rules' own note about a program; it says nothing to a model, and an edit makes it untrue.
_NOTE = re.compile(r"\n+# blueprint: [^\n]*\s*\Z")

T = TypeVar("T")


class ChatDesigner:
    """Designs backbones with a chat model."""

    def __init__(
        self, model: ChatModel, template: Template | None = None, settings: EditSettings | None = None
    ) -> None:
        """Name the model.

        Args:
            model: Who is asked.
            template: Names the opposite of a sub-category; without it an opposite idea keeps its sub-category.
            settings: In which form designs are given, and how long they may be.
        """
        self._model = model
        self._template = template
        self._settings = settings or EditSettings()

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return self._model.name

    def design(self, task: DesignTask) -> Design:
        """Return a child of ``task.parent_source``.

        Raises:
            DesignRefusedError: ``inexpressible`` where there is nothing to ask for, ``malformed-reply`` or
                ``truncated-reply`` where the model gave no program, ``unchanged-reply`` where it gave back what it
                was to change, ``edit-mismatch`` where its edits do not fit.
            ModelUnavailableError: The model's server is gone.
        """
        goal = task.original or task.purpose
        if goal is Purpose.SCALE_UP:
            return _scale_up(task)
        if goal is Purpose.SCALE_DOWN:
            return _scale_down(task)
        if goal is Purpose.IDEA and task.idea is None:
            raise DesignRefusedError("inexpressible", "there is no idea to apply")
        program = _program(task)
        if len(program) > self._settings.max_source:
            raise DesignRefusedError(
                "inexpressible",
                f"the program has {len(program)} characters and [model] max_source allows {self._settings.max_source}",
            )
        if self._settings.edit_format == "catalogue":
            return self._pick(task, goal, program)
        if self._settings.edit_format == "diff":
            return self._edit(task, goal, program)
        return self._write(task, goal, program)

    def _write(self, task: DesignTask, goal: Purpose, program: str) -> Design:
        """The whole child, as the model writes it."""
        prompt = self._prompt(task, goal, program)
        if goal in _DERIVED:
            derived = self._ask(task, prompt, DerivedDesignReply)
            brief = self._brief(derived.value.idea.name, derived.value.idea.instruction, task.idea, goal)
            return self._child(task, goal, source_of(derived.value.code), derived.value.change, brief, derived.calls)
        plain = self._ask(task, prompt, DesignReply, lambda text: _fenced(text, task))
        return self._child(task, goal, source_of(plain.value.code), plain.value.change, None, plain.calls)

    def _edit(self, task: DesignTask, goal: Purpose, program: str) -> Design:
        """The child as edits of the program that was shown."""
        prompt = self._prompt(task, goal, program)
        brief: IdeaBrief | None = None
        answer: Answer[DiffReply] | Answer[DerivedDiffReply]
        if goal in _DERIVED:
            answer = derived = self._ask(task, prompt, DerivedDiffReply)
            brief = self._brief(derived.value.idea.name, derived.value.idea.instruction, task.idea, goal)
        else:
            answer = self._ask(task, prompt, DiffReply, lambda text: _blocks(text, task))
        edits = [Edit(one.search, one.replace) for one in answer.value.edits]
        source = _fitting(task, answer.calls, lambda: apply_edits(program, edits))
        return self._child(task, goal, source, answer.value.change, brief, answer.calls)

    def _pick(self, task: DesignTask, goal: Purpose, program: str) -> Design:
        """The child by a transformation that the model picks."""
        from fairnad_engine.llm.picks import ARGUMENTS, offers, pick
        from fairnad_engine.llm.rules.designer import RulesDesigner
        from fairnad_engine.llm.rules.render import parse

        if task.purpose is Purpose.DOWNSCALE:
            return RulesDesigner().design(task)  # narrowing is one of the things that the program does itself
        parent = parse(task.parent_source)
        if parent is None:
            raise DesignRefusedError(
                "inexpressible",
                "the catalogue changes only networks that it can read; start from a shipped seed, or set [model] "
                "edit_format to whole or diff",
            )
        offered = offers(task, goal, parent)
        if not offered:
            raise DesignRefusedError("inexpressible", "no transformation of the catalogue changes this network so")
        taken = [name for name in ARGUMENTS if any(name in one.arguments for one in offered)]
        prompt = self._prompt(task, goal, program, [one.line for one in offered])
        answer = self._ask(task, prompt, pick_reply((one.name for one in offered), taken))
        told = answer.value.arguments.model_dump()
        name = answer.value.transformation
        picked = _fitting(task, answer.calls, lambda: pick(task, goal, parent, offered, name, told))
        idea = picked.idea
        brief = _derived(idea.sub, idea.name, idea.instruction) if idea else None
        return Design(picked.source, plain_line(picked.change, 300), _edit_type(goal), brief, calls=answer.calls)

    def _ask(
        self,
        task: DesignTask,
        prompt: Prompt,
        schema: type[Reply],
        otherwise: Callable[[str], Reply | None] = lambda _: None,
    ) -> Answer[Reply]:
        try:
            return ask(
                self._model,
                prompt,
                schema,
                task.purpose.value,
                max_tokens=self._settings.max_reply,
                temperature=_TEMPERATURE,
                seed=_seed(task),
                otherwise=otherwise,
            )
        except ReplyRefusedError as refused:
            raise DesignRefusedError(refused.kind, str(refused), refused.calls) from refused

    def _child(
        self,
        task: DesignTask,
        goal: Purpose,
        source: str,
        change: str,
        derived: IdeaBrief | None,
        calls: tuple[ModelCall, ...],
    ) -> Design:
        """A design, unless it is too long or is nothing but what was there."""
        most = self._settings.max_source
        if len(source) > most:
            raise DesignRefusedError("malformed-reply", f"a program of {len(source)} characters; at most {most}", calls)
        if any(one is not None and says_the_same(source, one) for one in (task.parent_source, task.previous_source)):
            raise DesignRefusedError(
                "unchanged-reply", "the program is what it was but for comments, white space or names", calls
            )
        return Design(source, plain_line(change, 300), _edit_type(goal), derived, calls=calls)

    def _prompt(self, task: DesignTask, goal: Purpose, program: str, offered: list[str] | None = None) -> Prompt:
        sent_back = task.purpose in _SENT_BACK and task.previous_source is not None and offered is None
        failure = task.failure
        return render(
            task.purpose.value if sent_back else "design",
            task=task,
            goal=goal.value,
            derives=goal in _DERIVED,
            format=self._settings.edit_format,
            max_edits=MAX_EDITS,
            program=as_data(program, 2 * self._settings.max_source),
            idea=_shown(task.idea) if task.idea else None,
            opposite=self._opposite(task.idea) if task.idea else "",
            failure=as_data(f"{failure.kind}: {failure.message}", _MAX_FAILURE) if failure else "",
            mismatch=failure is not None and failure.kind == "edit-mismatch",
            offers=offered or [],
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

    def _brief(self, name: str, instruction: str, origin: IdeaBrief | None, goal: Purpose) -> IdeaBrief | None:
        if origin is None:
            return None
        return _derived(self._opposite_sub(origin) if goal is Purpose.OPPOSITE else origin.sub, name, instruction)


def _program(task: DesignTask) -> str:
    """The program that is shown and edited: what failed where something did, else the parent."""
    source = task.previous_source if task.purpose in _SENT_BACK else None
    return _NOTE.sub("\n", source or task.parent_source)


def _fitting(task: DesignTask, calls: tuple[ModelCall, ...], make: Callable[[], T]) -> T:
    """What edits come to; where they do not fit, a refusal from which the next attempt can mend them."""
    try:
        return make()
    except EditMismatchError as mismatch:
        earlier = ""
        if task.failure is not None and task.purpose in _SENT_BACK and task.previous_source is not None:
            # The mismatch takes the place of the failure that the edit was to mend; both are needed to mend it.
            first = f"{task.failure.kind}: {task.failure.message}"
            earlier = first if task.failure.kind != "edit-mismatch" else first.partition(_BEFORE)[2]
        told = f"{mismatch}{_BEFORE if earlier else ''}{earlier}"
        raise DesignRefusedError("edit-mismatch", told, calls) from mismatch


def _edit_type(goal: Purpose) -> EditType:
    return EditType.HYPERPARAMETER if goal is Purpose.HYPERPARAMETER else EditType.STRUCTURAL


def _derived(sub: str, name: str, instruction: str) -> IdeaBrief:
    return derived_idea(sub, plain_line(name, 80), plain_line(instruction, 400))


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


def _scale_down(task: DesignTask) -> Design:
    """Narrow the parent to between a half and an eighth of its cost; costs go by the width's square."""
    if task.purpose is not Purpose.SCALE_DOWN:
        raise DesignRefusedError("inexpressible", "a narrower parent leaves nothing to rewrite")
    import numpy as np

    draw = np.random.default_rng(np.random.SeedSequence((*task.entropy, task.attempt)))
    factor = round(2.0 ** -draw.uniform(0.5, 1.5), 3)
    return Design(task.parent_source, f"narrowed to {factor:g}", EditType.CAPACITY, width_factor=factor)


def _seed(task: DesignTask) -> int:
    import numpy as np

    return int(np.random.SeedSequence((*task.entropy, task.attempt)).generate_state(1)[0]) & 0x7FFFFFFF


def _fenced(text: str, task: DesignTask) -> DesignReply | None:
    found = fenced_program(text)
    if found is None:
        return None
    code, line = found
    return DesignReply(change=plain_line(line, 300) or _task_name(task), code=code)


def _blocks(text: str, task: DesignTask) -> DiffReply | None:
    """The edits of a reply that gives them as conflict markers instead of JSON."""
    found = conflict_blocks(text)
    if not 1 <= len(found) <= MAX_EDITS or not all(one.search for one in found):
        return None
    edits = [EditItem(search=one.search, replace=one.replace) for one in found]
    return DiffReply(change=_task_name(task), edits=edits)


def _task_name(task: DesignTask) -> str:
    return plain_line(task.idea.name, 300) if task.idea else task.purpose.value


def _shown(idea: IdeaBrief) -> IdeaBrief:
    """An idea as it may stand in a prompt: its words come from papers."""
    name, instruction = (plain_line(as_data(text, 500), 500) for text in (idea.name, idea.instruction))
    return IdeaBrief(idea.id, idea.main, idea.sub, name, instruction)
