"""JSON as models write it that are not held to a schema: read where its meaning is plain, refused where it is not.

Allowed beyond the standard: commas before a closing bracket, single quotes, quotes inside strings that are not escaped,
line ends in strings, backslashes before any character, Python's ``True``, ``False`` and ``None``, names without quotes,
comments. What is incomplete stays incomplete: nothing is closed that the model left open.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_DEEPEST = 24
_MOST_PLACES = 1000  # where a value may begin: a long reply of nothing but braces must not take quadratic time
_MOST_LOOSE = 300_000  # characters that the slower reading may look at in one reply
_OPENING = re.compile(r"[{\[]")
_SPACE = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_ENDED = r"(?=\s*(?:[,:}\]]|\Z))"  # what follows a string's real end
_STRING = {mark: re.compile(rf"{mark}((?:\\.|[^\\])*?){mark}{_ENDED}", re.DOTALL) for mark in "\"'"}
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,300})(?:\.\d{1,300})?(?:[eE][+-]?\d{1,3})?")
_NAME = re.compile(r"[A-Za-z_]\w{0,60}")
_WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_BAD_ESCAPE = re.compile(r'\\(?:(["\\/bfnrt]|u[0-9a-fA-F]{4})|(.))', re.DOTALL)
_PYTHON_ESCAPE = re.compile(r"(\\\\)|\\(?:x([0-9a-fA-F]{2})|')")
_BARE_QUOTE = re.compile(r'(\\.)|"', re.DOTALL)


class _UnreadableError(ValueError):
    """This is no value, not even a loose one."""


def values(text: str) -> Iterator[dict[str, Any] | list[Any]]:
    """Yield every complete object and list in a text, outer ones before those inside them."""
    decoder = json.JSONDecoder(strict=False)
    left = _MOST_LOOSE
    for number, opening in enumerate(_OPENING.finditer(text)):
        if number >= _MOST_PLACES:
            return
        at = opening.start()
        try:
            found, _ = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            reader = _Loose(text[at : at + left])
            try:
                found = reader.value(0)
            except _UnreadableError:
                found = None
            left -= reader.at
        if isinstance(found, dict | list):
            yield found


class _Loose:
    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0

    def value(self, depth: int) -> Any:  # noqa: ANN401 - any value of JSON
        if depth > _DEEPEST:
            raise _UnreadableError
        sign = self._next()
        if sign == "{":
            return self._object(depth)
        if sign == "[":
            return self._list(depth)
        if sign in _STRING:
            return self._string(sign)
        if number := _NUMBER.match(self._text, self.at):
            self.at = number.end()
            return json.loads(number[0])
        if (word := _NAME.match(self._text, self.at)) and word[0] in _WORDS:
            self.at = word.end()
            return _WORDS[word[0]]
        raise _UnreadableError

    def _object(self, depth: int) -> dict[str, Any]:
        self.at += 1
        found: dict[str, Any] = {}
        while (sign := self._next()) != "}":
            key = self._string(sign) if sign in _STRING else self._name()
            if self._next() != ":":
                raise _UnreadableError
            self.at += 1
            found[key] = self.value(depth + 1)
            self._comma("}")
        self.at += 1
        return found

    def _list(self, depth: int) -> list[Any]:
        self.at += 1
        found: list[Any] = []
        while self._next() != "]":
            found.append(self.value(depth + 1))
            self._comma("]")
        self.at += 1
        return found

    def _comma(self, closing: str) -> None:
        sign = self._next()
        if sign == ",":
            self.at += 1
        elif sign != closing:
            raise _UnreadableError

    def _next(self) -> str:
        space = _SPACE.match(self._text, self.at)
        self.at = space.end() if space else self.at
        return self._text[self.at : self.at + 1]

    def _name(self) -> str:
        name = _NAME.match(self._text, self.at)
        if name is None:
            raise _UnreadableError
        self.at = name.end()
        return name[0]

    def _string(self, mark: str) -> str:
        found = _STRING[mark].match(self._text, self.at)
        if found is None:
            self.at = len(self._text)  # looked at to its end
            raise _UnreadableError
        self.at = found.end()
        inside = _PYTHON_ESCAPE.sub(_as_json, found[1])
        inside = _BAD_ESCAPE.sub(lambda one: one[0] if one[1] else f"\\\\{one[2]}", inside)
        inside = _BARE_QUOTE.sub(lambda one: one[0] if one[1] else '\\"', inside)
        return str(json.loads(f'"{inside}"', strict=False))


def _as_json(escape: re.Match[str]) -> str:
    """An escape of Python's as JSON writes it; a backslash that is escaped itself stays."""
    return escape[1] or (f"\\u00{escape[2]}" if escape[2] else "'")
