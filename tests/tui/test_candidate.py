"""The candidate screen: every pane and every action, on a run with real graphs, and hostile texts."""

import json

import pytest
from textual.widgets import Input

from fairnad_engine.llm.protocol import ModelCall
from fairnad_engine.text import is_plain
from fairnad_screens.candidate import CandidateScreen
from fairnad_screens.dialogs import LineDialog
from fairnad_screens.viewer import TextViewer
from fairnad_screens.widgets.candidate_page import PageView
from fairnad_screens.widgets.candidate_tabs import CandidateTabs
from tests.tui.harness import messages, opened, shown, wait_for
from tests.unit.report_workspace import NASTY, RUN, workspace

SOURCE = "class Backbone:\n    pass\n"


@pytest.fixture
def path(tmp_path):
    """A finished run with a model call that belongs to the first attempt of slot 3."""
    with workspace(tmp_path) as store:
        call = ModelCall("idea", "chatty", "0", 1200, 345, 3.0, f"Here it is:\n{NASTY}")
        store.calls.record(f"{RUN}/1/3/1/0", [call], job_id="job-1", run_id=RUN)
        store.runs.save_attempt((RUN, 1, 3, 1, 0), {"source": SOURCE, "message": NASTY})
        return store.path


async def push(app, candidate):
    screen = CandidateScreen(RUN, candidate)
    app.push_screen(screen)
    await wait_for(lambda: screen._snapshot is not None and "idea realised" in shown(app))
    return screen


def test_text(app):
    return "\n".join(line.plain for line in app.screen.query_one(PageView)._page.lines)


test_text.__test__ = False


async def test_the_head_says_what_it_is(path):
    async with opened(path) as (app, _):
        await push(app, "g01-s03")
        text = shown(app)
        for word in (
            "trained",
            "generation 1, stage 1 (idea)",
            "% val",
            "protocol smoke",
            "width 0.5",
            "realised: yes",
        ):
            assert word in text
        assert "front of generation 1" in text or "g01-s03" not in front_of(path)


def front_of(path):
    from fairnad_engine.store import Store

    with Store(path) as store:
        return store.runs.generations(RUN)[-1].front


async def test_the_source_is_shown_whole_with_line_numbers(path):
    from fairnad_engine.store import Store

    async with opened(path) as (app, pilot):
        screen = await push(app, "g01-s03")
        source = screen._snapshot.row.source
        numbered = [line.plain for line in screen.query_one(PageView)._page.lines]
        assert "".join(line[5:] for line in numbered).replace(" ", "") == source.replace("\n", "").replace(" ", "")
        await pilot.press("j")
        await wait_for(lambda: screen.query_one(PageView).scroll_y == 1)
        await pilot.press("k", "G")
        await wait_for(lambda: screen.query_one(PageView).scroll_y > 1)
        await pilot.press("g", "pagedown")
        await wait_for(lambda: screen.query_one(PageView).scroll_y > 1)
        await pilot.press("pageup")
        await wait_for(lambda: screen.query_one(PageView).scroll_y == 0)
    with Store(path) as store:
        assert store.runs.candidate(RUN, "g01-s03").source == source


async def test_changes_count_operations_and_show_the_source_difference(path):
    async with opened(path, size=(120, 40)) as (app, pilot):
        await push(app, "g01-s01")
        await pilot.press("2")
        text = test_text(app)
        assert "silu" in text
        assert "+1" in text
        assert "trained elements" in text
        assert "--- parent seed" in text
        assert "+        c = max(1, round(12 * width))" in text
        await pilot.press("u")
        await wait_for(lambda: "This is the seed" in shown(app))
        assert "batch norm" in test_text(app)


async def test_the_lineage_names_change_idea_and_paper_and_opens_ancestors(path):
    async with opened(path) as (app, pilot):
        screen = await push(app, "g01-s03")
        await pilot.press("3")
        text = test_text(app)
        assert "pool.strided-conv" in text
        assert "All Convolutional" in text
        assert "realised: yes" in text
        await pilot.press("j", "enter")
        await wait_for(lambda: screen._snapshot is not None and screen._snapshot.row.id == "seed")
        assert "Made from this model" in test_text(app)
        await pilot.press("g", "enter")
        await wait_for(lambda: screen._snapshot is not None and screen._snapshot.row.id == "g01-s01")


async def test_the_training_shows_every_epoch(path):
    async with opened(path) as (app, pilot):
        screen = await push(app, "g01-s01")
        await pilot.press("4")
        (training,) = screen._snapshot.trainings
        assert len(training.epochs) == 2
        assert f"{training.epochs[-1].validation_accuracy:.2f}" in test_text(app)


async def test_attempts_show_class_message_tokens_and_the_raw_reply(path):
    async with opened(path) as (app, pilot):
        await push(app, "g01-s03")
        await pilot.press("5")
        text = test_text(app)
        assert "1 model calls, 1,200 tokens read, 345 written" in text
        await pilot.press("enter")
        await wait_for(lambda: isinstance(app.screen, TextViewer))
        whole = app.screen._content
        assert NASTY in whole
        assert SOURCE in whole
        await pilot.press("j", "k", "G", "g", "escape")
        await wait_for(lambda: app.screen.SCOPE == "candidate")
        await pilot.press("1", "enter")
        assert any("Nothing to open" in one for one in messages(app))


async def test_export_asks_for_a_folder_and_writes_it(path, tmp_path):
    async with opened(path) as (app, pilot):
        await push(app, "g01-s03")
        await pilot.press("x")
        await wait_for(lambda: isinstance(app.screen, LineDialog))
        app.screen.query_one(Input).value = str(tmp_path / "out")
        await pilot.press("enter")
        await wait_for(lambda: any("Exported to" in one for one in messages(app)))
    assert json.loads((tmp_path / "out" / "g01-s03" / "model.json").read_text())["id"] == "g01-s03"


async def test_what_cannot_be_written_is_told_in_a_line(path):
    async with opened(path) as (app, pilot):
        await push(app, "g01-s03")
        await pilot.press("x")
        await wait_for(lambda: isinstance(app.screen, LineDialog))
        app.screen.query_one(Input).value = "/dev/null/x"
        await pilot.press("enter")
        await wait_for(lambda: any("name another folder" in one for one in messages(app)))
        assert app.screen.SCOPE == "candidate"


async def test_copy_goes_to_the_clipboard_and_to_a_file(path):
    async with opened(path) as (app, pilot):
        screen = await push(app, "g01-s01")
        await pilot.press("y")
        await wait_for(lambda: any("also in" in one for one in messages(app)))
        assert app.clipboard == screen._snapshot.row.source
    assert (path.parent / "w-exports" / "copied.py").read_text() == app.clipboard


async def test_neighbours_and_parent(path):
    async with opened(path) as (app, pilot):
        screen = await push(app, "seed")
        await pilot.press("u")
        assert any("nothing is above it" in one for one in messages(app))
        for key, there in (("]", "g01-s01"), ("]", "g01-s03"), ("]", "seed"), ("[", "g01-s03"), ("u", "seed")):
            await pilot.press({"[": "left_square_bracket", "]": "right_square_bracket"}.get(key, key))
            await wait_for(lambda there=there: screen._snapshot is not None and screen._snapshot.row.id == there)


async def test_the_pane_comes_back_and_q_goes_back_to_the_screen_below(path):
    async with opened(path) as (app, pilot):
        await push(app, "seed")
        await pilot.press("3", "q")
        assert app.screen.SCOPE == "home"
        await push(app, "g01-s03")
        assert app.screen._pane == "lineage"


async def test_nothing_acts_on_the_terminal(path):
    async with opened(path) as (app, pilot):
        await push(app, "g01-s03")
        for key in "12345":
            await pilot.press(key)
            assert all(is_plain(line) for line in shown(app).split("\n"))


async def test_a_candidate_that_is_not_there_is_a_message(path):
    async with opened(path) as (app, pilot):
        app.push_screen(CandidateScreen(RUN, "g09-s09"))
        await wait_for(lambda: any("g09-s09" in one for one in messages(app)))
        await pilot.press("3", "x", "y", "enter", "q")
        assert app.screen.SCOPE == "home"


async def test_a_missing_graph_is_said_where_it_would_stand(path):
    from fairnad_engine.store import Store

    with Store(path) as store:
        store.files.path(store.runs.candidate(RUN, "g01-s03").graph).unlink()
    async with opened(path) as (app, pilot):
        await push(app, "g01-s03")
        await pilot.press("2")
        assert "restore the folder from a backup" in test_text(app).replace("\n", "")


async def test_the_mouse_turns_the_pages(path):
    async with opened(path) as (app, pilot):
        screen = await push(app, "g01-s03")
        tabs = screen.query_one(CandidateTabs)
        for name, pane in (("5 Attempts", "attempts"), ("2 Changes", "changes"), ("1 Source", "source")):
            line = next(line for line in shown(app).splitlines() if "1 Source" in line)
            await pilot.click(tabs, offset=(line.index(name) + 1, 0))
            await wait_for(lambda pane=pane: screen._pane == pane, name)
        await pilot.click(tabs, offset=(75, 0))
        assert screen._pane == "source"


async def test_a_second_click_opens_what_the_cursor_is_on(path):
    async with opened(path) as (app, pilot):
        screen = await push(app, "g01-s03")
        await pilot.press("5")
        view = screen.query_one(PageView)
        await pilot.click(view, offset=(6, view._page.stops[0]), times=2)
        await wait_for(lambda: isinstance(app.screen, TextViewer))


def test_every_failure_class_is_explained():
    from fairnad_engine.backbone.failures import RUNGS, Rung
    from fairnad_screens.data.candidate_ladder import CHEAT_CHECKS, MEANINGS, meaning

    assert set(MEANINGS) == set(RUNGS)
    assert all(RUNGS[one] is Rung.EXECUTION and "cheats" in meaning(one) for one in CHEAT_CHECKS)
    assert meaning("of-tomorrow") == ""


async def test_each_attempt_shows_its_ladder_and_which_check_flagged_it(path):
    from fairnad_engine.store import Store

    falls = [
        ("graph-disagrees", "run eagerly, the source gives other logits than its graph"),
        ("crash", "its graph: exit code 11"),
        ("of-tomorrow", "who knows"),
    ]
    with Store(path) as store:
        for number, (failure, message) in enumerate(falls):
            values = {"purpose": "idea", "task_hash": "t", "source": SOURCE, "failure": failure, "message": message}
            store.runs.save_attempt((RUN, 1, 3, 2, number), {**values, "verdict": {}, "design": {}})
        waits = {"purpose": "idea", "task_hash": "t", "source": SOURCE, "failure": None, "verdict": None, "design": {}}
        store.runs.save_attempt((RUN, 1, 3, 2, 3), waits)
    async with opened(path) as (app, pilot):
        await push(app, "g01-s03")
        await pilot.press("5")
        text = test_text(app)
        fallen = "✓ source  ✓ jail  ✓ graph  ✓ budget  ✓ depth  ✗ truth  ○ new"
        assert text.count(fallen) == 2
        assert "This check guards against cheats." in " ".join(text.split())
        assert "not checked yet" in text
        assert "of-tomorrow\n" in text


async def test_each_score_names_its_fidelity_and_latency(path):
    from fairnad_engine.store import Store

    with Store(path) as store:
        ended = store.runs.evaluations_of(RUN, "g01-s01")[0]
        short = {
            "purpose": "screen", "seed": ended.seed, "protocol": "p", "protocol_digest": "p", "fidelity": "short:2",
            "status": "done", "accuracy": 71.5, "weights": None, "message": "promoted: warm-up, 0 of 6 pairs",
            "seconds": 1.0,
        }  # fmt: skip
        store.runs.save_evaluation(RUN, "g01-s01", short, [])
        again = {**short, "purpose": "finish", "fidelity": "full", "accuracy": 80.0, "message": "", "seed": 99}
        store.runs.save_evaluation(RUN, "g01-s01", {**again, "latency_1": 1.25, "latency_256": 40.5}, [])
    async with opened(path) as (app, pilot):
        await push(app, "g01-s01")
        await pilot.press("4")
        text = test_text(app)
        assert "71.50 % val, short schedule (short:2)" in text
        assert "promoted: warm-up" in text
        assert "80.00 % val, full schedule" in text
        assert "latency 1.25 ms at batch 1, 40.5 ms at batch 256" in text
