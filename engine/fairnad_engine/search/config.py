"""Settings of a run, as a TOML file gives them and as a run freezes them.

Names and defaults follow the method; where the paper and this program differ, the paper's form is a value.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import (
    Field,
    ValidationError,
    model_validator,
)

from fairnad_engine.errors import InputError
from fairnad_engine.places import expanded
from fairnad_engine.search.config_machine import MachineSection
from fairnad_engine.search.config_model import OF_THE_SERVER, ModelSection
from fairnad_engine.search.config_search import SearchSection, Section
from fairnad_engine.training.data.folder_settings import ImageFolderSettings

_NO_OUTCOME: dict[str, Any] = {"name": True, "machine": True, "model": OF_THE_SERVER, "papers": {"max_tokens"}}
"""What may differ between runs that come to the same."""


def _absolute(path: str) -> str:
    return str(expanded(path).absolute())


class PapersSection(Section):
    """Where papers come from.

    Attributes:
        sources: Files or folders; ``samples`` names the digests that ship with the program.
        reread: Whether papers that were structured otherwise (by another model or other weights of it, with an earlier
            template or earlier prompts) are read again; ``all`` reads every paper.
        ask_by: Ideas of a piece of a paper are asked for by ``main`` category (the method's form), 15 calls, or by
            ``level``, 3 longer ones.
        max_tokens: A structuring job begins no further paper when its calls took this many tokens; 0 for no bound.
    """

    sources: tuple[str, ...] = ()
    reread: Literal["all"] | bool = True
    ask_by: Literal["main", "level"] = "main"
    max_tokens: int = Field(default=0, ge=0)


class CurationSection(Section):
    """How an unattended run decides about ideas.

    Attributes:
        policy: ``grounded`` approves ideas whose quote is in the paper; ``grounded-unique`` of near-duplicates one;
            ``none`` leaves decisions to people.
        imported: What becomes of imported and hand-written ideas that nobody has decided about: ``keep`` leaves them to
            people, ``approve`` approves them, with ``policy:imported`` as the decider.
    """

    policy: Literal["grounded", "grounded-unique", "none"] = "grounded"
    imported: Literal["keep", "approve"] = "keep"


class DataSection(Section):
    """What backbones are trained on.

    Attributes:
        dataset: Name of a data set, or ``imagefolder:PATH`` for own images.
        protocol: Name of a protocol, or path of a ``.toml`` file.
        root: Folder of data sets; where not given, ``$FAIRNAD_DATA``, else ``~/.cache/fairnad-tui/data``.
        splits: Folder with NAS-Bench-201's index files; where not given, splits are drawn with a fixed seed.
        imagefolder: How own images are read.
    """

    dataset: str = "digits"
    protocol: str = "digits"
    root: str | None = None
    splits: str | None = None
    imagefolder: ImageFolderSettings | None = None

    def location(self) -> dict[str, Any]:
        """Where and how the data set is read: the keywords of the functions of ``training.datasets``."""
        return self.model_dump(mode="json", exclude={"dataset", "protocol"})

    def resolved(self) -> DataSection:
        """The same places as absolute paths, which hold wherever a run is taken up again."""
        kind, colon, path = self.dataset.partition(":")
        changes: dict[str, Any] = {"dataset": kind + colon + _absolute(path) if path else self.dataset}
        changes |= {name: _absolute(value) for name in ("root", "splits") if (value := getattr(self, name))}
        if self.imagefolder and self.imagefolder.test_folder:
            test = _absolute(self.imagefolder.test_folder)
            changes["imagefolder"] = self.imagefolder.model_copy(update={"test_folder": test})
        return self.model_copy(update=changes)


class BudgetSection(Section):
    """What a backbone may cost and how many are trained.

    Attributes:
        trained: Models to train; the run stops at exactly this many.
        max_params: Largest number of parameters.
        max_macs: Most multiply-accumulates for one image.
        hours: Hours of work (asking the model, verifying, training, summed over processes) at which the run ends; 0:
            no such end. Two runs do not work equally long: only without it are equal runs promised.
        tokens: Tokens, read and written, at which the run ends; 0: no such end.
    """

    trained: int = Field(default=100, ge=1, le=100_000)
    max_params: int = Field(default=1_500_000, ge=100)
    max_macs: int = Field(default=200_000_000, ge=1_000)
    hours: float = Field(default=0.0, ge=0)
    tokens: int = Field(default=0, ge=0)

    def settings(self) -> dict[str, Any]:
        """As a run's digest takes them: an end that is not set does not appear."""
        dumped = self.model_dump(mode="json")
        return {name: value for name, value in dumped.items() if value or name not in ("hours", "tokens")}


class FidelitySection(Section):
    """Whether every model is trained in full (the paper's form), or first over a short schedule.

    Attributes:
        mode: ``off``, or ``promote``: short schedule first, full training unless confidently dominated.
        short_epochs: Epochs of the short schedule, with its own cosine to zero; 0: a tenth of the protocol's.
        confidence: One-sided, of the upper bound of the accuracy that full training is expected to give.
        last_confidence: The same when the budget is spent: what is not dominated by then is trained in full after all.
        tolerance: Standard errors of accuracy that a stopped model may be better than what dominates it.
        warm_up: Models trained under both schedules before any is stopped.
        window: A decision reads the units this many places earlier and before; no more trainings run at a time.
    """

    mode: Literal["off", "promote"] = "off"
    short_epochs: int = Field(default=0, ge=0, le=10_000)
    confidence: float = Field(default=0.8, ge=0.5, lt=1)
    last_confidence: float = Field(default=0.8, ge=0.5, lt=1)
    tolerance: float = Field(default=0.5, ge=-5, le=5)
    warm_up: int = Field(default=2, ge=1, le=1000)
    window: int = Field(default=4, ge=1, le=400)


class RunConfig(Section):
    """All sections of a configuration file."""

    name: str = Field(default="search", min_length=1, max_length=80)
    papers: PapersSection = PapersSection()
    model: ModelSection = ModelSection()
    curation: CurationSection = CurationSection()
    data: DataSection = DataSection()
    budget: BudgetSection = BudgetSection()
    search: SearchSection = SearchSection()
    fidelity: FidelitySection = FidelitySection()
    machine: MachineSection = MachineSection()

    @model_validator(mode="after")
    def _latency_can_be_an_objective(self) -> RunConfig:
        if self.search.latency_objective == "off":
            return self
        if not self.machine.latency_rounds:
            raise ValueError("search.latency_objective: needs timed passes; set machine.latency_rounds, to 50 say")
        if self.fidelity.mode != "off":
            raise ValueError(
                'search.latency_objective: cannot be used with fidelity.mode = "promote", where a short training stops '
                "what is dominated without regard to latency; choose one of them"
            )
        return self

    def outcome_settings(self) -> dict[str, Any]:
        """The settings that decide a run's outcome; the rest may differ between equal runs."""
        settings = self.model_dump(mode="json", exclude=_NO_OUTCOME)
        settings["data"] = self.data.resolved().model_dump(mode="json")
        model = {"llm": self.model.llm, **self.model.settings()}
        settings |= {"budget": self.budget.settings(), "search": self.search.settings(), "model": model}
        if self.fidelity.mode == "off":
            settings["fidelity"] = {"mode": "off"}  # the others then mean nothing
        return settings

    def digest_settings(self) -> dict[str, Any]:
        """The settings of the search as the run digest takes them: no path, no server, nothing of a machine.

        What papers, curation, model, protocol and seed backbone came to stands in the digest by its own content.
        """
        search = {name: value for name, value in self.search.settings().items() if name != "seed_backbone"}
        dataset = self.data.dataset.partition(":")[0]
        settings = {"budget": self.budget.settings(), "dataset": dataset, "search": search}
        if self.model.settings():
            settings["model"] = self.model.settings()
        if self.fidelity.mode != "off":
            settings["fidelity"] = self.fidelity.model_dump(mode="json")
        return settings

    def to_toml(self) -> str:
        """The settings as the file that :func:`load_config` reads."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def without_commands(settings: Any) -> Any:  # noqa: ANN401 - settings as they were stored
    """Settings without the user's own commands, which may hold a key: as they go elsewhere."""
    if isinstance(settings, dict):
        return {name: "" if name == "on_finish" else without_commands(value) for name, value in settings.items()}
    return settings


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
        place = ".".join(str(part) for part in one["loc"])
        reason = "there is no such setting" if one["type"] == "extra_forbidden" else one["msg"]
        if not place:  # a check across sections, whose message begins with the place
            place, _, reason = reason.removeprefix("Value error, ").partition(": ")
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
