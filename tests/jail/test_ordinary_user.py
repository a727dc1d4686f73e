"""The same attacks, the jail started by an ordinary user, with an interpreter that such a user can read."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from attacks import ATTACKS
from conftest import HERE, Guard

from fairnad_engine.backbone.jail import places

USER = 65534
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


def _interpreter() -> str | None:
    for name in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            answer = subprocess.run(
                [name, "-c", "import sys, ctypes; print(sys.version_info >= (3, 11))"],
                user=USER, group=USER, extra_groups=[], capture_output=True, text=True, cwd="/", check=False,
            )  # fmt: skip
        except OSError:
            continue
        if answer.stdout.strip() == "True":
            return name
    return None


@pytest.fixture
def readable_copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    base = places.scratch_base()
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(places.PACKAGE, base / "engine" / "fairnad_engine", ignore=ignore)
    shutil.copytree(HERE, base / "tests", ignore=ignore)
    for path in [base, *base.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield base
    shutil.rmtree(base)


@pytest.mark.skipif(os.getuid() != 0, reason="the other tests run as an ordinary user already")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="raw call numbers are those of x86_64")
def test_attacks_as_an_ordinary_user(readable_copy: Path, guard: Guard) -> None:
    interpreter = _interpreter()
    if interpreter is None:
        pytest.skip("no Python 3.11 that an ordinary user can read")
    os.chown(guard.folder, USER, USER)
    os.chown(guard.secret, USER, USER)  # even its owner, inside the jail, must not reach it
    path = [readable_copy / "engine", readable_copy / "tests"]
    answer = subprocess.run(
        [interpreter, "-c", textwrap.dedent(SCRIPT), str(readable_copy / "tests"), str(guard.folder)],
        user=USER,
        group=USER,
        extra_groups=[],
        env={"PYTHONPATH": ":".join(map(str, path)), "FAIRNAD_TEST_SECRET": "hunter2"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    said = json.loads(answer.stdout)
    assert said["uid"] == USER
    assert [name for name, (live, _) in said["layers"].items() if not live and "second" not in name] == []
    assert {name: verdict for name, verdict in said["attacks"].items() if verdict} == {}
    assert len(said["attacks"]) == len(ATTACKS)
    assert guard.untouched()
