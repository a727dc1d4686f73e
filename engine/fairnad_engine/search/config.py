"""Settings of a run, as a TOML file gives them and as a run freezes them.

Names and defaults follow the method; where the paper and this program differ, the paper's form is a value.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from fairnad_engine.errors import InputError
from fairnad_engine.llm.edits import EditFormat, EditSettings
from fairnad_engine.llm.models import hosts_named
from fairnad_engine.llm.ollama_server import Timeouts
from fairnad_engine.llm.patience import RETRY_SECONDS
from fairnad_engine.llm.secrets import refuse_secrets
from fairnad_engine.llm.tokens import LARGEST_CONTEXT
from fairnad_engine.on_finish import split_command
from fairnad_engine.search.config_search import SearchSection, Section
from fairnad_engine.training.data.folder_settings import ImageFolderSettings
from fairnad_engine.training.ray_cluster import check_executor

_OF_THE_SERVER = {"lanes", "keep_alive", "first_token_seconds", "stall_seconds", "retry_seconds", "wait_hours"}
"""Settings of ``[model]`` that change nothing of what it says."""
_NO_OUTCOME: dict[str, Any] = {"name": True, "machine": True, "model": _OF_THE_SERVER, "papers": {"max_tokens"}}
"""What may differ between runs that come to the same."""


_LANES, _MOST_LANES = 2, 64


def lanes_for(llm: str) -> int:
    """Requests at a time where no number is given: no server that is named stands idle."""
    return min(_MOST_LANES, max(_LANES, hosts_named(llm)))


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


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


class ModelSection(Section):
    """Which language model reads papers and designs backbones; always named, never guessed.

    Attributes:
        llm: The model.
        lanes: Requests at a time; where it is not given, two, or one for each server that ``llm`` names.
        edit_format: How a chat model gives a design: ``whole`` programs (the paper's form), ``diff``: search and
            replace, ``catalogue``: it picks a transformation and its parameters, and the program applies it.
        max_source: Longest program that is shown to the model or accepted from it, in characters.
        max_reply: Longest reply with a design, in tokens.
        keep_alive: How long an Ollama server keeps the model loaded after an answer, such as ``10m``: ``0`` hands its
            memory back to trainings at once, ``-1`` keeps it for ever; empty for the server's own setting.
        max_context: Largest context that a model is loaded with, in tokens; a longer prompt is split, or refused.
        first_token_seconds: How long the first piece of an answer may take: a cold model is loaded first.
        stall_seconds: How long each further piece may take before the answer is given up and asked for again.
        retry_seconds: How long a server that fails is waited for before the job ends; 0 for no further try.
        wait_hours: How long the job then waits for a server where nothing answers at all: over a night by
            default, since whoever can start it may be asleep. 0 ends the job at once, as ``retry_seconds = 0`` does.
    """

    llm: str = "ollama:qwen3:8b"
    lanes: int = Field(default=_LANES, ge=1, le=_MOST_LANES)
    edit_format: EditFormat = "whole"
    max_source: int = Field(default=40_000, ge=500, le=40_000)
    max_reply: int = Field(default=8192, ge=128, le=32_768)
    keep_alive: str = Field(default="", pattern=r"^(-?\d+|\d+(ms|s|m|h))?$", max_length=12)
    max_context: int = Field(default=LARGEST_CONTEXT, ge=1024, le=1_048_576)
    first_token_seconds: float = Field(default=600.0, ge=1, le=86_400)
    stall_seconds: float = Field(default=60.0, ge=1, le=86_400)
    retry_seconds: float = Field(default=RETRY_SECONDS, ge=0, le=86_400)
    wait_hours: float = Field(default=12.0, ge=0, le=1000)

    @model_validator(mode="before")
    @classmethod
    def _a_lane_for_each_server(cls, given: Any) -> Any:  # noqa: ANN401 - whatever a file holds
        if isinstance(given, dict) and "lanes" not in given and isinstance(given.get("llm"), str):
            return {**given, "lanes": lanes_for(given["llm"])}
        return given

    @field_validator("llm")
    @classmethod
    def _no_secret(cls, llm: str) -> str:
        try:
            return refuse_secrets(llm, "the address")
        except InputError as error:
            raise ValueError(str(error)) from None

    @property
    def timeouts(self) -> Timeouts:
        """How long a server is waited for, as the models take it."""
        return Timeouts(
            first=self.first_token_seconds,
            silence=self.stall_seconds,
            retry=self.retry_seconds,
            away=self.wait_hours * 3600 if self.retry_seconds else 0.0,
        )

    @property
    def edits(self) -> EditSettings:
        """How designs are given, as the designer takes it."""
        return EditSettings(self.edit_format, self.max_source, self.max_reply)

    def settings(self) -> dict[str, Any]:
        """What decides of a design besides the model: only what is not at its default."""
        dumped = self.model_dump(mode="json", exclude={"llm", *_OF_THE_SERVER})
        return {name: value for name, value in dumped.items() if value != type(self).model_fields[name].default}


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


_LATER = {"executor": "local", "verify_on": "worker"}
"""Settings of ``[machine]`` that are written only where they are not at their default."""
DeviceName = Annotated[str, Field(pattern=r"^(cpu|cuda:\d{1,3})$")]


class MachineSection(Section):
    """How a run uses this machine; changes nothing of its outcome on the CPU.

    On a GPU scores depend on its kernels and on ``precision`` by rounding, so they are those of that kind of device.

    Attributes:
        workers: Trainings at a time on the CPU, one thread each.
        devices: ``auto`` (every visible GPU, or the CPU where there is none) or names: ``cpu``, ``cuda:0`` ...
        streams: Trainings at a time on each GPU; ``auto`` finds how many fit and pay.
        queue: Whether a run waits in line while others have its devices; otherwise it ends at once.
        max_workers_total: Trainings at a time on this machine's CPU, all runs of the workspace together, beyond which
            this run waits; 0 for any number.
        reserve_gib: GiB kept free on each GPU, for a model server.
        precision: ``fp32`` (strict: no TF32) or ``bf16`` (autocast); on the CPU always ``fp32``.
        checkpoint_seconds: Seconds between two checkpoints of an unfinished training; 0 writes one after each epoch.
        latency_rounds: Timed passes of the trained network at batch 1 and 256, as a further cost; 0 for none.
        training_deadline: Seconds after which one training is given up.
        accept_weak_jail: Run model-written code although a layer of the jail is missing.
        on_finish: Command that is run when a job ends, without a shell; empty for none.
        executor: ``local``, or a Ray cluster: ``ray`` (that of ``$RAY_ADDRESS``, else one on this machine alone),
            ``ray:auto`` (of which this machine is a node) or ``ray:HOST:PORT``. There ``workers`` is the most trainings
            at a time on CPUs, ``devices`` is ``auto`` or ``cpu``, and ``streams = "auto"`` is the paper's two on a GPU.
        verify_on: ``worker``, or ``ray``: where a cluster trains, model-written code runs in jails on its nodes too.
    """

    workers: int = Field(default=2, ge=1, le=256)
    devices: Literal["auto"] | tuple[DeviceName, ...] = "auto"
    streams: Literal["auto"] | Annotated[int, Field(ge=1, le=64)] = "auto"
    queue: bool = True
    max_workers_total: int = Field(default=0, ge=0, le=4096)
    reserve_gib: float = Field(default=0.0, ge=0, le=1000)
    precision: Literal["fp32", "bf16"] = "fp32"
    checkpoint_seconds: float = Field(default=60.0, ge=0)
    latency_rounds: int = Field(default=0, ge=0, le=10_000)
    training_deadline: float = Field(default=3600.0, gt=0)
    accept_weak_jail: bool = False
    on_finish: str = Field(default="", max_length=4000)
    executor: Annotated[str, Field(max_length=300), AfterValidator(check_executor)] = "local"
    verify_on: Literal["worker", "ray"] = "worker"

    @model_serializer(mode="wrap")
    def _without_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what is newer than stored runs and says nothing."""
        dumped: dict[str, Any] = dump(self)
        return {name: value for name, value in dumped.items() if _LATER.get(name) != value}

    @field_validator("on_finish")
    @classmethod
    def _a_command(cls, command: str) -> str:
        split_command(command)
        return command


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
