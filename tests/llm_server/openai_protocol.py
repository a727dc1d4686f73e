"""OpenAI's HTTP protocol on 127.0.0.1, as much of it as the program uses, in front of any answering function."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Handle = Callable[[dict[str, Any]], tuple[int, bytes | Iterator[bytes]]]


def says(
    text: str, *, read: int | None = 40, written: int = 7, reason: str | None = "stop", done: bool = True
) -> Handle:
    """A model that always says the same, in two pieces; ``read = None`` gives no account of tokens."""

    def answer(request: dict[str, Any]) -> tuple[int, bytes]:
        half = len(text) // 2
        parts: list[dict[str, Any]] = [{"choices": [{"delta": {"content": one}}]} for one in (text[:half], text[half:])]
        parts.append({"choices": [{"delta": {}, "finish_reason": reason}]})
        if read is not None:
            parts.append({"choices": [], "usage": {"prompt_tokens": read, "completion_tokens": written}})
        lines = [f"data: {json.dumps(part)}\n\n" for part in parts] + (["data: [DONE]\n\n"] if done else [])
        return 200, "".join(lines).encode()

    return answer


def refuses(status: int, message: str) -> Handle:
    """A server that answers with an error."""
    return lambda _: (status, json.dumps({"error": {"message": message}}).encode())


@dataclass
class OpenAIProtocol:
    """The server's state, as a test sees it; each of ``behaviours`` is used once, then ``answer``."""

    answer: Handle
    entry: dict[str, Any] = field(default_factory=lambda: {"id": "tiny", "object": "model", "created": 1})
    behaviours: list[Handle] = field(default_factory=list)
    key: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    closing: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serving(state: OpenAIProtocol) -> Iterator[OpenAIProtocol]:
    """Serve until the block ends; ``state.url`` is the address with ``/v1``."""
    handler = type("Handler", (_Handler,), {"state": state})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield state
        finally:
            state.closing.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    state: OpenAIProtocol

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a test's output is its own."""

    def do_GET(self) -> None:
        if self.path != "/v1/models":
            self._send(404, b"{}")
        elif self.state.key and self.headers.get("Authorization") != f"Bearer {self.state.key}":
            self._send(401, b"{}")
        else:
            self._send(200, json.dumps({"data": [self.state.entry]}).encode())

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.state.requests.append(request)
        handle = self.state.behaviours.pop(0) if self.state.behaviours else self.state.answer
        self._send(*handle(request))

    def _send(self, status: int, body: bytes | Iterator[bytes]) -> None:
        self.send_response(status)
        if not isinstance(body, bytes):
            self.end_headers()
            self.wfile.flush()
            with suppress(OSError):  # a client that hangs up is part of the tests
                for piece in body:
                    self.wfile.write(piece)
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
