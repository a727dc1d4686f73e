"""Edits as search and replace: a model writes only what changes, the program puts it in place.

Diffs of 30 to 50 lines are valid more often than whole programs of 200 (arXiv:2605.04903). Every edit refers to the
program as it was shown, so their order does not matter and none may overlap another. An edit that does not fit is
never guessed at: it is refused with the nearest passage, from which the next attempt can mend it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

EditFormat = Literal["whole", "diff", "catalogue"]

MAX_EDITS = 24
"""Edits that one reply may hold."""

_TAB = 4
_COMPARED = 12  # lines of an edit that decide which passage is nearest
_SHOWN = 240  # characters of the nearest passage; a stored message has room for 500
_PLACES = 6
_WORD = re.compile(r"\w+|[^\w\s]")
_CONFLICT = re.compile(
    r"^[ \t]*<{5,9}[^\n]*\n(?P<search>.*?)^[ \t]*={5,9}[ \t]*\n(?P<replace>.*?)^[ \t]*>{5,9}[^\n]*$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class EditSettings:
    """How a chat model gives its designs.

    Attributes:
        edit_format: ``whole`` programs (the paper's form), ``diff``: search and replace, ``catalogue``: the model
            picks a transformation and the program applies it.
        max_source: Longest program that is shown or accepted, in characters.
        max_reply: Longest reply, in tokens.
    """

    edit_format: EditFormat = "whole"
    max_source: int = 40_000
    max_reply: int = 8192


@dataclass(frozen=True)
class Edit:
    """One passage and what takes its place."""

    search: str
    replace: str


class EditMismatchError(Exception):
    """An edit does not fit the program; the message names the edit, the lines and the nearest passage."""


def unix(text: str) -> str:
    """A text with plain line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def apply_edits(program: str, edits: Sequence[Edit]) -> str:
    """Return the program with every edit in place.

    Raises:
        EditMismatchError: A passage is not there, is there several times, or is claimed by two edits.
    """
    program = unix(program)
    found = sorted((_Place.of(program, edit, number), number) for number, edit in enumerate(edits, 1))
    for (one, first), (other, second) in pairwise(found):
        if other.start < one.end or other.start == one.start:
            lines = f"lines {_line(program, other.start)} to {_line(program, max(other.start, one.end - 1))}"
            raise EditMismatchError(f"edits {first} and {second} overlap at {lines}; join them into one edit")
    for place, _ in reversed(found):
        program = program[: place.start] + place.text + program[place.end :]
    return program


def conflict_blocks(text: str) -> list[Edit]:
    """The edits of a reply in the ``<<<<<<<``, ``=======``, ``>>>>>>>`` form."""
    return [Edit(block["search"], block["replace"]) for block in _CONFLICT.finditer(unix(text))]


@dataclass(frozen=True, order=True)
class _Place:
    """Where an edit goes, as characters of the program, and what it puts there."""

    start: int
    end: int
    text: str

    @classmethod
    def of(cls, program: str, edit: Edit, number: int) -> _Place:
        search, replacement = unix(edit.search), unix(edit.replace)
        if not search.strip():
            raise EditMismatchError(f"edit {number}: its search text is empty; copy the lines that are to change")
        # Whole lines first: "x = 1" means that line, not the beginning of "x = 10".
        for look in (_same_lines, _similar_lines, _same_characters, _shifted_lines):
            places = look(program, search, replacement)
            if len(places) == 1:
                return places[0]
            if places:
                lines = [_line(program, place.start) for place in places]
                named = ", ".join(map(str, lines[:_PLACES])) + (" ..." if len(lines) > _PLACES else "")
                raise EditMismatchError(
                    f"edit {number}: its search text is ambiguous, it stands at lines {named}; "
                    "copy more lines around the one that is meant"
                )
        raise EditMismatchError(f"edit {number}: its search text is not in the program; {_nearest(program, search)}")


def _same_lines(program: str, search: str, replacement: str) -> list[_Place]:
    return _line_places(program, search, replacement, lambda line: line)


def _similar_lines(program: str, search: str, replacement: str) -> list[_Place]:
    """Lines that differ in trailing white space, or in tabs for spaces, alone."""
    return _line_places(program, search, _in_style(replacement, program), lambda line: line.expandtabs(_TAB).rstrip())


def _same_characters(program: str, search: str, replacement: str) -> list[_Place]:
    """A part of a line, or lines whose first one lacks its indentation."""
    search = search.strip("\n")
    starts = [match.start() for match in re.finditer(f"(?={re.escape(search)})", program)]
    return [_Place(start, start + len(search), replacement.strip("\n")) for start in starts]


def _shifted_lines(program: str, search: str, replacement: str) -> list[_Place]:
    """Lines that are indented more or less than in the program, all by the same: the replacement is moved along."""
    wanted = [line.expandtabs(_TAB).rstrip() for line in _lines(search)]
    have = [line.expandtabs(_TAB).rstrip() for line in program.split("\n")]
    places = []
    for at in range(len(have) - len(wanted) + 1):
        shift = _shift(have[at : at + len(wanted)], wanted)
        if shift is not None:
            places.append(_place(program, at, len(wanted), _moved(replacement.expandtabs(_TAB), shift)))
    return places


def _shift(have: Sequence[str], wanted: Sequence[str]) -> int | None:
    """By how many columns every line of one passage is indented more than in the other, or None."""
    shifts = set()
    for one, other in zip(have, wanted, strict=True):
        if one.lstrip() != other.lstrip():
            return None
        if one:
            shifts.add(len(one) - len(one.lstrip()) - (len(other) - len(other.lstrip())))
    return shifts.pop() if len(shifts) == 1 else None


def _moved(text: str, shift: int) -> str:
    if shift >= 0:
        return "\n".join(" " * shift + line if line.strip() else line for line in text.split("\n"))
    return "\n".join(line[min(-shift, len(line) - len(line.lstrip(" "))) :] for line in text.split("\n"))


def _in_style(text: str, program: str) -> str:
    """Spaces for tabs where the program has no tabs: Python refuses a mixture."""
    return text if "\t" in program else text.expandtabs(_TAB)


def _lines(text: str) -> list[str]:
    return text.strip("\n").split("\n")


def _line_places(program: str, search: str, replacement: str, plain: Callable[[str], str]) -> list[_Place]:
    wanted = [plain(line) for line in _lines(search)]
    have = [plain(line) for line in program.split("\n")]
    length = len(wanted)
    starts = [at for at in range(len(have) - length + 1) if have[at] == wanted[0] and have[at : at + length] == wanted]
    return [_place(program, at, length, replacement) for at in starts]


def _place(program: str, at: int, length: int, replacement: str) -> _Place:
    """Whole lines: nothing in their place takes the line's end along."""
    lines = program.split("\n")
    start = sum(len(line) + 1 for line in lines[:at])
    end = min(len(program), start + sum(len(line) + 1 for line in lines[at : at + length]))
    text = replacement.strip("\n")
    return _Place(start, end, f"{text}\n" if text.strip() else "")


def _line(program: str, at: int) -> int:
    return program.count("\n", 0, at) + 1


def _nearest(program: str, search: str) -> str:
    """The passage that shares most words, line by line, quoted so that it can be copied."""
    wanted = [frozenset(_WORD.findall(line)) for line in _lines(search)[:_COMPARED]]
    lines = program.split("\n")
    have = [frozenset(_WORD.findall(line)) for line in lines]
    scores = [
        sum(_alike(one, other) for one, other in zip(wanted, have[at:], strict=False))
        for at in range(max(1, len(have)))
    ]
    best = max(range(len(scores)), key=lambda at: (scores[at], -at))
    if scores[best] == 0:
        return "nothing in the program is like it"
    length = len(_lines(search))
    passage = "\n".join(lines[best : best + length])
    quoted = json.dumps(passage if len(passage) <= _SHOWN else passage[:_SHOWN] + " ...", ensure_ascii=False)
    last = min(best + length, len(lines))
    where = f"line {best + 1} is" if last == best + 1 else f"lines {best + 1} to {last} are"
    return f"the nearest {where} {quoted}"


def _alike(one: frozenset[str], other: frozenset[str]) -> float:
    together = one | other
    return len(one & other) / len(together) if together else 0.0
