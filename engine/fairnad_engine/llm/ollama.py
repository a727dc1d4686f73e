"""A chat model served by Ollama, asked through its official client.

Ollama cuts a prompt that does not fit its context short and answers as if nothing had happened. So the context is
always asked for, and what the server says it read is held against the prompt; an answer to a part of the prompt is
never used.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from fairnad_engine.llm.chat import ChatReply, TruncatedPromptError, beyond_context, hash_prompt, whole_prompt
from fairnad_engine.llm.incidents import report
from fairnad_engine.llm.ollama_server import (
    ServedModel,
    Timeouts,
    connect,
    failing,
    look_up,
    lost_or_refused,
    server_url,
)
from fairnad_engine.llm.patience import LONGEST_TOKEN, LostAnswerError, Patience, Timed, notice, whole_characters
from fairnad_engine.llm.read_whole import Size, capped, cut_short
from fairnad_engine.llm.stalls import StallWatch
from fairnad_engine.llm.tokens import LARGEST_CONTEXT, context_for

if TYPE_CHECKING:
    import ollama
    from pydantic import BaseModel


@dataclass(frozen=True)
class _Request:
    system: str
    user: str
    form: dict[str, Any] | None
    max_tokens: int
    temperature: float
    seed: int


@dataclass(frozen=True)
class _Raw:
    """What one request gave; ``read`` is None where the server does not say how many tokens it read."""

    text: str
    read: int | None
    written: int
    finished: bool


class OllamaModel:
    """One model on one server."""

    def __init__(
        self,
        model: str,
        url: str | None = None,
        *,
        timeouts: Timeouts | None = None,
        on_token: Callable[[str], None] | None = None,
        pause: Callable[[float], None] = time.sleep,
        keep_alive: str = "",
        max_context: int = LARGEST_CONTEXT,
    ) -> None:
        """Name a model; nothing is sent yet.

        Args:
            model: As Ollama names it.
            url: The server; ``OLLAMA_HOST`` or this machine's by default.
            timeouts: How long to wait for what.
            on_token: Called with each piece of an answer as it arrives.
            pause: Waits before another try.
            keep_alive: How long the server keeps the model loaded after an answer, such as ``10m``; ``0`` hands its
                memory back at once, ``-1`` keeps it for ever; empty for the server's own setting.
            max_context: Largest context to ask for, in tokens: each one takes memory of the GPU.

        Raises:
            InputError: ``url`` is no address.
        """
        self._model = model
        self._url = server_url(url)
        self._timeouts = timeouts or Timeouts()
        self._on_token = on_token
        self._patience = Patience(self._timeouts.retry, pause, on_token, away=self._timeouts.away)
        self._keep_alive = int(keep_alive) if keep_alive.lstrip("-").isdigit() else keep_alive or None
        self._max_context = max_context
        self._lock = threading.Lock()
        self._client: ollama.Client | None = None
        self._served: ServedModel | None = None
        self._context = 0
        self._granted: dict[int, int] = {}

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return f"ollama:{self._model}"

    @property
    def url(self) -> str:
        """The server."""
        return self._url

    @property
    def patience(self) -> Patience:
        """How long it is asked again."""
        return self._patience

    @property
    def context(self) -> int:
        """Tokens that a prompt and its reply may take: as many as the model can hold, up to the limit on memory.

        Raises:
            ModelUnavailableError: The server does not answer or lacks the model.
        """
        return min(self._max_context, self._profile().context)

    def forget(self) -> None:
        """Ask the server anew what it has before the next prompt: it may have been started again."""
        with self._lock:
            self._served = None
            self._granted.clear()

    def check(self) -> str:
        """Return the digest of the model's weights, or say within seconds what is missing.

        Raises:
            ModelUnavailableError: The server does not answer or lacks the model.
        """
        return self._profile().digest

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
        return self._chat(self._patience.ask, system, user, schema, purpose, max_tokens, temperature, seed)

    def chat_once(
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
        """Answer one prompt as :meth:`chat` does, but ask for no answer again that is lost.

        Raises:
            LostAnswerError: It is lost; whoever asks decides who is asked next.
            TruncatedPromptError: The prompt was not read whole.
            ModelUnavailableError: The server will not answer.
        """
        return self._chat(lambda question: question(), system, user, schema, purpose, max_tokens, temperature, seed)

    def _chat(
        self,
        ask: Callable[[Callable[[], _Raw]], _Raw],
        system: str,
        user: str,
        schema: type[BaseModel] | None,
        purpose: str,
        max_tokens: int,
        temperature: float,
        seed: int,
    ) -> ChatReply:
        from fairnad_engine.llm.replies import read, wire_schema

        request = _Request(system, user, wire_schema(schema) if schema else None, max_tokens, temperature, seed)
        prompt_hash, prompt = hash_prompt(system, user, schema), whole_prompt(system, user)
        size = Size.of(system, user)
        context = self._room_for(size.most + max_tokens, purpose)
        discarded: list[ChatReply] = []
        for last in (False, True):
            question = Timed(partial(self._ask, request, context))
            try:
                raw = ask(question)
                problem = self._cut_short(raw, size, context)
            except TruncatedPromptError as refusal:
                raw, problem = _Raw("", 0, 0, False), str(refusal)
            parsed = read(raw.text, schema) if schema else None
            reply = ChatReply(
                raw.text, parsed, raw.read or 0, raw.written, question.seconds, prompt_hash, raw.finished, prompt
            )
            if problem is None:
                return replace(reply, discarded=tuple(discarded))
            discarded.append(reply)
            larger = min(2 * context, self.context)
            if last or larger <= context or capped(size, raw.read, context):
                break
            notice(self._on_token, f"{problem}; asked again with a context of {larger}", "truncated")
            with self._lock:
                self._context = context = max(self._context, larger)
        raise TruncatedPromptError(f"{purpose}: {problem}", discarded)

    def _profile(self) -> ServedModel:
        with self._lock:
            if self._served is None:
                self._served = look_up(self._model, self._url, self._timeouts)
            return self._served

    def _room_for(self, tokens: int, purpose: str) -> int:
        """The context to ask for. It never shrinks: another size makes the server load the model again."""
        limit = self.context
        if tokens > limit:
            raise TruncatedPromptError(beyond_context(purpose, tokens, limit))
        with self._lock:
            self._context = max(self._context, min(context_for(tokens), limit))
            return self._context

    def _cut_short(self, raw: _Raw, size: Size, context: int) -> str | None:
        """Say why the prompt cannot have been read whole, or return None."""
        granted = self._granted_context(context)
        problem = cut_short(size, raw.read, finished=raw.finished, context=context)
        if problem is None and raw.read and granted < context and size.most > granted // 2:
            return f"the server gives the model a context of {granted} tokens where {context} were asked for"
        return problem

    def _granted_context(self, context: int) -> int:
        """The context that the server really loaded the model with, where it says so."""
        if context not in self._granted:
            try:
                running = self._connected().ps().models
            except Exception:  # An older server has no such page; the other signs remain.
                running = []
            names = (self._model, f"{self._model}:latest")
            sizes = [one.context_length for one in running if one.model in names and one.context_length]
            self._granted[context] = max(sizes, default=context)
        return self._granted[context]

    def _ask(self, request: _Request, context: int) -> _Raw:
        with StallWatch(self._timeouts) as watch:
            try:
                return self._collect(request, context, watch.heard)
            except LostAnswerError as lost:
                if watch.stalled:
                    report("stall", f"{self._url}: {watch.reason}")
                    raise LostAnswerError(failing(self._url, watch.reason)) from lost
                raise

    def _collect(self, request: _Request, context: int, heard: Callable[[], None]) -> _Raw:
        pieces: list[str] = []
        length, longest = 0, LONGEST_TOKEN * max(request.max_tokens, 64)
        parts = self._parts(request, context)
        for part in parts:
            heard()
            piece = part.message.content or ""
            pieces.append(piece[: longest - length])
            length += len(piece)
            if piece and self._on_token:
                self._on_token(piece)
            if length > longest:
                parts.close()
                return _Raw(whole_characters(pieces), None, request.max_tokens, False)
            if part.done:
                finished = part.done_reason != "length"
                return _Raw(whole_characters(pieces), part.prompt_eval_count, part.eval_count or 0, finished)
        raise LostAnswerError(failing(self._url, "an answer ended before it was complete"))

    def _parts(self, request: _Request, context: int) -> Generator[ollama.ChatResponse]:
        """Yield the pieces of an answer; whatever goes wrong on the way is a loss or a verdict."""
        with lost_or_refused(self._model, self._url):
            yield from self._connected().chat(
                model=self._model,
                messages=[{"role": "system", "content": request.system}, {"role": "user", "content": request.user}],
                stream=True,
                format=request.form,
                # While a model thinks aloud its server does not hold it to the schema.
                think=False if self._profile().thinks else None,
                keep_alive=self._keep_alive,
                options={
                    "num_ctx": context,
                    "num_predict": request.max_tokens,
                    "temperature": request.temperature,
                    "seed": request.seed,
                },
            )

    def _connected(self) -> ollama.Client:
        with self._lock:
            if self._client is None:
                self._client = connect(self._url, self._timeouts, max(self._timeouts.first, self._timeouts.silence))
            return self._client
