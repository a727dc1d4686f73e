"""The zygote as its parent has it: its process, the control socket to it, and the folder of its scratch folders."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fairnad_engine.backbone.jail import places
from fairnad_engine.backbone.jail.attempt import Attempt, Ended, ZygoteLostError
from fairnad_engine.backbone.jail.entry import ENVIRONMENT
from fairnad_engine.backbone.jail.limits import Limits
from fairnad_engine.errors import JailError

_START_SECONDS = 180.0
_ENDING_SECONDS = 5.0  # for a killed process to be gone, on a busy machine
# -P -s leave out the working directory and the user's site folder, and the environment is made here: this is -I,
# but with a fixed hash seed, without which sets of strings would order an export differently in every zygote.
_LAUNCH = (
    "import sys; sys.path[:0] = sys.argv[2:]\n"
    "from fairnad_engine.backbone.jail.zygote import main; main(int(sys.argv[1]))"
)


class ZygoteProcess:
    """The zygote's process and the control socket to it.

    Attributes:
        base: Folder of the scratch folders.
    """

    def __init__(self, start: dict[str, Any], extra_folders: Sequence[Path]) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._mapped: int | None = None
        self.base = places.scratch_base()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        site = places.site_folder("torch")
        path = [places.PACKAGE.parent, *extra_folders, *([site] if site else [])]
        environment = {**ENVIRONMENT, "HOME": str(self.base), "TMPDIR": str(self.base)}
        with theirs, (self.base / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-s", "-c", _LAUNCH, str(theirs.fileno()), *map(str, path)],
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a Ctrl-C at the terminal is not for it
            )
        with suppress(OSError):  # it is gone already: whoever waits for it is told
            self._control.send(json.dumps({**start, "base": str(self.base)}).encode())

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def was_killed(self) -> bool:
        """Whether the process was ended by a signal; one that has just fallen silent is given time to end."""
        try:
            return self._process.wait(timeout=_ENDING_SECONDS) < 0
        except subprocess.TimeoutExpired:
            return False

    def await_ready(self) -> int:
        """Wait until the zygote has imported everything, and return the bytes of address space that this takes.

        Raises:
            JailError: It did not start; the message carries its reason.
        """
        if self._mapped is not None:
            return self._mapped
        self._control.settimeout(_START_SECONDS)
        try:
            said = json.loads(self._control.recv(64 << 10) or b"{}")
        except (OSError, ValueError) as error:
            said = {"error": str(error)}
        finally:
            self._control.settimeout(None)
        if not said.get("ready"):
            reason = said.get("error") or self._last_words()
            raise JailError(f"the jail's own process did not start: {reason}; see `fairnad-tui doctor`")
        self._mapped = int(said["mapped"])
        return self._mapped

    def _last_words(self) -> str:
        log = self.base / "log"
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        return lines[-1] if lines else "it ended without a word"

    def room(self) -> int:
        """Bytes that are free for scratch; none where no further file can be made."""
        found = os.statvfs(self.base)
        return found.f_bavail * found.f_frsize if found.f_favail or not found.f_files else 0

    def alive(self) -> bool:
        """Say whether the process still runs."""
        return self._process.poll() is None

    def attempt(self, request: bytes, limits: Limits) -> Ended:
        """Have one child forked and follow it to its end.

        Raises:
            ZygoteLostError: The zygote died meanwhile.
        """
        attempt = Attempt(request, limits.reply_bytes)
        try:
            with self._lock:
                self._count += 1
                number = self._count
                order = {"number": number, "limits": asdict(limits)}
                self._order(order, attempt.descriptors)
                attempt.sent()
            return attempt.follow(limits.wall_seconds, lambda: self._kill(number))
        except ZygoteLostError:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            attempt.close()

    def _kill(self, number: int) -> None:
        with self._lock:
            self._order({"kill": number}, [])

    def _order(self, order: dict[str, Any], descriptors: list[int]) -> None:
        try:
            socket.send_fds(self._control, [json.dumps(order).encode()], descriptors)
        except OSError as error:
            raise ZygoteLostError(str(error)) from error

    def close(self) -> None:
        """Hang up, which ends the zygote and its children, and remove what it may have left."""
        self._control.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.base, ignore_errors=True)
