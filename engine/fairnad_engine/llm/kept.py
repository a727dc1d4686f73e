"""Replies are kept before they are used, and asked for again only where something that decides them has changed.

Reading a paper takes dozens of calls. Kept one by one, a kill loses those in flight alone; and when the template, a
prompt or a paper changes, only the prompts that changed are asked again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from fairnad_engine.llm.chat import ChatModel, ChatReply, accounted, context_of, hash_prompt, whole_prompt
from fairnad_engine.llm.protocol import ModelCall

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True)
class KeptReply:
    """A reply as it was kept.

    Attributes:
        text: The raw reply.
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written.
        seconds: Wall time.
        finished: False where it was cut off by a limit on its length.
        ours: Whether the job in hand asked for it, so that its cost stands in its accounts already.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    finished: bool
    ours: bool


class Keeper(Protocol):
    """Where replies are kept; called from several threads."""

    def find(self, request: str) -> KeptReply | None:
        """The reply to a request, by its hash."""

    def keep(self, calls: tuple[ModelCall, ...]) -> None:
        """Store calls, before their replies are used."""


class KeptChat:
    """A chat model that is not asked twice.

    Args:
        model: Who is asked.
        digest: Of its weights; another one is another model.
        keeper: Where replies are kept.
    """

    def __init__(self, model: ChatModel, digest: str, keeper: Keeper) -> None:
        self._model = model
        self._digest = digest
        self._keeper = keeper

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return self._model.name

    @property
    def context(self) -> int | None:
        """Tokens that prompt and reply may take, where the model says so."""
        return context_of(self._model)

    def knows(self, system: str, user: str, schema: type[BaseModel] | None, *, max_tokens: int) -> bool:
        """Whether a reply to this prompt, at temperature and seed 0, is kept."""
        request = _hash(self._digest, hash_prompt(system, user, schema), max_tokens, 0.0, 0)
        return self._keeper.find(request) is not None

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
        """Answer one prompt; see :class:`fairnad_engine.llm.chat.ChatModel`."""
        from fairnad_engine.llm.replies import read

        prompt_hash = hash_prompt(system, user, schema)
        request = _hash(self._digest, prompt_hash, max_tokens, temperature, seed)
        kept = self._keeper.find(request)
        if kept is not None:
            parsed = read(kept.text, schema) if schema else None
            # What was no answer in an earlier job may be one now; in this job it would be the same again.
            if kept.ours or (kept.finished and (parsed is not None or schema is None)):
                return ChatReply(
                    text=kept.text,
                    parsed=parsed,
                    prompt_tokens=kept.prompt_tokens,
                    completion_tokens=kept.completion_tokens,
                    seconds=kept.seconds,
                    prompt_hash=prompt_hash,
                    finished=kept.finished,
                    prompt=whole_prompt(system, user),
                    request=request,
                    digest=self._digest,
                )
        reply = self._model.chat(
            system, user, schema, purpose, max_tokens=max_tokens, temperature=temperature, seed=seed
        )
        reply = replace(reply, request=request)
        self._keeper.keep(accounted(reply, purpose, self.name))
        return replace(reply, discarded=())  # they stand in the accounts by now


def not_kept(calls: tuple[ModelCall, ...]) -> tuple[ModelCall, ...]:
    """The calls of a step that no :class:`KeptChat` has stored yet."""
    return tuple(call for call in calls if not call.request)


def _hash(*parts: object) -> str:
    return sha256(json.dumps(parts).encode()).hexdigest()


Around = Callable[[ChatModel, str], ChatModel]
"""What is put around a model before a reader uses it, given the digest of its weights."""
