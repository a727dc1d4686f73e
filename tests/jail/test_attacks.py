"""No hostile module reaches outside; each ends in a reply of refusals or in a named failure class."""

from __future__ import annotations

import os
import platform
import socket

import psutil
import pytest
from attack import Attack, verdict
from attacks import ATTACKS
from conftest import Guard

from fairnad_engine.backbone.jail import Jail

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="raw call numbers are those of x86_64")


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
@pytest.mark.fault("jail-memory")
def test_attack_reaches_nothing(attack: Attack, bare_jail: Jail, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRNAD_TEST_SECRET", "hunter2")
    with socket.create_server(("127.0.0.1", 0)) as server:
        given = {
            "source": attack.source,
            "guard": str(guard.folder),
            "secret": str(guard.secret),
            "client": os.getpid(),
            "port": server.getsockname()[1],
        }
        before = bare_jail.run("ping", {}).data["parent"]
        result = bare_jail.run("snippet", given, **attack.limits)
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert verdict(attack, result) == ""
    assert guard.untouched()
    assert psutil.Process(before).children(recursive=True) == []
    assert bare_jail.run("ping", {"value": 1}).data["pong"] == 1
    assert bare_jail.run("ping", {}).data["parent"] == before, "the zygote was lost"


def test_there_are_enough_attacks() -> None:
    assert len(ATTACKS) >= 60
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
