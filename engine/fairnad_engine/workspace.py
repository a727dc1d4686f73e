"""Jobs as users start them: what is frozen when one begins, and the process that carries it out.

A long job is a detached process of its own (``python -m fairnad_engine.worker``); the command and the screens only
write rows and look on.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from fairnad_engine.errors import InputError, StoreError
from fairnad_engine.knowledge.paper_streams import stream_path
from fairnad_engine.knowledge.template import Template
from fairnad_engine.resources import data_folder, template_file
from fairnad_engine.search.config import CurationSection, RunConfig, load_config
from fairnad_engine.store import Store
from fairnad_engine.store.records import JobRow, Row, RunRow

_PACKAGES = (
    "fairnad-tui",
    "torch",
    "torchvision",
    "numpy",
    "pymoo",
    "scikit-learn",
    "safetensors",
    "sqlite-utils",
)
SIMULATED = "SIMULATED trainings"
_START_SECONDS = 60.0
_FROZEN = ("config", "template_version", "model", "model_digest", "dataset_digest", "protocol_digest", "seed")
_DRAWN_FROM = ("ideas", "briefs", "briefs-again")  # events: the approved ideas, and the drawn ones as they read


def template_of(store: Store) -> tuple[Template, int]:
    """The workspace's attribute template and its version; a new workspace gets the one that ships."""
    newest = store.templates.newest()
    if newest is None:
        text = template_file("attributes.yaml").read_text("utf-8")
        template = Template.parse(text, "attributes.yaml")
        return template, store.templates.save(template, text, "as shipped")
    return Template.parse(store.templates.source(newest[0]), f"template version {newest[0]}"), newest[0]


def seed_backbone_source(name: str) -> str:
    """The source of a shipped seed by name, or of a user's own by path.

    Raises:
        InputError: There is no such seed, or the file cannot be read.
    """
    path = Path(name) if name.endswith(".py") else template_file("backbones", f"{name}.py")
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(sorted(p.stem for p in template_file("backbones").glob("*.py")))
        raise InputError(
            f"seed backbone {name!r} cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8 text'}); "
            f"give a Python file, or one of: {known}"
        ) from error


def paper_sources(config: RunConfig) -> list[str]:
    """The configured paper sources; ``samples`` stands for the digests that ship with the program."""
    return [str(data_folder("sample_papers")) if one == "samples" else one for one in config.papers.sources]


def create_structure_job(store: Store, config: RunConfig) -> JobRow:
    """Store a job that screens and structures the papers not yet structured."""
    return store.jobs.create("structure", config.model_dump(mode="json"), None)


def prepare_demo(store: Store) -> JobRow:
    """Add the sample papers and start structuring them with the built-in rules; decisions are left to the user."""
    from fairnad_engine.knowledge.structuring import add_papers

    demo = load_config(template_file("presets", "demo.toml"))
    add_papers(store, paper_sources(demo))
    settings = demo.model_copy(update={"curation": CurationSection(policy="none")})
    job = create_structure_job(store, settings)
    start_worker(store, job)
    return job


def create_replay(store: Store, run_id: str) -> tuple[RunRow, JobRow]:
    """Store a run that begins where a recorded one began, and takes its model's replies instead of asking.

    Settings, template, seed backbone, protocol and the ideas of each generation are the recorded ones, whatever became
    of them since.

    Raises:
        InputError: There is no such run, it recorded no replies, or its data set is another one now.
    """
    from fairnad_engine.search.recorded import replay_designer
    from fairnad_engine.training.datasets import split_digest

    run = store.runs.get(run_id)
    config = RunConfig.model_validate(run.config)
    source = store.templates.source(run.template_version)
    template = Template.parse(source, f"template version {run.template_version}")
    replay_designer(store, run_id, template)  # says before anything is written what is missing
    if split_digest(config.data.dataset, **config.data.location()) != run.dataset_digest:
        raise InputError(
            f"{run_id} cannot be replayed: data set {config.data.dataset} or its splits are not those it was trained "
            "on; put them back, or start a run of its own, without --replay"
        )
    frozen = {name: getattr(run, name) for name in _FROZEN}
    frozen["environment"] = {**run.environment, **_this_machine(), "replay": run_id}
    with store.transaction():
        copy = store.runs.create(run.name, frozen)
        for event in store.runs.events(run_id):
            if event["kind"] in _DRAWN_FROM:
                store.runs.record_event(copy.id, event["generation"], event["kind"], event["payload"])
        return copy, store.jobs.create("search", run.config, copy.id)


def create_run(
    store: Store, config: RunConfig, *, ancestry: Row | None = None, template_version: int | None = None
) -> tuple[RunRow, JobRow]:
    """Freeze everything a search starts with, and store its job.

    Args:
        store: The workspace.
        config: Its settings.
        ancestry: What it came from (:mod:`fairnad_engine.lineage`).
        template_version: Version of the attribute template; None: the newest.

    Raises:
        InputError: A setting names something that does not exist, or there is no approved idea.
    """
    from fairnad_engine.llm.guards import recorded_guards
    from fairnad_engine.llm.models import make_models
    from fairnad_engine.search.fidelity import check_short_epochs
    from fairnad_engine.training.datasets import dataset_info, split_digest
    from fairnad_engine.training.protocol import load_protocol
    from fairnad_engine.training.remote import TRAINER, check_trainer, trainer_module

    if ancestry is not None:
        check_trainer(store.runs.get(ancestry["run"]).environment, ancestry["run"])
    trainer = trainer_module()
    config = config.model_copy(update={"data": config.data.resolved()})
    info = dataset_info(config.data.dataset, **config.data.location())
    protocol = load_protocol(config.data.protocol)
    check_short_epochs(config.fidelity.mode, config.fidelity.short_epochs, protocol)
    source = seed_backbone_source(config.search.seed_backbone)
    template, version = template_of(store)
    version = version if template_version is None else template_version
    models = make_models(config.model.llm, template)
    guards = recorded_guards(models.digest)
    if config.search.draws_ideas and not store.ideas.approved():
        raise InputError(
            "no approved ideas to search with; approve some with: fairnad-tui ideas approve --policy grounded"
        )
    environment = {
        **_this_machine(),
        "protocol": protocol.model_dump(mode="json"),
        "seed_source": source,
        "dataset": {"name": info.name, "shape": list(info.image_shape), "classes": info.num_classes},
        # It stands beside every number, so no number of a simulated run is shown without it.
        "split_label": info.split_label if trainer == TRAINER else f"{info.split_label}, {SIMULATED}",
        "edits_judged": True,  # by their graphs; older runs go on, and are replayed, with what was proposed
        **({"trainer": trainer} if trainer != TRAINER else {}),
        **({"guards": guards} if guards else {}),
        **({"ancestry": ancestry} if ancestry is not None else {}),
    }
    digest = split_digest(config.data.dataset, **config.data.location())
    with store.transaction():
        run = store.runs.create(
            config.name,
            {
                "config": config.model_dump(mode="json"),
                "environment": environment,
                "template_version": version,
                "model": models.name,
                "model_digest": models.digest,
                "dataset_digest": digest,
                "protocol_digest": protocol.digest,
                "seed": config.search.seed,
            },
        )
        job = store.jobs.create("search", config.model_dump(mode="json"), run.id)
    return run, job


def create_finish_job(
    store: Store,
    run_id: str,
    *,
    top: int,
    workers: int | None = None,
    devices: str | list[str] | None = None,
    streams: str | int | None = None,
    executor: str | None = None,
    queue: bool | None = None,
    fill: bool = False,
    nader_column: bool = False,
) -> JobRow:
    """Store a job that retrains and tests a run's best; one that is not over is taken up again.

    Args:
        store: The workspace.
        run_id: A run whose search is done.
        top: Members of the front.
        workers: Trainings at a time on the CPU; None, here and below: as the search had it.
        devices: As in ``[machine]``.
        streams: As in ``[machine]``.
        executor: As in ``[machine]``.
        queue: As in ``[machine]``.
        fill: Whether members are also tried at the budget's edge.
        nader_column: Whether NADER's column is filled at the end.

    Raises:
        InputError: The search is not done yet.
    """
    search = store.jobs.of_run(run_id)
    if search is None or search.state != "done":
        raise InputError(f"{run_id} is not done; end it first with: fairnad-tui run --resume {run_id}")
    asked = {"top": top, "workers": workers, "devices": devices, "streams": streams, "executor": executor}
    asked |= {"queue": queue, "fill": fill or None, "nader_column": nader_column or None}
    config = {name: value for name, value in asked.items() if value is not None}
    before = store.jobs.of_run(run_id, "finish")
    if before is not None and store.jobs.is_held(before.id):
        return before  # its worker is told to whoever starts another
    if before is not None and before.state != "done":
        return store.jobs.set_config(before.id, config)
    return store.jobs.create("finish", config, run_id)


def job_folder(store_path: Path, job_id: str) -> Path:
    """Where a job keeps its log and its current activity."""
    return store_path.with_name(f"{store_path.stem}-files") / "jobs" / job_id


def children_file(store_path: Path, job_id: str) -> Path:
    """Where a job's worker writes down which processes it has started."""
    return job_folder(store_path, job_id) / "children.json"


def read_activity(store_path: Path, job_id: str) -> dict[str, str]:
    """What the worker said each subject goes through now."""
    with suppress(OSError, ValueError):
        found = json.loads((job_folder(store_path, job_id) / "activity.json").read_text("utf-8"))
        return {str(subject): doing for subject, doing in found.items() if isinstance(doing, str)}
    return {}


def stream_folder(store_path: Path, job_id: str) -> Path:
    """Where a structuring job writes what its model says, one file a paper."""
    return job_folder(store_path, job_id) / "stream"


def read_stream(store_path: Path, job_id: str, paper_id: str, limit: int = 6000) -> str:
    """The end of what the model wrote about a paper, at most ``limit`` bytes; empty where it wrote nothing."""
    with suppress(OSError), stream_path(stream_folder(store_path, job_id), paper_id).open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - limit))
        # The cut may go through a character.
        return file.read().decode("utf-8", "ignore")
    return ""


def start_worker(store: Store, job: JobRow) -> subprocess.Popen[bytes]:
    """Start the detached process of a job; it outlives this one.

    Raises:
        StoreError: A live process works on the job already, or the new one does not start.
    """
    store.jobs.refuse_second(job.id)
    store.jobs.dispossess(job.id)  # the new process has not watched a holder elsewhere, and could not know
    folder = job_folder(store.path, job.id)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "fairnad_engine.worker", str(store.path.resolve()), job.id],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        )
    deadline = time.monotonic() + _START_SECONDS
    while not store.jobs.is_held(job.id) and store.jobs.get(job.id).state == "queued":
        if process.poll() is not None or time.monotonic() > deadline:
            raise StoreError(f"the worker of {job.id} did not start; see {folder / 'log.txt'}")
        time.sleep(0.05)
    return process


def end_worker(store: Store, job: JobRow) -> None:
    """Kill the process that works on a job at once; the job can be resumed."""
    holder = store.jobs.holder(job.id)
    if holder is not None and holder[0].is_alive():
        os.killpg(os.getpgid(holder[0].pid), signal.SIGKILL)


def _this_machine() -> dict[str, Any]:
    return {
        "packages": {name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
