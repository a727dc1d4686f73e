"""``doctor``: what works on this machine, found out by trying it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from fairnad_engine.errors import FairnadError
from fairnad_tui.options import DEFAULT_DB, db_option, json_option
from fairnad_tui.output import print_json, print_table


@click.command()
@click.option("--llm", metavar="MODEL", help="Also try this model.")
@db_option
@json_option
def doctor(llm: str | None, db: Path | None, as_json: bool) -> None:
    """Try the jail's layers, the model and this machine, and say what is missing.

    The exit code is 5 where a layer that the jail needs is not live.
    """
    checks = [*_machine(db or DEFAULT_DB), *_jail()]
    if llm:
        checks.append(_model(llm))
    if as_json:
        print_json([dict(zip(("check", "live", "required", "detail"), check, strict=True)) for check in checks])
    else:
        rows = (
            (name, "live" if live else "MISSING" if required else "not there", detail)
            for name, live, required, detail in checks
        )
        print_table("Doctor", ("check", "state", "detail"), rows)
    if any(required and not live for _, live, required, _ in checks):
        raise click.exceptions.Exit(5)


def _machine(db: Path) -> list[tuple[str, bool, bool, str]]:
    from fairnad_engine.logging_out import after_logout
    from fairnad_engine.machine import accelerators
    from fairnad_engine.preflight import disk_check
    from fairnad_engine.store.filesystem import file_system

    devices, logout = accelerators(), after_logout()
    kind, told = file_system(db.parent).kind, disk_check(db).detail
    where = f"{db.parent.resolve()} on {kind}" + ("" if told == kind else f"; {told}")
    return [
        ("python", sys.version_info >= (3, 11), True, sys.version.split()[0]),
        ("gpu", bool(devices), False, ", ".join(devices) or "none; training runs on the CPU"),
        ("workspace disk", True, False, where),
        ("runs after log-out", logout.survives, False, logout.told),
    ]


def _jail() -> list[tuple[str, bool, bool, str]]:
    from fairnad_engine.backbone.jail.probe import probe

    return [(f"jail: {layer.name}", layer.live, layer.required, layer.detail) for layer in probe()]


def _model(llm: str) -> tuple[str, bool, bool, str]:
    from fairnad_engine.llm.models import check_llm
    from fairnad_engine.llm.server_warnings import warnings_of

    try:
        warnings = warnings_of(check_llm(llm))
    except FairnadError as error:
        return (f"model {llm}", False, False, str(error))
    return (f"model {llm}", True, False, "; ".join(("answers", *warnings)))
