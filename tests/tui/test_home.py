"""Home, and what works from every screen: places, help, palette, themes, going back, leaving."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from dataclasses import replace

import pytest
from textual.widgets import Static

from fairnad_engine.backbone.jail.probe import Layer
from fairnad_engine.errors import JailError
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.llm.ollama_server import listens
from fairnad_engine.llm.protocol import IdeaDraft
from fairnad_engine.store import Store
from fairnad_engine.workspace import template_of
from fairnad_screens.actions import actions_of
from fairnad_screens.candidate import CandidateScreen
from fairnad_screens.data.home import HomeSnapshot, RunLine, next_step
from fairnad_screens.dialogs import LineDialog
from fairnad_screens.help import HelpDialog
from fairnad_screens.memory import UserSettings
from fairnad_screens.palette import CommandPalette
from fairnad_screens.shell import PLACES
from fairnad_screens.themes import THEMES
from tests.tui.harness import messages, opened, shown, wait_for
from tests.tui.search_run import WrittenRun


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """No GPU, and a model server that is not there, whatever this machine has."""
    monkeypatch.setattr("fairnad_engine.machine.accelerators", tuple)
    monkeypatch.setattr("fairnad_engine.llm.ollama_server.listens", lambda url: False)
    monkeypatch.setattr("fairnad_engine.backbone.jail.probe.probe", lambda: (Layer("files", True, "", True),))


@pytest.fixture
def path(tmp_path):
    """Two runs: a done one, and one that this process works on."""
    with Store(tmp_path / "w.db") as store:
        done = WrittenRun(store, "first")
        done.seed()
        done.end("done")
        living = WrittenRun(store, "[/] second")
        living.seed()
        living.work()
        return store.path


def paper(store):
    store.papers.add(
        PaperText(
            id="p1",
            title="Blocks",
            authors=(),
            year=2020,
            venue="",
            arxiv="",
            abstract="",
            text="Use it.",
            source="x",
            sections=(),
        )
    )


def proposed(store):
    paper(store)
    store.papers.set_screening("p1", True, "about blocks", "rules")
    template, _ = template_of(store)
    draft = IdeaDraft("conv", "conv.depthwise", "Depthwise", "Use it.", "Use it.", None)
    store.ideas.file_extracted("p1", [draft], template, f"rules/{template.digest}")


def approved(store):
    proposed(store)
    store.ideas.decide([one.id for one in store.ideas.all()], "approved", "person")


def searched(state):
    def fill(store):
        approved(store)
        older, newer = WrittenRun(store, "older"), WrittenRun(store, "newer")
        newer.end("done")
        if state == "running":
            older.work()
        elif state == "dead":
            newer.work()
            newer.die()
            older.end("done")
        else:
            older.end(state)

    return fill


async def at(app, place):
    await wait_for(lambda: place == app.screen.SCOPE if hasattr(app.screen, "SCOPE") else False, place)


class TestHome:
    async def test_the_first_start_offers_the_demo_and_adding_papers(self, tmp_path):
        async with opened(tmp_path / "w.db") as (app, pilot):
            await wait_for(lambda: "press d for a demo" in shown(app))
            await wait_for(lambda: "ollama:qwen3:8b by default; M among the papers (P)" in shown(app))
            assert "L opens the form" in shown(app)
            assert "none; trainings run on the CPU" in shown(app)
            await pilot.press("o", "j", "k")
            assert messages(app) == ["There is no run yet; launch one with L."]

    @pytest.mark.parametrize(
        ("fill", "words", "place", "run"),
        [
            (lambda store: None, "Add papers", "papers", None),
            (paper, "Structure 1 papers", "papers", None),
            (proposed, "Decide about 1 proposed ideas", "ideas", None),
            (approved, "Launch a search from 1 approved ideas", "launch", None),
            (searched("running"), "Look on as run-1 searches", "search", "run-1"),
            (searched("dead"), "Resume run-2, whose worker died", "search", "run-2"),
            (searched("done"), "Compare runs", "runs", None),
        ],
    )
    async def test_enter_takes_the_step_that_is_named(self, tmp_path, fill, words, place, run):
        with Store(tmp_path / "w.db") as store:
            fill(store)
        async with opened(tmp_path / "w.db") as (app, pilot):
            await wait_for(lambda: f"Next  {words}" in shown(app), words)
            await pilot.press("enter")
            await at(app, place)
            assert app.selected_run == run

    async def test_runs_stand_in_columns_newest_first(self, path):
        async with opened(path) as (app, _):
            await wait_for(lambda: "run-2" in shown(app) and "run-1" in shown(app))
            second, first = (line for line in shown(app).splitlines() if " run-" in line and "/100" in line)
            assert "[/] second" in second
            assert first.index("done") == second.index("running")
            assert first.index("/100") == second.index("/100")
            assert first.index("best 90.00 %") == second.index("best 90.00 %")

    async def test_a_run_is_selected_and_opened(self, path):
        async with opened(path) as (app, pilot):
            await wait_for(lambda: "▸ ● run-2" in shown(app))
            for key, there in (("j", "run-1"), ("down", "run-2"), ("k", "run-1"), ("up", "run-2"), ("j", "run-1")):
                await pilot.press(key)
                await wait_for(lambda there=there: any("▸" in x and there in x for x in shown(app).splitlines()), there)
            await pilot.press("o")
            await at(app, "search")
            await wait_for(lambda: "run-1" in shown(app))
            assert app.selected_run == "run-1"

    async def test_adding_asks_for_papers(self, path):
        async with opened(path) as (app, pilot):
            await wait_for(lambda: "run-2" in shown(app))
            await pilot.press("a")
            await wait_for(lambda: isinstance(app.screen, LineDialog))
            assert app.screen_below().SCOPE == "papers"

    async def test_the_demo_adds_papers_and_starts_their_structuring(self, tmp_path, monkeypatch):
        started = []
        monkeypatch.setattr("fairnad_engine.workspace.start_worker", lambda store, job: started.append(job.kind))
        async with opened(tmp_path / "w.db") as (app, pilot):
            await wait_for(lambda: "press d for a demo" in shown(app))
            await pilot.press("d")
            await at(app, "papers")
            assert started == ["structure"]
            await wait_for(lambda: "20 papers" in shown(app))

    @pytest.mark.parametrize(
        ("llm", "there", "says"),
        [
            ("rules", False, "rules, built in"),
            ("ollama:tiny:1b", True, "ollama:tiny:1b, its server listens"),
            ("ollama:tiny:1b", False, "ollama:tiny:1b: start it with: ollama serve"),
            ("ollama:tiny:1b@http://gpu-box:1", False, "nothing answers at http://gpu-box:1"),
            ("openai:http://127.0.0.1:9#m", False, "openai:m: nothing answers at http://127.0.0.1:9/v1"),
            ("ollama:m@a,b", True, "ollama:m, all 2 servers listen"),
        ],
    )
    async def test_the_state_of_the_model(self, path, monkeypatch, llm, there, says):
        monkeypatch.delenv("OLLAMA_HOST", raising=False)
        monkeypatch.setattr("fairnad_engine.llm.ollama_server.listens", lambda url: there)
        async with opened(path, llm=llm) as (app, _):
            await wait_for(lambda: says in shown(app), says)

    @pytest.mark.parametrize(
        ("live", "says"),
        [
            ((True, True), "✓ all 2 layers live"),
            ((True, False), "✓ all needed layers live; not there: own namespaces"),
            ((False, True), "✗ lacks files: model-written code is refused"),
        ],
    )
    async def test_the_state_of_the_jail_is_found_once(self, path, monkeypatch, live, says):
        tried = []

        def probe():
            tried.append(True)
            return Layer("files", live[0], "", True), Layer("own namespaces", live[1], "", False)

        monkeypatch.setattr("fairnad_engine.backbone.jail.probe.probe", probe)
        async with opened(path) as (app, pilot):
            await wait_for(lambda: says in shown(app), says)
            await pilot.press("P", "H")
            await at(app, "home")
            await wait_for(lambda: says in shown(app), says)
        assert len(tried) == 1

    async def test_a_jail_that_cannot_start_says_why(self, path, monkeypatch):
        def probe():
            raise JailError("the jail did not start")

        monkeypatch.setattr("fairnad_engine.backbone.jail.probe.probe", probe)
        async with opened(path) as (app, _):
            await wait_for(lambda: "✗ the jail did not start" in shown(app))

    async def test_the_jail_is_tried_beside_the_first_paint(self, path, monkeypatch):
        go_on = threading.Event()
        monkeypatch.setattr("fairnad_engine.backbone.jail.probe.probe", lambda: go_on.wait(30) and ())
        async with opened(path) as (app, pilot):
            await wait_for(lambda: "trying its layers" in shown(app) and "▸ ● run-2" in shown(app))
            await pilot.press("j")
            await wait_for(lambda: any("▸" in x and "run-1" in x for x in shown(app).splitlines()))
            go_on.set()
            await wait_for(lambda: "layers live" in shown(app))

    async def test_a_server_listens_or_does_not(self):
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert await asyncio.to_thread(listens, url)
        server.close()
        await server.wait_closed()
        assert not await asyncio.to_thread(listens, url)

    async def test_the_selection_comes_back(self, path):
        async with opened(path) as (app, pilot):
            await wait_for(lambda: "▸ ● run-2" in shown(app))
            await pilot.press("j", "ctrl+q")
        async with opened(path) as (app, _):
            await wait_for(lambda: any("▸" in x and "run-1" in x for x in shown(app).splitlines()))

    async def test_a_narrow_terminal_cuts_a_run_s_line_at_its_edge(self, path):
        async with opened(path, size=(120, 40)) as (app, pilot):
            await wait_for(lambda: "best 90.00 % val" in shown(app))
            await pilot.resize_terminal(60, 20)
            await wait_for(lambda: "best 90.00 % val" not in shown(app) and "run-2" in shown(app))
            await pilot.resize_terminal(120, 40)
            await wait_for(lambda: "best 90.00 % val" in shown(app))


class TestEverywhere:
    @pytest.mark.parametrize("start", list(PLACES))
    async def test_each_place_is_one_key_away_from_each(self, path, start):
        keys = (("P", "papers"), ("T", "template"), ("I", "ideas"), ("L", "launch"), ("S", "search"), ("R", "runs"),
                ("H", "home"))  # fmt: skip
        async with opened(path, start) as (app, pilot):
            for key, place in keys:
                await pilot.press(key)
                await at(app, place)
            assert {place for _, place in keys} == set(PLACES)

    @pytest.mark.parametrize("place", list(PLACES))
    async def test_help_lists_every_key_of_the_screen(self, path, place):
        async with opened(path, place) as (app, pilot):
            await pilot.press("question_mark")
            await wait_for(lambda: isinstance(app.screen, HelpDialog) and app.screen.is_mounted)
            text = " ".join(word for one in app.screen.query(Static) for word in str(one.content).split())
            for one in (*actions_of(place), *actions_of("app")):
                assert one.hidden or one.help in text, one.help
            await pilot.press("escape")
            await at(app, place)

    async def test_help_scrolls(self, path):
        async with opened(path, "ideas") as (app, pilot):
            await pilot.press("question_mark")
            await wait_for(lambda: "Approve the idea" in shown(app))
            assert "Esc: close" in shown(app)
            await pilot.press("G")
            await wait_for(lambda: "Change to the next theme" in shown(app))
            await pilot.press("k", "j", "g")
            await wait_for(lambda: "Approve the idea" in shown(app))

    async def test_the_palette_does_what_is_typed(self, path):
        async with opened(path) as (app, pilot):
            await pilot.press("ctrl+p")
            await wait_for(lambda: isinstance(app.screen, CommandPalette))
            await wait_for(lambda: "Take the step that is named" in shown(app))
            await pilot.press(*"curation")
            await wait_for(lambda: "Go to the curation desk." in shown(app) and "Take the step" not in shown(app))
            await pilot.press("enter", "enter")
            await at(app, "ideas")

    async def test_themes_go_round(self, path):
        async with opened(path, settings=UserSettings(theme="ansi-dark")) as (app, pilot):
            seen = []
            for _ in THEMES:
                await pilot.press("ctrl+t")
                seen.append(app.theme)
            assert seen == ["ansi-light", "fairnad-dark", "fairnad-light", "ansi-dark"]

    @pytest.mark.parametrize("place", [one for one in PLACES if one != "home"])
    async def test_back_goes_home_and_from_there_out(self, path, place):
        async with opened(path, place) as (app, pilot):
            await pilot.press("q")
            await at(app, "home")
            await pilot.press("q")
            await wait_for(lambda: app._exit)

    async def test_back_from_a_candidate_goes_to_where_it_was_opened(self, path):
        async with opened(path, "search") as (app, pilot):
            app.push_screen(CandidateScreen("run-1", "seed"))
            await at(app, "candidate")
            await pilot.press("q")
            await at(app, "search")

    @pytest.mark.parametrize("key", ["ctrl+q", "ctrl+c"])
    async def test_leaving_from_a_question_leaves_the_search_running(self, path, key):
        async with opened(path, "papers") as (app, pilot):
            await pilot.press("a")
            await wait_for(lambda: isinstance(app.screen, LineDialog))
            await pilot.press(key)
            await wait_for(lambda: app._exit)
        with Store(path) as store:
            job = store.jobs.of_run("run-2")
            assert store.jobs.living_state(job) == "running"
            assert store.jobs.take_requests(job.id) == []
        async with opened(path) as (app, _):
            await at(app, "papers")


async def test_studies_are_a_key_away(tmp_path):
    from fairnad_screens.study import StudyScreen

    async with opened(tmp_path / "w.db") as (app, pilot):
        await pilot.press("s")
        await wait_for(lambda: isinstance(app.screen, StudyScreen), "the studies")
        await wait_for(lambda: "No study yet" in shown(app))
        await pilot.press("q")
        await wait_for(lambda: app.screen.SCOPE == "home")


async def test_leaving_before_the_next_refresh_leaves_nothing_unawaited(path, monkeypatch):
    from fairnad_screens.home import HomeScreen

    monkeypatch.setattr(HomeScreen, "call_after_refresh", lambda self, *_, **__: False)  # as when it closes
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        async with opened(path) as (app, _):
            await wait_for(lambda: app.screen._jail_asked)
        gc.collect()
    assert not [one for one in told if "never awaited" in str(one.message)]


async def test_home_names_a_network_file_system_and_its_remedy(path, monkeypatch):
    monkeypatch.setattr("fairnad_engine.store.filesystem.magic_of", lambda path: 0x0BD00BD0)
    async with opened(path) as (app, pilot):
        await wait_for(lambda: "lustre, a network file system" in shown(app))
        assert "--local-store DIR" in " ".join(shown(app).split())
        assert "second" in shown(app), "there is still room for runs"
        app.goto("launch")
        await wait_for(lambda: "workspace disk: lustre" in shown(app))


async def test_home_names_the_local_copy_and_its_snapshot(tmp_path, monkeypatch):
    from fairnad_engine.store import local_copy

    monkeypatch.setattr(local_copy, "_open", {})
    monkeypatch.setenv("FAIRNAD_LOCAL_STORE", str(tmp_path / "scratch"))
    async with opened(tmp_path / "w.db") as (app, _):
        await wait_for(lambda: "worked on in" in shown(app))
        assert "may hold more" in " ".join(shown(app).split())


def test_a_stalled_worker_and_a_reason_to_wait_come_next():
    snapshot = HomeSnapshot(1, 0, {"proposed": 0, "approved": 3}, (), "", ())
    run = RunLine("run-9", "x", "waiting", 1, 4, 90.0, "the disk is full; free some space")
    assert "run-9 waits: the disk is full; free some space" in next_step(replace(snapshot, runs=(run,))).words
    assert "t among the runs takes over" in next_step(replace(snapshot, runs=(replace(run, state="stalled"),))).words
    assert "is queued" in next_step(replace(snapshot, runs=(replace(run, state="queued"),))).words
