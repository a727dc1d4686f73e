"""The shape of a template file, checked by pydantic before anything is built from it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from fairnad_engine.knowledge.design_sentences import lowered
from fairnad_engine.knowledge.template import Condition, Level, Main, Sub, Template

Text = Annotated[str, StringConstraints(strip_whitespace=True)]
Filled = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Entry(BaseModel):
    # A misspelt key must be an error: a silently ignored `antonim` would change what a search does.
    model_config = ConfigDict(extra="forbid", frozen=True)


class ConditionEntry(_Entry):
    """One condition of a signature."""

    feature: Filled
    change: Literal["up", "down", "changed"]


class SubEntry(_Entry):
    """A sub-category; an empty definition is left to the template check, which lists all of them at once."""

    id: Filled
    name: Filled
    definition: Text = ""
    examples: list[Filled] = Field(default_factory=list)
    cues: list[Filled] = Field(default_factory=list)
    signature: list[list[ConditionEntry]] = Field(default_factory=list)
    antonym: Filled | None = None
    action: Filled | None = None


class MainEntry(_Entry):
    """A main category."""

    id: Filled
    name: Filled
    definition: Text = ""
    subs: list[SubEntry]


class LevelEntry(_Entry):
    """A level."""

    id: Filled
    name: Filled
    definition: Text = ""
    mains: list[MainEntry]


class TemplateEntry(_Entry):
    """The whole file."""

    version: Filled
    references: list[Filled] = Field(default_factory=list)
    levels: list[LevelEntry]


def first_problem(error: ValidationError, raw: Any) -> str:  # noqa: ANN401 - raw is whatever YAML gave
    """Return the first thing wrong with ``raw`` as ``place: what``, the place told by ids."""
    first = error.errors(include_url=False)[0]
    steps: list[str] = []
    here: Any = raw
    for step in first["loc"]:
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            here = None
        if isinstance(step, int):
            label = here.get("id") if isinstance(here, dict) else None
            steps[-1] += f"[{label or step + 1}]"
        else:
            steps.append(str(step))
    return f"{'.'.join(steps) or 'the file'}: {first['msg'][0].lower()}{first['msg'][1:]}"


def build(entry: TemplateEntry, source: str, digest: str) -> Template:
    """Turn a checked file into the template that the program works with."""
    levels = tuple(
        Level(level.id, level.name, level.definition, tuple(_main(main, level.id) for main in level.mains))
        for level in entry.levels
    )
    return Template(entry.version, tuple(entry.references), levels, source, digest)


def _main(entry: MainEntry, level: str) -> Main:
    subs = tuple(_sub(sub, entry.id) for sub in entry.subs)
    return Main(entry.id, level, entry.name, entry.definition, subs)


def _sub(entry: SubEntry, main: str) -> Sub:
    signature = tuple(tuple(Condition(c.feature, c.change) for c in alternative) for alternative in entry.signature)
    return Sub(
        id=entry.id,
        main=main,
        name=entry.name,
        definition=entry.definition,
        examples=tuple(entry.examples),
        cues=tuple(entry.cues),
        signature=signature,
        antonym=entry.antonym,
        action=entry.action or f"Use {lowered(entry.name)}",
    )
