"""Bytes to text: which encoding a paper's file is in, and whether it is text at all."""

from __future__ import annotations

import codecs
import re

_CONTROL = frozenset(range(32)) - {9, 10, 12, 13}


class NotTextError(Exception):
    """The bytes are no text; the message says why and what to do."""


def decode(data: bytes) -> str:
    """Return the text of UTF-8 (with or without mark), marked UTF-16, or plausible Latin-1 bytes.

    Raises:
        NotTextError: The bytes are none of these.
    """
    if data.startswith(codecs.BOM_UTF8):
        data = data[len(codecs.BOM_UTF8) :]
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            text = data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise NotTextError("broken UTF-16 text; save it as UTF-8") from error
        if "\0" in text:
            raise NotTextError("binary, not text; convert it to .txt or .md first")
        return text
    if b"\0" in data:
        raise NotTextError("binary, not text; convert it to .txt or .md first")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _latin(data, error.start)


def _latin(data: bytes, broken_at: int) -> str:
    high = sum(byte >= 128 for byte in data)
    # Latin-1 decodes any bytes, so only what looks like a western text with some accents is taken for it.
    if high > 0.15 * len(data) or any(byte in _CONTROL for byte in data):
        raise NotTextError(f"neither UTF-8 nor Latin-1 text (byte {broken_at}); save it as UTF-8")
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError as error:
        raise NotTextError(f"neither UTF-8 nor Latin-1 text (byte {error.start}); save it as UTF-8") from error


def clean(text: str) -> str:
    """Return text with LF line ends, without the characters that a database or terminal chokes on."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n").removeprefix("\ufeff")
    # A lone surrogate (possible in JSON) cannot be encoded, so not hashed or stored either.
    return re.sub(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]", "\ufffd", text)
