"""Settings of a run, as a TOML file gives them and as a run freezes them.

Names and defaults follow the method; where the paper and this program differ, the paper's form is a value.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fairnad_engine.errors import InputError

Fairness = Literal["main+sub", "level+main+sub", "main", "sub", "none"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PapersSection(_Section):
    """Where papers come from.

    Attributes:
        sources: Files or folders; ``samples`` names the digests that ship with the program.
        reread: Whether papers that another model or an earlier template structured are read again.
    """

    sources: tuple[str, ...] = ()
    reread: bool = True


class CurationSection(_Section):
    """How an unattended run decides about ideas.

    Attributes:
        policy: ``grounded`` approves ideas whose quote is in the paper; ``none`` leaves decisions to people.
    """

    policy: Literal["grounded", "none"] = "grounded"


class ModelSection(_Section):
    """Which language model reads papers and designs backbones; always named, never guessed."""

    llm: str = "ollama:qwen3:8b"
    lanes: int = Field(default=2, ge=1, le=64)


class DataSection(_Section):
    """What backbones are trained on."""

    dataset: str = "digits"
    protocol: str = "digits"


class BudgetSection(_Section):
    """What a backbone may cost and how many are trained.

    Attributes:
        trained: Models to train; the run stops at exactly this many.
        max_params: Largest number of parameters.
        max_macs: Most multiply-accumulates for one image.
    """

    trained: int = Field(default=100, ge=1, le=100_000)
    max_params: int = Field(default=1_500_000, ge=100)
    max_macs: int = Field(default=200_000_000, ge=1_000)


class SearchSection(_Section):
    """The search itself (method, sections 3 and 4).

    Attributes:
        seed: Seed of every random choice.
        seed_backbone: Name of a shipped seed, or path of a Python file.
        stages: Slots of Stage I, II and III in a generation.
        fairness: On which levels of the template turns are kept equal; ``none`` draws uniformly over ideas.
        parent_floor: Points below the seed's accuracy under which a model is no parent in Stage II.
        fit: How a child over budget is narrowed.
    """

    seed: int = Field(default=0, ge=0, lt=2**32)
    seed_backbone: str = "resnet32"
    stages: tuple[int, int, int] = (8, 8, 4)
    fairness: Fairness = "main+sub"
    parent_floor: float = Field(default=2.0, ge=0)
    fit: Literal["down", "llm"] = "down"

    @model_validator(mode="after")
    def _some_slots(self) -> SearchSection:
        if min(self.stages) < 0 or not 1 <= sum(self.stages) <= 400:
            raise ValueError("stages needs three numbers of slots, 1 to 400 together")
        return self


class MachineSection(_Section):
    """How a run uses this machine; changes nothing of its outcome.

    Attributes:
        workers: Trainings at a time.
        training_deadline: Seconds after which one training is given up.
        accept_weak_jail: Run model-written code although a layer of the jail is missing.
    """

    workers: int = Field(default=2, ge=1, le=256)
    training_deadline: float = Field(default=3600.0, gt=0)
    accept_weak_jail: bool = False


class RunConfig(_Section):
    """All sections of a configuration file."""

    name: str = Field(default="search", min_length=1, max_length=80)
    papers: PapersSection = PapersSection()
    model: ModelSection = ModelSection()
    curation: CurationSection = CurationSection()
    data: DataSection = DataSection()
    budget: BudgetSection = BudgetSection()
    search: SearchSection = SearchSection()
    machine: MachineSection = MachineSection()

    def outcome_settings(self) -> dict[str, Any]:
        """The settings that decide a run's outcome; the rest may differ between equal runs."""
        return self.model_dump(mode="json", exclude={"name": True, "machine": True, "model": {"lanes"}})

    def digest_settings(self) -> dict[str, Any]:
        """The settings of the search as the run digest takes them: no path, no server, nothing of a machine.

        What papers, curation, model, protocol and seed backbone came to stands in the digest by its own content.
        """
        search = self.search.model_dump(mode="json", exclude={"seed_backbone"})
        return {"budget": self.budget.model_dump(mode="json"), "dataset": self.data.dataset, "search": search}

    def to_toml(self) -> str:
        """The settings as the file that :func:`load_config` reads."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def parse_config(document: dict[str, Any], source: str) -> RunConfig:
    """Check settings.

    Raises:
        InputError: Naming the source, the setting and what it should be.
    """
    try:
        return RunConfig.model_validate(document)
    except ValidationError as error:
        place, reason = next(iter(_problems(error).items()))
        raise InputError(f"{source}: {place}: {reason}") from error


def config_problems(document: dict[str, Any]) -> dict[str, str]:
    """Everything that is wrong with settings: the place, such as ``budget.trained``, and what it should be."""
    try:
        RunConfig.model_validate(document)
    except ValidationError as error:
        return _problems(error)
    return {}


def _problems(error: ValidationError) -> dict[str, str]:
    problems: dict[str, str] = {}
    for one in error.errors():
        place = ".".join(str(part) for part in one["loc"]) or "file"
        reason = "there is no such setting" if one["type"] == "extra_forbidden" else one["msg"]
        problems.setdefault(place, reason)
    return problems


def load_config(path: Path) -> RunConfig:
    """Read a configuration file.

    Raises:
        InputError: The file cannot be read or is not valid.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name a TOML file with --config FILE") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text; name a TOML file with --config FILE") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: is not valid TOML: {error}") from error
    return parse_config(document, str(path))
