"""The same attacks, the jail started by an ordinary user, with an interpreter that such a user can read."""

from __future__ import annotations

import os
import platform

import pytest
from attacks import ATTACKS
from conftest import Guard
from ordinary import USER, interpreter, readable_copy, run_as_user

MAY_LACK = {"TCP, second lock", "signals, second lock", "own namespaces"}
SCRIPT = """
    import json, os, sys
    from pathlib import Path
    from fairnad_engine.backbone.jail import Jail
    from fairnad_engine.backbone.jail.probe import probe
    from attack import verdict
    from attacks import ATTACKS
    here, guard = sys.argv[1:]
    given = {"guard": guard, "secret": guard + "/secret", "client": os.getpid(), "port": 9}
    layers = {layer.name: [layer.live, layer.detail] for layer in probe()}
    with Jail(tasks_module="hostile_tasks", extra_folders=[Path(here)], preload=(), wall_seconds=20.0) as jail:
        said = {}
        for attack in ATTACKS:
            result = jail.run("snippet", {**given, "source": attack.source}, **attack.limits)
            said[attack.name] = verdict(attack, result)
    print(json.dumps({"uid": os.getuid(), "layers": layers, "attacks": said}))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="the other tests run as an ordinary user already")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="raw call numbers are those of x86_64")
def test_attacks_as_an_ordinary_user(guard: Guard) -> None:
    name = interpreter()
    if name is None:
        pytest.skip("no Python 3.11 that an ordinary user can read")
    os.chown(guard.folder, USER, USER)
    os.chown(guard.secret, USER, USER)  # even its owner, inside the jail, must not reach it
    with readable_copy() as copy:
        said = run_as_user(name, copy, "", SCRIPT, str(copy / "tests"), str(guard.folder))
    assert said["uid"] == USER
    assert [name for name, (live, _) in said["layers"].items() if not live and name not in MAY_LACK] == []
    assert {name: verdict for name, verdict in said["attacks"].items() if verdict} == {}
    assert len(said["attacks"]) == len(ATTACKS)
    assert guard.untouched()
