"""One jail without and one with torch for all tests here, and a folder that nobody in the jail may touch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fairnad_engine.backbone.jail import Jail

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Guard:
    """A folder outside the jail, open to every user, with one file in it."""

    folder: Path
    secret: Path

    def untouched(self) -> bool:
        return [p.name for p in self.folder.iterdir()] == ["secret"] and self.secret.read_text() == "secret"


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    folder = tmp_path / "guard"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "secret").write_text("secret")
    (folder / "secret").chmod(0o666)
    for above in folder.parents:
        if above.stat().st_uid == os.getuid() and above.is_relative_to("/tmp/"):
            above.chmod(above.stat().st_mode | 0o011)  # only the jail shall keep a candidate out
    return Guard(folder, folder / "secret")


@pytest.fixture(scope="session")
def bare_jail() -> Iterator[Jail]:
    with Jail(tasks_module="hostile_tasks", extra_folders=[HERE], preload=(), wall_seconds=20.0) as jail:
        yield jail


@pytest.fixture(scope="session")
def torch_jail() -> Iterator[Jail]:
    with Jail(tasks_module="hostile_tasks", extra_folders=[HERE], wall_seconds=60.0) as jail:
        yield jail
