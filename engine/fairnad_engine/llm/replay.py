"""A chat designer that is given recorded replies instead of a model: the run of a real model, again and exactly.

A real model answers the same prompt differently each time, so only its recorded replies make a run repeatable (method,
section 3). They are read anew, by the code as it is now; a prompt that was not recorded ends the run, since another
model's answer would be another run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from fairnad_engine.errors import InputError
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.chat import ChatReply, TruncatedPromptError, hash_prompt
from fairnad_engine.llm.chat_designer import ChatDesigner
from fairnad_engine.llm.edits import EditSettings
from fairnad_engine.llm.protocol import Design, DesignTask, ModelCall

if TYPE_CHECKING:
    from pydantic import BaseModel

_CUT = "prompt cut short: "
# Words of today's prompts, and those that stood there before: replies that were recorded then answer both.
_REWORDED = (
    (
        "Change one hyper-parameter of the parent that is neither its depth nor a width: for example a kernel size, a "
        "number of\ngroups or heads, the reduction ratio of a gate, the activation function, a dropout rate, a stride. "
        "Keep its structure,\nevery layer and every number of channels.",
        "Change one or two hyper-parameters of the parent that are neither its depth nor its widths: for example "
        "kernel sizes,\nnumbers of groups or heads, expansion or reduction ratios, the activation function, dropout "
        "rates, strides. Keep its structure.",
    ),
)


@dataclass(frozen=True)
class RecordedStep:
    """The requests of one proposal.

    Attributes:
        place: Where it was made, in words.
        calls: The requests in order, with their raw replies.
        truncated: Why the designer refused it as ``truncated-reply``; empty where it did not.
    """

    place: str
    calls: tuple[ModelCall, ...]
    truncated: str = ""


class ReplayDesigner:
    """Designs as a recorded run's model did. May be called from several threads at once."""

    def __init__(
        self,
        run: str,
        model: str,
        steps: Mapping[tuple[int, ...], RecordedStep],
        template: Template | None = None,
        settings: EditSettings | None = None,
    ) -> None:
        """Take what was recorded.

        Args:
            run: The recorded run, for messages.
            model: The recorded run's model.
            steps: Its proposals by the seed words of their tasks, which name the place of a proposal in a run.
            template: As the recorded run's.
            settings: As the recorded run's.
        """
        self._run = run
        self._model = model
        self._steps = steps
        self._template = template
        self._settings = settings

    @property
    def name(self) -> str:
        """The recorded run's model."""
        return self._model

    def design(self, task: DesignTask) -> Design:
        """Return what the recorded replies come to.

        Raises:
            DesignRefusedError: As it was refused then.
            InputError: The prompt was not recorded.
        """
        step = self._steps.get(task.entropy, RecordedStep("a proposal that it never made", ()))
        return ChatDesigner(_Recorded(self._run, self._model, step), self._template, self._settings).design(task)


class _Recorded:
    """Answers the prompts of one proposal, in their order."""

    def __init__(self, run: str, model: str, step: RecordedStep) -> None:
        self._run = run
        self.name = model
        self._step = step
        # Answers to one prompt follow each other; all but the last one were not used.
        self._left = [list(group) for _, group in groupby(step.calls, lambda call: call.prompt_hash)]

    def chat(
        self,
        system: str,
        user: str,
        schema: type[BaseModel] | None,
        purpose: str,
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> ChatReply:
        """Answer a prompt as it was answered; see :class:`fairnad_engine.llm.chat.ChatModel`."""
        wanted = hash_prompt(system, user, schema)
        cut = self._step.truncated.startswith(_CUT)
        if not self._left and cut:  # a prompt too long to be sent at all
            raise TruncatedPromptError(self._step.truncated.removeprefix(_CUT))
        known = {wanted, *(hash_prompt(system, user.replace(now, before), schema) for now, before in _REWORDED)}
        if not self._left or self._left[0][0].prompt_hash not in known:
            raise InputError(
                f"{self._run} cannot be replayed: at {self._step.place} ({purpose}) it recorded no reply to prompt "
                f"{wanted[:12]}; ideas, settings or prompts have changed since, so start a run of its own, without "
                "--replay"
            )
        replies = _replies(self._left.pop(0), schema)
        if cut and not self._left:
            raise TruncatedPromptError(self._step.truncated.removeprefix(_CUT), replies)
        finished = not (self._step.truncated and not self._left)
        return replace(replies[-1], finished=finished, discarded=replies[:-1])


def _replies(calls: Sequence[ModelCall], schema: type[BaseModel] | None) -> tuple[ChatReply, ...]:
    from fairnad_engine.llm.replies import read

    return tuple(
        ChatReply(
            text=call.reply,
            parsed=read(call.reply, schema) if schema else None,
            prompt_tokens=call.prompt_tokens,
            completion_tokens=call.completion_tokens,
            seconds=call.seconds,
            prompt_hash=call.prompt_hash,
            finished=True,
            digest=call.digest,
        )
        for call in calls
    )
