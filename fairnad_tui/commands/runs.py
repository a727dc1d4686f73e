"""``run``, ``attach``, ``control`` and ``status``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fairnad_engine.errors import InputError
from fairnad_tui.options import db_option, device_options, json_option, open_store
from fairnad_tui.output import print_json, print_table, tell

if TYPE_CHECKING:
    from fairnad_engine.store import Store
    from fairnad_engine.store.records import JobRow, RunRow


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="Settings, a TOML file.")
@click.option("--resume", metavar="RUN", help="Go on with a run that stopped.")
@click.option("--detach", is_flag=True, help="Leave it running in the background.")
@click.option("--llm", metavar="MODEL", help="rules, or ollama:MODEL[@URL].")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed of every random choice.")
@click.option("--trained", type=click.IntRange(1), help="Models to train.")
@click.option("--workers", type=click.IntRange(1, 256), help="Trainings at a time; does not change the outcome.")
@device_options
@click.option("--accept-weak-jail", is_flag=True, help="Run model-written code although the jail lacks a layer.")
@db_option
def run(config: Path | None, resume: str | None, detach: bool, db: Path | None, **options: Any) -> None:  # noqa: ANN401
    """Search backbones from the approved ideas, or resume a search.

    The search is a process of its own; with --detach the command returns and `attach` follows it later.
    """
    from fairnad_engine.preflight import check_before_start
    from fairnad_engine.search.config import RunConfig, load_config
    from fairnad_engine.workspace import create_run, start_worker
    from fairnad_tui import batch

    if resume and (config or options["llm"] or options["seed"] is not None or options["trained"]):
        raise InputError("--resume goes on with the settings the run was started with; leave the others out")
    with open_store(db) as store:
        if resume:
            found, job = _run_and_job(store, resume)
            if job.state == "done":
                raise InputError(f"{found.id} is done; see: fairnad-tui report {found.id}")
            settings = batch.override(
                RunConfig.model_validate(job.config),
                workers=options["workers"],
                devices=options["devices"],
                streams=options["streams"],
                accept_weak_jail=options["accept_weak_jail"],
            )
            check_before_start(settings)
            job = store.jobs.set_config(job.id, settings.model_dump(mode="json"))
        else:
            settings = batch.override(load_config(config) if config else RunConfig(), **options)
            check_before_start(settings)
            found, job = create_run(store, settings)
        if detach:
            start_worker(store, job)
            click.echo(f"{found.id} goes on in the background; follow it with: fairnad-tui attach {found.id}")
            return
        batch.search(store, job, settings, f"fairnad-tui run --resume {found.id}")
        click.echo(f"{found.id} done; see: fairnad-tui report {found.id}", err=True)


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@db_option
def attach(run_id: str | None, db: Path | None) -> None:
    """Follow a run that goes on in the background (the newest one by default)."""
    from fairnad_tui.displays import choose_display
    from fairnad_tui.follow import follow

    with open_store(db) as store:
        found, job = _run_and_job(store, run_id)
        follow(store, job, choose_display(), f"fairnad-tui run --resume {found.id}")


@click.command()
@click.argument("request", type=click.Choice(["pause", "resume", "stop", "stop-now"]))
@click.argument("run_id", metavar="[RUN]", required=False)
@db_option
def control(request: str, run_id: str | None, db: Path | None) -> None:
    """Pause, resume or stop a run (the newest one by default); `stop` lets trainings in flight end."""
    with open_store(db) as store:
        found, job = _run_and_job(store, run_id)
        if not store.jobs.is_held(job.id):
            raise InputError(
                f"{found.id} is {job.state}, nobody works on it; go on with: fairnad-tui run --resume {found.id}"
            )
        store.jobs.request(job.id, request)
    click.echo(f"asked {found.id} to {request}")


@click.command()
@db_option
@json_option
def status(db: Path | None, as_json: bool) -> None:
    """Say where the workspace and its runs stand."""
    with open_store(db) as store:
        document = workspace_status(store)
    if as_json:
        print_json(document)
        return
    ideas = ", ".join(f"{n:,} {name}" for name, n in document["ideas"].items() if n) or "none"
    tell(f"workspace  {document['workspace']}")
    click.echo(f"papers     {document['papers']:,}")
    click.echo(f"ideas      {ideas}")
    for job in document["structuring"]:
        tell(f"structure  {job['job']}: {job['state']} {job['message']}".rstrip())
    if document["runs"]:
        print_table(
            "Runs",
            ("run", "name", "state", "trained", "generation", "best val %", "model", "worker"),
            (
                (
                    r["run"],
                    r["name"],
                    r["state"],
                    f"{r['trained']}{'+' + str(r['screened']) if r['screened'] else ''}/{r['budget']}",
                    r["generation"],
                    "-" if r["best_validation_accuracy"] is None else f"{r['best_validation_accuracy']:.2f}",
                    r["model"],
                    r["worker"] or "-",
                )
                for r in document["runs"]
            ),
        )


def workspace_status(store: Store) -> dict[str, Any]:
    """The workspace as ``status --json`` prints it."""
    jobs = [job for job in store.jobs.all() if job.kind == "structure" and job.state != "done"]
    return {
        "workspace": str(store.path),
        "papers": store.papers.count(),
        "ideas": store.ideas.counts(),
        "structuring": [{"job": j.id, "state": store.jobs.living_state(j), "message": j.message} for j in jobs],
        "runs": [_run_status(store, one) for one in store.runs.all()],
    }


def _run_status(store: Store, run: RunRow) -> dict[str, Any]:
    job = store.jobs.of_run(run.id)
    candidates = store.runs.candidates(run.id)
    generations = store.runs.generations(run.id)
    scores = [c.accuracy for c in candidates if c.status == "trained" and c.accuracy is not None]
    holder = store.jobs.holder(job.id) if job else None
    return {
        "run": run.id,
        "name": run.name,
        "state": store.jobs.living_state(job) if job else "unknown",
        "message": job.message if job else "",
        "trained": sum(c.status == "trained" and c.generation > 0 for c in candidates),
        "screened": sum(c.status == "screened" for c in candidates),
        "budget": run.config["budget"]["trained"],
        "generation": generations[-1].number if generations else 0,
        "best_validation_accuracy": max(scores, default=None),
        "model": run.model,
        "digest": run.digest,
        "worker": f"{holder[0].host}:{holder[0].pid}" if holder else None,
        "heartbeat_seconds_ago": round(time.time() - holder[1], 1) if holder else None,
    }


def _run_and_job(store: Store, run_id: str | None) -> tuple[RunRow, JobRow]:
    found = store.runs.get(run_id) if run_id else store.runs.newest()
    if found is None:
        raise InputError("there is no run yet; start one with: fairnad-tui run")
    job = store.jobs.of_run(found.id)
    if job is None:
        raise InputError(f"{found.id} has no job; start a new run with: fairnad-tui run")
    return found, job
