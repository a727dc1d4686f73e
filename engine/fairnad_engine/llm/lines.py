"""Lines of a streamed answer, ended by line feeds alone.

An HTTP client that splits text where Unicode ends a line cuts a document in two whose strings hold such a character,
and JSON may hold U+0085 or U+2028 as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


def lines_of(response: httpx.Response) -> Iterator[str]:
    """Yield an answer's lines as they arrive, without their ends; a character that came apart is whole again."""
    rest = b""
    for piece in response.iter_bytes():
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode("utf-8", "replace").rstrip("\r") for line in whole)
    if rest:
        yield rest.decode("utf-8", "replace").rstrip("\r")


def lines_at_line_ends(response: httpx.Response) -> None:
    """An HTTP client's response hook: whoever reads this response by lines gets those of :func:`lines_of`."""
    response.iter_lines = partial(lines_of, response)  # type: ignore[method-assign]
