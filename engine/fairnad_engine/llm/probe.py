"""What a served model can do, found out by asking it: context, schema with and without thinking, speed, guards.

Kept for each server and each digest of weights, so that it is asked once.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import BaseModel, Field

from fairnad_engine.artifacts import write_atomically
from fairnad_engine.llm.ollama_server import Timeouts, connect, look_up, problems_of, server_url
from fairnad_engine.llm.replies import read, wire_schema

_CONTEXT, _REPLY_TOKENS = 4096, 400
_RETRY_SECONDS = 2.0  # Somebody waits for it.
_PROMPT = (
    "A backbone for image classification has three stages of {number} residual blocks each, and a stem of one "
    "convolution. Say how many blocks it has in all and name one activation function that suits it."
)


class _Said(BaseModel):
    blocks: int = Field(ge=0, le=999)
    activation: str = Field(min_length=1, max_length=40)


@dataclass(frozen=True)
class Probe:
    """What a model was seen to do.

    Attributes:
        digest: Of its weights.
        context: Tokens that it can read and write in all.
        thinks: Whether it can think aloud before it answers.
        schema: Whether a reply kept to the schema with thinking off, as the program asks.
        schema_thinking: The same with thinking on; None where it cannot think.
        tokens_per_second: Written.
        first_token_seconds: Until the first piece of an answer, the model being loaded.
        protocol: ``ollama`` or ``openai``.
        refuses_long_prompts: Whether the server refuses a prompt that does not fit; None where it was not tried.
        counts_tokens: Whether it says how many tokens it read.
        tells_context: Whether it says which context the model really has.
    """

    digest: str
    context: int
    thinks: bool
    schema: bool
    schema_thinking: bool | None
    tokens_per_second: float
    first_token_seconds: float
    protocol: str = "ollama"
    refuses_long_prompts: bool | None = None
    counts_tokens: bool = True
    tells_context: bool = True

    @property
    def advice(self) -> tuple[str, ...]:
        """What to change before thousands of calls, most important first; nothing where it is good enough."""
        found = []
        if not self.schema:
            found.append("its replies do not keep to a schema: choose another model, or update the server")
        if not self.counts_tokens:
            found.append("its server does not say how many tokens it read: every answer would be refused; update it")
        if self.context < 2 * _CONTEXT:
            found.append(f"its context of {self.context} tokens is short: programs and sections may not fit")
        if self.tokens_per_second < 10:
            found.append(f"it writes {self.tokens_per_second:.1f} tokens a second: a proposal takes minutes")
        return tuple(found)


def cache_file() -> Path:
    """Where probes are kept: ``$XDG_CACHE_HOME/fairnad-tui/models.json``, else under ``~/.cache``."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "fairnad-tui" / "models.json"


def probe(model: str, address: str | None = None, *, fresh: bool = False, timeouts: Timeouts | None = None) -> Probe:
    """Return what a model can do, asking it where that is not known of these weights on this server.

    Args:
        model: As Ollama names it.
        address: The server; ``OLLAMA_HOST`` or this machine's by default.
        fresh: Ask anyway.
        timeouts: How long to wait for what.

    Raises:
        InputError: ``address`` is no address.
        ModelUnavailableError: The server does not answer, or lacks the model.
    """
    url, patience = server_url(address), timeouts or Timeouts()
    served = look_up(model, url, patience)
    kept, key = kept_probes(), f"{url} {served.digest}"
    if not fresh and key in kept:
        return kept[key]
    with problems_of(url):
        off = False if served.thinks else None
        _ask(model, url, patience, think=off)  # loads it
        asked = _ask(model, url, patience, think=off)
        thinking = _ask(model, url, patience, think=True).schema if served.thinks else None
        found = Probe(
            digest=served.digest,
            context=served.context,
            thinks=served.thinks,
            schema=asked.schema,
            schema_thinking=thinking,
            tokens_per_second=round(asked.speed, 1),
            first_token_seconds=round(asked.first, 3),
            refuses_long_prompts=_refuses(model, url, patience, off),
            counts_tokens=asked.counted,
            tells_context=_tells_context(model, url, patience),
        )
    _keep(key, found)
    return found


def probe_openai(model: str, url: str, *, timeouts: Timeouts | None = None) -> Probe:
    """Return what a model behind OpenAI's protocol can do, by the program's own client.

    It is asked each time, since nothing tells its weights; what was seen last is kept for runs to record.

    Args:
        model: As the server names it.
        url: The server.
        timeouts: How long to wait for what.

    Raises:
        InputError: ``url`` is no address.
        ModelUnavailableError: The server does not answer, or lacks the model.
    """
    from fairnad_engine.llm.chat import ChatReply, TruncatedPromptError
    from fairnad_engine.llm.openai import OpenAIModel
    from fairnad_engine.llm.openai_wire import openai_url

    began: list[float] = []
    brief = replace(timeouts or Timeouts(), retry=_RETRY_SECONDS)
    chat = OpenAIModel(model, url, timeouts=brief, on_token=lambda _: began.append(time.monotonic()))
    digest, replies, counted, first = chat.check(), list[ChatReply](), True, 0.0
    for _ in range(2):  # the first one may have to load it
        began.clear()
        started = time.monotonic()
        try:
            replies.append(chat.chat("Answer in JSON.", _prompt(), _Said, "probe", max_tokens=_REPLY_TOKENS))
        except TruncatedPromptError as refused:
            counted = False
            replies.extend(refused.discarded)
        first = (began[0] if began else time.monotonic()) - started
    reply = replies[-1] if replies else None
    speed = reply.completion_tokens / max(reply.seconds - first, 1e-6) if reply else 0.0
    found = Probe(
        digest=digest,
        context=chat.context,
        thinks=not chat.says_not_to_think,
        schema=reply is not None and reply.parsed is not None,
        schema_thinking=None,
        tokens_per_second=round(speed, 1),
        first_token_seconds=round(first, 3),
        protocol="openai",
        counts_tokens=counted,
        tells_context=chat.tells_context,
    )
    _keep(f"{openai_url(url)} {digest}", found)
    return found


@dataclass(frozen=True)
class _Asked:
    """One answer: whether it kept to the schema, seconds to its first piece, tokens a second, tokens counted."""

    schema: bool
    first: float
    speed: float
    counted: bool


def _prompt() -> str:
    # Another one each time: one that the server remembers says nothing about its speed.
    return _PROMPT.format(number=2 + time.monotonic_ns() % 97)


def _ask(model: str, url: str, timeouts: Timeouts, *, think: bool | None) -> _Asked:
    started, first, text, last = time.monotonic(), None, "", None
    for part in connect(url, timeouts, timeouts.first).chat(
        model=model,
        messages=[{"role": "user", "content": _prompt()}],
        stream=True,
        format=wire_schema(_Said),
        think=think,
        options={"num_ctx": _CONTEXT, "num_predict": _REPLY_TOKENS, "temperature": 0.0, "seed": 0},
    ):
        if first is None and (part.message.content or part.message.thinking):
            first = time.monotonic() - started
        text += part.message.content or ""
        last = part
    seconds = time.monotonic() - started
    written = (last.eval_count or 0) if last is not None else 0
    own = last.eval_duration if last is not None else None  # nanoseconds
    writing = seconds - (first or 0.0)
    # A server that sends its answer as a whole hides when it began to write.
    spent = own / 1e9 if own else writing if writing > 0.05 * seconds else seconds
    counted = last is not None and bool(last.prompt_eval_count)
    return _Asked(
        read(text, _Said) is not None, first if first is not None else seconds, written / max(spent, 1e-6), counted
    )


def _refuses(model: str, url: str, timeouts: Timeouts, think: bool | None) -> bool:
    """Whether a prompt that is longer than the context is refused; one that knows of no such thing answers it."""
    import ollama

    try:
        for _ in connect(url, timeouts, timeouts.first).chat(
            model=model,
            messages=[{"role": "user", "content": "word " * (_CONTEXT + 1000)}],
            stream=True,
            think=think,
            options={"num_ctx": _CONTEXT, "num_predict": 1, "temperature": 0.0, "seed": 0},
        ):
            pass
    except ollama.ResponseError as error:
        if error.status_code == 400:
            return True
        raise
    return False


def _tells_context(model: str, url: str, timeouts: Timeouts) -> bool:
    try:
        running = connect(url, timeouts, timeouts.check).ps().models
    except Exception:  # an older server has no such page
        return False
    return any(one.context_length for one in running if one.model in (model, f"{model}:latest"))


def kept_probes() -> dict[str, Probe]:
    """What is known, by server and digest, oldest first."""
    try:
        return {key: Probe(**values) for key, values in json.loads(cache_file().read_text("utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # not there, or of another version: it is asked again


def _keep(key: str, found: Probe) -> None:
    """Keep a probe as the newest one."""
    probes = {name: one for name, one in kept_probes().items() if name != key} | {key: found}
    path = cache_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps({key: asdict(one) for key, one in probes.items()}, indent=1).encode())
    except OSError:
        return  # a cache that cannot be written costs a probe the next time
