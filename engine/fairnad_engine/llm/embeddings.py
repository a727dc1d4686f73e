"""Vectors of meaning from a model on an Ollama server, kept so that no text is sent twice."""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fairnad_engine.artifacts import write_atomically
from fairnad_engine.errors import ModelUnavailableError
from fairnad_engine.llm.ollama_server import Timeouts, connect, failing, look_up, problems_of, server_url
from fairnad_engine.llm.protocol import ModelCall

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]

BATCH = 64
"""Texts of one request."""


class Embedder:
    """One embedding model on one server; the vectors it gave are kept in a file."""

    def __init__(
        self, model: str, url: str | None, folder: Path, *, timeouts: Timeouts | None = None, batch: int = BATCH
    ) -> None:
        """Find the model; nothing is embedded yet.

        Args:
            model: As Ollama names it.
            url: The server; ``OLLAMA_HOST`` or this machine's by default.
            folder: Where vectors are kept, in a file for each digest of weights.
            timeouts: How long the server is waited for.
            batch: Texts of one request.

        Raises:
            InputError: ``url`` is no address.
            ModelUnavailableError: The server does not answer, or lacks the model.
        """
        self._model = model
        self._url = server_url(url)
        self._timeouts = timeouts or Timeouts()
        self._batch = batch
        self._digest = digest = look_up(model, self._url, self._timeouts).digest
        self._file = folder / f"{hashlib.sha256(f'{model} {digest}'.encode()).hexdigest()[:16]}.npz"
        self._known = _read(self._file)

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return f"ollama:{self._model}"

    def embed(self, texts: Sequence[str]) -> tuple[Vectors, tuple[ModelCall, ...]]:
        """Return a vector of length 1 for each text, and the requests that it took.

        Each request's vectors are kept before the next one is sent.

        Returns:
            ``(texts, dimensions)`` float32, and the accounts.

        Raises:
            ModelUnavailableError: The server is gone, or gives something else than vectors.
        """
        import numpy as np

        keys = [_key(text) for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        missing, calls = list(new), []
        for at in range(0, len(missing), self._batch):
            some = missing[at : at + self._batch]
            vectors, call = self._ask([new[key] for key in some])
            self._known.update(zip(some, vectors, strict=True))
            calls.append(call)
            _write(self._file, self._known)
        if not keys:
            return np.zeros((0, 0), dtype=np.float32), ()
        return np.stack([self._known[key] for key in keys]), tuple(calls)

    def _ask(self, texts: list[str]) -> tuple[Vectors, ModelCall]:
        import numpy as np

        started = time.monotonic()
        with problems_of(self._url):
            client = connect(self._url, self._timeouts, self._timeouts.first)
            # A text that does not fit is refused rather than cut.
            answer = client.embed(model=self._model, input=texts, truncate=False)
        try:
            vectors = np.asarray(answer.embeddings, dtype=np.float32)
        except ValueError:  # of several sizes
            vectors = np.zeros(0, dtype=np.float32)
        whole = vectors.ndim == 2 and len(vectors) == len(texts) and bool(np.isfinite(vectors).all())
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True) if whole else np.zeros((1, 1))
        if not whole or not lengths.all() or self._other_size(vectors):
            raise failing(self._url, f"{self._model} gives no vectors of one size for {len(texts)} texts")
        call = ModelCall(
            purpose="embed",
            model=self.name,
            prompt_hash=hashlib.sha256("\x1f".join(texts).encode()).hexdigest(),
            prompt_tokens=answer.prompt_eval_count or 0,
            seconds=time.monotonic() - started,
            digest=self._digest,
        )
        return vectors / lengths, call

    def _other_size(self, vectors: Vectors) -> bool:
        known = next(iter(self._known.values()), None)
        return known is not None and known.shape != vectors.shape[1:]


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read(file: Path) -> dict[str, Vectors]:
    import numpy as np

    try:
        with np.load(file, allow_pickle=False) as kept:
            return dict(zip(kept["keys"].tolist(), kept["vectors"], strict=True))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}  # not there, or cut off: asked for again


def _write(file: Path, known: dict[str, Vectors]) -> None:
    import numpy as np

    data = io.BytesIO()
    np.savez(data, keys=np.array(list(known)), vectors=np.stack(list(known.values())))
    write_atomically(file, data.getvalue())


def make_embedder(spec: str, folder: Path) -> Embedder:
    """Return the embedder that ``ollama:MODEL[@URL]`` names.

    Raises:
        InputError: ``spec`` is of another form.
        ModelUnavailableError: The model or its server is missing.
    """
    from fairnad_engine.llm.models import parse_llm

    parsed = parse_llm(spec)
    if parsed.kind != "ollama":
        raise ModelUnavailableError(f"{spec}: only models of Ollama give vectors here; name ollama:MODEL[@URL]")
    return Embedder(parsed.model, parsed.urls[0] if parsed.urls else None, folder)
