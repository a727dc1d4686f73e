"""Five thousand random keys and resizes, while a run writes: nothing breaks, and every place is reached."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from fairnad_engine.errors import InputError
from fairnad_screens.actions import SCOPES, actions_of
from fairnad_screens.base import FairScreen
from fairnad_screens.candidate import CandidateScreen
from fairnad_screens.shell import PLACES, Shell
from tests.tui import fuzz_writer
from tests.tui.fast_keys import answered, press, quiet, resize, send
from tests.tui.fuzz_writer import Writer
from tests.tui.harness import shown, wait_for
from tests.tui.idea_library import fill
from tests.unit.report_workspace import RUN, workspace

SEED = int(os.environ.get("FAIRNAD_FUZZ_SEED", "2605"))
KEYS = 5000
SMALLEST, LARGEST = (20, 5), (200, 60)
QUIT = {"ctrl+q", "ctrl+c"}
COMMON = ("down", "up", "left", "right", "tab", "shift+tab", "enter", "enter", "escape", "pagedown", "home", "end")
DIALOGS = (
    "ConfirmDialog", "LineDialog", "ChoiceDialog", "HelpDialog", "TextDialog", "TextViewer", "Palette",
)  # fmt: skip
PLACE_KEYS = {one.name: one.key for one in actions_of("app") if one.name in PLACES}
REST = "rest"  # not a key: the place is read before the next one
# What is reached by several keys only: a candidate, its attempts at length, a report.
OPENINGS = {"candidate": ("5", "5", REST, "enter", REST, "5", "enter", REST, "escape"), "runs": ("v", REST, "escape")}
READING = ("reload", "background")
# Where outside effects could come from; each takes a path that was typed.
WRITES = ("candidate.export", "launch.save_toml", "runs.write_run_report", "papers_work._add_papers")


class Keys:
    """Keys in phases: each goes to a place, then presses mostly what is bound there."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._of = {scope: [key for one in SCOPES[scope] for key in one.key.split(",")] for scope in SCOPES}
        self._of["app"] = [key for key in self._of["app"] if key not in QUIT]
        self._any = sorted({key for keys in self._of.values() for key in keys})
        self._printable = [chr(code) for code in range(32, 127)] + list("äß漢字é🙂")

    def __iter__(self) -> Iterator[str]:
        while True:
            scope = self._rng.choice(list(self._of))
            yield from ("escape", "escape", "escape", PLACE_KEYS.get(scope, PLACE_KEYS["search"]), REST)
            yield from OPENINGS.get(scope, ())
            for _ in range(self._rng.randrange(10, 60)):
                yield self._one(scope)

    def _one(self, scope: str) -> str:
        draw = self._rng.random()
        if draw < 0.6:
            return self._rng.choice(self._of[scope])
        if draw < 0.8:
            return self._rng.choice(COMMON)
        return self._rng.choice(self._printable if draw < 0.92 else self._any)


class FuzzedShell(Shell):
    """Counts what is reached; leaving is the one thing it does not do."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, poll=0.1)
        self.reached: Counter[str] = Counter()
        self.done: Counter[str] = Counter()

    def do_quit(self) -> None:
        self._remember()
        self.done["app.quit"] += 1

    def push_screen(self, screen: Any, *arguments: Any, **named: Any) -> Any:
        self.reached[getattr(screen, "SCOPE", type(screen).__name__)] += 1
        return super().push_screen(screen, *arguments, **named)

    def switch_screen(self, screen: Any) -> Any:
        self.reached[getattr(screen, "SCOPE", type(screen).__name__)] += 1
        return super().switch_screen(screen)


async def rest(app: Shell) -> None:
    """Give what runs on other threads a little time; a dialog may keep it waiting for an answer."""
    for _ in range(40):
        await asyncio.sleep(0.01)
        if quiet(app) and not any(worker.is_running for worker in app.workers if worker.group in READING):
            return


@pytest.fixture
def bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key starts a process or reads and writes outside this test's folder."""
    import importlib

    def inside(real: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            for path in (*arguments, *named.values()):
                if isinstance(path, str | Path) and path != "samples" and tmp_path not in Path(path).resolve().parents:
                    raise InputError(f"{path}: not inside the folder of the test")
            return real(*arguments, **named)

        return call

    for write in WRITES:
        module, name = write.split(".")
        place = importlib.import_module(f"fairnad_screens.{module}")
        monkeypatch.setattr(place, name, inside(getattr(place, name)))
    real_do = FairScreen.action_do

    def count(screen: FairScreen[Any], action_id: str) -> None:
        cast(FuzzedShell, screen.app).done[action_id] += 1
        real_do(screen, action_id)

    monkeypatch.setattr(FairScreen, "action_do", count)
    monkeypatch.setattr("fairnad_engine.workspace.start_worker", fuzz_writer.start_worker)
    monkeypatch.setenv("EDITOR", "true")
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")  # nobody listens there
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A finished run with exportable models, and a library of ideas."""
    with workspace(tmp_path) as store:
        found = store.path
    return fill(found)


@contextmanager
def written(path: Path) -> Iterator[Writer]:
    """A thread adds to a run meanwhile."""
    writer = Writer(path)
    writer.start()
    writer.begun.wait(30)
    try:
        yield writer
    finally:
        writer.close()
    assert writer.problem is None


@pytest.mark.slow
async def test_five_thousand_keys(path: Path, bounded: None) -> None:
    rng = random.Random(SEED)
    keys, last = iter(Keys(rng)), deque[str](maxlen=50)
    problems: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(str(context)))
    with written(path) as writer:
        app = FuzzedShell(path)
        try:
            async with app.run_test(size=(80, 24)):
                for _ in range(KEYS):
                    last.append(next(keys))
                    if last[-1] == REST:
                        await rest(app)
                        continue
                    send(app, last[-1])
                    if rng.random() < 0.01:
                        size = (rng.randint(SMALLEST[0], LARGEST[0]), rng.randint(SMALLEST[1], LARGEST[1]))
                        last.append(f"{size[0]}x{size[1]}")
                        resize(app, size)
                    if rng.random() < 0.5:  # else the next key comes before this one was answered
                        await answered(app)
                    assert app._exception is None
                await still_answers(app)
        except BaseException:
            print(f"FAIRNAD_FUZZ_SEED={SEED}, after {app.done.total()} actions; the last: {' '.join(last)}")
            raise
    assert not problems
    assert writer.rows > 100
    missed = {*SCOPES, *DIALOGS} - {"app"} - set(app.reached)
    print(f"reached {dict(app.reached)}; {len(app.done)} actions in {app.done.total()} keys")
    assert not missed, f"seed {SEED} never reached {missed}"


async def still_answers(app: FuzzedShell) -> None:
    """Home and its help come when asked for."""
    resize(app, (80, 24))
    for key in ("escape", "escape", "escape", "escape", "H"):
        await press(app, key)
    await wait_for(lambda: "Workspace" in shown(app) and app.screen.SCOPE == "home", "home")
    send(app, "?")
    await wait_for(lambda: "On this screen" in shown(app), "the help")


@pytest.mark.slow
async def test_it_can_be_left_at_any_moment(path: Path) -> None:
    """What was read comes back while the screens go."""
    rng = random.Random(SEED)
    for place in [*PLACES, "candidate"] * 2:
        app = Shell(path, poll=0.01)
        async with app.run_test(size=(120, 40)):
            if place == "candidate":
                app.push_screen(CandidateScreen(RUN, "g01-s03"))
            else:
                app.goto(place)
            for _ in range(rng.randrange(150)):
                await asyncio.sleep(0)
            if rng.random() < 0.5:
                app.do_quit()
        assert app._exception is None, place
