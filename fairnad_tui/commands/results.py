"""``report``, ``export``, ``evaluate`` and ``finish``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairnad_engine.errors import InputError
from fairnad_tui.options import db_option, device_options, json_option, open_store
from fairnad_tui.output import print_json, print_table, remark, tell

if TYPE_CHECKING:
    from fairnad_engine.store import Store
    from fairnad_tui.displays import Display


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--output", type=click.Path(path_type=Path), help="Folder for the report [beside the workspace].")
@db_option
@json_option
def report(run_id: str | None, output: Path | None, db: Path | None, as_json: bool) -> None:
    """Write a run's report (Markdown, JSON, CSV, SVG) and its front's exports; --json prints it instead."""
    with open_store(db) as store:
        one = _run(store, run_id)
        if as_json:
            from fairnad_engine.report.summary import summarise

            print_json(summarise(store, one).as_dict())
            return
        folder = write_run_report(store, one, output)
        show_front(store, one, None)
        show_comparison(folder)
    remark(f"report: {folder / 'report.md'}")


@click.command()
@click.argument("candidate", required=False)
@click.option("--run", "run_id", metavar="RUN", help="Of which run [the newest].")
@click.option("--output", type=click.Path(path_type=Path), help="Folder that receives it [.].")
@click.option(
    "--tensorboard", type=click.Path(path_type=Path), metavar="DIR", help="Write the run's curves as event files there."
)
@db_option
def export(
    candidate: str | None, run_id: str | None, output: Path | None, tensorboard: Path | None, db: Path | None
) -> None:
    """Write one trained candidate as a folder: stand-alone source, graph, weights, lineage, ideas and papers.

    With --tensorboard the run's curves are written, and a candidate need not be named.
    """
    if candidate is None and tensorboard is None:
        raise InputError("export: name a candidate, or write the run's curves with --tensorboard DIR")
    if candidate is None and output is not None:
        raise InputError("export: --output receives a candidate; name one, or leave --output out")
    with open_store(db) as store:
        one = _run(store, run_id)
        if tensorboard is not None:
            from fairnad_engine.report.tensorboard import write_tensorboard

            place = write_tensorboard(store, one, tensorboard)
            tell(f"curves of {one} written to {place}; look at them with: tensorboard --logdir {tensorboard}")
        if candidate is not None:
            from fairnad_engine.report.export import export_candidate

            tell(f"exported to {export_candidate(store, one, candidate, output or Path())}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
def evaluate(folder: Path, as_json: bool) -> None:
    """Score an exported backbone again on the validation split, through its graph; its source is not run."""
    from fairnad_engine.report.evaluate import evaluate_folder

    found = evaluate_folder(folder)
    document = {
        "folder": str(folder),
        "dataset": found.dataset,
        "protocol": found.protocol,
        "validation_accuracy": found.validation_accuracy,
        "recorded": found.recorded,
        "equal": found.equal,
        "params": found.params,
        "macs": found.macs,
    }
    if as_json:
        print_json(document)
    else:
        tell(
            f"{found.validation_accuracy:.2f} % validation on {found.dataset} ({found.protocol}); "
            f"recorded {found.recorded:.2f} %: {'equal' if found.equal else 'NOT equal'}"
        )
    if not found.equal:
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--top", type=click.IntRange(1, 50), default=3, show_default=True, help="Front members to retrain.")
@click.option("--fill", is_flag=True, help="Try each also at the budget's edge; validation decides which is tested.")
@click.option("--nader-column", is_flag=True, help="At the end also the best epoch on the whole test set, marked so.")
@click.option("--workers", type=click.IntRange(1, 256), help="Trainings at a time [as the search had].")
@device_options
@click.option("--no-queue", is_flag=True, help="End at once where other runs have the devices, instead of waiting.")
@db_option
def finish(
    run_id: str | None,
    top: int,
    fill: bool,
    nader_column: bool,
    workers: int | None,
    devices: str | list[str] | None,
    streams: str | int | None,
    executor: str | None,
    no_queue: bool,
    db: Path | None,
) -> None:
    """Retrain the front's best with fresh weights and 3 seeds, then test each once.

    Where the data set has more to train on than the search used (CIFAR-10: 50,000 images instead of 25,000), the
    ranked ones are trained on all of it before the test. Until now no number of the run has seen the test split;
    this is the one time it is touched.
    """
    from fairnad_engine.search.finish_results import split_of_test
    from fairnad_engine.workspace import create_finish_job, start_worker
    from fairnad_tui.displays import choose_display
    from fairnad_tui.follow import follow

    with open_store(db) as store:
        one = _run(store, run_id)
        job = create_finish_job(
            store,
            one,
            top=top,
            workers=workers,
            devices=devices,
            streams=streams,
            executor=executor,
            queue=False if no_queue else None,
            fill=fill,
            nader_column=nader_column,
        )
        if job.state != "done":
            start_worker(store, job)
            follow(store, job, choose_display(), f"fairnad-tui finish {one}")
        folder = write_run_report(store, one, None)
        rows = [
            (
                t.candidate_id,
                t.seed,
                f"{t.validation_accuracy:.2f}",
                split_of_test(store, one, t.candidate_id, t.seed),
                f"{t.test_accuracy:.2f}",
            )
            for t in store.tests.of_run(one)
        ]
    print_table("Test scores", ("candidate", "seed", "validation %", "tested when trained on", "test %"), rows)
    show_comparison(folder)
    remark(f"report: {folder / 'report.md'}")


def write_run_report(store: Store, run_id: str, folder: Path | None) -> Path:
    """Write a run's report beside the workspace, or where the user says."""
    from fairnad_engine.report.write import write_report

    target = folder or store.path.with_name(f"{store.path.stem}-reports") / run_id
    write_report(store, run_id, target)
    return target


def show_comparison(folder: Path) -> None:
    """Print the report's comparisons: control row, tests, published table."""
    tell("")
    for line in (folder / "report.txt").read_text("utf-8").splitlines():
        tell(line)


def show_front(store: Store, run_id: str, display: Display | None) -> None:
    """Print a run's Pareto front: as an event where a display is given that prints lines, else as a table."""
    from fairnad_engine.search.selection import pareto_front
    from fairnad_tui.displays import JsonLines

    run = store.runs.get(run_id)
    front = pareto_front(store.runs.candidates(run_id))
    protocol = f"{run.environment['protocol']['name']}, {run.environment['split_label']}"
    if isinstance(display, JsonLines):
        members = [
            {
                "id": c.id,
                "validation_accuracy": c.accuracy,
                "params": c.params,
                "macs": c.macs,
                **({} if c.latency is None else {"latency_ms": c.latency}),
                "change": c.change,
            }
            for c in front
        ]
        display.show({"event": "front", "run": run_id, "protocol": protocol, "digest": run.digest, "members": members})
        return
    timed = any(c.latency is not None for c in front)
    print_table(
        f"Pareto front of {run_id} ({protocol}; run digest {run.digest or 'not yet'})",
        ("candidate", "val %", "params", "MACs", *(["ms"] if timed else []), "change"),
        (
            (c.id, f"{c.accuracy:.2f}", c.params, c.macs, *([_milliseconds(c.latency)] if timed else []), c.change)
            for c in front
        ),
    )


def _milliseconds(latency: float | None) -> str:
    return "-" if latency is None else f"{latency:.3g}"


def _run(store: Store, run_id: str | None) -> str:
    if run_id:
        return store.runs.get(run_id).id
    newest = store.runs.newest()
    if newest is None:
        raise InputError("there is no run yet; start one with: fairnad-tui run")
    return newest.id
