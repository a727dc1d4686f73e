"""Asking a chat model for a reply of a given form: one repair round, then a recorded refusal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

from fairnad_engine.llm.chat import ChatModel, TruncatedPromptError, accounted
from fairnad_engine.llm.incidents import report
from fairnad_engine.llm.prompts import Prompt, as_data, render
from fairnad_engine.llm.protocol import ModelCall
from fairnad_engine.llm.replies import Reply, read_tolerantly

_SHOWN = 4000  # Characters of a refused reply that the model is shown again.


@dataclass(frozen=True)
class Answer(Generic[Reply]):
    """A reply of the form asked for, and the requests it took."""

    value: Reply
    calls: tuple[ModelCall, ...]


class ReplyRefusedError(Exception):
    """The model gave no reply of the form asked for.

    Attributes:
        kind: ``malformed-reply`` or ``truncated-reply``.
        calls: The requests it took.
        text: The last reply.
    """

    def __init__(self, kind: str, message: str, calls: Sequence[ModelCall], text: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.calls = tuple(calls)
        self.text = text


class PromptCutError(ReplyRefusedError):
    """The prompt was too long to be sent, or not read whole; the same in parts may be answered."""


def ask(
    model: ChatModel,
    prompt: Prompt,
    schema: type[Reply],
    purpose: str,
    *,
    max_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
    otherwise: Callable[[str], Reply | None] = lambda _: None,
) -> Answer[Reply]:
    """Ask until a reply has the form of ``schema``, at most twice.

    Args:
        model: Who is asked.
        prompt: What is asked.
        schema: The form of the reply.
        purpose: For the accounts.
        max_tokens: Longest reply, in tokens.
        temperature: 0 for the likeliest reply.
        seed: Seed of the sampling.
        otherwise: Another form that will do, for example a program between fences.

    Raises:
        PromptCutError: The prompt was cut off.
        ReplyRefusedError: Both replies lack the form, or one was cut off.
        ModelUnavailableError: The model's server is gone.
    """
    calls: list[ModelCall] = []
    user, problem, text = prompt.user, "", ""
    for _ in range(2):
        try:
            reply = model.chat(
                prompt.system, user, schema, purpose, max_tokens=max_tokens, temperature=temperature, seed=seed
            )
        except TruncatedPromptError as error:
            report("truncated", str(error))
            calls.extend(call for one in error.discarded for call in accounted(one, purpose, model.name))
            raise PromptCutError("truncated-reply", f"prompt cut short: {error}", calls) from error
        calls.extend(accounted(reply, purpose, model.name))
        text = reply.text
        if not reply.finished:
            message = f"reply cut off after {reply.completion_tokens} tokens"
            raise ReplyRefusedError("truncated-reply", message, calls, text)
        if isinstance(reply.parsed, schema):
            return Answer(reply.parsed, tuple(calls))
        # What can be read without asking again costs nothing, so it comes before the repair.
        value, problem = read_tolerantly(text, schema)
        value = value or otherwise(text)
        if value is not None:
            return Answer(value, tuple(calls))
        repair = render("repair", problem=problem, reply=as_data(text, _SHOWN))
        user = f"{prompt.user}\n\n{repair.user}"
    raise ReplyRefusedError("malformed-reply", problem, calls, text)
