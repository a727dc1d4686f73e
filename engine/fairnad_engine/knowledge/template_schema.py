"""The shape of a template file, checked by pydantic before anything is built from it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

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
    """Return the first thing wrong with ``raw`` as ``place: what``, the place told by ids where there are any."""
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
