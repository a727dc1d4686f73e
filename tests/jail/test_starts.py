"""The start of a zygote, which takes seconds: killed meanwhile it is replaced, and it ends with its client."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import HERE

from fairnad_engine.backbone.jail import Jail, places
from fairnad_engine.backbone.jail.entry import ENVIRONMENT
from fairnad_engine.backbone.jail.warmup import modules_used_by
from fairnad_engine.backbone.jail.zygote_process import _LAUNCH
from fairnad_engine.errors import JailError
from fairnad_engine.processes import identity_of


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def jail_that_kills(numbers: set[int]) -> tuple[Jail, list[int]]:
    """A jail whose zygotes of these numbers are killed at their start, and the processes that were started."""
    started: list[int] = []

    def on_start(pid: int) -> None:
        started.append(pid)
        if len(started) in numbers:
            os.kill(pid, signal.SIGKILL)

    return Jail(tasks_module="hostile_tasks", extra_folders=[HERE], preload=(), on_start=on_start), started


def test_a_zygote_that_is_killed_while_it_starts_is_replaced() -> None:
    jail, started = jail_that_kills({1, 3, 4, 5})
    with jail:
        assert jail.run("ping", {}).data["parent"] == started[1]
        os.kill(started[1], signal.SIGKILL)  # and so are three that replace it
        assert jail.run("ping", {}).data["parent"] == started[5]
    assert len(started) == 6


def test_one_that_is_killed_four_times_ends_the_start() -> None:
    jail, started = jail_that_kills({1, 2, 3, 4})
    with pytest.raises(JailError, match="did not start"), jail:
        pass
    assert len(started) == 4


def test_a_killed_trial_export_is_made_again(tmp_path: Path) -> None:
    """Otherwise candidates import what is missing inside the jail, and are blamed for what it does."""

    def action() -> None:
        importlib.import_module("colorsys")
        with (tmp_path / "tries").open("a") as file:
            file.write("x")
        if (tmp_path / "tries").stat().st_size < deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.modules.pop("colorsys", None)
    deadly = 2
    assert "colorsys" in modules_used_by(action)
    deadly = 9
    with pytest.raises(RuntimeError, match="killed by signal 9"):
        modules_used_by(action)
    assert "colorsys" not in sys.modules


def test_a_zygote_that_still_starts_ends_with_its_client_and_leaves_no_folder() -> None:
    script = """
        import time
        from fairnad_engine.backbone.jail import Jail
        jail = Jail(on_start=lambda pid: None)
        zygote = jail._launch()
        print(zygote.pid, zygote.base, flush=True)
        time.sleep(3600)
    """
    environment = {**os.environ, "PYTHONPATH": str(places.PACKAGE.parent)}
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True, env=environment
    ) as client:
        assert client.stdout is not None
        number, base = client.stdout.readline().split()
        zygote = identity_of(int(number))
        assert zygote is not None
        until(lambda: b"torch" in Path(f"/proc/{number}/maps").read_bytes())  # it has begun to import
        client.kill()
    until(lambda: not zygote.is_alive())
    until(lambda: not Path(base).exists())


def test_a_zygote_whose_client_ended_before_it_said_anything_leaves_no_folder() -> None:
    base = places.scratch_base()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        zygote = subprocess.Popen(
            [sys.executable, "-P", "-s", "-c", _LAUNCH, str(theirs.fileno()), str(places.PACKAGE.parent)],
            env={**ENVIRONMENT, "TMPDIR": str(base)},
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    ours.close()
    assert zygote.wait(60) != 0
    assert not base.exists()
