"""The live desk: every action, empty and dead runs, what is painted."""

import json
import random
import re
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from fairnad_engine.machine import GpuLoad, MachineLoad
from fairnad_engine.search.forecast import time_left
from fairnad_engine.search.ledger import read_ledger
from fairnad_engine.store import Store
from fairnad_engine.store.records import JobRow
from fairnad_engine.workspace import template_of
from fairnad_screens.actions import actions_of
from fairnad_screens.data.search_baseline import read_baseline
from fairnad_screens.dialogs import ChoiceDialog, ConfirmDialog
from fairnad_screens.figures import span
from fairnad_screens.run_control import why_not
from fairnad_screens.widgets.front_plot import FrontPlot
from fairnad_screens.widgets.search_counts import CountsPane
from fairnad_screens.widgets.search_front import CONTROL, FrontPane
from fairnad_screens.widgets.search_pane import LineView
from fairnad_screens.widgets.search_table import CandidatePane
from tests.tui.harness import messages, opened, shown, wait_for
from tests.tui.search_run import WrittenRun
from tests.tui.studied import write_study

WIDE, SMALL = (120, 40), (80, 24)


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    load = MachineLoad(3 * 2**30, 8 * 2**30, (GpuLoad("H100", 41, 2048, 81920),))
    monkeypatch.setattr("fairnad_screens.search_aside.machine_load", lambda: load)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "w.db") as store:
        yield store


@pytest.fixture
def run(store):
    """Two generations done, the third under way, worked on by this process."""
    written = WrittenRun(store)
    written.seed()
    written.work()
    written.generation(1)
    written.generation(2)
    written.open(3)
    written.slot(3, 1)
    written.write("activity.json", '{"g03-s02": "training: epoch 4/10, validation 91.00 %"}')
    written.write("log.txt", "first line\nlast line\n")
    return written


@asynccontextmanager
async def desk(store, size=WIDE):
    async with opened(store.path, "search", size=size) as (app, pilot):
        await wait_for(lambda: getattr(app.screen, "_snapshot", None), "a snapshot")
        await pilot.pause()
        yield app, app.screen, pilot


async def test_an_empty_workspace_names_the_next_key(store):
    async with desk(store) as (app, screen, pilot):
        assert "L launches one" in shown(app)
        for one in actions_of("search"):
            app.screen.action_do(one.id)
        await wait_for(lambda: any("L launches one" in m for m in messages(app)), "the reason")
        assert app.screen is screen


async def test_everything_is_on_the_wide_desk(run, store):
    async with desk(store) as (app, _, pilot):
        await wait_for(lambda: "GPU 0" in shown(app), "the machine")
        text = shown(app)
        for part in (
            "1 Progress", "2 Idea sampling", "3 Pareto front", "4 Hypervolume", "5 Candidates", "6 Failures", "7 Log",
            "running", "Generation 3", "I ideas", "II Pareto", "III chains", "g03-s02 epoch 4/10",
            "GPU 0 41 %, 2.0/80.0 GiB H100", "Memory 3.0/8.0 GiB", "most - least = 1", "idle", "duplicate",
            "proposals rejected", "last line", "Model rules: no tokens", "Hypervolume 0.2200 (+0.0100)",
        ):  # fmt: skip
            assert part in text, part


async def test_the_small_desk_shows_three_panes_and_cuts_nothing_off(run, store):
    async with desk(store, SMALL) as (app, screen, pilot):
        text = shown(app)
        assert [n for n in range(1, 9) if f"─{n} " in text or f"━{n} " in text] == [1, 3, 5]
        assert app.screen.query_one(FrontPlot).display
        assert "trained" in text


async def test_panes_toggle_zoom_and_focus(run, store):
    async with desk(store) as (app, screen, pilot):
        await pilot.press("4")
        assert 4 not in screen._placed
        await pilot.press("4")
        assert 4 in screen._placed
        assert screen.focused_pane.number == 4
        await pilot.press("z")
        assert list(screen._placed) == [4]
        await pilot.press("7")
        assert list(screen._placed) == [7]
        await pilot.press("7")
        assert len(screen._placed) == 7
        before = screen.focused_pane.number
        await pilot.press("tab")
        after = screen.focused_pane.number
        assert after != before
        await pilot.press("shift+tab")
        assert screen.focused_pane.number == before
        for number in range(1, 8):
            await pilot.press(str(number))
        assert screen._placed == {}
        assert screen.why_not(actions_of("search")[0])
        await pilot.press("2")
        assert list(screen._placed) == [2]


async def test_a_pane_asked_for_replaces_the_oldest_on_a_small_desk(run, store):
    async with desk(store, SMALL) as (app, screen, pilot):
        await pilot.press("2")
        assert 2 in screen._placed
        assert "2 Idea sampling" in shown(app)
        await pilot.resize_terminal(*WIDE)
        await pilot.pause()
        assert len(screen._placed) == 7
        await pilot.resize_terminal(*SMALL)
        await pilot.pause()
        assert 2 in screen._placed


async def test_the_front_has_axes_a_cursor_and_a_list(run, store):
    async with desk(store) as (app, screen, pilot):
        pane = screen.query_one(FrontPane)
        screen.focus_pane(3)
        await pilot.press("x")
        assert pane.axis == "macs"
        assert "by MACs" in shown(app)
        await pilot.press("g")
        members = [one.id for one in pane.members()]
        assert pane.chosen() == members[0]
        await pilot.press("l")
        assert pane.chosen() == members[1]
        await pilot.press("h")
        assert pane.chosen() == members[0]
        await pilot.press("G")
        assert pane.chosen() == members[-1]
        assert f"{pane.sign(members[-1])} {members[-1]}" in shown(app)
        await pilot.press("k")
        assert pane.chosen() != members[-1]
        await pilot.press("j")
        assert pane.chosen() == members[-1]
        pane.styles.height = 6
        await wait_for(lambda: not pane.query_one(FrontPlot).display, "the list")
        assert members[-1] in shown(app)


async def test_clicking_the_plot_picks_the_nearest_point(run, store):
    async with desk(store) as (app, screen, pilot):
        pane = screen.query_one(FrontPane)
        await pilot.click(FrontPlot, offset=(9, 13))
        left = pane.cost(pane.current())
        await pilot.click(FrontPlot, offset=(66, 2))
        assert pane.cost(pane.current()) > left


async def test_the_table_sorts_and_keeps_its_candidate(run, store):
    async with desk(store) as (app, screen, pilot):
        table = screen.query_one(CandidatePane)
        screen.focus_pane(5)
        await pilot.press("j", "j", "pagedown", "pageup", "j")
        chosen = table.chosen()
        assert chosen
        seen = []
        for _ in range(6):
            await pilot.press("o")
            seen.append(table.order)
            assert table.chosen() == chosen
        assert seen == ["val %", "params", "MACs", "stage", "status", "newest"]
        await pilot.press("o", "g")
        assert table.chosen() == max(table._lines, key=lambda one: one.accuracy or 0).id
        await pilot.press("G", "k", "up", "down")
        run.slot(3, 2, accuracy=99.5)
        await wait_for(lambda: any(one.id == "g03-s02" for one in table._lines), "the new one")


async def test_enter_opens_a_candidate_from_front_and_table(run, store):
    async with desk(store) as (app, screen, pilot):
        for pane in (3, 5):
            screen.focus_pane(pane)
            wanted = screen.focused_pane.chosen()
            await pilot.press("enter")
            await wait_for(lambda: getattr(app.screen, "SCOPE", "") == "candidate", "the candidate")
            await wait_for(lambda w=wanted: w in shown(app), wanted)
            await pilot.press("q")
            await wait_for(lambda: app.screen is screen, "the desk")
        screen.focus_pane(7)
        await pilot.press("enter")
        await wait_for(lambda: any("Enter opens" in message for message in messages(app)), "the reason")


async def test_categories_open_to_their_subs(run, store):
    async with desk(store) as (app, screen, pilot):
        counts = screen.query_one(CountsPane)
        screen.focus_pane(2)
        rows = counts.count()
        await pilot.press("enter")
        assert counts.count() > rows
        await pilot.press("j", "left")
        assert counts.count() == rows
        await pilot.press("right", "right")
        assert counts.count() > rows
        await pilot.press("enter")
        assert counts.count() == rows


async def test_stepping_through_generations(run, store):
    async with desk(store) as (app, screen, pilot):

        async def at(generation):
            await wait_for(lambda: screen._snapshot.as_of == generation, f"generation {generation}")
            await pilot.pause()

        await pilot.press("right_square_bracket")
        await wait_for(lambda: any("follows the run" in m for m in messages(app)), "the reason")
        for generation in (2, 1, 0):
            await pilot.press("left_square_bracket")
            await at(generation)
        assert "as of generation 0 of 2" in shown(app)
        assert "1 in all" in shown(app)
        await pilot.press("left_square_bracket")
        await wait_for(lambda: any("the beginning" in m for m in messages(app)), "the reason")
        for generation in (1, 2, None):
            await pilot.press("right_square_bracket")
            await at(generation)
        await pilot.press("left_square_bracket")
        await at(2)
        await pilot.press("f")
        await at(None)
        assert "as of" not in shown(app)


async def test_switching_runs(run, store):
    other = WrittenRun(store, "another")
    async with desk(store) as (app, screen, pilot):
        assert screen.head.id == other.id
        await pilot.press("less_than_sign")
        await wait_for(lambda: screen.head.id == run.id, "the older run")
        assert app.selected_run == run.id
        await pilot.press("less_than_sign")
        await wait_for(lambda: any("oldest" in m for m in messages(app)), "the reason")
        await pilot.press("greater_than_sign")
        await wait_for(lambda: screen.head.id == other.id, "the newer run")
        await pilot.press("w")
        await wait_for(lambda: isinstance(app.screen, ChoiceDialog), "the list")
        await pilot.press("down", "enter")
        await wait_for(lambda: screen.head.id == run.id, "the chosen run")


async def test_holding_the_picture_still(run, store):
    async with desk(store) as (app, screen, pilot):
        await pilot.press("p")
        await wait_for(lambda: "refresh held" in shown(app), "the notice")
        await wait_for(lambda: not screen._loading, "what was being read")
        run.slot(3, 2)
        before = screen._snapshot.candidates
        for _ in range(20):
            await pilot.pause(0.01)
        assert screen._snapshot.candidates is before  # how it is spent may still come in, and is not drawn
        await pilot.press("p")
        await wait_for(lambda: any(c.id == "g03-s02" for c in screen._snapshot.candidates), "the new candidate")


async def test_pause_and_go_on(run, store):
    async with desk(store) as (app, screen, pilot):
        await pilot.press("full_stop")
        await wait_for(lambda: store.jobs.take_requests(run.job) == ["pause"], "the request")
        store.jobs.set_state(run.job, "paused")
        await wait_for(lambda: screen.head.state == "paused", "paused")
        await pilot.press("full_stop")
        await wait_for(lambda: store.jobs.take_requests(run.job) == ["resume"], "the request")


async def test_stopping_asks_first(run, store):
    async with desk(store) as (app, screen, pilot):
        for key, requests in (("n", []), ("y", ["stop"])):
            await pilot.press("s")
            await wait_for(lambda: isinstance(app.screen, ConfirmDialog), "the question")
            await pilot.press(key)
            await wait_for(lambda: app.screen is screen, "the desk")
            await wait_for(lambda r=requests: store.jobs.take_requests(run.job) == r, "the request")
        store.jobs.set_state(run.job, "stopping")
        await wait_for(lambda: screen.head.state == "stopping", "stopping")
        await pilot.press("s")
        await wait_for(lambda: any("stop at once" in m for m in messages(app)), "the reason")
        await pilot.press("c")
        await wait_for(lambda: isinstance(app.screen, ChoiceDialog), "the menu")
        await pilot.press(*"once", "enter")
        await wait_for(lambda: isinstance(app.screen, ConfirmDialog), "the question")
        await pilot.press("y")
        await wait_for(lambda: store.jobs.take_requests(run.job) == ["stop-now"], "the request")


@pytest.mark.parametrize("how", ["dead", "stopped", "failed", "queued"])
async def test_resuming_a_run_nobody_works_on(run, store, monkeypatch, how):
    if how == "dead":
        run.die()
    else:
        run.end(how)
    started = []

    def start(opened: Store, job: JobRow) -> None:
        started.append(job)
        opened.jobs.acquire(job.id)
        opened.jobs.set_state(job.id, "running")

    monkeypatch.setattr("fairnad_engine.workspace.start_worker", start)
    config = store.jobs.get(run.job).config
    async with desk(store) as (app, screen, pilot):
        if how == "dead":
            assert "the worker died; r resumes" in shown(app)
            assert "last heartbeat" in shown(app)
        await pilot.press("full_stop")
        await wait_for(lambda: any("r resumes" in m for m in messages(app)), "the reason")
        await pilot.press(*("c", "enter") if how == "failed" else "r")
        await wait_for(lambda: screen.head.state == "running", "the new worker")
        assert [job.config for job in started] == [config]
        await pilot.press("r")
        await wait_for(lambda: any("being worked on" in m for m in messages(app)), "the reason")


async def test_a_worker_that_dies_while_one_looks_on_is_noticed(run, store, monkeypatch):
    async with desk(store) as (app, screen, pilot):
        # Nothing is written when a process dies.
        monkeypatch.setattr("fairnad_engine.processes._start_time", lambda pid: None)
        await wait_for(lambda: screen.head.state == "dead", "its death")
        assert "the worker died" in shown(app)


async def test_a_done_run_says_what_to_do(run, store):
    run.end("done")
    async with desk(store) as (app, screen, pilot):
        await pilot.press("c")
        await wait_for(lambda: any("is done" in m for m in messages(app)), "the reason")


async def test_a_failure_to_start_is_told(run, store, monkeypatch):
    from fairnad_engine.errors import StoreError

    def start(opened, job):
        raise StoreError("the worker of job-1 did not start; see log.txt")

    run.end("stopped")
    monkeypatch.setattr("fairnad_engine.workspace.start_worker", start)
    async with desk(store) as (app, screen, pilot):
        await pilot.press("r")
        await wait_for(lambda: any("did not start" in m for m in messages(app)), "the failure")
        await wait_for(lambda: screen.head.state == "queued", "the state")
        assert screen.why_not(next(a for a in actions_of("search") if a.name == "resume")) is None


async def test_the_place_comes_back(run, store):
    async with desk(store) as (app, screen, pilot):
        screen.focus_pane(5)
        await pilot.press("x", "o", "j", "j", "j", "4")
        chosen = screen.query_one(CandidatePane).chosen()
        screen.focus_pane(2)
        await pilot.press("l", "z")
        await pilot.press("ctrl+q")
    async with desk(store) as (app, screen, pilot):
        assert list(screen._placed) == [2]
        assert screen.focused_pane.number == 2
        assert screen.query_one(CountsPane).opened
        assert screen.query_one(FrontPane).axis == "macs"
        await pilot.press("z")
        assert set(screen._placed) == {1, 2, 3, 5, 6, 7}
        assert screen.query_one(CandidatePane).order == "val %"
        assert screen.query_one(CandidatePane).chosen() == chosen


async def test_what_has_not_changed_is_not_painted(run, store, monkeypatch):
    async with desk(store) as (app, screen, pilot):
        await wait_for(lambda: "GPU 0" in shown(app), "the machine")
        painted = []
        refresh = LineView.refresh
        monkeypatch.setattr(
            LineView, "refresh", lambda self, *regions, **k: (painted.append(self), refresh(self, *regions, **k))[1]
        )
        drawn = []
        monkeypatch.setattr(FrontPlot, "draw", lambda self, series: drawn.append(series))
        before = screen._snapshot
        store.jobs.beat(run.job)
        await wait_for(lambda: screen._snapshot is not before, "the next snapshot")
        await pilot.pause()
        assert painted == []
        assert drawn == []
        run.slot(3, 2, accuracy=70.0)
        await wait_for(lambda: drawn, "the plot")
        assert painted


@pytest.mark.parametrize("theme", ["fairnad-light", "ansi-dark"])
async def test_themes(run, store, theme):
    async with desk(store) as (app, screen, pilot):
        # What is read beside the desk comes a little later than its first picture.
        await wait_for(lambda: screen._spending, "the ledger")
        await wait_for(lambda: "GPU 0" in shown(app), "the machine")
        text = shown(app)
        app.theme = theme
        await pilot.pause()
        await wait_for(lambda: shown(app) == text, "the same screen")


HOSTILE = "[red]x[/] [@click=app.quit]y[/] \x1b[31m\x1b]0;t\x07 \u202eabc \x00 漢字 e\u0301 " + "long " * 200


async def test_hostile_text_is_shown_as_text(run, store):
    run.candidate("g03-s09", 3, 9, 2, change=HOSTILE)
    run.train("g03-s09", 99.9)
    run.write("log.txt", HOSTILE * 3)
    run.write("activity.json", '{"g03-s02": "training: \\u001b[31m [/] epoch"}')
    store.jobs.set_state(run.job, "running", HOSTILE)
    async with desk(store) as (app, screen, pilot):
        await wait_for(lambda: "[red]x[/]" in shown(app), "the text")
        for size in (SMALL, (40, 10), WIDE):
            await pilot.resize_terminal(*size)
            for number in range(1, 9):
                await pilot.press("z", str(number))
                await pilot.pause()
                text = shown(app)
                assert not [c for c in text if (ord(c) < 32 and c != "\n") or c in "\x7f\u202e"]


async def test_random_keys_and_sizes_break_nothing(run, store):
    rng = random.Random(1)
    keys = [key for one in actions_of("search") for key in one.key.split(",")] + ["escape", "n", "enter", "down", "a"]
    async with desk(store) as (app, screen, pilot):
        for number in range(150):
            if number % 20 == 0:
                await pilot.resize_terminal(rng.randrange(20, 160), rng.randrange(5, 50))
            if number % 25 == 0:
                run.slot(3, 2 + number // 25)
            await pilot.press(rng.choice(keys))
        assert app.is_running


async def test_without_unicode_the_front_is_a_list(run, store, monkeypatch):
    monkeypatch.setattr("fairnad_screens.widgets.search_front.unicode_works", lambda: False)
    async with desk(store) as (app, screen, pilot):
        pane = screen.query_one(FrontPane)
        assert not pane.query_one(FrontPlot).display
        screen.focus_pane(3)
        await pilot.press("g", "j")
        assert pane.chosen() == pane.members()[1].id


async def test_stepping_back_in_a_dead_run_misses_no_generation(run, store):
    run.die()
    async with desk(store) as (app, screen, pilot):
        for key, generations in (("left_square_bracket", (2, 1)), ("right_square_bracket", (2, None))):
            for generation in generations:
                await pilot.press(key)
                await wait_for(lambda g=generation: screen._snapshot.as_of == g, f"generation {generation}")


async def test_keys_pressed_faster_than_snapshots_all_count(run, store):
    async with desk(store) as (app, screen, pilot):
        for name in ("back-generation", "back-generation", "back-generation"):
            screen.action_do(f"search.{name}")
        await wait_for(lambda: screen._snapshot.as_of == 0, "the beginning")
        for name in ("forward-generation", "forward-generation"):
            screen.action_do(f"search.{name}")
        await wait_for(lambda: screen._snapshot.as_of == 2, "generation 2")


async def test_a_run_chosen_elsewhere_is_followed_live(run, store):
    other = WrittenRun(store, "another")
    other.seed()
    other.generation(1)
    other.generation(2)
    async with desk(store) as (app, screen, pilot):
        await pilot.press("left_square_bracket")
        await wait_for(lambda: screen._snapshot.as_of == 1, "generation 1")
        app.goto("home")
        app.selected_run = run.id
        app.goto("search")
        await wait_for(lambda: screen.head.id == run.id, "the other run")
        assert screen._snapshot.as_of is None


async def test_keys_go_to_the_candidates_at_first_and_hidden_panes_are_named(run, store):
    async with desk(store, SMALL) as (app, screen, pilot):
        assert isinstance(screen.focused_pane, CandidatePane)
        assert "hidden: 2 ideas 4 volume 6 failures 7 log 8 ledger" in shown(app)
        await pilot.press("5")
        await wait_for(lambda: re.search(r"hidden: .*\b5\b", shown(app)), "the hidden pane")
        await pilot.press("z")
        await wait_for(lambda: "hidden: " not in shown(app), "the zoom")


async def test_workers_are_told_in_few_words_and_those_that_wait_are_counted(run, store):
    waiting = {f"g03-s{slot:02d}": "training: waiting for a worker" for slot in range(3, 9)}
    doing = {"g03-s02": "training: epoch 14/15, validation 100.00 %", **waiting}
    run.write("activity.json", json.dumps(doing))
    async with desk(store, SMALL) as (app, _, _pilot):
        await wait_for(lambda: "● g03-s02 epoch 14/15, val 100.00 %" in shown(app), "the worker")
        assert "6 more wait for a worker" in shown(app)
        assert "GPU 0" in shown(app) or await wait_for(lambda: "GPU 0" in shown(app), "the machine")


async def test_a_done_run_names_the_next_step(run, store):
    run.close(3)
    store.jobs.release(run.job)
    store.jobs.set_state(run.job, "done", "")
    async with desk(store, SMALL) as (app, _, _pilot):
        await wait_for(lambda: "R exports, compares and tests it" in shown(app))


async def test_the_front_says_that_it_has_three_objectives(run, store):
    # As accurate as the best and larger, but of fewer multiplications: only the third objective keeps it.
    for slot, params, macs in ((7, 4_000, 990_000), (8, 61_000, 100_000)):
        name = f"g03-s{slot:02d}"
        run.candidate(name, 3, slot, 1, params=params, macs=macs)
        run.train(name, 99.95)
    async with desk(store, SMALL) as (app, screen, pilot):
        front = screen.query_one(FrontPane)
        await wait_for(lambda: {"g03-s07", "g03-s08"} <= set(front.front.front), "both on the front")
        front.point_at("g03-s07")
        assert "front of accuracy, params and MACs" in shown(app)
        assert "g03-s07 99.95 % 4.0k params 990k MACs" in shown(app)  # whole, at half of 80 columns
        front.point_at("g03-s08")
        await pilot.pause()
        assert "on the front for its few MACs" in shown(app)
        await pilot.press("x")
        assert "on the front for its few MACs" not in shown(app)
        front.point_at("g03-s07")
        await pilot.pause()
        assert "on the front for its few parameters" in shown(app)


async def test_the_scaled_seed_stands_beside_the_front(run, store):
    async with desk(store, SMALL) as (app, screen, pilot):
        await wait_for(lambda: "front of accuracy, params and MACs" in shown(app))
        assert CONTROL not in shown(app)
    run.control(97.25, params=59_000, macs=800_000)
    async with desk(store, SMALL) as (app, screen, pilot):
        await wait_for(lambda: f"{CONTROL} seed scaled up 97.25 %" in shown(app))
        front = screen.query_one(FrontPane)
        assert front.control == (59_000, 800_000, 97.25) and "control" not in front.front.front
        assert shown(app).count(CONTROL) == 2  # the point and the line below


async def test_names_of_categories_are_whole_where_there_is_room(run, store):
    async with desk(store, SMALL) as (app, screen, pilot):
        await pilot.press("2", "z")
        counts = screen.query_one(CountsPane)
        longest = max((one.name for one in counts._counts.mains), key=len)
        assert longest in shown(app)


async def test_one_that_waits_alone_is_no_more(run, store):
    run.write("activity.json", '{"seed": "training: waiting for a worker"}')
    async with desk(store, SMALL) as (app, _, _pilot):
        await wait_for(lambda: "○ 1 waits for a worker" in shown(app))


@pytest.mark.parametrize("size", [SMALL, WIDE])
async def test_each_trainer_tells_its_speed_and_memory(run, store, size):
    doing = {
        "g03-s02": "training: epoch 4/10, validation 91.00 %, 2.1 epochs/s, 412 MiB",
        "g03-s17.2": "training: epoch 140/200 (short:200), validation 91.00 %, 0.021 epochs/s, 14120 MiB",
    }
    run.write("activity.json", json.dumps(doing))
    async with desk(store, size) as (app, _, _):
        await wait_for(lambda: "412 MiB" in shown(app) and "14120 MiB" in shown(app))
        pane = app.screen.query_one("#pane-1")
        lines = [one.plain for one in pane._lines]
        assert all(len(one) <= pane.size.width for one in lines)
        told = " ".join(" ".join(lines).split())
        for part in ("g03-s02", "4/10", "412 MiB", "140/200 (short:200)", "91.00 %", "0.021", "14120 MiB"):
            assert part in told


async def test_short_trainings_tell_promotions_and_what_they_stopped(run, store):
    config = json.loads(json.dumps(store.runs.get(run.id).config))
    config["fidelity"] = {"mode": "promote", "short_epochs": 0}  # a tenth
    environment = {**store.runs.get(run.id).environment, "protocol": {"epochs": 40}}
    changes = {"config_json": json.dumps(config), "environment_json": json.dumps(environment)}
    store._db.table("runs").update(run.id, changes)
    for slot, promoted in ((2, True), (3, False), (4, False)):
        name = f"g03-s{slot:02d}"
        run.candidate(name, 3, slot, 1)
        short = {
            "purpose": "screen", "seed": 0, "protocol": "p", "protocol_digest": "p", "fidelity": "short:4",
            "status": "done", "accuracy": 70.0, "weights": None, "message": "", "seconds": 1.0,
        }  # fmt: skip
        store.runs.save_evaluation(run.id, name, short, [])
        reason = f"{'promoted' if promoted else 'stopped'}: told"
        store.runs.decide_screening(run.id, name, 0, promoted=promoted, reason=reason)
        if not promoted:
            store.runs.set_slot(run.id, 3, slot, "screened")
    async with desk(store) as (app, screen, _):
        await wait_for(lambda: "Short:4 first: 1 promoted, 2 screened" in shown(app))
        head = screen.head
        assert head.screened == 2
        assert f" {head.trained + 2}/{head.budget}" in shown(app)
        lines = "\n".join(one.plain for one in app.screen.query_one("#pane-1")._lines)
        assert "▾ screened" in lines
        assert "▾▾" in lines
    assert store.live.screening(run.id, 2) == (0, 0)


async def test_without_short_trainings_nothing_is_said_of_them(run, store):
    async with desk(store) as (app, screen, _):
        assert screen._snapshot.screening is None
        assert "promoted" not in shown(app)


async def test_edits_and_ledger_have_a_pane(run, store):
    async with desk(store) as (app, screen, pilot):
        assert "hidden: 8 ledger" in shown(app)
        await pilot.press("8", "z")
        await wait_for(lambda: "what came of it" in shown(app), "the ledger")
        text = shown(app)
        made = [c for c in store.runs.candidates(run.id) if c.generation]
        assert re.search(rf"structural +{len(made)} +{sum(c.status == 'trained' for c in made)} ", text)
        ledger = read_ledger(store, run.id)
        for one in ledger.by_outcome():
            assert re.search(rf"{one.name} +{one.proposals} ", text), one.name
        assert re.search(rf"all +{ledger.proposed} ", text)
        await pilot.press("left_square_bracket", "left_square_bracket")
        await wait_for(lambda: "the ledger as it stands now" in shown(app), "the title")
        made = [c for c in made if c.generation == 1]
        await wait_for(lambda: re.search(rf"structural +{len(made)} ", shown(app)), "what was made until then")


async def test_the_time_that_is_left_and_limits_of_work(store):
    run = WrittenRun(store, more={"budget": {"trained": 100, "hours": 3, "tokens": 50_000}})
    run.seed()
    run.work()
    run.generation(1)
    run.call("1", 1_900)
    left = time_left(store, run.id, gpus=1)
    async with desk(store) as (app, screen, pilot):
        await wait_for(lambda: f"Left about {span(3600 * left.hours.middle)}" in shown(app), "the time")
        assert "Work 18 s of 3 h" in shown(app)
        assert "Tokens 2.0k of 50.0k" in shown(app)


async def test_what_turns_became_down_to_ideas(store):
    template, _ = template_of(store)
    sub = template.subs[0]
    store.ideas.add_own(template, sub.id, "An idea of mine", "Do it.")
    idea = store.ideas.all()[0].id
    run = WrittenRun(store)
    run.seed()
    run.ideas = {sub.id: idea}
    run.generation(1)
    run.generation(2)
    mine = store.sampling.turn_outcomes(run.id)
    async with desk(store, SMALL) as (app, screen, pilot):
        await pilot.press("2", "z", "g")
        for _ in range(list(run.mains).index(sub.main)):
            await pilot.press("j")
        await pilot.press("enter", "j", "right", "j")
        await wait_for(lambda: "An idea of mine" in shown(app), "the idea")
        line = next(line for line in shown(app).splitlines() if "An idea of mine" in line)
        one = mine[idea]
        wanted = [one.turns, one.tried, one.valid, one.realised, one.trained, one.on_front]
        assert [int(part) if part.isdigit() else 0 for part in line.split()[-6:]] == wanted
        assert one.turns > 0
        counts = screen.query_one(CountsPane)
        rows = counts.count()
        await pilot.press("left")
        assert counts.count() == rows - 1  # the sub-category is closed, the main one stays open
        await pilot.press("left", "left")
        assert counts.count() == 15


async def test_with_trained_models_as_the_fair_unit_these_are_counted(store):
    run = WrittenRun(store, more={"search": {"fair_unit": "trained", "stage3_counts": "last"}})
    run.seed()
    run.generation(1)
    found = store.sampling.counts_of_trained(run.id)
    async with desk(store, SMALL) as (app, screen, pilot):
        await pilot.press("2", "z")
        assert "trained models, most - least" in shown(app)
        assert "eff." in shown(app)
        counts = screen._snapshot.counts
        assert {one.id: one.turns for one in counts.mains if one.active} == {
            main: found[main].effective for main in run.mains if main in found
        }
        assert any(found[main].effective != found[main].turns for main in run.mains if main in found)


@pytest.mark.parametrize(("chains", "counted"), [("both", 2), ("last", 1)])
async def test_of_a_chain_as_many_models_count_as_the_run_says(store, chains, counted):
    run = WrittenRun(store, more={"search": {"stage3_counts": chains}})
    run.seed()
    run.open(1)
    for step in (1, 2):
        run.candidate(f"g01-s17.{step}", 1, 17, 3, step=step)
        run.train(f"g01-s17.{step}", 91.0 + step)
    async with desk(store) as (app, _, _pilot):
        await wait_for(lambda: f"{counted}/100" in shown(app), chains)


async def test_the_curve_has_the_band_of_a_baseline_where_a_study_has_one(run, store):
    async with desk(store) as (app, screen, _):
        await wait_for(lambda: screen._aside_of == run.id)
        assert "of study" not in shown(app)
    write_study(store)
    found = read_baseline(store, run.id)
    assert (found.method, found.study) == ("random", "first")
    app_band = found.band
    async with desk(store) as (app, screen, pilot):
        app.selected_run = run.id
        screen.reload()
        await wait_for(lambda: screen.head.id == run.id, "the run")
        await wait_for(lambda: screen._baseline == found, "the baseline")
        trained = sum(one.trained for one in screen._snapshot.generations)
        await pilot.press("4", "4", "z")
        low, high = app_band.low[trained], app_band.high[trained]
        await wait_for(lambda: f"│ random of study first: {low:.4f} to {high:.4f}" in shown(app), "the band")
        assert any(line.count("│") > 0 and "█" in line for line in shown(app).splitlines())
    other = WrittenRun(store, more={"budget": {"trained": 100, "max_params": 5_000}})
    assert read_baseline(store, other.id) is None  # hypervolumes of other budgets do not compare


@pytest.mark.parametrize(("state", "refused"), [("running", ""), ("queued", ""), ("waiting", "goes on by itself"),
                                                ("stalled", "takes it over"), ("paused", "already")])  # fmt: skip
def test_what_can_be_paused(state, refused):
    told = why_not("pause", SimpleNamespace(id="run-1", job="job-1", state=state, held=True))
    assert refused in told if refused else told is None
