"""What a served model can do, found out by asking it twice: context, schema with and without thinking, speed.

Kept for each server and each digest of weights, so that it is asked once; what is wrong with the server itself, its age
or who can reach it, is looked up each time.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, Field

from fairnad_engine.artifacts import write_atomically
from fairnad_engine.errors import ModelUnavailableError
from fairnad_engine.llm.ollama_server import Timeouts, connect, is_local, look_up, problems_of, server_url
from fairnad_engine.llm.replies import read, wire_schema

OLDEST = (0, 17, 1)
_CONTEXT, _REPLY_TOKENS = 4096, 400
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
    """

    digest: str
    context: int
    thinks: bool
    schema: bool
    schema_thinking: bool | None
    tokens_per_second: float
    first_token_seconds: float

    @property
    def advice(self) -> tuple[str, ...]:
        """What to change before thousands of calls, most important first; nothing where it is good enough."""
        found = []
        if not self.schema:
            found.append("its replies do not keep to a schema: choose another model, or update the server")
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
    kept, key = _kept(), f"{url} {served.digest}"
    if not fresh and key in kept:
        return kept[key]
    with problems_of(url):
        _ask(model, url, patience, think=None if not served.thinks else False)  # loads it
        schema, first, speed = _ask(model, url, patience, think=None if not served.thinks else False)
        thinking = _ask(model, url, patience, think=True)[0] if served.thinks else None
    found = Probe(served.digest, served.context, served.thinks, schema, thinking, round(speed, 1), round(first, 3))
    _keep({**kept, key: found})
    return found


def server_warnings(address: str | None = None, own: Iterable[str] | None = None) -> tuple[str, ...]:
    """What is wrong with a server itself: older than 0.17.1, or open to the whole network.

    Args:
        address: The server; ``OLLAMA_HOST`` or this machine's by default.
        own: Addresses of this machine beside the loopback; looked up by default.

    Raises:
        InputError: ``address`` is no address.
        ModelUnavailableError: The server does not answer.
    """
    import httpx

    url, found = server_url(address), []
    try:
        said = httpx.get(f"{url}/api/version", timeout=Timeouts().check, trust_env=not is_local(url)).json()
        version = str(said["version"])
    except httpx.TransportError as error:
        raise ModelUnavailableError(f"Ollama does not answer at {url} ({error})") from error
    except (ValueError, KeyError, TypeError):
        version = ""
    parts = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    oldest = ".".join(map(str, OLDEST))
    if not parts:
        found.append(f"{url} does not say its version; {oldest} or newer is wanted")
    elif parts < OLDEST:
        found.append(f"Ollama {version} is older than {oldest}: it may cut prompts short unsaid; update it")
    if is_local(url) and (seen := _reachable_at(url, _own_addresses() if own is None else own)):
        found.append(
            f"the server also listens at {seen}: anybody on that network can use it; set OLLAMA_HOST=127.0.0.1"
        )
    return tuple(found)


def _ask(model: str, url: str, timeouts: Timeouts, *, think: bool | None) -> tuple[bool, float, float]:
    """Whether a reply kept to the schema, seconds to its first piece, and tokens a second."""
    # Another prompt each time: one that the server remembers says nothing about its speed.
    prompt = _PROMPT.format(number=2 + time.monotonic_ns() % 97)
    started, first, text, last = time.monotonic(), None, "", None
    for part in connect(url, timeouts, timeouts.first).chat(
        model=model,
        messages=[{"role": "user", "content": prompt}],
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
    spent = own / 1e9 if own else seconds - (first or 0.0)
    return read(text, _Said) is not None, first if first is not None else seconds, written / max(spent, 1e-6)


def _reachable_at(url: str, addresses: Iterable[str]) -> str:
    port = urlsplit(url).port or 80
    for address in addresses:
        try:
            with socket.create_connection((address, port), timeout=0.3):
                return f"{address}:{port}"
        except OSError:
            continue
    return ""


def _own_addresses() -> list[str]:
    import psutil

    cards = psutil.net_if_addrs().values()
    found = [one.address for card in cards for one in card if one.family == socket.AF_INET]
    return [one for one in found if not one.startswith("127.")]


def _kept() -> dict[str, Probe]:
    try:
        return {key: Probe(**values) for key, values in json.loads(cache_file().read_text("utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # not there, or of another version: it is asked again


def _keep(probes: dict[str, Probe]) -> None:
    path = cache_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps({key: asdict(one) for key, one in probes.items()}, indent=1).encode())
    except OSError:
        return  # a cache that cannot be written costs a probe the next time
