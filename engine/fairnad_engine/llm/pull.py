"""Getting a model from Ollama's library onto its server, with progress."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fairnad_engine.llm.ollama_server import Timeouts, connect, problems_of, server_url

_SILENCE = 120.0  # seconds; a download that stands still longer is given up, and goes on at the next call


@dataclass(frozen=True)
class PullProgress:
    """How far a download is.

    Attributes:
        status: What the server does now, in its words.
        share: Of the bytes of all layers that it has named so far, 0 to 1; None before it names one.
    """

    status: str
    share: float | None


def pull_model(model: str, address: str | None = None, timeouts: Timeouts | None = None) -> Iterator[PullProgress]:
    """Get a model; what is there already is not loaded again, and a pull that broke off goes on.

    Args:
        model: As Ollama names it.
        address: The server; ``OLLAMA_HOST`` or this machine's by default.
        timeouts: How long a connection may take.

    Raises:
        InputError: ``address`` is no address.
        ModelUnavailableError: The server does not answer, knows no such model, or the download stands still.
    """
    url = server_url(address)
    total: dict[str, int] = {}
    done: dict[str, int] = {}
    with problems_of(url):
        for part in connect(url, timeouts or Timeouts(), _SILENCE).pull(model, stream=True):
            if part.digest and part.total:
                total[part.digest], done[part.digest] = part.total, part.completed or 0
            share = sum(done.values()) / sum(total.values()) if total else None
            yield PullProgress(part.status or "", share)
