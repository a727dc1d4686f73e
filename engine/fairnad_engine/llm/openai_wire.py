"""What OpenAI's protocol looks like on the wire: addresses, its stream of events, where servers say a context."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fairnad_engine.errors import InputError
from fairnad_engine.llm.lines import lines_of
from fairnad_engine.llm.secrets import refuse_secrets

if TYPE_CHECKING:
    import httpx

FORM = "--llm openai:URL#MODEL, such as openai:http://127.0.0.1:8000/v1#qwen3-8b"


def openai_url(address: str) -> str:
    """Return an address with the path of the protocol's first version, ``/v1``, where it has none.

    Raises:
        InputError: It is no address.
    """
    refuse_secrets(address, "--llm")
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good or any(character.isspace() for character in address):
        raise InputError(f"{address}: not the address of a server; write {FORM}")
    return address.rstrip("/") if parts.path.strip("/") else f"{address.rstrip('/')}/v1"


def events(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    """The documents of a stream of server-sent events, up to its end mark."""
    for line in lines_of(answer):
        if line.startswith("data:"):
            data = line.removeprefix("data:").strip()
            if data == "[DONE]":
                return
            yield json.loads(data)


def context_of(entry: dict[str, Any]) -> int | None:
    """Tokens that a model can read and write, where the server says so: vLLM and llama.cpp do in their own ways."""
    meta = entry.get("meta")
    named = [entry.get("max_model_len"), entry.get("max_context_length")]
    named += [meta.get("n_ctx"), meta.get("n_ctx_train")] if isinstance(meta, dict) else []
    return min([one for one in named if isinstance(one, int) and one > 0], default=None)
