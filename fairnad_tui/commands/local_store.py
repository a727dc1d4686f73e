"""``local-store``: a workspace whose store is worked on in a copy on this machine's own disk."""

from __future__ import annotations

from pathlib import Path

import click

from fairnad_engine.errors import InputError
from fairnad_tui.options import DEFAULT_DB, db_option
from fairnad_tui.output import tell


@click.command("local-store")
@click.option("--now", is_flag=True, help="Bring a snapshot home at once.")
@click.option("--end", is_flag=True, help="Bring it home for good; it is worked on there from now on.")
@click.option("--keep", type=click.Choice(["home", "local"]), help="Of two that diverged, the one to go on with.")
@db_option
def local_store(now: bool, end: bool, keep: str | None, db: Path | None) -> None:
    """Say where a workspace is worked on; bring it home, or choose between two files that diverged."""
    from fairnad_engine.store.choosing import choose
    from fairnad_engine.store.local_copy import current_copy, named_copy, working_file
    from fairnad_engine.store.snapshots import bring_home, end_local_work, told_of

    if sum((now, end, keep is not None)) > 1:
        raise InputError("--now, --end and --keep say different things; name one of them")
    context = click.get_current_context()
    home = db or context.find_root().obj or DEFAULT_DB
    if keep is not None:
        aside = choose(named_copy(home), home.resolve(), "home" if keep == "home" else "local")
        working_file(home)  # what is kept here is brought home when the command ends
        tell(f"{home}: goes on with its {keep} file" + (f"; the other is {aside}" if aside else ""))
        return
    if now or end:
        working_file(home)
        copy = current_copy(home)
        if copy is None:
            raise InputError(f"{home}: has no copy on this machine; work on one with --local-store DIR")
        if end:
            end_local_work(home)
            tell(f"{home}: is whole and worked on at home from now on")
            return
        bring_home(copy)
    tell(f"{home}: {told_of(home.resolve()) or 'is worked on where it lies'}")
