"""``backup``, ``restore``, ``export-workspace`` and ``import-workspace``: copies of a workspace, here and elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairnad_tui.options import DEFAULT_DB, db_option
from fairnad_tui.output import remark_on_disk, tell

if TYPE_CHECKING:
    from fairnad_engine.backup import Moved


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Bring an earlier backup in FILE up to date.")
@db_option
def backup(file: Path, force: bool, db: Path | None) -> None:
    """Copy the workspace to FILE while it is used; FILE is a workspace that can be opened."""
    from fairnad_engine.backup import backup as copy
    from fairnad_engine.restoring import note_backup

    source = _workspace(db)
    done = copy(source, file, force=force)
    note_backup(source, file)
    tell(f"{_said(done)}, {done.known:,} of them there already; open it with: fairnad-tui --db {file}")


@click.command()
@click.argument("file", metavar="BACKUP", type=click.Path(path_type=Path))
@db_option
def restore(file: Path, db: Path | None) -> None:
    """Put BACKUP in the place of the workspace (--db), which is kept beside it as FILE.damaged-N."""
    from fairnad_engine.restoring import restore as put_back

    done = put_back(file, _workspace(db))
    remark_on_disk(done.path)
    tell(f"{_said(done)}, {done.known:,} of them whole already; jobs go on with: fairnad-tui run --resume RUN")


@click.command("export-workspace")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@db_option
def export_workspace(file: Path, force: bool, db: Path | None) -> None:
    """Write the workspace as one archive to take elsewhere, without keys, logs and end-of-job commands."""
    from fairnad_engine.archive import export_workspace as export

    done = export(_workspace(db), file, force=force)
    tell(f"{_said(done)}; take it up with: fairnad-tui import-workspace {file} --db NEW")


@click.command("import-workspace")
@click.argument("archive", type=click.Path(path_type=Path))
@db_option
def import_workspace(archive: Path, db: Path | None) -> None:
    """Make a workspace (--db, ./fairnad.db by default) of an archive; all of it is checked before."""
    from fairnad_engine.archive import import_workspace as take_up

    done = take_up(archive, _workspace(db))
    tell(f"{_said(done)}; open it with: fairnad-tui --db {done.path}")


def _workspace(db: Path | None) -> Path:
    context = click.get_current_context(silent=True)
    return db or (context.find_root().obj if context else None) or DEFAULT_DB


def _said(done: Moved) -> str:
    return f"{done.path}: {done.bytes / 1e6:,.1f} MB and {done.files:,} files beside it"
