"""Jobs that train, as the worker carries them out: a search, the finish of a run, a study."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fairnad_engine.activity import Activity
from fairnad_engine.children import Children
from fairnad_engine.errors import InputError
from fairnad_engine.reading_jobs import log_server_warnings
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.config_machine import MachineSection
from fairnad_engine.search.control import Control
from fairnad_engine.store import Store
from fairnad_engine.store.records import JobRow, RunRow
from fairnad_engine.workspace import children_file

_ASKED = ("workers", "devices", "streams", "executor", "queue")  # of the machine, in the job of a finish

if TYPE_CHECKING:
    from fairnad_engine.backbone.jail.client import Jail
    from fairnad_engine.backbone.jail.spread import SpreadJail
    from fairnad_engine.llm.protocol import Designer
    from fairnad_engine.search.scoring import Screening
    from fairnad_engine.search.shared_scores import SharedScores
    from fairnad_engine.training.executor import Executor
    from fairnad_engine.training.protocol import Protocol


async def search(store: Store, job: JobRow, control: Control, activity: Activity) -> str:
    """Carry a search on from where the store says it stands; return its digest in one line."""
    import torch

    from fairnad_engine.backbone.verifier import Verifier
    from fairnad_engine.knowledge.template import Template
    from fairnad_engine.llm.models import make_models
    from fairnad_engine.search.control_row import train_control
    from fairnad_engine.search.loop import Search
    from fairnad_engine.search.recorded import replay_designer
    from fairnad_engine.search.remaking import Remaking
    from fairnad_engine.search.scoring import Scorer, job_settings
    from fairnad_engine.search.widening import budget_of, widener_of
    from fairnad_engine.training.checkpoints import sweep_checkpoints
    from fairnad_engine.training.protocol import Protocol

    torch.set_num_threads(1)
    run = store.runs.get(job.run_id or "")
    config = RunConfig.model_validate(run.config)
    machine = RunConfig.model_validate(job.config).machine
    template = Template.parse(store.templates.source(run.template_version), f"template version {run.template_version}")
    designer: Designer
    if replayed := run.environment.get("replay"):
        designer = replay_designer(store, replayed, template)
    else:
        model = config.model
        models = await asyncio.to_thread(
            make_models,
            model.llm,
            template,
            edits=model.edits,
            keep_alive=model.keep_alive,
            timeouts=model.timeouts,
            max_context=model.max_context,
            pause=control.wait,
        )
        designer = models.designer
        await log_server_warnings(model.llm)
    budget = budget_of(run)
    children = Children(children_file(store.path, job.id))
    executor, on_cpu = _executor(machine, run, children, activity)
    protocol = Protocol.model_validate(run.environment["protocol"])
    async with _closing(executor):
        with _jail(machine, children) as jail:
            verifier = Verifier(jail, store.files, budget, config.search.fit)
            remaking = Remaking(store, run, config.search.seeds_by, verifier)
            await remaking.mend_all()
            scorer = Scorer(
                store,
                run.id,
                run.seed,
                executor,
                dataset=config.data.dataset,
                protocol=protocol,
                deadline=machine.training_deadline,
                control=control,
                activity=activity,
                screening=_screening(config, protocol),
                settings=job_settings(config, run.dataset_digest),
                seeds_by=config.search.seeds_by,
                shared=_shared_scores(store, run.id, config, on_cpu=on_cpu),
                mend=remaking.mend,
            )
            search = Search(
                store,
                run.id,
                job.id,
                template=template,
                designer=designer,
                verifier=verifier,
                scorer=scorer,
                control=control,
                budget=budget,
                seed_source=run.environment["seed_source"],
                activity=activity,
            )
            digest = await search.run()
            if config.search.control == "search":
                await train_control(store, run, widener_of(jail, store, run), scorer)
    sweep_checkpoints(store.files.root, run.id)
    return f"run digest {digest}"


def machine_of_finish(store: Store, job: JobRow) -> MachineSection:
    """As the search used the machine last, or as the command said."""
    assert job.run_id is not None  # noqa: S101 - a finish is of a run
    search = store.jobs.of_run(job.run_id)  # it may have gone on elsewhere than the run was started
    machine = (search.config if search else store.runs.get(job.run_id).config)["machine"]
    asked = {name: job.config[name] for name in _ASKED if job.config.get(name) is not None}
    return MachineSection.model_validate({**machine, **asked})


def _executor(machine: MachineSection, run: RunRow, children: Children, activity: Activity) -> tuple[Executor, bool]:
    """What runs trainings, by the settings of the machine, and whether all of them on CPUs.

    Raises:
        InputError: The run was begun with another trainer, or with a simulated one, which no cluster has.
    """
    from fairnad_engine.training.devices import check_on_cluster, choose_devices
    from fairnad_engine.training.executor import LocalExecutor
    from fairnad_engine.training.remote import TRAINER, check_trainer

    trainer = check_trainer(run.environment, run.id)
    if machine.executor == "local":
        devices = choose_devices(
            machine.devices, workers=machine.workers, streams=machine.streams, reserve_gib=machine.reserve_gib
        )
        executor = LocalExecutor(machine.workers, devices, trainer, children.note)
        return executor, all(device.name == "cpu" for device in devices)
    if trainer != TRAINER:
        raise InputError(f"{run.id} was trained by {trainer}, which runs on this machine alone; add --executor local")
    from fairnad_engine.training.ray_cluster import Cluster
    from fairnad_engine.training.ray_executor import RayExecutor

    on_cluster = RayExecutor(
        Cluster(machine.executor, machine.workers),
        machine.workers,
        gpus=check_on_cluster(machine.devices),
        streams=machine.streams,
        on_load=activity.show_nodes,
    )
    return on_cluster, not on_cluster.on_gpus


@asynccontextmanager
async def _closing(executor: Executor) -> AsyncIterator[None]:
    """End an executor's processes, or leave its cluster, whatever happens: the next try begins with another."""
    try:
        yield
    finally:
        await executor.close()


def _jail(machine: MachineSection, children: Children) -> Jail | SpreadJail:
    """Where model-written code is run, by the settings of the machine; the cluster has been joined."""
    from fairnad_engine.backbone.jail.client import Jail
    from fairnad_engine.backbone.jail.spread import SpreadJail

    if machine.verify_on == "ray" and machine.executor != "local":
        return SpreadJail(accept_weak=machine.accept_weak_jail)
    return Jail(accept_weak=machine.accept_weak_jail, on_start=children.note)


def _shared_scores(store: Store, run_id: str, config: RunConfig, *, on_cpu: bool) -> SharedScores | None:
    """Scores of other runs that are this run's too, where seeds allow it and nothing is trained on a GPU."""
    from fairnad_engine.search.shared_scores import SharedScores

    if config.search.latency_objective != "off" or config.search.seeds_by == "place" or not on_cpu:
        return None
    return SharedScores.of_run(store, run_id, config.machine.latency_rounds)


def _screening(config: RunConfig, protocol: Protocol) -> Screening | None:
    """Short schedules first, where the settings ask for them."""
    from fairnad_engine.search.fidelity import PromotionRule
    from fairnad_engine.search.scoring import Screening
    from fairnad_engine.training.datasets import load_split

    chosen = config.fidelity
    if chosen.mode == "off":
        return None
    images = len(load_split(config.data.dataset, "validation", **config.data.location()).labels)
    return Screening(PromotionRule.of(chosen, protocol.epochs, images), chosen.window)


async def finish(store: Store, job: JobRow, control: Control, activity: Activity) -> str:
    """Train a run's best anew and test them; return how many test scores there are."""
    import torch

    from fairnad_engine.search.finish import Finish
    from fairnad_engine.search.widening import widener_of
    from fairnad_engine.training.checkpoints import sweep_checkpoints

    torch.set_num_threads(1)
    run = store.runs.get(job.run_id or "")
    machine = machine_of_finish(store, job)
    children = Children(children_file(store.path, job.id))
    executor, _ = _executor(machine, run, children, activity)
    async with _closing(executor):
        with _jail(machine, children) as jail:
            finish = Finish(
                store,
                run.id,
                jail,
                executor,
                control=control,
                activity=activity,
                deadline=machine.training_deadline,
                top=int(job.config["top"]),
                widener=widener_of(jail, store, run),
                fill=bool(job.config.get("fill")),
                nader_column=bool(job.config.get("nader_column")),
            )
            await finish.run()
    sweep_checkpoints(store.files.root, run.id)
    return f"{len(store.tests.of_run(run.id))} test scores"


async def study(store: Store, job: JobRow, control: Control, activity: Activity) -> str:
    """Carry out a study's runs; return what was done in one line."""
    from fairnad_engine.search.study_config import StudyConfig
    from fairnad_engine.search.study_runs import carry_out

    study = StudyConfig.model_validate(store.studies.get(job.config["study"]).config)
    return await carry_out(store, study, control, activity)
