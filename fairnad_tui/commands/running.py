"""``attach``, ``control`` and ``status``: runs that are there."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fairnad_engine.activity import read_nodes
from fairnad_engine.errors import InputError
from fairnad_engine.faults import remedy_of
from fairnad_engine.workspace import job_folder
from fairnad_tui.left import hours_left, left_text
from fairnad_tui.options import db_option, json_option, open_store
from fairnad_tui.output import print_json, print_table, tell

if TYPE_CHECKING:
    from fairnad_engine.store import Store
    from fairnad_engine.store.records import JobRow, RunRow


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@db_option
def attach(run_id: str | None, db: Path | None) -> None:
    """Follow a run that goes on in the background (the newest one by default), or its finish.

    Ctrl-C stops the run; to look on without that, open the terminal application.
    """
    from fairnad_tui.displays import choose_display
    from fairnad_tui.follow import follow

    with open_store(db) as store:
        found, job = _run_in_hand(store, run_id)
        again = f"fairnad-tui finish {found.id}" if job.kind == "finish" else f"fairnad-tui run --resume {found.id}"
        follow(store, job, choose_display(), again)


@click.command()
@click.argument("request", type=click.Choice(["pause", "resume", "stop", "stop-now"]))
@click.argument("run_id", metavar="[RUN]", required=False)
@db_option
def control(request: str, run_id: str | None, db: Path | None) -> None:
    """Pause, resume or stop a run (the newest one by default) or its finish; `stop` ends it within 5 s."""
    with open_store(db) as store:
        found, job = _run_in_hand(store, run_id)
        if not store.jobs.is_held(job.id):
            done = job.state == "done"
            mend = f"see: fairnad-tui report {found.id}" if done else f"go on with: fairnad-tui run --resume {found.id}"
            raise InputError(f"{found.id} is {job.state}, nobody works on it; {mend}")
        store.jobs.request(job.id, request)
    click.echo(f"asked {'the finish of ' if job.kind == 'finish' else ''}{found.id} to {request}")


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@db_option
@json_option
def status(run_id: str | None, db: Path | None, as_json: bool) -> None:
    """Say where the workspace and its runs stand; of one run also the nodes it trains on."""
    with open_store(db) as store:
        document = workspace_status(store, store.runs.get(run_id) if run_id else None)
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
            ("run", "name", "state", "trained", "generation", "best val %", "left", "model", "worker"),
            (
                (
                    r["run"],
                    r["name"],
                    r["state"],
                    f"{r['counted']}/{r['budget']}{_beside(r)}",
                    r["generation"],
                    "-" if r["best_validation_accuracy"] is None else f"{r['best_validation_accuracy']:.2f}",
                    left_text(r["hours_left"]),
                    r["model"] + (", SIMULATED trainings" if r["simulated"] else ""),
                    r["worker"] or "-",
                )
                for r in document["runs"]
            ),
        )
    for one in document["runs"]:
        if run_id and one["nodes"]:
            _print_nodes(one["nodes"], one["nodes_seconds_ago"])
        if one["finish"] not in ("", "done"):
            tell(f"{one['run']} finish: {one['finish']}")
        if one["state"] == "waiting":
            tell(f"{one['run']} waiting: {one['message']}")
        elif one["remedy"]:
            tell(f"{one['run']} failed: {one['message']}; remedy: {one['remedy']}")
    _show_devices(document["devices"])


def _show_devices(devices: list[dict[str, Any]]) -> None:
    if devices:
        print_table(
            "Devices",
            ("device", "host", "trainings", "run", "state", "since"),
            (
                (
                    one["device"],
                    one["host"],
                    one["streams"] or "auto",
                    one["run"] or one["job"],
                    "has it" if one["held"] else f"waits, place {one['place']}" if one["place"] else "waits",
                    one["since"],
                )
                for one in devices
            ),
        )


def _devices(store: Store) -> list[dict[str, Any]]:
    """Devices that jobs have or wait for, those that have them first, then in order of arrival."""
    rows = store.reservations.all()
    places = {}
    if waiting := {one.job_id for one in rows if not one.held}:
        from fairnad_engine.queueing import place_of

        places = {job: place_of(store, job) for job in waiting}
    return [
        {
            "device": one.device,
            "host": one.host,
            "streams": one.streams,
            "run": one.run_id,
            "job": one.job_id,
            "held": one.held,
            "place": None if one.held or (place := places[one.job_id]) is None else place.place,
            "since": one.at,
        }
        for one in sorted(rows, key=lambda one: not one.held)
    ]


def _print_nodes(nodes: list[dict[str, Any]], age: float) -> None:
    """The machines of a run's cluster, as its worker saw them a moment ago."""
    print_table(
        f"Ray nodes, {age:.0f} s ago",
        ("node", "state", "cores used", "cores", "GPUs used", "GPUs", "trainings of this run"),
        (
            (
                one["address"],
                "alive" if one["alive"] else "lost",
                *(f"{one[name]:g}" for name in ("cpus_used", "cpus", "gpus_used", "gpus")),
                one["trainings"],
            )
            for one in nodes
        ),
    )


def workspace_status(store: Store, only: RunRow | None = None) -> dict[str, Any]:
    """The workspace as ``status --json`` prints it, with all runs or one."""
    jobs = [job for job in store.jobs.all() if job.kind in ("structure", "propose") and job.state != "done"]
    return {
        "workspace": str(store.path),
        "papers": store.papers.count(),
        "ideas": store.ideas.counts(),
        "structuring": [
            {"job": j.id, "state": store.jobs.living_state(j), "message": j.message, "model_digest": j.model_digest}
            for j in jobs
        ],
        "runs": [_run_status(store, one) for one in ([only] if only else store.runs.all())],
        "devices": _devices(store),
    }


def _beside(run: dict[str, Any]) -> str:
    """What of a run's models the budget counts otherwise than one by one."""
    screened = f", {run['screened']} screened" if run["screened"] else ""
    extra = run["trained"] + run["screened"] - run["counted"]
    return screened + (f", {extra} first of a chain" if extra else "")


def _run_status(store: Store, run: RunRow) -> dict[str, Any]:
    job, progress = store.jobs.of_run(run.id), store.runs.progress(run.id)
    finish = store.jobs.of_run(run.id, "finish")
    holder = store.jobs.holder(job.id) if job else None
    at, nodes = read_nodes(job_folder(store.path, job.id)) if job and store.jobs.is_held(job.id) else (0.0, [])
    return {
        "run": run.id,
        "name": run.name,
        "state": store.jobs.living_state(job) if job else "unknown",
        "message": job.message if job else "",
        "fault": job.fault if job else "",
        "remedy": remedy_of(job.fault) if job and job.state == "failed" else "",
        "trained": progress.trained,
        "screened": progress.screened,
        "counted": progress.counted,
        "budget": progress.budget,
        "generation": progress.generation,
        "best_validation_accuracy": progress.best_accuracy,
        "hours_left": hours_left(store, run.id),
        "edits": store.runs.edits_made(run.id),
        "model": run.model,
        "simulated": "trainer" in run.environment,
        "digest": run.digest,
        "finish": store.jobs.living_state(finish) if finish else "",
        "worker": f"{holder[0].host}:{holder[0].pid}" if holder else None,
        "heartbeat_seconds_ago": round(time.time() - holder[1], 1) if holder else None,
        "nodes": [asdict(one) for one in nodes],
        "nodes_seconds_ago": round(max(0.0, time.time() - at), 1) if nodes else None,
    }


def _run_in_hand(store: Store, run_id: str | None) -> tuple[RunRow, JobRow]:
    """A run, and its finish where that is worked on, else its search."""
    found, search = run_and_job(store, run_id)
    return found, store.jobs.in_hand(found.id) or search


def run_and_job(store: Store, run_id: str | None) -> tuple[RunRow, JobRow]:
    """A run and the job of its search; the newest run where none is named.

    Raises:
        InputError: There is none.
    """
    found = store.runs.get(run_id) if run_id else store.runs.newest()
    if found is None:
        raise InputError("there is no run yet; start one with: fairnad-tui run")
    job = store.jobs.of_run(found.id)
    if job is None:
        raise InputError(f"{found.id} has no job; start a new run with: fairnad-tui run")
    return found, job
