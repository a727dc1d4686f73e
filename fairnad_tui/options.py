"""Options that several sub-commands share, and how a command opens its workspace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from fairnad_engine.store import Store

_Function = TypeVar("_Function", bound=Callable[..., Any])

DEFAULT_DB = Path("fairnad.db")


def db_option(function: _Function) -> _Function:
    """``--db`` after a sub-command, where users type it too."""
    return click.option(
        "--db", type=click.Path(path_type=Path), help="Workspace file [./fairnad.db].", expose_value=True
    )(function)


def json_option(function: _Function) -> _Function:
    """``--json``: documented keys on standard output."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON with documented keys.")(function)


def open_store(db: Path | None, *, create: bool = False) -> Store:
    """Open the workspace named after the sub-command, before it, or by default.

    Raises:
        InputError: It does not exist and this command does not create one.
    """
    from fairnad_engine.errors import InputError
    from fairnad_engine.store import Store

    context = click.get_current_context(silent=True)
    path = db or (context.find_root().obj if context else None) or DEFAULT_DB
    if not create and not path.exists():
        raise InputError(f"{path}: there is no workspace; make one with: fairnad-tui papers add FOLDER --db {path}")
    return Store(path)
