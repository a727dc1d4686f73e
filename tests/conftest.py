"""Fixtures that several folders of tests share."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# Each run tries the same examples, however slow the machine; --hypothesis-profile=default draws others.
settings.register_profile("fixed", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fixed")

# A shell starts what it puts in the background deaf to Ctrl+C, and children inherit that; here they are to hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


TORCH_SEED = 67280421310721  # where torch itself begins


@pytest.fixture(autouse=True)
def same_draws():
    """What a test draws without a seed hangs on no test before it on the same worker."""
    random.seed(2605)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(2605)
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(TORCH_SEED)


@dataclass(frozen=True)
class Ended:
    """A command that ended."""

    code: int
    out: str
    err: str

    def events(self, kind: str) -> list[dict]:
        """JSON lines of one kind."""
        return [e for e in map(json.loads, self.out.splitlines()) if e["event"] == kind]

    def one_line(self) -> str:
        """The error: exactly one line, no traceback."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0]


def command_line(*arguments: object) -> list[str]:
    """The command as a user calls it."""
    return [sys.executable, "-m", "fairnad_tui", *map(str, arguments)]


def environment(**changes: str) -> dict[str, str]:
    """This process's environment, one thread for every library, no server or workspace of the user's own."""
    base = {k: v for k, v in os.environ.items() if k not in ("FAIRNAD_DB", "FAIRNAD_LOCAL_STORE", "OLLAMA_HOST")}
    return {**base, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", **changes}


@pytest.fixture
def fairnad(tmp_path):
    """Call the program in an empty folder: ``fairnad("papers", "list")``."""

    def call(*arguments: object, stdin: str | None = None, timeout: float = 280, **env: str) -> Ended:
        done = subprocess.run(
            command_line(*arguments),
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment(**env),
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return call
