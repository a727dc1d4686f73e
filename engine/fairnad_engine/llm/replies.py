"""What a chat model's replies must look like, and how much of a poor one can still be read.

The bounds are part of the schema that the server holds a model to: without them a small model writes on and on.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model

from fairnad_engine.llm.coercion import fitted
from fairnad_engine.llm.edits import MAX_EDITS
from fairnad_engine.llm.loose_json import values

MAX_CODE = 40_000
MAX_IDEAS = 6
"""Ideas that one reply may hold (one chunk of a paper, one main category)."""

Reply = TypeVar("Reply", bound=BaseModel)

_KEYWORDS = ("type", "enum", "const", "required", "maxItems", "minItems", "minLength", "maxLength")
_THINKING = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_THOUGHT_ENDS = re.compile(r"</(?:think|thinking|thought|thoughts|reasoning)>|\[/THINK\]|<\|end_of_thought\|>")
_FENCE = re.compile(r"```[ \t]*(?:python|py)?[ \t]*\n(.*?)\n[ \t]*```", re.DOTALL | re.IGNORECASE)


def _bounded_code(code: str) -> str:
    # No max_length: servers compile it into a grammar, and refuse or ignore one with so many repetitions.
    if len(code) > MAX_CODE:
        raise ValueError(f"longer than {MAX_CODE} characters")
    return code


class _Reply(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class ScreenReply(_Reply):
    """Whether a paper can inspire a better backbone; the reason first, so that it is one."""

    reason: str = Field(min_length=1, max_length=300)
    relevant: bool


class IdeaItem(_Reply):
    """One idea; the evidence first, so that the rest follows from it."""

    quote: str = Field(min_length=1, max_length=500)
    sub: str = Field(max_length=80)
    name: str = Field(min_length=1, max_length=80)
    instruction: str = Field(min_length=1, max_length=400)


class IdeasReply(_Reply):
    """The ideas of one chunk under one main category, or under those of a level."""

    ideas: list[IdeaItem]


class DesignReply(_Reply):
    """A backbone."""

    change: str = Field(min_length=1, max_length=300)
    code: Annotated[str, Field(min_length=1), AfterValidator(_bounded_code)]


class DerivedIdea(_Reply):
    """The idea that was derived from another one."""

    name: str = Field(min_length=1, max_length=80)
    instruction: str = Field(min_length=1, max_length=400)


class DerivedDesignReply(_Reply):
    """A backbone and the idea that it applies."""

    idea: DerivedIdea
    change: str = Field(min_length=1, max_length=300)
    code: Annotated[str, Field(min_length=1), AfterValidator(_bounded_code)]


class EditItem(_Reply):
    """One passage of a program and what takes its place."""

    search: Annotated[str, Field(min_length=1), AfterValidator(_bounded_code)]
    replace: Annotated[str, AfterValidator(_bounded_code)]


class DiffReply(_Reply):
    """A backbone as edits of the one that was shown."""

    change: str = Field(min_length=1, max_length=300)
    edits: list[EditItem] = Field(min_length=1, max_length=MAX_EDITS)


class DerivedDiffReply(DiffReply):
    """A backbone as edits, and the idea that they apply."""

    idea: DerivedIdea


class PickReply(_Reply):
    """A transformation of the catalogue; the reason first, so that it is one."""

    reason: str = Field(min_length=1, max_length=300)
    transformation: str = Field(min_length=1, max_length=60)
    arguments: BaseModel


def pick_reply(names: Iterable[str], arguments: Iterable[str]) -> type[PickReply]:
    """The reply that picks one of the named transformations.

    The names bind a server's grammar alone: a name that a model makes up all the same is answered with the nearest.
    """
    kinds: dict[str, Any] = {"kind": (str, ""), **dict.fromkeys(("stage", "block"), (int, 0))}
    told: Any = create_model("Arguments", __base__=_Reply, **{one: kinds.get(one, (float, 0.0)) for one in arguments})
    name: Any = Field(min_length=1, max_length=60, json_schema_extra={"enum": list(names)})
    return create_model("Pick", __base__=PickReply, transformation=(str, name), arguments=(told, ...))


@lru_cache(maxsize=64)
def idea_item(sub_ids: tuple[str, ...]) -> type[IdeaItem]:
    """An idea that is filed under one of these sub-categories."""
    # Made at run time, so the types are unknown to a type checker.
    return create_model("Idea", __base__=IdeaItem, sub=(Literal[sub_ids], ...))  # type: ignore[arg-type]


@lru_cache(maxsize=64)
def ideas_reply(sub_ids: tuple[str, ...], most: int = MAX_IDEAS) -> type[IdeasReply]:
    """The reply in which every idea is filed under one of these sub-categories."""
    listed: Any = list[idea_item(sub_ids)]  # type: ignore[misc]
    return create_model("Ideas", __base__=IdeasReply, ideas=(listed, Field(max_length=most)))


def wire_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema as servers understand it: no references, titles or descriptions."""
    whole = schema.model_json_schema()
    definitions: Mapping[str, Any] = whole.get("$defs", {})

    def plain(node: Mapping[str, Any]) -> dict[str, Any]:
        if "$ref" in node:
            return plain(definitions[node["$ref"].rsplit("/", 1)[-1]])
        kept: dict[str, Any] = {key: node[key] for key in _KEYWORDS if key in node}
        if "items" in node:
            kept["items"] = plain(node["items"])
        if "properties" in node:
            kept["properties"] = {name: plain(child) for name, child in node["properties"].items()}
        return kept

    return plain(whole)


def read(text: str, schema: type[Reply]) -> Reply | None:
    """Return a reply that is valid as it stands, or None."""
    try:
        return schema.model_validate_json(text)
    except (ValidationError, RecursionError):
        return None


def read_tolerantly(text: str, schema: type[Reply]) -> tuple[Reply | None, str]:
    """Return the first JSON object in a reply that is valid, or None and what is wrong with the first one.

    A model that was not held to the schema thinks aloud first, wraps its answer in a sentence or a fence, writes Python
    for JSON, or gives a word where a truth value is wanted. An object that is valid as it stands comes before one that
    has to be brought to the form (:mod:`fairnad_engine.llm.coercion`).
    """
    found = list(values(spoken(text)))
    told = [one for one in found if isinstance(one, dict)]
    lists = [one for one in found if one and isinstance(one, list)]
    problem = "the reply holds no complete JSON object" if text.strip() else "the reply is empty"
    for number, candidate in enumerate(told):
        try:
            return schema.model_validate(candidate), ""
        except ValidationError as error:
            problem = problem if number else _problem(error)
    form = wire_schema(schema)
    for near in (fitted(one, form) for one in (*told, *lists)):
        try:
            return schema.model_validate(near), ""
        except ValidationError:
            continue
    return None, problem


def spoken(text: str) -> str:
    """A reply without the thoughts before it, in which there may be drafts that are not meant."""
    if re.match(r"\s*(?:[{`]|\[(?!THINK\]))", text):
        return text  # it begins with the answer; what looks like a thought's end is a part of it
    ends = list(_THOUGHT_ENDS.finditer(text))
    return text[ends[-1].end() :] if ends else text


def near_reply(found: dict[str, Any], schema: type[Reply]) -> Reply | None:
    """A found object as a reply, brought to the form where its meaning is plain; else None."""
    for candidate in (found, fitted(found, wire_schema(schema))):
        try:
            return schema.model_validate(candidate)
        except ValidationError:
            continue
    return None


def objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield every complete JSON object in a reply after its thoughts, outer ones before those inside them."""
    return (one for one in values(spoken(text)) if isinstance(one, dict))


def fenced_program(text: str) -> tuple[str, str] | None:
    """Return the longest fenced program with a ``Backbone`` in a reply and the line before it, or None."""
    fences = [match for match in _FENCE.finditer(text) if "class Backbone" in match[1]]
    if not fences:
        return None
    longest = max(fences, key=lambda match: len(match[1]))
    before = [line.strip() for line in _THINKING.sub("", text[: longest.start()]).splitlines() if line.strip()]
    return longest[1], before[-1] if before else ""


def source_of(code: str) -> str:
    """The program in a reply's ``code``, without a fence around it and with real line ends."""
    fence = _FENCE.search(code)
    program = fence[1] if fence else code
    if "\n" not in program and "\\n" in program:
        # Line ends that were escaped twice would make the whole program one line.
        program = program.replace("\\n", "\n").replace("\\t", "    ").replace('\\"', '"')
    return program.replace("\r\n", "\n").strip("\n") + "\n"


def plain_line(text: str, limit: int) -> str:
    """One bounded line without anything invisible: how text of a model enters the library."""
    visible = "".join(
        " " if character.isspace() or unicodedata.category(character) == "Cc" else character
        for character in text
        if unicodedata.category(character) not in ("Cf", "Cs", "Co", "Cn")
    )
    line = " ".join(visible.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the reply"
    return plain_line(f"{place}: {first['msg']}", 200)
