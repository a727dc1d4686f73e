"""Whether this machine ends a user's processes when the user logs out, and what keeps a worker alive there."""

from __future__ import annotations

import getpass
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 5.0
LINGER = Path("/var/lib/systemd/linger")
_KILLS = "logind ends what a session leaves running at log-out (KillUserProcesses=yes)"
_LINGER = "loginctl enable-linger"
# A scope of the user's own manager is in no session; lingering keeps that manager when the last session ends.
_SCOPE = "systemd-run --user --scope fairnad-tui run ... --detach"


@dataclass(frozen=True)
class LoggingOut:
    """What becomes of a worker when its user logs out.

    Attributes:
        survives: Whether it lives on, as far as one can know.
        told: Why, and what to do where it does not.
    """

    survives: bool
    told: str


def after_logout(linger: Path = LINGER) -> LoggingOut:
    """Ask logind; a machine without it ends nothing."""
    kills = _kills_user_processes()
    if kills is None:
        return LoggingOut(True, "no logind here; a worker outlives its terminal and session")
    if not kills:
        return LoggingOut(True, "logind leaves processes alone (KillUserProcesses=no); a worker outlives its session")
    user = getpass.getuser()
    if user == "root":
        return LoggingOut(True, f"{_KILLS}, but spares root's")
    if (linger / user).exists():
        return LoggingOut(False, f"{_KILLS}; {user} lingers, so start runs with: {_SCOPE}")
    return LoggingOut(False, f"{_KILLS}; once: {_LINGER}; then start runs with: {_SCOPE}")


def _kills_user_processes() -> bool | None:
    """What logind was told; None where there is none."""
    program = shutil.which("busctl")
    if program is None:
        return None
    place = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
    try:
        said = subprocess.run(
            [program, "get-property", *place, "KillUserProcesses"], capture_output=True, text=True, timeout=_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout.strip() == "b true" if said.returncode == 0 else None
