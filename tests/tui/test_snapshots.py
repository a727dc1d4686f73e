"""Pictures of every screen, small and large, in full colour and in sixteen: what changed is seen in review.

A picture that was meant to change is taken anew with ``pytest tests/tui/test_snapshots.py --snapshot-update``.
"""

from __future__ import annotations

import ast
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from rich.segment import Segment
from textual.pilot import Pilot

from fairnad_engine.activity import Activity, NodeLoad
from fairnad_engine.store import Store
from fairnad_engine.workspace import job_folder
from fairnad_screens.candidate import CandidateScreen
from fairnad_screens.dialogs import ChoiceDialog, ConfirmDialog, LineDialog
from fairnad_screens.help import HelpDialog
from fairnad_screens.memory import UserSettings
from fairnad_screens.palette import CommandPalette
from fairnad_screens.shell import PLACES, Shell
from fairnad_screens.study import StudyScreen
from fairnad_screens.viewer import TextViewer
from tests.conftest import ROOT
from tests.tui.frozen import build, freeze
from tests.tui.harness import drawn, shown, wait_for
from tests.tui.studied import write_study

SIZES = {"80x24": (80, 24), "120x40": (120, 40)}
THEMES = ("fairnad-dark", "ansi-dark")
WORKSPACE = Path("lab/fairnad.db")  # relative, so that no picture knows a folder
RUN = "run-3"

Play = Callable[[Shell, "Pilot[None]"], Awaitable[None]]
SCENES: dict[str, Play] = {}
EMPTY: set[str] = set()


def scene(play: Play) -> Play:
    """A picture of this name."""
    SCENES[play.__name__.replace("_", "-")] = play
    return play


def empty(play: Play) -> Play:
    """The same, in a workspace that nothing was put into."""
    EMPTY.add(play.__name__.replace("_", "-"))
    return scene(play)


async def see(app: Shell, *parts: str) -> None:
    for part in parts:
        await wait_for(lambda part=part: part in shown(app), f"{part!r} on the screen")


async def go(app: Shell, place: str, *parts: str) -> None:
    app.goto(place)
    await wait_for(lambda: place == app.screen_below().SCOPE, place)
    await see(app, *parts)


@empty
async def home_first(app, pilot):
    await see(app, "No search yet", "by default", "layers live")


@scene
async def home(app, pilot):
    await see(app, "digits at night", "H100", "its server listens", "layers live")


@empty
async def papers_first(app, pilot):
    await go(app, "papers", "No papers yet")


@scene
async def papers(app, pilot):
    await go(app, "papers", "Rethinking layers", "proposes a block")


@scene
async def template(app, pilot):
    await go(app, "template", "Operation", "Convolution type")
    await pilot.press("j", "enter", "j", "j")


@empty
async def ideas_first(app, pilot):
    await go(app, "ideas", "No ideas yet")


@scene
async def ideas(app, pilot):
    await go(app, "ideas", "4 of 9 decided", "Quote number")


@scene
async def ideas_filter(app, pilot):
    await go(app, "ideas", "4 of 9 decided")
    await pilot.press("g", "space", "space", "slash", *"status:approved")
    await see(app, "3 of 9")


@scene
async def launch(app, pilot):
    await go(app, "launch", "start it with: ollama serve")


@scene
async def launch_toml(app, pilot):
    await go(app, "launch", "start it with: ollama serve")
    await pilot.press("t", "j", "j", "enter")
    await see(app, "[")


@empty
async def search_first(app, pilot):
    await go(app, "search", "L launches one")


async def desk(app: Shell, run: str, *parts: str) -> None:
    app.selected_run = run
    await go(app, "search", run, *parts)
    app.screen.tick()  # the poller would; it asks for the machine's load, whose line comes last
    await wait_for(lambda: app.screen._machine, "the machine's load")
    await wait_for(lambda: app.screen._spending, "what it took")


@scene
async def search(app, pilot):
    await desk(app, RUN, "digits at night")


@scene
async def search_zoomed(app, pilot):
    await desk(app, RUN, "digits at night")
    await pilot.press("z", "2", "enter")
    await see(app, "Idea sampling")


@scene
async def search_dead(app, pilot):
    await desk(app, "run-2", "the worker died")


def pane(key: str, *parts: str) -> Play:
    async def play(app, pilot):
        app.push_screen(CandidateScreen(RUN, "g02-s01"))
        await see(app, "g02-s01", "idea realised")
        await pilot.press(key)
        await see(app, *parts)

    return play


for key, name, part in (
    ("1", "source", "class Backbone"), ("2", "changes", "silu"), ("3", "lineage", "seed"), ("4", "training", "epoch"),
    ("5", "attempts", "forward"),
):  # fmt: skip
    SCENES[f"candidate-{name}"] = pane(key, part)


@scene
async def runs(app, pilot):
    await go(app, "runs", "first try", "night run", "digits at night", "Front (")


@scene
async def runs_cluster(app, pilot):
    """A run on a cluster that waits for room, one of its nodes gone."""
    nodes = [NodeLoad(f"10.0.0.{number}", number != 2, 32, 12, 4, 3.5, 7) for number in (1, 2, 3)]
    with Store(WORKSPACE) as store:
        job = store.jobs.of_run(RUN)
        store.jobs.set_state(job.id, "waiting", "/scratch/fairnad.db: the disk is full; free some space there")
    activity = Activity(job_folder(WORKSPACE, job.id) / "activity.json")
    activity.show_nodes(nodes)
    activity.flush()
    await go(app, "runs", "first try", "Waits", "Nodes (3, 1 gone)" if app.size.height > 24 else "Remedy")


@scene
async def runs_compared(app, pilot):
    await go(app, "runs", "first try", "Front (")
    await pilot.press("space", "space", "c")
    await wait_for(lambda: app.screen._plot is not None and app.screen._plot.is_mounted)
    await see(app, "over parameters", "budget.trained")


@scene
async def study(app, pilot):
    app.push_screen(StudyScreen())
    await see(app, "its 95 % band", "4 of 6 done")
    await pilot.press("tab")


@empty
async def study_first(app, pilot):
    app.push_screen(StudyScreen())
    await see(app, "No study yet")


@scene
async def search_ledger(app, pilot):
    await desk(app, RUN, "digits at night")
    await pilot.press("8")
    await see(app, "what came of it")


@scene
async def launch_forecast(app, pilot):
    await go(app, "launch", "start it with: ollama serve")
    await pilot.press("f")
    await see(app, "the seed on cuda:0")


@scene
async def help(app, pilot):
    await go(app, "ideas", "4 of 9 decided")
    await pilot.press("question_mark")
    await wait_for(lambda: isinstance(app.screen, HelpDialog))


@scene
async def palette(app, pilot):
    await go(app, "runs", "first try", "Front (")
    await pilot.press("ctrl+p")
    await wait_for(lambda: isinstance(app.screen, CommandPalette))
    await see(app, "Compare the marked runs")


@scene
async def dialog_confirm(app, pilot):
    await go(app, "runs", "first try", "Front (")
    await pilot.press("j", "j", "D")
    await wait_for(lambda: isinstance(app.screen, ConfirmDialog))


@scene
async def dialog_line(app, pilot):
    await go(app, "papers", "Rethinking layers")
    await pilot.press("a")
    await wait_for(lambda: isinstance(app.screen, LineDialog))


@scene
async def dialog_choice(app, pilot):
    await go(app, "launch", "start it with: ollama serve")
    await pilot.press("m")
    await wait_for(lambda: isinstance(app.screen, ChoiceDialog))
    await see(app, "qwen3:32b")


@scene
async def viewer(app, pilot):
    await SCENES["candidate-attempts"](app, pilot)
    await pilot.press("enter")
    await wait_for(lambda: isinstance(app.screen, TextViewer))
    await see(app, "forward")


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    """The workspace that each picture gets its own copy of."""
    folder = tmp_path_factory.mktemp("frozen")
    with pytest.MonkeyPatch.context() as patch:
        build(folder / WORKSPACE.name, patch)
    return folder


@pytest.fixture
def frozen(master, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    freeze(monkeypatch)
    time.tzset()
    name = request.node.callspec.params["name"]
    if name == "study":
        WORKSPACE.parent.mkdir()
        with Store(WORKSPACE) as store:
            write_study(store)
    elif name not in EMPTY:
        shutil.copytree(master, WORKSPACE.parent)
    yield
    monkeypatch.undo()
    time.tzset()


async def still(app: Shell, pilot: Pilot[None]) -> None:
    """Wait until everything that was asked for is shown."""
    await wait_for(lambda: not app.screen_below()._loading, "the snapshot")
    before: list[list[Segment]] = []
    while (now := drawn(app)) != before:
        before = now
        await pilot.pause()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SCENES)
def test_screen(snap_compare, frozen, name, size, theme):
    # It looks at the store once: what is shown changes with keys alone.
    llm = None if name in EMPTY else "ollama:qwen3:8b"
    app = Shell(WORKSPACE, UserSettings(theme=theme), llm=llm, poll=3600)
    app.animation_level = "none"

    async def play(pilot):
        await SCENES[name](app, pilot)
        await still(app, pilot)

    assert snap_compare(app, terminal_size=SIZES[size], run_before=play)


def test_every_place_has_its_picture():
    assert {*PLACES, "candidate", "study"} <= {name.partition("-")[0] for name in SCENES}


READS_TIME = {"time.time", "time.time_ns", "time.monotonic", "time.perf_counter", "datetime.now", "datetime.utcnow",
              "date.today", "datetime.datetime.now", "datetime.date.today"}  # fmt: skip


def test_the_screens_and_the_store_read_the_time_in_one_place():
    found = []
    for folder in (ROOT / "screens", ROOT / "engine" / "fairnad_engine" / "store"):
        for file in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Attribute) and ast.unparse(node) in READS_TIME:
                    found.append(f"{file.name}:{node.lineno} {ast.unparse(node)}")
    assert not found, "ask fairnad_engine.clock"
