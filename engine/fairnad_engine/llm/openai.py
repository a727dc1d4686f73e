"""A chat model behind a server that speaks OpenAI's protocol: vLLM, llama.cpp, LM Studio.

What guards a reply here: the form is asked for as a JSON schema, the tokens that the server says it read are held
against the prompt, and a reply that was cut off is known as such. What such a server does not allow is to ask for a
context: a prompt that it cannot hold is refused, and no larger one can be tried.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairnad_engine.errors import ModelAwayError, ModelUnavailableError
from fairnad_engine.llm.chat import ChatReply, TruncatedPromptError, beyond_context, hash_prompt, whole_prompt
from fairnad_engine.llm.incidents import report
from fairnad_engine.llm.ollama_server import Timeouts, is_local
from fairnad_engine.llm.openai_wire import FORM, context_of, events, openai_url
from fairnad_engine.llm.patience import LONGEST_TOKEN, LostAnswerError, Patience, Timed, whole_characters
from fairnad_engine.llm.read_whole import Size, cut_short
from fairnad_engine.llm.secrets import KEY_VARIABLE, without_key
from fairnad_engine.llm.stalls import StallWatch, note_response
from fairnad_engine.llm.tokens import LARGEST_CONTEXT

if TYPE_CHECKING:
    import httpx
    from pydantic import BaseModel


@dataclass(frozen=True)
class _Served:
    digest: str
    context: int | None


class OpenAIModel:
    """One model on one server.

    Args:
        model: As the server names it.
        url: The server, with or without ``/v1``.
        timeouts: How long to wait for what.
        on_token: Called with each piece of an answer as it arrives.
        pause: Waits before another try.
        max_context: Tokens that are assumed of a server that does not say how many its context holds.

    Raises:
        InputError: ``url`` is no address.
    """

    def __init__(
        self,
        model: str,
        url: str,
        *,
        timeouts: Timeouts | None = None,
        on_token: Callable[[str], None] | None = None,
        pause: Callable[[float], None] = time.sleep,
        max_context: int = LARGEST_CONTEXT,
    ) -> None:
        self._model = model
        self._url = openai_url(url)
        self._timeouts = timeouts or Timeouts()
        self._on_token = on_token
        self._patience = Patience(self._timeouts.retry, pause, on_token, away=self._timeouts.away)
        self._max_context = max_context
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._served: _Served | None = None
        self._says_not_to_think = True

    @property
    def name(self) -> str:
        """The model as the user named it, without the server."""
        return f"openai:{self._model}"

    @property
    def context(self) -> int:
        """Tokens that the model can read and write, as the server says or as is assumed."""
        return self._profile().context or self._max_context

    @property
    def tells_context(self) -> bool:
        """Whether the server says it."""
        return self._profile().context is not None

    @property
    def says_not_to_think(self) -> bool:
        """Whether prompts say so; False once the server did not know the field."""
        return self._says_not_to_think

    @property
    def patience(self) -> Patience:
        """How long the server is asked again."""
        return self._patience

    def check(self) -> str:
        """Return what identifies the model: a hash of what the server says of it, since it tells no weights' digest.

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
        from fairnad_engine.llm.replies import read, wire_schema

        context = self.context
        size = Size.of(system, user)
        if size.most + max_tokens > context:
            raise TruncatedPromptError(beyond_context(purpose, size.most + max_tokens, context))
        request: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": seed,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if schema is not None:
            form = {"name": "reply", "strict": True, "schema": wire_schema(schema)}
            request["response_format"] = {"type": "json_schema", "json_schema": form}
        question = Timed(lambda: self._ask(request))
        answer = self._patience.ask(question)
        reply = ChatReply(
            text=answer.text,
            parsed=read(answer.text, schema) if schema else None,
            prompt_tokens=answer.read or 0,
            completion_tokens=answer.written,
            seconds=question.seconds,
            prompt_hash=hash_prompt(system, user, schema),
            finished=answer.finished,
            prompt=whole_prompt(system, user),
        )
        problem = cut_short(size, answer.read, finished=answer.finished, context=context)
        if problem is not None:
            raise TruncatedPromptError(f"{purpose}: {problem}", [reply])
        return reply

    def _profile(self) -> _Served:
        with self._lock:
            if self._served is None:
                self._served = self._look_up()
            return self._served

    def _look_up(self) -> _Served:
        import httpx

        try:
            answer = self._connected().get(f"{self._url}/models", timeout=self._timeouts.check)
            answer.raise_for_status()
            known = {str(one["id"]): one for one in answer.json()["data"]}
        except httpx.TransportError as error:
            raise ModelAwayError(f"nothing answers at {self._url}; start the server, or name it: {FORM}") from error
        except httpx.HTTPStatusError as error:
            told = error.response.status_code
            key = f"; set {KEY_VARIABLE} to its key" if told in (401, 403) else f"; name its address: {FORM}"
            raise ModelUnavailableError(f"{self._url}/models answers HTTP {told}{key}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ModelUnavailableError(
                f"{self._url} answers, but not as OpenAI's protocol has it; name its address: {FORM}"
            ) from error
        if self._model not in known:
            there = ", ".join(sorted(known)[:5]) or "none"
            raise ModelUnavailableError(f"{self._url} has no model {self._model}; it has: {there}")
        entry = {key: value for key, value in known[self._model].items() if key != "created"}
        digest = hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
        return _Served(f"openai-{digest[:16]}", context_of(entry))

    def _ask(self, request: dict[str, Any]) -> _Answer:
        while True:
            # A model that thinks aloud first writes its thoughts into the reply, or past the schema.
            more = {"chat_template_kwargs": {"enable_thinking": False}} if self._says_not_to_think else {}
            try:
                return self._attempt({**request, **more})
            except _UnknownFieldError:
                self._says_not_to_think = False

    def _attempt(self, request: dict[str, Any]) -> _Answer:
        with StallWatch(self._timeouts) as watch:
            try:
                return self._collect(self._parts(request), request["max_tokens"], watch.heard)
            except LostAnswerError as lost:
                if watch.stalled:
                    report("stall", f"{self._url}: {watch.reason}")
                    raise self._lost(watch.reason) from lost
                raise

    def _parts(self, request: dict[str, Any]) -> Generator[tuple[str, str, dict[str, Any] | None]]:
        """Yield piece, reason to end and account of tokens; whatever goes wrong is a loss or a verdict."""
        import httpx

        try:
            with self._connected().stream("POST", f"{self._url}/chat/completions", json=request) as answer:
                if answer.status_code >= 400:
                    answer.read()
                    raise self._refused(answer.status_code, answer.text, "chat_template_kwargs" in request)
                for part in events(answer):
                    if "error" in part:
                        raise self._lost(without_key(str(part["error"])))
                    choice: dict[str, Any] = next(iter(part.get("choices", ())), {})
                    piece = choice.get("delta", {}).get("content") or ""
                    yield piece, choice.get("finish_reason") or "", part.get("usage")
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise LostAnswerError(ModelAwayError(f"nothing answers at {self._url}; start the server")) from error
        except httpx.TimeoutException as error:
            raise self._lost("it does not answer in time") from error
        except httpx.TransportError as error:
            raise self._lost(f"the connection broke: {error}") from error
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise self._lost("an answer is not of the protocol's form") from error

    def _collect(
        self, parts: Generator[tuple[str, str, dict[str, Any] | None]], max_tokens: int, heard: Callable[[], None]
    ) -> _Answer:
        pieces: list[str] = []
        length, reason, usage = 0, "", None
        longest = LONGEST_TOKEN * max(max_tokens, 64)
        for piece, ended, account in parts:
            if piece or ended:
                heard()
            pieces.append(piece[: max(0, longest - length)])
            length += len(piece)
            reason, usage = ended or reason, account or usage
            if piece and self._on_token:
                self._on_token(piece)
            if length > longest:
                parts.close()
                return _Answer(whole_characters(pieces), None, max_tokens, finished=False)
        if not reason:
            raise self._lost("an answer ended before it was complete")
        read = int(usage["prompt_tokens"]) if usage else None
        written = int(usage["completion_tokens"]) if usage else 0
        return _Answer(whole_characters(pieces), read, written, finished=reason != "length")

    def _refused(self, status: int, text: str, said_not_to_think: bool) -> Exception:
        told = without_key(" ".join(text.split()))[:200]
        if status == 400 and "chat_template_kwargs" in text and said_not_to_think:
            return _UnknownFieldError()
        if status == 400 and "context" in text:
            return TruncatedPromptError(told)
        if status == 404 or (400 <= status < 500 and status not in (408, 429)):
            return ModelUnavailableError(f"{self._url} refuses a request (HTTP {status}): {told}")
        return self._lost(f"HTTP {status}: {told}")

    def _lost(self, reason: str) -> LostAnswerError:
        return LostAnswerError(ModelUnavailableError(f"{self._url} fails ({reason}); see its log, or start it again"))

    def _connected(self) -> httpx.Client:
        import httpx

        with_key = {"Authorization": f"Bearer {key}"} if (key := os.environ.get(KEY_VARIABLE)) else {}
        if self._client is None:
            longest = max(self._timeouts.first, self._timeouts.silence)
            patience = httpx.Timeout(connect=self._timeouts.connect, read=longest, write=30.0, pool=None)
            hooks = {"response": [note_response]}
            self._client = httpx.Client(
                timeout=patience, headers=with_key, trust_env=not is_local(self._url), event_hooks=hooks
            )
        return self._client


@dataclass(frozen=True)
class _Answer:
    """What one request gave; ``read`` is None where the server does not say how many tokens it read."""

    text: str
    read: int | None
    written: int
    finished: bool


class _UnknownFieldError(Exception):
    """The server does not know a field that only some servers have."""
