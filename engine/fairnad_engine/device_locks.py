"""GPUs across workspaces: a lock file for each one a worker trains on, free when the worker ends however it ends.

Advisory, and for one user's processes: the folder is the user's own.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import stat
from collections.abc import Sequence
from pathlib import Path

_log = logging.getLogger("fairnad.devices")


def lock_folder() -> Path:
    """Where this user's lock files lie, of which other users may read and write nothing."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "fairnad"
    return Path("/tmp") / f"fairnad-{os.getuid()}"  # noqa: S108 - made with mode 0700, and refused where another's


class DeviceLocks:
    """The lock files that this process holds."""

    def __init__(self, owner: str) -> None:
        """Hold none yet.

        Args:
            owner: Who holds them, in words for those who wait.
        """
        self._owner = owner
        self._held: dict[str, int] = {}

    def take(self, devices: Sequence[str]) -> str:
        """Lock all of these devices or none; the reason in words where one is another's, otherwise nothing."""
        wanted = [one for one in devices if one not in self._held]
        folder = lock_folder()
        if not wanted or not _is_own(folder):
            return ""
        taken: dict[str, int] = {}
        for device in wanted:
            path = folder / f"{hashlib.sha256(device.encode()).hexdigest()[:16]}.lock"
            opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(opened, 500).decode("utf-8", "replace").strip()
                for one in (opened, *taken.values()):
                    os.close(one)
                return f"{device} is used by {holder or 'another workspace'}"
            os.ftruncate(opened, 0)
            os.write(opened, self._owner.encode())
            taken[device] = opened
        self._held |= taken
        return ""

    def give_back(self) -> None:
        """Unlock all."""
        for opened in self._held.values():
            os.close(opened)
        self._held.clear()


def _is_own(folder: Path) -> bool:
    """Make the folder where it is not there; False where it is not this user's alone, so that nothing is locked."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        _log.warning("GPUs are not locked against other workspaces: %s", error)
        return False
    own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    if not own:
        _log.warning("GPUs are not locked against other workspaces: %s is not this user's alone", folder)
    return own
