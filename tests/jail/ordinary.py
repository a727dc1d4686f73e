"""An ordinary user's interpreter and a copy of the code that such a user can read, for a machine where we are root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fairnad_engine.backbone.jail import places

USER = 65534
HERE = Path(__file__).parent
_CANDIDATES = (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3", f"/usr/bin/python3.{sys.version_info[1]}")


def interpreter(wanted: str = "sys, ctypes", path: str = "") -> str | None:
    """Return an interpreter that the user can start and that can import the modules ``wanted``, or None."""
    for name in _CANDIDATES:
        try:
            answer = subprocess.run(
                [name, "-c", f"import sys; assert sys.version_info >= (3, 11); import {wanted}; print('yes')"],
                user=USER, group=USER, extra_groups=[], capture_output=True, text=True, cwd="/", check=False,
                env={"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
        except OSError:
            continue
        if answer.stdout.strip() == "yes":
            return name
    return None


@contextmanager
def readable_copy() -> Iterator[Path]:
    """Copy the engine and these tests to where everyone can read them."""
    base = places.scratch_base()
    try:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(places.PACKAGE, base / "engine" / "fairnad_engine", ignore=ignore)
        shutil.copytree(HERE, base / "tests", ignore=ignore)
        for path in [base, *base.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield base
    finally:
        shutil.rmtree(base)


def run_as_user(name: str, copy: Path, site: str, script: str, *arguments: str) -> dict[str, Any]:
    """Run a script as the ordinary user and return the JSON that it prints last."""
    path = [str(copy / "engine"), str(copy / "tests"), *([site] if site else [])]
    answer = subprocess.run(
        [name, "-c", textwrap.dedent(script), *arguments],
        user=USER,
        group=USER,
        extra_groups=[],
        env={"PYTHONPATH": os.pathsep.join(path), "FAIRNAD_TEST_SECRET": "hunter2", "OMP_NUM_THREADS": "1"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    said: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return said
