"""Whatever hangs is ended within a second of its deadline, and nothing of it is left two seconds later.

The seconds here are the claim itself: those of an attempt come from the zygote's own clock.
"""

from __future__ import annotations

import platform
import time
from pathlib import Path

import pytest
from hangs import HANGS
from hostile import Module, request, verdict

from fairnad_engine.backbone.jail import Jail

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("jail-hangs"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="raw call numbers are those of x86_64"),
]
WALL, OVERRUN, SURVIVAL = 1.0, 1.0, 2.0
GIVEN = {"GUARD": "", "SECRET": "", "CLIENT": 0, "PORT": 0}


@pytest.fixture(scope="module")
def export_jail():
    with Jail() as jail:
        yield jail


def of_session(leader: int) -> list[int]:
    """Every process whose session or group is the one that a candidate led."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group, session = stat.read_text().rsplit(")", 1)[1].split()[:4]
        except OSError:
            continue  # it ended meanwhile
        if leader in {int(group), int(session), int(stat.parent.name)} and state != "X":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.parametrize("hostile", HANGS, ids=lambda hostile: hostile.name)
def test_hang_is_ended(hostile: Module, export_jail: Jail) -> None:
    limits = {"wall_seconds": WALL, **hostile.limits}
    result = export_jail.run("export", request(hostile, GIVEN), **limits)
    ended = time.monotonic()
    assert verdict(hostile, result) == ""
    assert result.stdout.startswith("reached"), "it ended before it hung"
    assert result.seconds <= limits["wall_seconds"] + OVERRUN
    leader = int(result.stdout.split()[1])
    while left := of_session(leader):
        assert time.monotonic() < ended + SURVIVAL, f"{left} survive"


def test_there_are_enough_hangs() -> None:
    assert len({hostile.name for hostile in HANGS}) == len(HANGS) >= 20


def test_the_scan_finds_what_runs() -> None:
    import os

    assert os.getpid() in of_session(os.getsid(0)) or os.getpid() in of_session(os.getpgid(0))
