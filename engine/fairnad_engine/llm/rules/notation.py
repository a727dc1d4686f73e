"""A blueprint as one line of JSON, and back: short, versioned, and strict about what it reads."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from typing import Any, Literal, TypeVar

from .blueprint import Blueprint

VERSION = 1
_TIMES = "times"  # equal items in a row are written once
_MOST_TIMES = 64

_T = TypeVar("_T")


def to_json(blueprint: Blueprint) -> str:
    """Return the blueprint as one compact line; values at their defaults are left out."""
    return json.dumps({"version": VERSION, **_encode(blueprint)}, separators=(",", ":"))


def from_json(text: str) -> Blueprint:
    """Read what :func:`to_json` wrote.

    Raises:
        ValueError: Not a blueprint of this version.
    """
    try:
        data = json.loads(text)
        if not isinstance(data, dict) or data.pop("version", None) != VERSION:
            raise ValueError("not a blueprint of this version")
        return _decode(Blueprint, data)
    except (TypeError, KeyError, RecursionError, AttributeError) as error:
        raise ValueError(f"not a blueprint: {error}") from error


def _encode(value: object) -> Any:  # noqa: ANN401  (any JSON value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = {f.name: f for f in dataclasses.fields(value)}
        return {name: _encode(getattr(value, name)) for name, f in names.items() if getattr(value, name) != _default(f)}
    if not isinstance(value, tuple):
        return value
    items: list[Any] = []
    for item in map(_encode, value):
        if items and isinstance(item, dict) and item == {k: v for k, v in items[-1].items() if k != _TIMES}:
            items[-1][_TIMES] = items[-1].get(_TIMES, 1) + 1
        else:
            items.append(item)
    return items


def _default(f: dataclasses.Field[Any]) -> object:
    return f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default


def _decode(kind: type[_T], data: object) -> _T:
    hints = typing.get_type_hints(kind)
    if not isinstance(data, dict):
        raise TypeError(f"{data!r} describes no {kind.__name__}")
    return kind(**{name: _value(hints[name], item) for name, item in data.items()})


def _repeated(entry: object) -> list[object]:
    """Return an entry of a list as often as it says it stands there."""
    if not isinstance(entry, dict) or _TIMES not in entry:
        return [entry]
    times = entry[_TIMES]
    if type(times) is not int or not 1 <= times <= _MOST_TIMES:
        raise ValueError(f"{times!r} is no count")
    return [{key: value for key, value in entry.items() if key != _TIMES}] * times


def _value(hint: Any, data: object) -> object:  # noqa: ANN401  (any annotation)
    """Return ``data`` as a value of the annotated type, strictly: a blueprint may come from a stranger's file."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        if not isinstance(data, list):
            raise TypeError("a list is due")
        return tuple(_value(args[0], item) for entry in data for item in _repeated(entry))
    if origin is Literal:
        if data not in args:
            raise ValueError(f"{data!r} is none of {', '.join(map(str, args))}")
        return data
    if origin is types.UnionType:
        return None if data is None else _value(args[0], data)
    if dataclasses.is_dataclass(hint):
        return _decode(typing.cast(type[Any], hint), data)
    if hint is float and type(data) is int:
        return float(data)
    if type(data) is not hint:
        raise TypeError(f"{data!r} is no {hint.__name__}")
    return data
