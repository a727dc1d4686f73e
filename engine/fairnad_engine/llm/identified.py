"""Replies say of which weights they are: a name such as ``qwen3:8b`` may mean others tomorrow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fairnad_engine.llm.chat import ChatModel, ChatReply, TruncatedPromptError

if TYPE_CHECKING:
    from pydantic import BaseModel


class IdentifiedChat:
    """A chat model whose replies carry the digest of its weights into the accounts.

    Args:
        model: Who is asked.
        digest: What identifies its weights.
    """

    def __init__(self, model: ChatModel, digest: str) -> None:
        self._model = model
        self._digest = digest

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return self._model.name

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
        try:
            reply = self._model.chat(
                system, user, schema, purpose, max_tokens=max_tokens, temperature=temperature, seed=seed
            )
        except TruncatedPromptError as error:
            error.discarded = tuple(self._marked(one) for one in error.discarded)
            raise
        return self._marked(reply)

    def _marked(self, reply: ChatReply) -> ChatReply:
        discarded = tuple(self._marked(one) for one in reply.discarded)
        return replace(reply, digest=self._digest, discarded=discarded)
