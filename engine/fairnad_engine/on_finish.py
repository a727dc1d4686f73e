"""A command of the user's own, run when a job ends: ``[machine] on_finish``."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

LIMIT_SECONDS = 300.0
_log = logging.getLogger("fairnad.worker")


def split_command(command: str) -> list[str]:
    """Split a command as a shell would, without one; a user who wants a shell writes ``sh -c '...'``.

    Raises:
        ValueError: Quotes are not closed.
    """
    return shlex.split(command)


def run_on_finish(
    command: str, *, job: str, run: str | None, state: str, db: Path, output: Path, limit: float = LIMIT_SECONDS
) -> None:
    """Run the command, if there is one; whatever becomes of it is at most one line in the job's log.

    Args:
        command: As in the settings; empty for none.
        job: Told as ``FAIRNAD_JOB``.
        run: Told as ``FAIRNAD_RUN``, empty for a job of no run.
        state: How the job ended, ``done``, ``failed`` or ``stopped``; told as ``FAIRNAD_STATE``.
        db: The workspace, told as ``FAIRNAD_DB``.
        output: File that receives what it prints.
        limit: Seconds after which it is ended.
    """
    if not command:
        return
    told = {"FAIRNAD_JOB": job, "FAIRNAD_RUN": run or "", "FAIRNAD_STATE": state, "FAIRNAD_DB": str(db.resolve())}
    try:
        with output.open("ab") as file:
            process = subprocess.Popen(
                split_command(command),
                cwd=db.resolve().parent,
                env={**os.environ, **told},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except (OSError, ValueError) as error:
        # The command itself may hold a key, and logs are shown to others.
        _log.warning("on_finish: %s: %s", _program(command), error)
        return
    try:
        code = process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _log.warning("on_finish: %s: ended after %g s", _program(command), limit)
        return
    if code:
        _log.warning("on_finish: %s: exit status %d, see %s", _program(command), code, output)


def _program(command: str) -> str:
    return command.split()[0] if command.split() else command
