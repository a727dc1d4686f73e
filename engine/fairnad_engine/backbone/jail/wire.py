"""Frames between the trusted side and a child: a JSON header and named blobs, bounded, never pickled.

A frame is ``length of the header (4 bytes, big-endian) | header | blobs``; the header's ``blobs`` lists
``[name, length]`` in the order they follow. On the result pipe one byte goes first: whether the jail was entered.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Mapping
from typing import Any

MAX_HEADER_BYTES = 8 << 20
MAX_BLOB_BYTES = 640 << 20  # of the format; what an attempt may send is its limit of reply bytes
MAX_FRAME_BYTES = 4 + MAX_HEADER_BYTES + MAX_BLOB_BYTES
ENTERED, NOT_ENTERED = b"+", b"-"
MAX_JSON_ITEMS = 1_000_000
_LENGTH = struct.Struct(">I")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class FrameError(ValueError):
    """The bytes are no frame, or one beyond the bounds."""


def encode(header: Mapping[str, Any], blobs: Mapping[str, bytes]) -> bytes:
    """Return a frame.

    Raises:
        FrameError: Header or blobs are beyond the bounds.
        TypeError: The header is not JSON.
    """
    listing = [[name, len(body)] for name, body in blobs.items()]
    text = json.dumps({**header, "blobs": listing}, ensure_ascii=False, separators=(",", ":"))
    head = text.encode("utf-8", "replace")
    if len(head) > MAX_HEADER_BYTES or sum(len(body) for body in blobs.values()) > MAX_BLOB_BYTES:
        raise FrameError(f"reply is larger than {MAX_HEADER_BYTES} + {MAX_BLOB_BYTES} bytes")
    return b"".join([_LENGTH.pack(len(head)), head, *blobs.values()])


def decode(frame: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Take a frame apart, believing nothing in it.

    Raises:
        FrameError: The bytes are not exactly one frame within the bounds.
    """
    if len(frame) < _LENGTH.size:
        raise FrameError("no whole frame")
    (size,) = _LENGTH.unpack_from(frame)
    if size > MAX_HEADER_BYTES or _LENGTH.size + size > len(frame):
        raise FrameError("header is cut short or too long")
    header = parse_json(frame[_LENGTH.size : _LENGTH.size + size])
    blobs: dict[str, bytes] = {}
    at = _LENGTH.size + size
    for name, length in _listing(header.pop("blobs", None)):
        if name in blobs or length > len(frame) - at:
            raise FrameError("blobs do not match their listing")
        blobs[name] = frame[at : at + length]
        at += length
    if at != len(frame):
        raise FrameError("bytes after the frame")
    return header, blobs


def _listing(value: object) -> list[tuple[str, int]]:
    if not isinstance(value, list) or len(value) > 64:
        raise FrameError("no listing of blobs")
    found = []
    for entry in value:
        if not (isinstance(entry, list) and len(entry) == 2):
            raise FrameError("no listing of blobs")
        name, length = entry
        if not (isinstance(name, str) and _NAME.fullmatch(name)) or type(length) is not int or length < 0:
            raise FrameError("no listing of blobs")
        found.append((name, length))
    return found


def parse_json(data: bytes) -> dict[str, Any]:
    """Parse a JSON object of bounded size, depth and numbers.

    Raises:
        FrameError: It is something else.
    """
    if data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_JSON_ITEMS:
        raise FrameError(f"JSON of more than {MAX_JSON_ITEMS} items")
    if _LONE_SURROGATE.search(data):
        raise FrameError("JSON with half a character")
    try:
        # From text: given bytes, json would guess UTF-16 and let half a character pass that is spelt in raw bytes.
        value = json.loads(data.decode(), parse_constant=_refuse, parse_float=_finite)
    except FrameError:
        raise
    except (ValueError, RecursionError) as error:
        raise FrameError(f"no JSON: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise FrameError("no JSON object")
    return value


def _refuse(name: str) -> float:
    raise FrameError(f"JSON with {name}")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise FrameError("JSON with an infinite number")
    return value
