"""Where Ollama is, whether it answers and has a model, and the command that mends it where not."""

from __future__ import annotations

import ipaddress
import json
import os
import shlex
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from fairnad_engine.errors import InputError, ModelAwayError, ModelMissingError, ModelUnavailableError
from fairnad_engine.llm.chat import TruncatedPromptError
from fairnad_engine.llm.lines import lines_at_line_ends
from fairnad_engine.llm.patience import RETRY_SECONDS, LostAnswerError
from fairnad_engine.llm.secrets import refuse_secrets
from fairnad_engine.llm.stalls import note_response
from fairnad_engine.llm.tokens import LARGEST_CONTEXT

if TYPE_CHECKING:
    import httpx
    import ollama

_Answer = TypeVar("_Answer")
DEFAULT_URL = "http://127.0.0.1:11434"


@dataclass(frozen=True)
class Timeouts:
    """Seconds to wait.

    Attributes:
        connect: For a connection.
        check: For everything that a check asks, connections included.
        first: For the first piece of an answer: a cold model may have to be loaded, and others to be answered first.
        silence: For each further piece of an answer.
        retry: Between the tries of a prompt whose answers are lost, in all; 0 for no further try.
        away: After those, where nothing answers at all; 0 for no such wait.
    """

    connect: float = 2.0
    check: float = 3.5
    first: float = 600.0
    silence: float = 60.0
    retry: float = RETRY_SECONDS
    away: float = 0.0


@dataclass(frozen=True)
class ServedModel:
    """A model as its server describes it.

    Attributes:
        digest: What identifies the weights.
        thinks: Whether it can think aloud before it answers.
        context: Tokens that it can read and write in all.
    """

    digest: str
    thinks: bool = False
    context: int = LARGEST_CONTEXT


def server_url(address: str | None) -> str:
    """Return an address as a URL: ``address``, else ``OLLAMA_HOST``, else the port that Ollama has by default.

    Raises:
        InputError: It is no address.
    """
    given = (address or os.environ.get("OLLAMA_HOST") or DEFAULT_URL).strip()
    place = "--llm ollama:MODEL@URL" if address else "OLLAMA_HOST"
    refuse_secrets(given if "//" in given else f"http://{given}", place)
    scheme, separator, rest = given.partition("://")
    scheme, rest = (scheme.lower(), rest) if separator else ("http", given)
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        port = parts.port or (11434 if not separator else 443 if scheme == "https" else 80)
        host = parts.hostname or ("127.0.0.1" if rest.startswith(":") else "")
    except ValueError:
        host, port = "", 0
    if scheme not in ("http", "https") or not host or "@" in rest or any(character.isspace() for character in rest):
        raise InputError(f"{given}: not the address of an Ollama server; write {place} like {DEFAULT_URL}")
    # A server told to listen on every interface is reached through the local one.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{parts.path.rstrip('/')}"


def connect(url: str, timeouts: Timeouts, silence: float) -> ollama.Client:
    """Return a client; nothing is sent yet.

    Args:
        url: The server.
        timeouts: How long a connection may take.
        silence: How long the next piece of an answer may take, seconds.
    """
    import httpx
    import ollama

    patience = httpx.Timeout(connect=timeouts.connect, read=silence, write=30.0, pool=None)
    # A proxy that the environment names has no way to this machine's own loopback.
    hooks = {"request": [_whole_prompts_only], "response": [note_response, lines_at_line_ends]}
    return ollama.Client(host=url, timeout=patience, trust_env=not is_local(url), event_hooks=hooks)


def _whole_prompts_only(request: httpx.Request) -> None:
    """Ask that a prompt is refused rather than cut short, in two fields that the client does not know.

    Nor do old servers, which leave them unread: that is why answers are held against the prompt all the same.
    """
    import httpx

    if request.url.path.endswith("/api/chat"):
        body = {**json.loads(request.read()), "truncate": False, "shift": False}
        content = json.dumps(body).encode()
        request.stream = httpx.ByteStream(content)
        request.headers["Content-Length"] = str(len(content))


def listens(url: str, seconds: float = 1.0) -> bool:
    """Whether anything accepts a connection there; says nothing about models, and imports no client."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=seconds):
            return True
    except OSError:
        return False


def served_models(address: str | None = None, timeouts: Timeouts | None = None) -> tuple[str, ...]:
    """Return the names of the models that a server has, ``address`` as :func:`server_url` takes it.

    Raises:
        InputError: ``address`` is no address.
        ModelUnavailableError: Nothing answers in time, or it is not Ollama.
    """
    url, patience = server_url(address), timeouts or Timeouts()
    return _in_time(lambda: _names(url, patience), url, patience)


def look_up(model: str, url: str, timeouts: Timeouts) -> ServedModel:
    """Return what the server says about a model, or say how to mend it.

    Raises:
        ModelUnavailableError: Nothing answers in time, it is not Ollama, or it lacks the model; one line with the
            command that mends it.
    """
    return _in_time(lambda: _look_up(model, url, timeouts), url, timeouts)


def _in_time(question: Callable[[], _Answer], url: str, timeouts: Timeouts) -> _Answer:
    """Ask a server something, and give up after the time for a check."""
    # Imported before the clock starts: on a cold disk that alone can take seconds.
    import httpx  # noqa: F401
    import ollama  # noqa: F401

    found: list[_Answer] = []
    failed: list[ModelUnavailableError] = []

    def ask() -> None:
        try:
            found.append(question())
        except ModelUnavailableError as error:
            failed.append(error)

    # Name resolution, and a server that sends a byte now and then, escape a client's own time limits.
    asking = threading.Thread(target=ask, name="ollama-check", daemon=True)
    asking.start()
    asking.join(timeouts.check)
    if found:
        return found[0]
    raise failed[0] if failed else not_answering(url)


def _look_up(model: str, url: str, timeouts: Timeouts) -> ServedModel:
    with problems_of(url):
        client = connect(url, timeouts, timeouts.check)
        wanted = {model.lower(), f"{model}:latest".lower()} if ":" not in model.split("/")[-1] else {model.lower()}
        listed = [one for one in client.list().models if (one.model or "").lower() in wanted]
        if not listed:
            raise no_model(model, url)
        shown = client.show(model)
        facts = shown.modelinfo or {}
        contexts = [value for key, value in facts.items() if key.endswith(".context_length") and isinstance(value, int)]
        thinks = "thinking" in (shown.capabilities or [])
        return ServedModel(listed[0].digest or "", thinks, min(contexts, default=LARGEST_CONTEXT))


def _names(url: str, timeouts: Timeouts) -> tuple[str, ...]:
    with problems_of(url):
        return tuple(one.model for one in connect(url, timeouts, timeouts.check).list().models if one.model)


@contextmanager
def problems_of(url: str) -> Iterator[None]:
    """Turn whatever a server does wrong into the line that mends it."""
    import httpx
    import ollama

    try:
        yield
    except ollama.ResponseError as error:
        if error.status_code == 404:
            raise not_ollama(url, "HTTP 404") from None
        raise failing(url, str(error)) from None
    except httpx.RemoteProtocolError as error:
        raise not_ollama(url, str(error)) from None
    except (ConnectionError, httpx.TransportError):
        raise not_answering(url) from None
    except (ValueError, TypeError, AttributeError, httpx.HTTPError):
        raise not_ollama(url, "its answer is of another form") from None


@contextmanager
def lost_or_refused(model: str, url: str) -> Iterator[None]:
    """Tell an answer that was lost on its way, and may come at another try, from a server that will not answer.

    Raises:
        LostAnswerError: It was lost.
        TruncatedPromptError: The server refuses the prompt as too long.
        ModelUnavailableError: It lacks the model, or refuses the request.
    """
    import httpx
    import ollama

    try:
        yield
    except ollama.ResponseError as error:
        raise _refused(error.status_code, str(error.error), model, url) from error
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise LostAnswerError(not_answering(url)) from error
    except httpx.TimeoutException as error:
        raise LostAnswerError(failing(url, "it does not answer in time")) from error
    except httpx.TransportError as error:
        raise LostAnswerError(failing(url, f"the connection broke: {error}")) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise LostAnswerError(failing(url, "an answer is not of Ollama's form")) from error


def _refused(status: int, text: str, model: str, url: str) -> Exception:
    if status == 404:
        return no_model(model, url)
    if status == 400 and "context" in text:
        return TruncatedPromptError(text)
    if 400 <= status < 500 and status not in (408, 429):
        return failing(url, f"it refuses a request: {text}")
    return LostAnswerError(failing(url, text))


def not_answering(url: str) -> ModelAwayError:
    """Nothing listens, or what listens says nothing."""
    if not is_local(url):
        return ModelAwayError(f"Ollama does not answer at {url}; start it on that machine with: ollama serve")
    start = f"{_environment(url)}ollama serve"
    if shutil.which("ollama") is None:
        return ModelAwayError(
            f"Ollama does not answer at {url} and is not installed here; get it from https://ollama.com/download and "
            f"start it with: {start}"
        )
    return ModelAwayError(f"Ollama does not answer at {url}; start it with: {start}")


def no_model(model: str, url: str) -> ModelMissingError:
    """The server does not have the model."""
    pull = f"{_environment(url)}ollama pull {shlex.quote(model)}"
    return ModelMissingError(f"Ollama at {url} has no model {model}; get it with: {pull}")


def not_ollama(url: str, reason: str) -> ModelUnavailableError:
    """Something else listens there."""
    return ModelUnavailableError(
        f"{url} answers, but not as Ollama does ({_short(reason)}); name its address with --llm ollama:MODEL@URL"
    )


def failing(url: str, reason: str) -> ModelUnavailableError:
    """The server reports errors of its own."""
    start = f"{_environment(url)}ollama serve"
    return ModelUnavailableError(
        f"Ollama at {url} fails ({_short(reason)}); see its log, or start it again with: {start}"
    )


def _environment(url: str) -> str:
    """What a command line needs in front of it to mean this server."""
    return "" if url == DEFAULT_URL else f"OLLAMA_HOST={shlex.quote(url.removeprefix('http://'))} "


def is_local(url: str) -> bool:
    """Whether a server is on this machine's own loopback."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _short(reason: str) -> str:
    line = " ".join(reason.split())
    return line if len(line) <= 160 else line[:159] + "…"
