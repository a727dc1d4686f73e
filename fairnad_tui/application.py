"""The terminal application, opened on a terminal that can show it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fairnad_engine.errors import InputError
from fairnad_tui.options import DEFAULT_DB


def open_application(db: Path | None, llm: str | None) -> None:
    """Open the screens on a workspace.

    Raises:
        InputError: The terminal cannot show them, or the user's settings are not valid.
        StoreError: The workspace cannot be opened.
    """
    from fairnad_screens.memory import load_settings
    from fairnad_screens.terminal import terminal_problem

    problem = terminal_problem()
    if problem:
        raise InputError(problem)
    settings = load_settings()
    from fairnad_engine.store.snapshots import Snapshots
    from fairnad_screens.shell import Shell
    from fairnad_tui.output import remark_on_disk

    path = db or DEFAULT_DB
    remark_on_disk(path)
    snapshots = Snapshots(path)
    snapshots.start()
    # The terminal says how large it is; what a shell exported would stay as it was when the window changes.
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    application = Shell(path, settings, llm=llm)
    application.run()
    snapshots.end()
    if application.return_code:
        sys.exit(application.return_code)
