"""Ideas in files: JSON, JSONL and CSV in, JSONL and CSV out.

NADER publishes its ideas as ``{id, paper_id, inspiration}`` without a category; such ones are filed by the template's
cues, under the sub-category that most of their words speak for.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairnad_engine.errors import InputError
from fairnad_engine.knowledge.cues import compile_cues, find_cues, fold
from fairnad_engine.knowledge.filing import filed_under, scores
from fairnad_engine.knowledge.template import Template
from fairnad_engine.text import csv_cell, from_csv_cell, json_text, storable

MAX_INSTRUCTION = 600
_LONGEST_INSPIRATION = 5000
_BLANK = re.compile(r"[\s,]*")
_LONGEST_CELL = 20_000_000
_COLUMNS = ("id", "status", "origin", "level", "main", "sub", "name", "instruction", "quote", "paper_id", "decided_by")


@dataclass(frozen=True)
class ImportedIdea:
    """One usable line of a file."""

    sub: str
    name: str
    instruction: str


def checked_sub(template: Template, sub: str, place: str) -> str:
    """Return the id of a sub-category of the template.

    Raises:
        InputError: There is none of this id.
    """
    try:
        return template.sub(sub).id
    except KeyError:
        raise InputError(f"{place}: {sub!r} is no sub-category; see: fairnad-tui template show") from None


def checked_instruction(text: str, place: str) -> str:
    """Return an idea's text with its white space made plain.

    Raises:
        InputError: It is empty, or longer than an idea may be.
    """
    plain = " ".join(storable(text).replace("\0", " ").split())
    if not plain:
        raise InputError(f"{place}: is empty; write the idea as one instruction")
    if len(plain) > MAX_INSTRUCTION:
        raise InputError(f"{place}: {len(plain)} characters, at most {MAX_INSTRUCTION}; shorten it")
    return plain


def read_ideas(path: Path, template: Template) -> tuple[list[ImportedIdea], list[str]]:
    """Read ideas from a file; return the usable ones and one line for each that is not.

    Raises:
        InputError: The file as a whole cannot be read.
    """
    if path.suffix not in (".json", ".jsonl", ".csv"):
        raise InputError(f"{path}: ideas come as .json, .jsonl or .csv; convert it first")
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name a .jsonl or .csv file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    listed = path.suffix != ".csv" and text.lstrip().startswith("[")
    rows = _csv_rows(text, path) if path.suffix == ".csv" else _list_rows(text, path) if listed else _jsonl_rows(text)
    good: list[ImportedIdea] = []
    problems: list[str] = []
    unfiled: list[int] = []
    for line, row in rows:
        place = f"{path}:{line}"
        if isinstance(row, str):
            problems.append(f"{place}: {row}")
            continue
        try:
            if isinstance(row.get("inspiration"), str) and "sub" not in row:
                sub = _sub_of(row["inspiration"], template)
                if sub is None:
                    unfiled.append(line)
                    continue
                row = {**row, "sub": sub, "instruction": row["inspiration"]}
            good.append(_idea(row, template, place))
        except InputError as error:
            problems.append(str(error))
    if unfiled:
        where = ", ".join(map(str, unfiled[:5])) + (", ..." if len(unfiled) > 5 else "")
        number = "1 idea speaks" if len(unfiled) == 1 else f"{len(unfiled):,} ideas speak"
        problems.append(f"{path}:{where}: {number} of no sub-category of the template; give each a sub")
    if not good and not problems:
        raise InputError(f"{path}: holds no idea; each line needs sub and instruction")
    return good, problems


def render_ideas(documents: Sequence[dict[str, Any]], form: str) -> str:
    """Write ideas as ``jsonl`` or ``csv`` text."""
    if form == "jsonl":
        return "".join(f"{json_text(document)}\n" for document in documents)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for document in documents:
        writer.writerow({key: csv_cell(one) if isinstance(one, str) else one for key, one in document.items()})
    return buffer.getvalue()


def _idea(row: dict[str, Any], template: Template, place: str) -> ImportedIdea:
    for column in ("sub", "instruction"):
        if not isinstance(row.get(column), str):
            raise InputError(f"{place}: lacks {column!r}; each idea needs sub and instruction")
    instruction = checked_instruction(row["instruction"], f"{place}: instruction")
    name = row.get("name")
    short = storable(name) if isinstance(name, str) and name.strip() else " ".join(instruction.split()[:6])
    return ImportedIdea(checked_sub(template, row["sub"].strip(), place), " ".join(short.split())[:120], instruction)


def _sub_of(inspiration: str, template: Template) -> str | None:
    """The sub-category that an idea without one speaks for most, or None where no cue of the template is in it."""
    folded = fold(inspiration[:_LONGEST_INSPIRATION])
    evidence = scores(folded, 0, find_cues(folded, compile_cues(template)))
    return filed_under(evidence)[0] if evidence else None


def _list_rows(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """The members of a JSON list, each with the line that it begins on."""
    decoder = json.JSONDecoder()
    at = text.index("[") + 1
    line, counted = 1, 0
    while True:
        blank = _BLANK.match(text, at)
        at = blank.end() if blank else at
        line, counted = line + text.count("\n", counted, at), at
        if text[at : at + 1] == "]":
            return
        try:
            row, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", "nested too deeply")
            yield line, f"is not valid JSON ({reason}), and the rest is not read; mend the list"
            return
        yield line, row if isinstance(row, dict) else 'is no JSON object; write {"sub": ..., "instruction": ...}'


def _jsonl_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            yield number, f"is not valid JSON ({getattr(error, 'msg', 'nested too deeply')}); mend the line"
            continue
        yield number, row if isinstance(row, dict) else 'is no JSON object; write {"sub": ..., "instruction": ...}'


def _csv_rows(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    csv.field_size_limit(_LONGEST_CELL)  # a longer one than Python's limit would end the file
    reader = csv.DictReader(io.StringIO(text))
    try:
        columns = reader.fieldnames or []
        if not {"sub", "instruction"} <= set(columns):
            raise InputError(f"{path}:1: the header lacks sub or instruction; first line: sub,name,instruction")
        for row in reader:
            cells = {key: from_csv_cell(one) if isinstance(one, str) else one for key, one in row.items()}
            yield reader.line_num, cells
    except csv.Error as error:
        yield reader.line_num, f"is not valid CSV ({error}); mend the line"
