"""``--no-ui``: papers, ideas, search and report in one go, resumed where they stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fairnad_engine.errors import InputError
from fairnad_engine.llm.models import lanes_for
from fairnad_engine.preflight import check_before_start
from fairnad_engine.resources import template_file
from fairnad_engine.search.config import RunConfig, load_config, parse_config
from fairnad_engine.store import Store
from fairnad_engine.store.records import JobRow, RunRow
from fairnad_engine.workspace import create_run, create_structure_job, paper_sources, start_worker, template_of
from fairnad_tui.displays import Display, choose_display
from fairnad_tui.follow import follow
from fairnad_tui.options import DEFAULT_DB
from fairnad_tui.output import remark, remark_on_disk, remark_on_servers


def run_batch(
    *,
    db: Path | None,
    config: Path | None,
    demo: bool,
    llm: str | None,
    seed: int | None,
    trained: int | None,
    workers: int | None,
    devices: str | list[str] | None,
    streams: str | int | None,
    executor: str | None,
    accept_weak_jail: bool,
) -> None:
    """Carry out a configuration from papers to report.

    Raises:
        FairnadError: Any failure a user can meet, with its own exit code.
    """
    changes = {"llm": llm, "seed": seed, "trained": trained, "workers": workers, "devices": devices, "streams": streams}
    changes["executor"] = executor
    settings = override(_settings(config, demo), **changes, accept_weak_jail=accept_weak_jail)  # type: ignore[arg-type]
    check_before_start(settings)
    remark_on_servers(settings.model.llm)
    path = db or DEFAULT_DB
    remark_on_disk(path)
    resume = _command(path, config, demo)
    with Store(path) as store:
        display = choose_display()
        _structure(store, settings, display, resume)
        run, job = _run_and_job(store, settings)
        if job.state != "done":
            search(store, job, settings, resume)
        _report(store, run, display)


def search(store: Store, job: JobRow, settings: RunConfig, resume: str) -> JobRow:
    """Start a search's worker unless one is at it already, and follow it."""
    if not store.jobs.is_held(job.id):
        start_worker(store, job)
    return follow(store, job, choose_display(), resume)


def _settings(config: Path | None, demo: bool) -> RunConfig:
    if demo == (config is not None):
        raise InputError("--no-ui needs its settings: give either --config FILE or --demo")
    return load_config(config) if config else load_config(template_file("presets", "demo.toml"))


def override(
    base: RunConfig,
    *,
    llm: str | None = None,
    method: str | None = None,
    seed: int | None = None,
    trained: int | None = None,
    workers: int | None = None,
    devices: str | list[str] | None = None,
    streams: str | int | None = None,
    executor: str | None = None,
    accept_weak_jail: bool = False,
    no_queue: bool = False,
) -> RunConfig:
    """Lay command-line options over a configuration; a method comes with its own stages and fairness."""
    document = base.model_dump(mode="json")
    if method is not None:
        rest = {name: value for name, value in document["search"].items() if name not in ("stages", "fairness")}
        document["search"] = {**rest, "method": method}
    if llm is not None and base.model.lanes == lanes_for(base.model.llm):
        del document["model"]["lanes"]  # nobody chose it: it goes by the servers that are named now
    changes: list[tuple[str, str, Any]] = [
        ("model", "llm", llm),
        ("search", "seed", seed),
        ("budget", "trained", trained),
        ("machine", "workers", workers),
        ("machine", "devices", devices),
        ("machine", "streams", streams),
        ("machine", "executor", executor),
        ("machine", "accept_weak_jail", accept_weak_jail or None),
        ("machine", "queue", False if no_queue else None),
    ]
    for section, name, value in changes:
        if value is not None:
            document[section][name] = value
    return parse_config(document, "command line")


def _structure(store: Store, settings: RunConfig, display: Display, resume: str) -> None:
    from fairnad_engine.knowledge.reading_stamps import reading_stamp, to_read
    from fairnad_engine.knowledge.structuring import add_papers, apply_policies
    from fairnad_engine.llm.models import check_llm

    template, _ = template_of(store)
    reading = add_papers(store, paper_sources(settings))
    for problem in reading.problems:
        remark(f"fairnad-tui: {problem}")
    event = {"event": "papers", "added": reading.added, "known": reading.known, "problems": len(reading.problems)}
    with display:
        display.show(event)
    model = check_llm(settings.model.llm)
    stamp = reading_stamp(model.name, template.digest, model.digest)
    if to_read(store.papers.listing(), stamp, settings.papers.reread, in_part=True):
        job = create_structure_job(store, settings)
        start_worker(store, job)
        follow(store, job, choose_display(), resume)
    else:
        apply_policies(store, settings.curation.policy, settings.curation.imported)


def _run_and_job(store: Store, settings: RunConfig) -> tuple[RunRow, JobRow]:
    """The newest run with the same outcome settings, or a new one."""
    for run in reversed(store.runs.all()):
        job = store.jobs.of_run(run.id)
        if "replay" in run.environment:
            continue
        if job and RunConfig.model_validate(run.config).outcome_settings() == settings.outcome_settings():
            if job.state != "done" and not store.jobs.is_held(job.id):
                remark(f"resuming {run.id}")
                job = store.jobs.set_config(job.id, settings.model_dump(mode="json"))
            return run, job
    return create_run(store, settings)


def _report(store: Store, run: RunRow, display: Display) -> None:
    from fairnad_tui.commands.results import show_front, write_run_report

    folder = write_run_report(store, run.id, None)
    with display:
        show_front(store, run.id, display)
        display.show({"event": "report", "path": str(folder / "report.md")})


def _command(path: Path, config: Path | None, demo: bool) -> str:
    what = "--demo" if demo else f"--config {config}"
    return f"fairnad-tui --no-ui {what} --db {path}"
