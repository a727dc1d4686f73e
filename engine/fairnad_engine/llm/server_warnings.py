"""What is wrong with an Ollama server itself: its age, and who can reach it; looked up each time."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fairnad_engine.errors import ModelUnavailableError
from fairnad_engine.llm.ollama_server import Timeouts, is_local, server_url

if TYPE_CHECKING:
    from fairnad_engine.llm.models import LlmSpec

OLDEST = (0, 17, 1)


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


def warnings_of(spec: LlmSpec) -> tuple[str, ...]:
    """What is wrong with the servers of a model, each thing once; nothing where it has none, or none of Ollama's.

    A server that does not answer is left out: whoever asks the model says so.
    """
    found: dict[str, None] = {}
    for url in (spec.urls or (None,)) if spec.kind == "ollama" else ():
        with suppress(ModelUnavailableError):
            found |= dict.fromkeys(server_warnings(url))
    return tuple(found)


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
