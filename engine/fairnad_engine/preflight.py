"""What must be there before a search can start, found out before anything is written.

The command stops at the first thing that is missing; the launch form lists them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fairnad_engine.errors import FairnadError, InputError
from fairnad_engine.search.config import RunConfig


@dataclass(frozen=True)
class Check:
    """One thing that a search needs.

    Attributes:
        name: What is needed, in one or two words.
        problem: What is wrong and how to mend it; empty where it is there.
        detail: What was found, where there is something to say.
    """

    name: str
    problem: str = ""
    detail: str = ""

    @property
    def ready(self) -> bool:
        """Whether it is there."""
        return not self.problem


def check_before_start(settings: RunConfig, *, asks_model: bool = True) -> None:
    """Find out what is missing before anything is written.

    Args:
        settings: The settings of the run.
        asks_model: Whether it asks its model at all; a replay does not.

    Raises:
        InputError: A setting names something that does not exist.
        ModelUnavailableError: The model is not there.
        JailError: The jail lacks a layer.
    """
    for name, look in _needs(settings):
        if asks_model or name != "model":
            look(settings)
    _check_devices(settings)


def _check_devices(settings: RunConfig) -> str:
    """See that every GPU that is named is there, or the cluster, and say so; nothing where none is named."""
    from fairnad_engine.training.devices import check_on_cluster, choose_devices
    from fairnad_engine.training.ray_cluster import address_of, check_reachable

    machine = settings.machine
    if machine.executor != "local":
        check_on_cluster(machine.devices)
        check_reachable(machine.executor)
        where = address_of(machine.executor) or "one of the run's own, on this machine"
        return f"{where}; the forecast knows the devices of this machine alone"
    if machine.devices != "auto" and any(name != "cpu" for name in machine.devices):
        choose_devices(machine.devices, workers=machine.workers)
        return ", ".join(machine.devices)
    return ""


def checks(settings: RunConfig) -> tuple[Check, ...]:
    """Try everything a search needs; takes seconds where a model server is asked or the jail is tried first."""
    found = [_try(name, look, settings) for name, look in _needs(settings)]
    devices = _try("devices" if settings.machine.executor == "local" else "cluster", _check_devices, settings)
    if devices.problem or devices.detail:
        found.append(devices)
    return tuple(found)


def disk_check(store: Path) -> Check:
    """What the workspace's disk is like; a network file system is no hindrance, and is said."""
    from fairnad_engine.store.filesystem import advice, file_system
    from fairnad_engine.store.local_copy import named_copy

    if copy := named_copy(store):
        kind = file_system(copy.folder).kind
        return Check("workspace disk", detail=f"worked on in {copy.file} ({kind}), snapshots go to {store}")
    return Check("workspace disk", detail=advice(store) or file_system(store.parent).kind)


def _needs(settings: RunConfig) -> tuple[tuple[str, Callable[[RunConfig], str]], ...]:
    """What these settings need; index files only where they ask for them."""
    return tuple(one for one in _CHECKS if one[0] != _INDEX_FILES or settings.data.splits is not None)


def _try(name: str, look: Callable[[RunConfig], str], settings: RunConfig) -> Check:
    try:
        return Check(name, detail=look(settings))
    except FairnadError as error:
        return Check(name, problem=str(error))


def _model(settings: RunConfig) -> str:
    from fairnad_engine.llm.models import check_llm

    rules_alone = settings.model.llm == "rules" or settings.model.edit_format == "catalogue"
    if settings.search.method == "llm-no-idea" and rules_alone:
        raise InputError(
            "search.method: llm-no-idea asks a language model for a change of its own; name one with --llm "
            "ollama:MODEL, and edit_format whole or diff"
        )
    return check_llm(settings.model.llm).name


def _data(settings: RunConfig) -> str:
    from fairnad_engine.training.datasets import dataset_state, splits_problem

    data = settings.data
    apart = bool(splits_problem(data.dataset, data.splits))  # index files are a need of their own
    state = dataset_state(data.dataset, **{**data.location(), **({"splits": None} if apart else {})})
    if not state.found:
        raise InputError(state.why)
    return f"{data.dataset}, without its index files" if apart else state.detail


def _index_files(settings: RunConfig) -> str:
    from fairnad_engine.training.datasets import splits_problem

    if problem := splits_problem(settings.data.dataset, settings.data.splits):
        raise InputError(problem)
    return "NAS-Bench-201's"


def _protocol(settings: RunConfig) -> str:
    from fairnad_engine.search.fidelity import check_short_epochs
    from fairnad_engine.training.protocol import load_protocol

    protocol = load_protocol(settings.data.protocol)
    check_short_epochs(settings.fidelity.mode, settings.fidelity.short_epochs, protocol)
    return f"{protocol.name}: {protocol.epochs} epochs, batch {protocol.batch_size}"


def _seed_backbone(settings: RunConfig) -> str:
    from fairnad_engine.workspace import seed_backbone_source

    seed_backbone_source(settings.search.seed_backbone)
    return settings.search.seed_backbone


def _jail(settings: RunConfig) -> str:
    from fairnad_engine.backbone.jail.probe import ensure_minimum

    ensure_minimum(settings.machine.accept_weak_jail)
    return "weak jail accepted" if settings.machine.accept_weak_jail else "every layer that it needs is live"


_INDEX_FILES = "index files"
_CHECKS: tuple[tuple[str, Callable[[RunConfig], str]], ...] = (
    ("model", _model),
    ("data set", _data),
    (_INDEX_FILES, _index_files),
    ("protocol", _protocol),
    ("seed backbone", _seed_backbone),
    ("jail", _jail),
)
