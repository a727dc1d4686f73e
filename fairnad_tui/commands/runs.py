"""``run``: start a search, or go on with one in one of the ways there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fairnad_engine.errors import InputError
from fairnad_tui.commands.running import run_and_job
from fairnad_tui.options import db_option, device_options, open_store
from fairnad_tui.output import remark, remark_on_servers

if TYPE_CHECKING:
    from fairnad_engine.search.config import RunConfig
    from fairnad_engine.store import Store
    from fairnad_engine.store.records import JobRow, RunRow


# Settings that change no outcome.
_MACHINE = ("workers", "devices", "streams", "executor", "accept_weak_jail", "no_queue")


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="Settings, a TOML file.")
@click.option("--preset", metavar="NAME", help="Settings that ship with the program, such as paper-cifar10.")
@click.option("--dry-run", is_flag=True, help="Print plan, protocol, forecast and what is missing; train nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print JSON with documented keys.")
@click.option("--resume", metavar="RUN", help="Go on with a run that stopped; with --trained N train more models.")
@click.option("--take-over", is_flag=True, help="With --resume: end a worker that hangs, and go on in its place.")
@click.option("--fork", metavar="RUN", help="A new run from a copy of another's archive, with other settings.")
@click.option("--generation", type=click.IntRange(1), help="With --fork: the last generation to copy [the last].")
@click.option("--warm-start", metavar="RUN", help="A new run whose archive begins with another run's front.")
@click.option("--replay", metavar="RUN", help="Do a run again with the replies its model gave; asks no model.")
@click.option("--detach", is_flag=True, help="Leave it running in the background.")
@click.option("--llm", metavar="MODEL", help="rules, ollama:MODEL[@URL,...] or openai:URL#MODEL.")
@click.option("--method", metavar="NAME", help="The method, an ablation or a baseline, with its stages and fairness.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed of every random choice.")
@click.option("--trained", type=click.IntRange(1), help="Models to train.")
@click.option("--workers", type=click.IntRange(1, 256), help="Trainings at a time; does not change the outcome.")
@device_options
@click.option("--accept-weak-jail", is_flag=True, help="Run model-written code although the jail lacks a layer.")
@click.option("--no-queue", is_flag=True, help="End at once where other runs have the devices, instead of waiting.")
@db_option
def run(
    config: Path | None,
    preset: str | None,
    dry_run: bool,
    as_json: bool,
    resume: str | None,
    take_over: bool,
    fork: str | None,
    generation: int | None,
    warm_start: str | None,
    replay: str | None,
    detach: bool,
    db: Path | None,
    **options: Any,  # noqa: ANN401
) -> None:
    """Search backbones from the approved ideas; resume, extend, fork or replay a search, or start one warm.

    The search is a process of its own; with --detach the command returns and `attach` follows it later.
    """
    from fairnad_engine.workspace import start_worker
    from fairnad_tui import batch

    _check_together(resume, fork, generation, warm_start, replay)
    if take_over and not resume:
        raise InputError("--take-over goes on with a run whose worker hangs; name it with --resume RUN")
    if as_json and not dry_run:
        raise InputError("--json of a run goes with --dry-run; leave it out, or add --dry-run")
    given = {"--config": config, "--preset": preset, "--llm": options["llm"]}
    given |= {f"--{name}": options[name] for name in ("seed", "method")}
    named = [name for name, value in given.items() if value is not None]
    if dry_run:
        from fairnad_tui.commands.plan import dry_run as show_plan

        if resume or fork or warm_start or replay or detach:
            raise InputError(
                "--dry-run starts nothing; leave --resume, --fork, --warm-start, --replay and --detach out"
            )
        show_plan(batch.override(_settings(config, preset), **options), db, as_json=as_json)
        return
    if replay and (named or options["trained"] is not None):
        raise InputError(f"--replay takes every setting from {replay}; leave {[*named, '--trained'][0]} out")
    if resume and named:
        raise InputError(
            f"--resume goes on with the settings the run was started with, only --trained may grow; leave {named[0]} "
            f"out, or give it to a new run: fairnad-tui run --fork {resume}"
        )
    with open_store(db) as store:
        if resume:
            found, job, settings = _resumed(store, resume, options, take_over=take_over)
        elif replay:
            found, job, settings = _do_again(store, replay, options)
        else:
            found, job, settings = _started(store, config, preset, fork, generation, warm_start, options)
        if "replay" not in found.environment:  # one that is replayed asks no model
            remark_on_servers(settings.model.llm)
        if detach:
            start_worker(store, job)
            click.echo(f"{found.id} goes on in the background; follow it with: fairnad-tui attach {found.id}")
            return
        batch.search(store, job, settings, f"fairnad-tui run --resume {found.id}")
        click.echo(f"{found.id} done; see: fairnad-tui report {found.id}", err=True)
        if replay:
            compare_with_source(store.runs.get(found.id), store.runs.get(replay))


def _do_again(store: Store, run_id: str, options: dict[str, Any]) -> tuple[RunRow, JobRow, RunConfig]:
    """A new run with a recorded one's settings and replies."""
    from fairnad_engine.preflight import check_before_start
    from fairnad_engine.search.config import RunConfig
    from fairnad_engine.workspace import create_replay

    settings = _on_this_machine(RunConfig.model_validate(store.runs.get(run_id).config), options)
    check_before_start(settings, asks_model=False)
    found, job = create_replay(store, run_id)
    return found, store.jobs.set_config(job.id, settings.model_dump(mode="json")), settings


def _on_this_machine(settings: RunConfig, options: dict[str, Any]) -> RunConfig:
    """Settings with what options say of the machine, which changes no outcome."""
    from fairnad_tui import batch

    return batch.override(settings, **{name: options[name] for name in _MACHINE})


def compare_with_source(copy: RunRow, source: RunRow) -> None:
    """Say whether a replay came to what it replayed.

    Raises:
        InputError: It did not.
    """
    if source.digest is None:
        click.echo(f"{source.id} has no digest to compare with: it is not done", err=True)
    elif copy.digest == source.digest:
        click.echo(f"{copy.id} has the digest of {source.id}: {copy.digest}", err=True)
    else:
        raise InputError(
            f"{copy.id} has digest {copy.digest}, {source.id} has {source.digest}: ideas, data set or program have "
            f"changed since; compare their reports: fairnad-tui report {copy.id}"
        )


def _check_together(
    resume: str | None, fork: str | None, generation: int | None, warm_start: str | None, replay: str | None
) -> None:
    begins = {"--resume": resume, "--fork": fork, "--warm-start": warm_start, "--replay": replay}
    given = [name for name, one in begins.items() if one]
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} say different things of where a run begins; name one of them")
    if generation is not None and not fork:
        raise InputError("--generation says where a fork begins; add --fork RUN, or leave it out")


def _resumed(
    store: Store, run_id: str, options: dict[str, Any], *, take_over: bool
) -> tuple[RunRow, JobRow, RunConfig]:
    """The run that goes on, with more models where they are asked for."""
    from fairnad_engine.lineage import extend_run
    from fairnad_engine.preflight import check_before_start
    from fairnad_engine.search.config import RunConfig
    from fairnad_engine.taking_over import take_over as end_hung_worker

    found, job = run_and_job(store, run_id)
    more = options["trained"] is not None and options["trained"] != int(found.config["budget"]["trained"])
    if job.state == "done" and not more:
        raise InputError(
            f"{found.id} is done; see: fairnad-tui report {found.id}; for more models: "
            f"fairnad-tui run --resume {found.id} --trained N"
        )
    settings = _on_this_machine(RunConfig.model_validate(job.config), options)
    check_before_start(settings, asks_model="replay" not in found.environment)
    if take_over:
        end_hung_worker(store, job, remark)
    if more:
        found, job = extend_run(store, found.id, options["trained"])
        settings = _on_this_machine(RunConfig.model_validate(job.config), options)
    if store.jobs.is_held(job.id):
        return found, job, settings  # it is at work: its settings and state are what its worker says
    return found, store.jobs.set_config(job.id, settings.model_dump(mode="json")), settings


def _started(
    store: Store,
    config: Path | None,
    preset: str | None,
    fork: str | None,
    generation: int | None,
    warm_start: str | None,
    options: dict[str, Any],
) -> tuple[RunRow, JobRow, RunConfig]:
    """A new run: by itself, from a copy of another's archive, or with another's front."""
    from fairnad_engine.lineage import fork_run, warm_start_run
    from fairnad_engine.preflight import check_before_start
    from fairnad_engine.search.config import RunConfig
    from fairnad_engine.workspace import create_run
    from fairnad_tui import batch

    if fork and not (config or preset):
        base = RunConfig.model_validate(store.runs.get(fork).config)  # what is not said stays as it was
    else:
        base = _settings(config, preset)
    settings = batch.override(base, **options)
    check_before_start(settings)
    if fork:
        return *fork_run(store, fork, generation, settings), settings
    if warm_start:
        return *warm_start_run(store, warm_start, settings), settings
    return *create_run(store, settings), settings


def _settings(config: Path | None, preset: str | None) -> RunConfig:
    """The settings of a file, of a preset, or the defaults.

    Raises:
        InputError: Both are given, or one cannot be read.
    """
    from fairnad_engine.search.config import RunConfig, load_config
    from fairnad_engine.search.presets import preset as shipped
    from fairnad_engine.search.presets import presets

    if config and preset:
        raise InputError("--config and --preset both give settings; name one of them")
    if config:
        return load_config(config)
    if preset is None:
        return RunConfig()
    known = [one.name for one in presets()]
    if preset not in known:
        raise InputError(f"--preset {preset!r}: there is no such preset; choose one of: {', '.join(known)}")
    return shipped(preset).config
