"""``study``: methods by seeds over one configuration, and their comparison."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairnad_engine.errors import InputError
from fairnad_tui.options import db_option, executor_option, json_option, open_store
from fairnad_tui.output import print_json, print_table, tell

if TYPE_CHECKING:
    from fairnad_engine.report.study import StudyReport
    from fairnad_engine.search.study_config import StudyConfig
    from fairnad_engine.store import Store


@click.group(invoke_without_command=True)
@click.option("--config", type=click.Path(path_type=Path), help="The study's settings, a TOML file.")
@click.option("--detach", is_flag=True, help="Leave it running in the background.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON once it is done.")
@executor_option
@db_option
@click.pass_context
def study(
    ctx: click.Context, config: Path | None, detach: bool, as_json: bool, executor: str | None, db: Path | None
) -> None:
    """Run methods by seeds and compare them; the same command goes on where it stopped.

    Each method and seed is an ordinary run with a process of its own. Without --config the studies are listed.
    """
    if ctx.invoked_subcommand is not None:
        ctx.obj = db or ctx.obj or ctx.find_root().obj
        if config or detach or as_json:
            raise InputError("--config, --detach and --json of a study stand without `show`; write: study show NAME")
        return
    if config is None:
        if detach or executor:
            named = "--detach" if detach else "--executor"
            raise InputError(f"{named} starts a study; name its settings with --config FILE")
        with open_store(db) as store:
            _list(store, as_json=as_json)
        return
    _start(config, db, executor, detach=detach, as_json=as_json)


@study.command()
@click.argument("name", required=False)
@click.option("--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Write study.md, .csv, .json, .svg.")
@json_option
@db_option
@click.pass_obj
def show(group_db: Path | None, name: str | None, output: Path | None, as_json: bool, db: Path | None) -> None:
    """Compare a study's methods as it stands (the newest one by default)."""
    from fairnad_engine.report.study import study_report, write_study

    with open_store(db or group_db) as store:
        known = store.studies.all()
        if not known:
            raise InputError("there is no study yet; start one with: fairnad-tui study --config study.toml")
        report = study_report(store, name or known[-1].name)
    if output is not None:
        for path in write_study(report, output):
            tell(str(path))
    elif as_json:
        print_json(report.document())
    else:
        _print(report)


def _start(path: Path, db: Path | None, executor: str | None, *, detach: bool, as_json: bool) -> None:
    from fairnad_engine.preflight import check_before_start
    from fairnad_engine.report.study import study_report
    from fairnad_engine.search.study_config import load_study
    from fairnad_engine.search.study_runs import study_job, unfinished
    from fairnad_engine.workspace import start_worker
    from fairnad_tui.displays import Silent, choose_display
    from fairnad_tui.follow import follow

    config: StudyConfig = load_study(path)
    if executor is not None:
        config = config.with_executor(executor)
    check_before_start(config.cell(config.methods[0], config.seeds[0]))
    with open_store(db, create=True) as store:
        job = study_job(store, config)
        if unfinished(store, config):
            if not store.jobs.is_held(job.id):
                start_worker(store, job)
            if detach:
                click.echo(f"{config.name} goes on in the background; see: fairnad-tui study show {config.name}")
                return
            display = Silent() if as_json else choose_display()
            follow(store, job, display, f"fairnad-tui study --config {path}")
        report = study_report(store, config.name)
    if as_json:
        print_json(report.document())
    else:
        _print(report)


def _list(store: Store, *, as_json: bool) -> None:
    from fairnad_engine.search.study import studies

    found = studies(store)
    if as_json:
        print_json([vars(one) for one in found])
        return
    print_table("Studies", ("study", "data set", "runs", "done"), ((s.name, s.dataset, s.cells, s.done) for s in found))


def _print(report: StudyReport) -> None:
    tell(report.headline)
    for table in report.tables():
        if table.rows:
            click.echo()
            print_table(table.title, table.columns, table.rows)
