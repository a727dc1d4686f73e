"""Ollama's HTTP protocol on 127.0.0.1, as much of it as the program uses, in front of any answering function.

A test gives a ``Behaviour`` for each request in turn (the last one stays) to make the server misbehave.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DIGEST = "sha256:5f0e"


@dataclass(frozen=True)
class Answered:
    """What a model makes of a request."""

    pieces: tuple[str, ...]
    prompt_tokens: int | None
    written: int
    done_reason: str = "stop"


Answerer = Callable[[dict[str, Any]], Answered]


@dataclass(frozen=True)
class Behaviour:
    """How one request is answered.

    Attributes:
        answer: Makes the answer; the server's own by default.
        status: HTTP status; from 400 upward with ``error`` as its text.
        error: Text of the error.
        raw: Bytes to send in place of the answer's lines.
        reset_after: Reset the connection after so many lines.
        stall_after: Say nothing more after so many lines, until the server is closed.
        unfinished: End the answer without its last line.
        first_after: Seconds until the first line, as with a model that is not loaded yet.
        at_once: Most bytes that are sent at once; 0 for no such limit.
    """

    answer: Answerer | None = None
    status: int = 200
    error: str = ""
    raw: bytes | None = None
    reset_after: int | None = None
    stall_after: int | None = None
    unfinished: bool = False
    first_after: float = 0.0
    at_once: int = 0


@dataclass
class OllamaProtocol:
    """The server's state, as a test sees it.

    Attributes:
        answer: The model.
        models: Names that it has.
        behaviours: For the next chat requests, the last one for all further ones.
        listing: Bytes in place of the list of models.
        granted: Context that the model gets whatever is asked for; None for what is asked for.
        context_length: Context that the model was trained for.
        digest: Of its models' weights.
        version: Of the server; empty where it does not say.
        library: Models that can be pulled.
        behind: Address of a server of another protocol that really answers.
        requests: The chat requests so far.
        embedded: The requests for vectors so far.
        vector: Makes the vector of a text.
    """

    answer: Answerer
    models: tuple[str, ...] = ("tiny:1b",)
    behaviours: list[Behaviour] = field(default_factory=list)
    listing: bytes | None = None
    listing_status: int = 200
    granted: int | None = None
    context_length: int = 32768
    capabilities: tuple[str, ...] = ("completion",)
    digest: str = DIGEST
    version: str = "0.17.1"
    library: tuple[str, ...] = ()
    requests: list[dict[str, Any]] = field(default_factory=list)
    embedded: list[dict[str, Any]] = field(default_factory=list)
    vector: Callable[[str], list[float]] = lambda text: [float(len(text)), 1.0]
    url: str = ""
    behind: str = ""
    closing: threading.Event = field(default_factory=threading.Event)

    def next_behaviour(self) -> Behaviour:
        if not self.behaviours:
            return Behaviour()
        return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]


def says(text: str, *, prompt_tokens: int | None = -1, written: int = 5, done_reason: str = "stop") -> Answerer:
    """A model that always says the same; ``-1`` counts the prompt by its words and signs."""

    def answer(request: dict[str, Any]) -> Answered:
        words = " ".join(message["content"] for message in request["messages"])
        counted = int(len(words) / 4) + 8 if prompt_tokens == -1 else prompt_tokens
        half = len(text) // 2
        return Answered((text[:half], text[half:]), counted, written, done_reason)

    return answer


def keeps_half(answerer: Answerer, own_limit: int | None = None) -> Answerer:
    """A server that keeps the last half of its context of a prompt that does not fit, and says nothing."""

    def answer(request: dict[str, Any]) -> Answered:
        given = answerer(request)
        context = own_limit or request["options"]["num_ctx"]
        if given.prompt_tokens is not None and given.prompt_tokens > context:
            return replace(given, prompt_tokens=context // 2)
        return given

    return answer


@contextmanager
def serving(state: OllamaProtocol, port: int = 0) -> Iterator[OllamaProtocol]:
    """Serve until the block ends; ``state.url`` is the address, at a free port where none is named."""
    handler = type("Handler", (_Handler,), {"state": state})
    with _Server(("127.0.0.1", port), handler) as server:
        server.daemon_threads = True
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield state
        finally:
            state.closing.set()
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    state: OllamaProtocol
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a test's output is its own."""

    def handle_one_request(self) -> None:
        """Let a kept-alive connection die with the server, as with a real one."""
        super().handle_one_request()
        if self.state.closing.is_set():
            self.close_connection = True

    def do_GET(self) -> None:
        if self.path == "/api/tags":
            models = [
                {"model": name, "name": name, "digest": self.state.digest, "size": 1} for name in self.state.models
            ]
            body = json.dumps({"models": models}).encode() if self.state.listing is None else self.state.listing
            self._send(self.state.listing_status, body)
        elif self.path == "/api/ps":
            context = self.state.granted or (self.state.requests[-1]["options"]["num_ctx"])
            self._json(200, {"models": [{"model": name, "context_length": context} for name in self.state.models]})
        elif self.path == "/api/version" and self.state.version:
            self._json(200, {"version": self.state.version})
        else:
            self._json(404, {"error": "not found"})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.state.closing.is_set():
            self._reset()
            return
        if self.path == "/api/pull":
            self._pull(request["model"])
        elif request["model"] not in self.state.models:
            self._json(404, {"error": f"model {request['model']!r} not found"})
        elif self.path == "/api/show":
            facts = {"general.architecture": "tiny", "tiny.context_length": self.state.context_length}
            self._json(200, {"model_info": facts, "capabilities": list(self.state.capabilities)})
        elif self.path == "/api/embed":
            self.state.embedded.append(request)
            vectors = [self.state.vector(text) for text in request["input"]]
            self._json(200, {"embeddings": vectors, "prompt_eval_count": 7 * len(vectors)})
        elif self.path == "/api/chat":
            self.state.requests.append(request)
            self._chat(request, self.state.next_behaviour())
        else:
            self._json(404, {"error": "not found"})

    def _pull(self, model: str) -> None:
        parts: list[dict[str, Any]] = [{"status": "pulling manifest"}]
        if model in self.state.library:
            layers = (("sha256:aa", 4_000_000), ("sha256:bb", 1_000_000))
            steps = [(digest, total, done) for digest, total in layers for done in (None, total // 2, total)]
            for digest, total, done in steps:
                part: dict[str, Any] = {"status": f"pulling {digest}", "digest": digest, "total": total}
                parts.append({**part, "completed": done} if done is not None else part)
            parts.append({"status": "success"})
            self.state.models = (*self.state.models, model)
        else:
            parts.append({"error": "pull model manifest: file does not exist"})
        body = b"".join(json.dumps(part).encode() + b"\n" for part in parts)
        self._send(200, body)

    def _chat(self, request: dict[str, Any], behaviour: Behaviour) -> None:
        if behaviour.status >= 400:
            self._json(behaviour.status, {"error": behaviour.error})
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if behaviour.raw is not None:
            self.wfile.write(behaviour.raw)
            return
        answered = (behaviour.answer or self.state.answer)(request)
        if behaviour.first_after:
            self.wfile.flush()
            self.state.closing.wait(behaviour.first_after)
        for number, line in enumerate(_lines(request["model"], answered)):
            if number == behaviour.reset_after:
                self._reset()
                return
            if number == behaviour.stall_after:
                self.wfile.flush()
                self.state.closing.wait()
                return
            if not (behaviour.unfinished and number == len(answered.pieces)):
                for at in range(0, len(line), behaviour.at_once or len(line)):
                    self.wfile.write(line[at : at + (behaviour.at_once or len(line))])

    def _reset(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _json(self, status: int, document: object) -> None:
        self._send(status, json.dumps(document).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _lines(model: str, answered: Answered) -> Iterator[bytes]:
    common = {"model": model, "created_at": "2026-01-01T00:00:00Z"}
    for piece in answered.pieces:
        part = {**common, "message": {"role": "assistant", "content": piece}, "done": False}
        yield _document(part)
    last: dict[str, Any] = {**common, "message": {"role": "assistant", "content": ""}, "done": True}
    last |= {"done_reason": answered.done_reason, "eval_count": answered.written, "total_duration": 1}
    if answered.prompt_tokens is not None:
        last["prompt_eval_count"] = answered.prompt_tokens
    yield _document(last)


def _document(part: dict[str, Any]) -> bytes:
    """A line as Ollama writes it: UTF-8, and escapes only where half a character could not be written otherwise."""
    try:
        return json.dumps(part, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(part).encode() + b"\n"
