"""Settings of a study, as a TOML file gives them: methods and seeds over one configuration of a run."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fairnad_engine.errors import InputError
from fairnad_engine.resources import template_file
from fairnad_engine.search.config import RunConfig, load_config, parse_config
from fairnad_engine.search.config_search import METHOD_ALIASES, Method
from fairnad_engine.search.presets import presets

_METHODS: tuple[str, ...] = (*get_args(Method), *METHOD_ALIASES)
_BASES = ("run", "config", "preset")


class StudyConfig(BaseModel):
    """A study as it is stored.

    Attributes:
        name: Its name in the workspace.
        methods: Names of ``[search] method``, or of variants; the first one is compared with each other.
        seeds: Seeds of runs; every method has a run under each.
        run: What all runs have in common; its name, method and seed are set for each cell.
        variants: Further rows by name: settings, in the tables of a run, laid over what is common.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,39}$")
    methods: tuple[str, ...] = Field(min_length=1, max_length=50)
    seeds: tuple[int, ...] = Field(min_length=1, max_length=1000)
    run: dict[str, Any]
    variants: dict[str, dict[str, Any]] = {}

    @field_validator("seeds")
    @classmethod
    def _seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) != len(seeds) or not all(0 <= seed < 2**32 for seed in seeds):
            raise ValueError("must be different whole numbers from 0 to 4294967295")
        return seeds

    @model_validator(mode="after")
    def _rows(self) -> StudyConfig:
        if len(set(self.methods)) != len(self.methods):
            raise ValueError("methods names one twice")
        for name in self.methods:
            if name not in _METHODS and name not in self.variants:
                known = ", ".join((*_METHODS, *self.variants))
                raise ValueError(
                    f"methods: there is no method {name!r}; choose among: {known}, or add [variants.{name}]"
                )
        taken = next((name for name in self.variants if name in _METHODS), None)
        if taken:
            raise ValueError(f"variants: {taken!r} is a method's name; give the variant another")
        return self

    @property
    def dataset(self) -> str:
        """What all runs train on."""
        return self.cell(self.methods[0], self.seeds[0]).data.dataset

    @property
    def trained(self) -> int:
        """Models that each run trains; that of the first where variants differ."""
        return self.cell(self.methods[0], self.seeds[0]).budget.trained

    def with_executor(self, executor: str) -> StudyConfig:
        """The same study with ``[machine] executor`` of all its runs as a command said."""
        return self.model_copy(update={"run": _laid_over(self.run, {"machine": {"executor": executor}})})

    def cells(self) -> list[tuple[str, int]]:
        """Method and seed of every run, seed by seed, so that a study that is stopped early has whole pairs."""
        return [(method, seed) for seed in self.seeds for method in self.methods]

    def cell(self, method: str, seed: int) -> RunConfig:
        """The settings of one run.

        ``method`` sets stages and fairness only where nothing else does, as in a file of its own. Under each seed the
        first method's run trains the scaled seed, which depends on nothing else of a method, for the control row.

        Raises:
            InputError: A setting of a variant does not exist or is not valid.
        """
        document = _laid_over(self.run, self.variants.get(method, {}))
        control = {"control": "search"} if method == self.methods[0] else {}
        search: dict[str, Any] = {**control, **document.get("search", {}), "seed": seed}
        if method in _METHODS:
            search["method"] = method
        document |= {"search": search, "name": f"{self.name} {method}"[:80]}
        return parse_config(document, f"study {self.name}, {method}")


def _laid_over(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Tables are merged, everything else is replaced."""
    merged = dict(base)
    for name, value in over.items():
        old = merged.get(name)
        merged[name] = _laid_over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def load_study(path: Path) -> StudyConfig:
    """Read a study's file.

    What its runs have in common stands in tables under ``[run]``, or in a file (``config = "run.toml"``, found beside
    this one), or in a preset (``preset = "demo"``).

    Raises:
        InputError: The file, or the one it names, cannot be read or is not valid.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name a TOML file with --config FILE") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text; name a TOML file with --config FILE") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: is not valid TOML: {error}") from error
    return parse_study(document, str(path), path.parent)


def parse_study(document: dict[str, Any], source: str, folder: Path) -> StudyConfig:
    """Check a study's settings.

    Seeds go by structure where nothing else is said, so that its runs take over each other's scores. That is written
    into what they have in common here and not where a run starts: a study stored by an earlier version stays as it was.

    Raises:
        InputError: Naming the source, the setting and what it should be.
    """
    document = dict(document)
    given = [name for name in _BASES if name in document]
    if len(given) != 1:
        raise InputError(f"{source}: give what the runs have in common once: [run], config = FILE or preset = NAME")
    common = _common(given[0], document.pop(given[0]), source, folder)
    document["run"] = _laid_over({"search": {"seeds_by": "structure"}}, common)
    try:
        study = StudyConfig.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "study"
        reason = "there is no such setting" if first["type"] == "extra_forbidden" else first["msg"]
        raise InputError(f"{source}: {place}: {reason}") from error
    for method in study.methods:
        study.cell(method, study.seeds[0])
    return study


def _common(kind: str, value: Any, source: str, folder: Path) -> dict[str, Any]:  # noqa: ANN401 - as it came
    """The tables of a run as they were written: what is not in them is left to each cell's method."""
    if kind == "run":
        if not isinstance(value, dict):
            raise InputError(f"{source}: run: must be tables, such as [run.data]")
        parse_config(value, f"{source}: run")
        return value
    if not isinstance(value, str):
        raise InputError(f"{source}: {kind}: must be text")
    if kind == "preset":
        known = [one.name for one in presets()]
        if value not in known:
            raise InputError(f"{source}: preset: there is no {value!r}; choose one of: {', '.join(known)}")
        path = template_file("presets", f"{value}.toml")
    else:
        path = folder / value
    load_config(path)  # says what is wrong with it
    return tomllib.loads(path.read_text("utf-8"))
