"""What the launch form asks of the workspace and this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fairnad_engine.artifacts import write_atomically
from fairnad_engine.errors import InputError, ModelUnavailableError
from fairnad_engine.places import expanded
from fairnad_engine.search.config import RunConfig
from fairnad_engine.store import Store
from fairnad_engine.store.filesystem import short_advice
from fairnad_engine.store.local_copy import named_copy
from fairnad_screens.actions import key_of

if TYPE_CHECKING:
    from fairnad_engine.training.data.description import DatasetState

OWN_IMAGES = "imagefolder:"


@dataclass(frozen=True)
class LaunchSnapshot:
    """What there is to search with.

    Attributes:
        approved: Approved ideas.
        proposed: Ideas nobody has decided about.
        papers: Papers of the workspace.
        disk: What to know of the file system it lies on; empty for a local one.
    """

    approved: int
    proposed: int
    papers: int
    disk: str = ""


def read_launch(store: Store) -> LaunchSnapshot:
    """Read what the form shows of the workspace."""
    counts = store.ideas.counts()
    disk = "" if named_copy(store.path) else short_advice(store.path)
    return LaunchSnapshot(counts["approved"], counts["proposed"], store.papers.count(), disk)


def ideas_problem(snapshot: LaunchSnapshot, stage_one: int) -> str:
    """What is missing among the ideas, and the key that mends it; empty where nothing is."""
    if snapshot.approved or not stage_one:
        return ""
    if snapshot.proposed:
        return f"none is approved of {snapshot.proposed:,} proposed; {key_of('app.ideas')} opens the curation desk"
    if snapshot.papers:
        return f"none yet; {key_of('app.papers')} opens the papers, structure them first"
    return f"no papers yet; {key_of('app.papers')} opens the papers, add some first"


def dataset_states(config: RunConfig | None) -> dict[str, DatasetState]:
    """Which data sets are here, and where to put those that are not; files are looked for and not read."""
    from fairnad_engine.training.datasets import dataset_names, dataset_state

    # Index files belong to one data set; the others are looked for without them.
    root = config.data.root if config else None
    return {name: dataset_state(name, root=root) for name in dataset_names()}


def device_problem(devices: str, gpus: Sequence[str] | None) -> str:
    """Which of the named devices is not on this machine; empty where all are, or nobody has looked yet."""
    if gpus is None:
        return ""
    there = f"{len(gpus)} GPU{'s' if len(gpus) != 1 else ''}"
    for name in devices.replace(",", " ").split():
        number = name.removeprefix("cuda:")
        if number != name and number.isdecimal() and int(number) >= len(gpus):
            return f"{name} is not there, this machine shows {there}; name others or auto"
    return ""


def create(store: Store, config: RunConfig) -> tuple[str, str]:
    """Store a run and its job; returns their ids.

    Raises:
        FairnadError: Something that the settings name is missing.
    """
    from fairnad_engine.workspace import create_run

    run, job = create_run(store, config)
    return run.id, job.id


def start(store: Store, job_id: str) -> None:
    """Start the detached worker of a job and wait until it holds it.

    Raises:
        StoreError: It does not start.
    """
    from fairnad_engine.workspace import start_worker

    start_worker(store, store.jobs.get(job_id))


def save_toml(path: Path, config: RunConfig) -> Path:
    """Write settings as the file that ``--no-ui --config`` takes.

    Raises:
        InputError: The place cannot be written.
    """
    target = expanded(path)
    try:
        write_atomically(target, config.to_toml().encode())
    except OSError as error:
        raise InputError(f"{target}: {error.strerror}; name another place") from error
    return target


def there(path: Path) -> bool:
    """Whether a file is there already."""
    return expanded(path).exists()


def read_toml(name: str) -> RunConfig:
    """Read a user's settings.

    Raises:
        InputError: The file cannot be read or is not valid.
    """
    from fairnad_engine.search.config import load_config

    return load_config(expanded(name))


def served_models() -> tuple[tuple[str, ...], str]:
    """The models of the Ollama server that this machine is set up for, as ``--llm`` names them, or what is wrong."""
    from fairnad_engine.llm.ollama_server import served_models as listed

    try:
        return tuple(f"ollama:{name}" for name in listed()), ""
    except ModelUnavailableError as error:
        return (), str(error)
