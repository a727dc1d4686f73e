"""Bringing a reply of wrong types, names or lengths to the form that was asked for, where its meaning is plain.

Nothing is made up: a text that is too long is cut at a word, a word for a truth value becomes one, a single thing where
a list is wanted becomes a list of one. What is missing stays missing, a list that is too long stays so, a number is no
text; validation decides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_TRUE, _FALSE = ("true", "yes", "y", "1", "relevant"), ("false", "no", "n", "0", "irrelevant", "not relevant")
_Schema = Mapping[str, Any]


def fitted(value: Any, schema: _Schema) -> Any:  # noqa: ANN401 - any value of JSON
    """Return a value as near to a schema as its meaning allows.

    Args:
        value: As it was read.
        schema: A JSON schema without references, see :func:`fairnad_engine.llm.replies.wire_schema`.
    """
    kind = schema.get("type")
    if kind == "object":
        return _object(value, schema)
    if kind == "array":
        return _array(value, schema)
    if "enum" in schema or "const" in schema:
        return _one_of(value, [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())])
    if kind == "string":
        return _text(value, schema.get("maxLength"))
    if kind == "boolean":
        return _truth(value)
    return _number(value, whole=kind == "integer") if kind in ("integer", "number") else value


def _object(value: Any, schema: _Schema) -> Any:  # noqa: ANN401
    properties: Mapping[str, _Schema] = schema.get("properties", {})
    if isinstance(value, str):
        try:
            value = json.loads(value, strict=False)
        except (ValueError, RecursionError):
            return value
    if isinstance(value, list):
        if len(properties) == 1 and next(iter(properties.values())).get("type") == "array":
            value = {next(iter(properties)): value}
        elif len(value) == 1:
            value = value[0]
    if not isinstance(value, dict):
        return value
    found = dict(value)
    for name, told in value.items():
        known = next((one for one in properties if _same(one, str(name))), None)
        if known is not None and (known == name or known not in value):
            found[known] = fitted(told, properties[known])
    return found


def _array(value: Any, schema: _Schema) -> Any:  # noqa: ANN401
    items = schema.get("items", {})
    if value is None:
        value = []
    elif isinstance(value, dict) and items.get("type") == "object":
        properties = items.get("properties", {})
        # A table by number or name in place of a list, or one thing in place of a list of it.
        keyed = value and all(isinstance(one, dict) for one in value.values()) and not value.keys() & properties.keys()
        value = list(value.values()) if keyed else [value]
    elif not isinstance(value, list):
        value = [value]
    return [fitted(one, items) for one in value]


def _one_of(value: Any, allowed: list[Any]) -> Any:  # noqa: ANN401
    if value in allowed or not isinstance(value, str):
        return value
    told = value.strip().strip("`'\"").casefold()
    for meant in (
        lambda one: one == told,
        lambda one: told.startswith((f"{one}:", f"{one} ")),  # with its name or definition after it
        lambda one: one.rpartition(".")[2] == told.replace(" ", "-"),
    ):
        found = [one for one in allowed if isinstance(one, str) and meant(one.casefold())]
        if len(found) == 1:
            return found[0]
    return value


def _text(value: Any, longest: int | None) -> Any:  # noqa: ANN401
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        value = " ".join(value)
    if not isinstance(value, str) or longest is None or len(value) <= longest:
        return value
    cut = value[: longest + 1].rpartition(" ")[0]
    return cut if len(cut) > longest // 2 else value[:longest]


def _truth(value: Any) -> Any:  # noqa: ANN401
    told = str(value).strip().strip(".").casefold() if isinstance(value, str | int | float) else None
    return True if told in _TRUE else False if told in _FALSE else value


def _number(value: Any, *, whole: bool) -> Any:  # noqa: ANN401
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,15}(\.\d{1,15})?\s*", value):
        value = float(value)
    if whole and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _same(name: str, told: str) -> bool:
    return name == re.sub(r"[\s-]+", "_", told.strip().casefold())
