"""A model without sense and with bad habits: it answers any schema at random, and writes its answer as models do.

What it means is drawn from the schema, how it writes it from one habit; both from a seed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

_ODD = [
    "it's",
    "the model's",
    "“wide”",
    "naïve Größe",
    "注意力",
    "🚀 x²",
    "{C}",
    "[N, C]",
    '"best"',
    "</b>",
    "path\\to,",
]
_WORDS = ["depthwise", "convolution", "norm", "gate", "e.g.: #1", "a\u0085b", "c\u2028d", *_ODD]
_CODE = """class Backbone(nn.Module):
    def forward(self, x):
        y = {'a': [x, 1]}  # it's "it"
        return y['a'][0]
"""
UNUSABLE = 0.04
"""Share of replies of an undisciplined model that hold no answer at all."""

Habit = Callable[[random.Random, dict[str, Any]], str]


def meant(schema: dict[str, Any], rng: random.Random, name: str = "") -> Any:
    """A document of a schema."""
    if "enum" in schema or "const" in schema:
        return rng.choice(schema.get("enum") or [schema["const"]])
    kind = schema["type"]
    if kind == "object":
        return {key: meant(child, rng, key) for key, child in schema["properties"].items()}
    if kind == "array":
        return [meant(schema["items"], rng) for _ in range(rng.randint(1, min(4, schema.get("maxItems", 4))))]
    if kind == "string":
        if name == "code":
            return _CODE * rng.randint(1, 3)
        text = " ".join(rng.choice(_WORDS) for _ in range(rng.randint(1, 20)))[: schema.get("maxLength", 400)]
        return text.strip() or "x"
    return {"boolean": rng.random() < 0.5, "integer": rng.randint(0, 9), "number": rng.randint(1, 8) / 4}[kind]


def plain(rng: random.Random, document: dict[str, Any]) -> str:
    """As the schema has it."""
    return json.dumps(document, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, 2)))


def prose(rng: random.Random, document: dict[str, Any]) -> str:
    """The schema is ignored: sentences stand around the answer."""
    before = rng.choice(("Sure! Here is the answer: ", "Given {the text}, I say [1]:\n\n", "The answer, as asked:\n"))
    return before + plain(rng, document) + rng.choice(("", "\n\nI hope that helps {or not}.", "\n```"))


def fenced(rng: random.Random, document: dict[str, Any]) -> str:
    """Between fences, with or without a language."""
    return f"{rng.choice(('', 'Here it is:'))}\n```{rng.choice(('json', '', 'JSON'))}\n{plain(rng, document)}\n```\n"


def commas(rng: random.Random, document: dict[str, Any]) -> str:
    """A comma before every closing bracket."""

    def written(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + "".join(f"\n {json.dumps(k)}: {written(v)}," for k, v in value.items()) + "\n}"
        if isinstance(value, list):
            return "[" + "".join(f"{written(one)}, " for one in value) + "]"
        return json.dumps(value, ensure_ascii=False)

    return written(document)


def quotes(rng: random.Random, document: dict[str, Any]) -> str:
    """As Python would show it."""
    return repr(document)


def wrong_types(rng: random.Random, document: dict[str, Any]) -> str:
    """Words for truth values and numbers, one thing for a list of it, names in capitals, wrapped once more."""

    def bent(value: Any) -> Any:
        if isinstance(value, dict):
            return {rng.choice((str, str.capitalize))(key): bent(child) for key, child in value.items()}
        if isinstance(value, list):
            return bent(value[0]) if len(value) == 1 and isinstance(value[0], dict) else [bent(one) for one in value]
        if isinstance(value, bool):
            return rng.choice(("yes", "Yes.", "true", 1) if value else ("no", "No.", "false", 0))
        return str(value) if isinstance(value, int | float) else value

    found = bent(document)
    return plain(rng, {"answer": found} if rng.random() < 0.3 else found)


HABITS: dict[str, Habit] = {one.__name__: one for one in (plain, prose, fenced, commas, quotes, wrong_types)}


def unusable(rng: random.Random, document: dict[str, Any]) -> str:
    """No answer: nothing, half of one, one without its first field, or words."""
    text = json.dumps(document)
    less = dict(list(document.items())[1:])
    return rng.choice(("", text[: len(text) // 2], json.dumps(less), "I would rather not say."))


def leaked(rng: random.Random, draft: dict[str, Any], answer: str) -> str:
    """Thoughts before an answer, with a draft in them that is not meant."""
    thoughts = f'Okay, the {{user}} wants JSON. A draft: {json.dumps(draft)}\nNo, "that" isn\'t it. Wait...'
    return f"{rng.choice(('<think>', '<think>', ''))}\n{thoughts}\n</think>\n\n{answer}"
