"""Hostile backbones through the task of real ones, as whoever runs the tests and as an ordinary user.

None reaches outside, and every one ends in a named failure class.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from hostile import Module, request, verdict
from modules import MODULES
from ordinary import USER, interpreter, readable_copy, run_as_user

from fairnad_engine.backbone.jail import Jail, places

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("jail-modules"),  # each identity runs the whole list at once
    pytest.mark.skipif(platform.machine() != "x86_64", reason="raw call numbers are those of x86_64"),
]
SCRIPT = """
    import json, os, sys
    from fairnad_engine.backbone.jail import Jail
    from hostile import request, verdict
    from modules import MODULES
    given = json.loads(sys.argv[1]) | {"CLIENT": os.getpid()}
    said = {}
    with Jail(wall_seconds=20.0) as jail:
        for hostile in MODULES:
            result = jail.run("export", request(hostile, given), **hostile.limits)
            said[hostile.name] = verdict(hostile, result)
    print(json.dumps({"uid": os.getuid(), "said": said}))
"""


@dataclass(frozen=True)
class Outcome:
    """What every module came to under one identity, and what was found outside afterwards."""

    uid: int
    said: dict[str, str]
    left: dict[str, str]
    visitors: int
    survivors: list[str]


@pytest.fixture(scope="module", params=["whoever runs the tests", "an ordinary user"])
def outcome(request: pytest.FixtureRequest) -> Iterator[Outcome]:
    folder = Path(tempfile.mkdtemp(prefix="guard-", dir="/tmp"))
    try:
        secret = folder / "secret"
        secret.write_text("secret")
        folder.chmod(0o777)
        secret.chmod(0o666)
        with socket.create_server(("127.0.0.1", 0)) as server:
            given = {
                "GUARD": str(folder),
                "SECRET": str(secret),
                "CLIENT": os.getpid(),
                "PORT": server.getsockname()[1],
            }
            if request.param == "an ordinary user":
                uid, said, survivors = _as_ordinary_user(folder, given)
            else:
                uid, said, survivors = _as_ourselves(given)
            server.settimeout(0)
            try:
                server.accept()
                visitors = 1
            except BlockingIOError:
                visitors = 0
        left = {path.name: path.read_text() for path in folder.iterdir()}
        yield Outcome(uid, said, left, visitors, survivors)
    finally:
        shutil.rmtree(folder)


def _as_ourselves(given: dict[str, object]) -> tuple[int, dict[str, str], list[str]]:
    with Jail(wall_seconds=20.0) as jail:
        zygote = jail._zygote
        said = {m.name: verdict(m, jail.run("export", request(m, given), **m.limits)) for m in MODULES}
        assert jail._zygote is zygote, "a candidate brought the zygote down"
        assert zygote is not None
        survivors = [child.name() for child in psutil.Process(zygote._process.pid).children(recursive=True)]
    return os.getuid(), said, survivors


def _as_ordinary_user(folder: Path, given: dict[str, object]) -> tuple[int, dict[str, str], list[str]]:
    if os.getuid() != 0:
        pytest.skip("not root: the other half of this test is an ordinary user's already")
    site = str(places.site_folder("torch"))
    name = interpreter("torch, safetensors", site)
    if name is None:
        pytest.skip("no Python >= 3.11 with torch that an ordinary user can read")
    os.chown(folder, USER, USER)
    os.chown(folder / "secret", USER, USER)  # even its owner, inside the jail, must not reach it
    with readable_copy() as copy:
        answer = run_as_user(name, copy, site, SCRIPT, json.dumps(given))
    survivors = [p.name() for p in psutil.process_iter() if p.uids().real == USER and "python" in p.name()]
    return int(answer["uid"]), answer["said"], survivors


@pytest.mark.parametrize("hostile", MODULES, ids=lambda hostile: hostile.name)
def test_module_ends_in_a_named_class(hostile: Module, outcome: Outcome) -> None:
    assert outcome.said[hostile.name] == ""


def test_nothing_was_reached(outcome: Outcome) -> None:
    assert outcome.left == {"secret": "secret"}
    assert outcome.visitors == 0
    assert outcome.survivors == []
    assert outcome.uid in {os.getuid(), USER}


def test_the_template_is_honest_without_the_hostile_lines() -> None:
    with Jail(wall_seconds=20.0) as jail:
        honest = Module("honest", "pass", frozenset(), "forward")
        result = jail.run("export", request(honest, {"GUARD": "", "SECRET": "", "CLIENT": 0, "PORT": 0}))
        assert result.ok, result.message


def test_an_export_is_the_same_in_every_zygote_and_after_others() -> None:
    given = {"GUARD": "", "SECRET": "", "CLIENT": 0, "PORT": 0}
    chance = (
        "import random, numpy\nself.register_buffer('drawn', torch.tensor([random.random(), numpy.random.rand()] + "
    )
    order = "[float(hash(word) % 997) for word in {'norm', 'conv', 'pool'}]).float() + torch.rand(5))"
    honest = request(Module("honest", chance + order, frozenset(), "init"), given)
    poison = "import random, numpy\nrandom.seed(7), numpy.random.seed(7), torch.manual_seed(7), torch.rand(3)\n"
    poison += "torch.set_default_dtype(torch.float64)\ntorch.set_num_threads(2)\nos.umask(0)\nos.environ['TZ'] = 'x'"
    seen = []
    for _ in range(2):
        with Jail(wall_seconds=20.0) as jail:
            for neighbour in ("", poison):
                if neighbour:
                    jail.run("export", request(Module("poison", neighbour, frozenset()), given))
                result = jail.run("export", honest)
                assert result.ok, result.message
                seen.append((json.dumps(result.data["graph"]), result.blobs["weights"]))
    assert seen == seen[:1] * 4


def test_there_are_enough_modules() -> None:
    assert len(MODULES) >= 60
    assert len({hostile.name for hostile in MODULES}) == len(MODULES)
    assert len({hostile.code for hostile in MODULES}) >= len(MODULES) - 2, "the same lines twice"
    assert all(hostile.ends and hostile.ends <= NAMED for hostile in MODULES)


NAMED = {
    "jail-violation", "memory", "timeout", "output-too-large", "crash", "syntax", "import", "build", "forward",
}  # fmt: skip
