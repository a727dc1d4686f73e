"""A category's fields as single lines of text: how people read and write cues, signatures and opposites."""

from __future__ import annotations

from fairnad_engine.errors import InputError
from fairnad_engine.knowledge.template import ANTONYM_WORDS, FEATURES, Condition, Sub
from fairnad_engine.text import is_plain

_CHANGES = ("up", "down", "changed")
_MAX_CUES = 400
_MAX_CUE = 120
MAX_EXAMPLES = 3
_MAX_EXAMPLE = 400


def cues_text(sub: Sub) -> str:
    """Cues with semicolons between them, since a cue may hold a comma."""
    return "; ".join(sub.cues)


def examples_text(sub: Sub) -> str:
    """Examples with ``|`` between them, since they are sentences."""
    return " | ".join(sub.examples)


def signature_text(sub: Sub) -> str:
    """Alternatives with ``|`` between them, conditions with commas: ``conv.large down, depth up | conv.total up``."""
    return " | ".join(", ".join(f"{c.feature} {c.change}" for c in one) for one in sub.signature)


def field_text(sub: Sub, field: str) -> str:
    """A field as the line that :func:`fairnad_engine.knowledge.template_edit.change` takes."""
    if field == "cues":
        return cues_text(sub)
    if field == "examples":
        return examples_text(sub)
    return signature_text(sub) if field == "signature" else str(getattr(sub, field) or "")


def checked_text(text: str, what: str, longest: int) -> str:
    """A name or definition on one line.

    Raises:
        InputError: It is too long, or holds characters that cannot be shown.
    """
    line = " ".join(text.split())
    if not is_plain(line):
        raise InputError(f"the {what} holds control or invisible characters; type it anew without them")
    if len(line) > longest:
        raise InputError(f"the {what} has {len(line)} characters; at most {longest} are kept, shorten it")
    return line


def checked_cues(text: str) -> tuple[str, ...]:
    """Read cues, semicolons between them.

    Raises:
        InputError: One names nothing, or there are too many.
    """
    cues = tuple(dict.fromkeys(checked_text(one, "cue", _MAX_CUE) for one in text.split(";") if one.strip()))
    for cue in cues:
        if not any(character.isalnum() for character in cue):
            raise InputError(f"the cue {cue!r} names nothing; write words, semicolons between cues")
    if len(cues) > _MAX_CUES:
        raise InputError(f"{len(cues)} cues; at most {_MAX_CUES} are kept")
    return cues


def checked_examples(text: str) -> tuple[str, ...]:
    """Read examples, ``|`` between them.

    Raises:
        InputError: There are too many, or one cannot be kept.
    """
    found = tuple(dict.fromkeys(checked_text(one, "example", _MAX_EXAMPLE) for one in text.split("|") if one.strip()))
    if len(found) > MAX_EXAMPLES:
        raise InputError(f"{len(found)} examples; give at most {MAX_EXAMPLES}")
    return found


def checked_signature(text: str) -> tuple[tuple[Condition, ...], ...]:
    """Read a signature as :func:`signature_text` writes it.

    Raises:
        InputError: A condition is of another form or names an unknown graph feature.
    """
    alternatives = (one for one in text.split("|") if one.strip())
    return tuple(tuple(_condition(part) for part in one.split(",")) for one in alternatives)


def _condition(text: str) -> Condition:
    feature, _, change = " ".join(text.split()).partition(" ")
    if feature not in FEATURES:
        raise InputError(f"{feature!r} is no graph feature; known are: {', '.join(sorted(FEATURES))}")
    if change not in _CHANGES:
        raise InputError(f"{feature}: write up, down or changed after it, not {change!r}")
    return Condition(feature, change)  # type: ignore[arg-type]


def checked_antonym(text: str, own: str, subs: set[str]) -> str | None:
    """Read an opposite: another sub-category's id, one of the antonym words, or nothing.

    Raises:
        InputError: It is neither.
    """
    word = text.strip()
    if not word:
        return None
    if word == own or (word not in subs and word not in ANTONYM_WORDS):
        raise InputError(f"{word!r} is neither another sub-category nor one of: {', '.join(ANTONYM_WORDS)}")
    return word
