"""The launch form: its fields, how texts become settings, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, get_args

from fairnad_engine.errors import InputError

Kind = Literal["text", "count", "number", "stages", "switch", "streams", "devices"]
Values = dict[str, str]


def _nothing() -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class Field:
    """One setting of the form.

    Attributes:
        place: Where it stands in the settings, for example ``budget.trained``.
        label: What people call it.
        hint: What it means; stands beside the field while nothing is wrong.
        kind: How its text is read.
        options: What there is to choose from.
        closed: Whether nothing else than an option is possible.
    """

    place: str
    label: str
    hint: str = ""
    kind: Kind = "text"
    options: Callable[[], tuple[str, ...]] = _nothing
    closed: bool = False


def _datasets() -> tuple[str, ...]:
    from fairnad_engine.training.datasets import dataset_names

    return tuple(dataset_names())


def _protocols() -> tuple[str, ...]:
    from fairnad_engine.training.protocol import protocol_names

    return tuple(protocol_names())


def _seeds() -> tuple[str, ...]:
    from fairnad_engine.resources import template_file

    return tuple(sorted(path.stem for path in template_file("backbones").glob("*.py")))


def _values_of_setting(name: str) -> Callable[[], tuple[str, ...]]:
    """What a setting of the search, one of several words, can be."""

    def values() -> tuple[str, ...]:
        from fairnad_engine.search.config_search import SearchSection

        return get_args(SearchSection.model_fields[name].annotation)

    return values


def _switch() -> tuple[str, ...]:
    return ("no", "yes")


def _modes() -> tuple[str, ...]:
    return ("off", "promote")


def _streams() -> tuple[str, ...]:
    return ("auto", "1", "2", "3", "4")


def _devices() -> tuple[str, ...]:
    from fairnad_engine.machine import accelerators

    gpus = tuple(f"cuda:{number}" for number in range(len(accelerators())))
    several = (" ".join(gpus),) if len(gpus) > 1 else ()
    return ("auto", "cpu", *gpus, *several)


def _executors() -> tuple[str, ...]:
    return ("local", "ray", "ray:auto")


def _choice(name: str, label: str, hint: str) -> Field:
    return Field(f"search.{name}", label, hint, options=_values_of_setting(name), closed=True)


def _where_there(*fields: Field) -> tuple[Field, ...]:
    """Those whose setting this version of the search has."""
    from fairnad_engine.search.config_search import SearchSection

    return tuple(one for one in fields if one.place.partition(".")[2] in SearchSection.model_fields)


SECTIONS: tuple[tuple[str, tuple[Field, ...]], ...] = (
    (
        "Run",
        (
            Field("name", "Name", "tells runs apart"),
            Field("model.llm", "Model", "{launch.model} lists what is there"),
            Field("model.lanes", "Lanes", "proposals at a time", "count"),
            Field("model.keep_alive", "Keep alive", "10m; 0 frees the GPU; empty: the server's"),
        ),
    ),
    (
        "Data",
        (
            Field("data.dataset", "Data set", "what backbones are trained on", options=_datasets, closed=True),
            Field("data.protocol", "Protocol", "a name or a .toml file", options=_protocols),
            Field("search.seed_backbone", "Seed backbone", "the start; a name or a .py", options=_seeds),
        ),
    ),
    (
        "Budgets",
        (
            Field("budget.trained", "Trained models", "the run ends at this many", "count"),
            Field("budget.max_params", "Max. parameters", "60k, 1.5M are understood", "count"),
            Field("budget.max_macs", "Max. MACs", "for one image", "count"),
            Field("budget.hours", "Hours of work", "an end too; 0: none", "number"),
            Field("budget.tokens", "Tokens", "an end too; 0: none", "count"),
        ),
    ),
    (
        "Search",
        (
            _choice("method", "Method", "sets mix and fairness"),
            Field("search.stages", "Stage mix", "slots: ideas, scaling, chains", "stages"),
            Field("search.generation_scale", "Generation scale", "times the stage mix", "count"),
            _choice("fairness", "Fairness", "where turns are kept equal"),
            _choice("fair_unit", "Fair unit", "turns, or trained models"),
            Field("search.thompson", "Thompson", "chance of draws by success", "number"),
            _choice("proposals", "Proposals see", "how much of the run"),
            Field("search.refill", "Refill", "give failed slots again", "switch", _switch, True),
            _choice("stage3_counts", "Chains count", "both models, or the last"),
            Field("search.scale_up", "Scale up", "share of Stage II; else a parameter", "number"),
            Field("search.scale_down", "Scale down", "share of Stage II: the cheap end", "number"),
            Field("search.parent_floor", "Parent floor", "points under the seed", "number"),
            _choice("fit", "Over budget", "down and fill by program"),
            Field("search.seed", "Random seed", "equal seeds, equal searches", "count"),
            _choice("latency_objective", "Latency counts", "a fourth objective, if timed"),
            *_where_there(
                Field("search.structural_quota", "Structural quota", "least share of edits", "number"),
                _choice("near_duplicates", "Near duplicates", "strict: refused untrained"),
            ),
        ),
    ),
    (
        "Fidelity",
        (
            Field("fidelity.mode", "Short training", "promote: short first", options=_modes, closed=True),
            Field("fidelity.short_epochs", "Short epochs", "0: a tenth of the schedule", "count"),
        ),
    ),
    (
        "Machine",
        (
            Field("machine.workers", "Trainings at once", "on the CPU; changes no outcome", "count"),
            Field("machine.max_workers_total", "In all runs", "more wait in line; 0: no limit", "count"),
            Field("machine.devices", "Devices", "auto: GPUs, else CPU", "devices", _devices),
            Field("machine.streams", "Streams", "trainings at once on a GPU", "streams", _streams),
            Field("machine.reserve_gib", "Reserved memory", "GiB of each GPU for others", "number"),
            Field("machine.queue", "Wait in line", "while others have the devices", "switch", _switch, True),
            Field("machine.latency_rounds", "Latency rounds", "timed passes; 0 for none", "count"),
            Field("machine.training_deadline", "Training deadline", "seconds for one training", "number"),
            Field("machine.accept_weak_jail", "Accept weak jail", "run code without a layer", "switch", _switch, True),
            Field("machine.executor", "Executor", "local; ray:auto, ray:HOST:PORT", options=_executors),
        ),
    ),
)  # fmt: skip
FIELDS: tuple[Field, ...] = tuple(field for _, fields in SECTIONS for field in fields)
_SIZES = {"k": 10**3, "m": 10**6, "g": 10**9}
_REASONS = {
    "stages": "three whole numbers, 1 to 400 together",
    "count": "a whole number",
    "number": "a number",
    "streams": "auto, or a whole number of 1 to 64",
    "devices": "auto, cpu, or cuda:0 cuda:1 ...",
}


def method_values(method: str) -> Values:
    """What choosing a method sets beside it, as a file does that names nothing else: stage mix and fairness."""
    from fairnad_engine.search.config_search import SearchSection

    chosen = SearchSection.model_validate({"method": method})
    return {"search.stages": " ".join(map(str, chosen.stages)), "search.fairness": chosen.fairness}


def values_of(document: Mapping[str, Any]) -> Values:
    """The fields' texts for settings."""
    from fairnad_engine.search.config import RunConfig
    from fairnad_engine.search.config_machine import LATER

    usual = RunConfig().model_dump(mode="json")  # for settings that a run of an earlier version did not have
    usual["machine"] |= LATER
    return {field.place: _text(field, _value(document, usual, field.place)) for field in FIELDS}


def document_of(base: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """Settings from texts; what the form has no field for stays as in ``base``."""
    document = deepcopy(dict(base))
    for field in FIELDS:
        section, _, name = field.place.rpartition(".")
        target = document.setdefault(section, {}) if section else document
        target[name] = _read(field, values[field.place])
    return document


def problems_of(document: dict[str, Any]) -> dict[str, str]:
    """What is wrong, by the place of the field."""
    from fairnad_engine.llm.models import parse_llm
    from fairnad_engine.search.config import config_problems

    found: dict[str, str] = {}
    for place, reason in config_problems(document).items():
        field = next((f for f in FIELDS if f"{place}.".startswith(f"{f.place}.")), None)
        if field is None:
            # The rules over a whole section: those that there are concern the slots of a generation.
            setting = "generation_scale" if "generation_scale" in reason else "stages"
            field = next(f for f in FIELDS if f.place == f"search.{setting}") if place == "search" else FIELDS[0]
        plainer = "valid" in reason or field.kind in ("stages", "streams", "devices")
        told = _REASONS.get(field.kind) if plainer else None
        if "match pattern" in reason:
            told = "write a time such as 10m, 0, -1, or nothing"
        if "at least 1 character" in reason:
            told = "it is empty; write something"
        found.setdefault(field.place, told or reason.removeprefix("Value error, ").replace("Input", "it"))
    try:
        parse_llm(str(document.get("model", {}).get("llm", "")))
    except InputError as error:
        found.setdefault("model.llm", str(error))
    return found


def reading_of(field: Field, text: str) -> str:
    """How a number was understood, where that is not plain from its text."""
    value = _read(field, text)
    if field.kind != "count" or not isinstance(value, int) or value < 10_000:
        return ""
    return f"{value:,}"


def _read(field: Field, text: str) -> object:
    text = text.strip()
    match field.kind:
        case "count":
            found = re.fullmatch(r"(-?[\d_,]*\d(?:\.\d+)?)\s*([kKmMgG]?)", text)
            if found is None:
                return text
            number = Decimal(found[1].replace(",", "").replace("_", "")) * _SIZES.get(found[2].lower(), 1)
            return int(number) if number == int(number) else text
        case "stages":
            return [int(one) if one.isdigit() else one for one in re.split(r"[\s,/]+", text) if one]
        case "switch":
            return text == "yes"
        case "streams":
            return int(text) if text.isdecimal() else text
        case "devices":
            return text if text == "auto" else [one for one in re.split(r"[\s,]+", text) if one] or text
        case "number":
            try:
                return float(text)
            except ValueError:
                return text
        case _:
            return text


def _text(field: Field, value: object) -> str:
    match field.kind:
        case "switch":
            return "yes" if value else "no"
        case "stages" | "devices" if isinstance(value, (list, tuple)):
            return " ".join(map(str, value))
        case "number" if isinstance(value, (int, float)):
            return f"{value:g}"
        case _:
            return str(value)


def _value(document: Mapping[str, Any], usual: Mapping[str, Any], place: str) -> object:
    section, _, name = place.rpartition(".")
    found: Any = document[section] if section in document else usual[section] if section else document
    return found[name] if name in found or not section else usual[section][name]
