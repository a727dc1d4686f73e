"""What a chat model is to the reader and the designer: text in, text out, and what it took."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from fairnad_engine.llm.protocol import ModelCall

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel


@dataclass(frozen=True)
class ChatReply:
    """One answer of a chat model.

    Attributes:
        text: The answer.
        parsed: The answer as an instance of the schema, where it is valid as it stands.
        prompt_tokens: Tokens read, as the server counted them.
        completion_tokens: Tokens written.
        seconds: Wall time.
        prompt_hash: SHA-256 of the whole prompt, see :func:`hash_prompt`.
        finished: False where the answer was cut off by a limit on its length.
        prompt: What the model was given, as :func:`whole_prompt` puts it.
        request: Hash of everything that decides the answer, where it is kept to be used again.
        digest: What identifies the weights of the model that gave it; empty where that is not known.
        discarded: Earlier answers to the same prompt, not used because the server had read only a part of it.
    """

    text: str
    parsed: BaseModel | None
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    prompt_hash: str
    finished: bool
    prompt: str = ""
    request: str = ""
    digest: str = ""
    discarded: tuple[ChatReply, ...] = ()


class TruncatedPromptError(Exception):
    """The server read only a part of the prompt, or the prompt does not fit; the answer is never used.

    Attributes:
        discarded: The answers, for the accounts.
    """

    def __init__(self, message: str, discarded: Iterable[ChatReply] = ()) -> None:
        super().__init__(message)
        self.discarded = tuple(discarded)


def beyond_context(purpose: str, tokens: int, context: int) -> str:
    """What is said of a prompt that is not sent because its context cannot hold it."""
    return (
        f"{purpose}: prompt and reply may take {tokens} tokens and the context holds {context} "
        "(the model's own, or [model] max_context)"
    )


class ChatModel(Protocol):
    """A language model behind a server. May be called from several threads at once."""

    @property
    def name(self) -> str:
        """The model as the user named it, for example ``ollama:qwen3:8b``."""

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
        """Answer one prompt.

        Args:
            system: What the model is told to be and to keep to.
            user: The question.
            schema: What the answer must be an instance of, as JSON; None for free text.
            purpose: What the call is for, in messages and accounts.
            max_tokens: Longest answer, in tokens.
            temperature: 0 for the likeliest answer.
            seed: Seed of the sampling, from 0 to 2^31 - 1.

        Raises:
            TruncatedPromptError: The prompt was not read whole.
            ModelUnavailableError: The server is gone.
        """


def context_of(model: ChatModel) -> int | None:
    """Tokens that prompt and reply of a model may take, where it says so."""
    found = getattr(model, "context", None)
    return found if isinstance(found, int) else None


def whole_prompt(system: str, user: str) -> str:
    """A prompt as it is kept and shown."""
    return f"{system}\n\n{user}"


def hash_prompt(system: str, user: str, schema: type[BaseModel] | None) -> str:
    """SHA-256 of everything that a model is given, hexadecimal."""
    form = schema.model_json_schema() if schema else None
    whole = json.dumps([system, user, form], sort_keys=True)
    return sha256(whole.encode("utf-8")).hexdigest()


def accounted(reply: ChatReply, purpose: str, model: str) -> tuple[ModelCall, ...]:
    """The requests behind a reply, discarded ones first."""
    return tuple(
        ModelCall(
            purpose=purpose,
            model=model,
            prompt_hash=one.prompt_hash,
            prompt_tokens=one.prompt_tokens,
            completion_tokens=one.completion_tokens,
            seconds=one.seconds,
            reply=one.text,
            prompt=one.prompt,
            request=one.request,
            finished=one.finished,
            digest=one.digest,
        )
        for one in (*reply.discarded, replace(reply, discarded=()))
    )
