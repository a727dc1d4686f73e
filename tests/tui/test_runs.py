"""Runs and reports: every action, the comparison, deletion and what it leaves."""

import pytest
from textual.widgets import Input

from fairnad_engine import workspace as jobs
from fairnad_engine.store import Store
from fairnad_screens.candidate import CandidateScreen
from fairnad_screens.data.runs import differing_settings, read_runs
from fairnad_screens.dialogs import ConfirmDialog, LineDialog
from fairnad_screens.viewer import TextViewer
from fairnad_screens.widgets.candidate_page import PageView
from tests.tui.harness import messages, opened, said_to, shown, wait_for
from tests.unit.report_workspace import RUN, workspace

SECOND = "run-2"


@pytest.fixture
def path(tmp_path):
    """A finished run and a second one, with other settings, that stopped before its first training."""
    with workspace(tmp_path) as store:
        one = store.runs.get(RUN)
        config = {**one.config, "name": "second", "search": {**one.config["search"], "fairness": "none"}}
        frozen = {
            "config": config,
            "environment": one.environment,
            "template_version": one.template_version,
            "model": "rules",
            "model_digest": "other",
            "dataset_digest": one.dataset_digest,
            "protocol_digest": one.protocol_digest,
            "seed": 7,
        }
        second = store.runs.create("second", frozen)
        job = store.jobs.create("search", config, second.id)
        store.jobs.set_state(job.id, "stopped", "stopped on request")
        return store.path


def details(app):
    return "\n".join(line.plain for line in app.screen.query_one("#runs-detail", PageView)._page.lines)


async def ready(app):
    await wait_for(lambda: app.screen.SCOPE == "runs" and app.screen._snapshot is not None)


async def test_an_empty_workspace_names_the_next_key(tmp_path):
    async with opened(tmp_path / "empty.db", "runs") as (app, pilot):
        await wait_for(lambda: "L opens the form" in shown(app))
        answers = await said_to(app, pilot, "enter", "space", "c", "n", "e", "v", "f", "D", "a", "tab")
        assert all("There is no run yet; L opens" in one for one in answers), answers
        assert await said_to(app, pilot, "escape") == ["There is no mark to take back."]
        await pilot.press("j", "k", "g", "G", "J", "K")


async def test_runs_are_listed_newest_first_with_their_details(path):
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        text = shown(app)
        assert text.index(SECOND) < text.index(RUN)
        assert "stopped" in text
        assert "0/2" in text
        assert "stopped on request" in details(app)
        await pilot.press("j")
        await wait_for(lambda: "Front (" in details(app) and "g01-s" in details(app))
        assert "0123456789abcdef" in details(app)
        for key in ("k", "G", "g", "down", "up", "pagedown", "pageup"):
            await pilot.press(key)
        assert app.screen._selected == SECOND


async def test_enter_opens_the_desk_of_the_run(path):
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        await pilot.press("j", "enter")
        await wait_for(lambda: app.screen.SCOPE == "search")
        await pilot.pause()
        assert app.selected_run == RUN


async def test_marked_runs_are_compared(path):
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        await pilot.press("c", "a")
        assert any("Mark two" in one for one in messages(app))
        await pilot.press("space", "space")
        assert app.screen._marked == [SECOND, RUN]
        await pilot.press("c")
        await wait_for(lambda: app.screen._plot is not None and app.screen._plot.is_mounted)
        await wait_for(lambda: "over parameters" in shown(app))
        assert "a MACs, Esc back" in shown(app)
        assert "search.fairness" in details(app)
        assert "model digest" in details(app)
        assert "budget.trained" not in details(app)
        await pilot.press("a")
        await wait_for(lambda: "over MACs" in shown(app))
        await pilot.press("j", "space", "escape")
        await wait_for(lambda: "state" in shown(app) and "over MACs" not in shown(app))
        await pilot.press("escape")
        assert app.screen._marked == []


async def test_marks_and_selection_come_back(path):
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        await pilot.press("space", "ctrl+q")
    async with opened(path) as (app, _):
        await ready(app)
        assert app.screen._marked == [SECOND]
        assert app.screen._selected == RUN


async def test_another_run_begins_from_its_settings(path):
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        await pilot.press("n")
        await wait_for(lambda: app.screen.SCOPE == "launch" and app.screen._ready)
        values = {row.field.place: row.value for row in app.screen._fields}
        assert values["search.fairness"] == "none"
        assert values["data.protocol"] == "smoke"
        assert "those of run-2" in shown(app)


async def test_the_report_is_written_and_read(path, tmp_path):
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        await pilot.press("e")
        assert any("nothing to report" in one for one in messages(app))
        await pilot.press("j", "e")
        await wait_for(lambda: isinstance(app.screen, LineDialog))
        app.screen.query_one(Input).value = str(tmp_path / "report")
        await pilot.press("enter")
        await wait_for(lambda: any("report.md" in one for one in messages(app)))
        await pilot.press("v")
        await wait_for(lambda: isinstance(app.screen, TextViewer))
        assert app.screen._content == (tmp_path / "report" / "report.md").read_text()
        assert "\x1b" not in shown(app)
        await pilot.press("q")
        await wait_for(lambda: app.screen.SCOPE == "runs")
    written = {one.name for one in (tmp_path / "report").iterdir()}
    assert {"report.md", "report.json", "candidates.csv", "front.svg", "front"} <= written


async def test_finish_asks_how_many_and_explains(path, monkeypatch):
    started = []
    monkeypatch.setattr(jobs, "start_worker", lambda store, job: started.append(job))
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        await pilot.press("f")
        assert any("only a search that is done" in one for one in messages(app))
        await pilot.press("j")
        for answer in ("none", "2"):
            await pilot.press("f")
            await wait_for(lambda: isinstance(app.screen, LineDialog))
            app.screen.query_one(Input).value = answer
            await pilot.press("enter")
            if answer == "none":
                await wait_for(lambda: any("no number" in one for one in messages(app)))
        await wait_for(lambda: isinstance(app.screen, ConfirmDialog))
        assert "cannot be taken back" in shown(app)
        await pilot.press("y")
        await wait_for(lambda: started)
    assert started[0].kind == "finish"
    assert started[0].config == {"top": 2, "workers": 2}


async def test_a_run_that_was_finished_is_not_tested_again(path):
    with Store(path) as store:
        store.jobs.set_state(store.jobs.create("finish", {}, RUN).id, "done")
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        await pilot.press("j", "f")
        assert any("a test is made once" in one for one in messages(app))


async def test_deletion_names_what_goes_and_keeps_what_others_need(path):
    with Store(path) as store:
        graph = store.files.path(store.runs.candidate(RUN, "seed").graph)
        ideas = len(store.ideas.all())
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        await pilot.press("j", "D")
        await wait_for(lambda: isinstance(app.screen, ConfirmDialog))
        assert "3 models" in shown(app)
        await pilot.press("n")
        await wait_for(lambda: app.screen.SCOPE == "runs")
        assert graph.exists()
        await pilot.press("D")
        await wait_for(lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await wait_for(lambda: [one.id for one in app.screen._snapshot.runs] == [SECOND])
        assert app.screen._selected == SECOND
    assert not graph.exists()
    with Store(path) as store:
        assert len(store.ideas.all()) == ideas
        assert store.jobs.of_run(RUN) is None
        assert store.runs.create("third", {"config": {}, "environment": {}, "seed": 0}).id == "run-3"


async def test_a_run_that_is_worked_on_is_not_deleted(path):
    with Store(path) as store:
        job = store.jobs.of_run(SECOND)
        store.jobs.acquire(job.id)  # by this process
        store.jobs.set_state(job.id, "running")
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        await pilot.press("D")
        assert any("stop it first" in one for one in messages(app))


async def test_the_list_stays_on_its_run_when_others_come(path):
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        await pilot.press("j")
        assert app.screen._selected == RUN
        with Store(path) as store:
            config = store.runs.get(RUN).config
            store.runs.create("newest", {"config": config, "environment": {}, "model": "rules", "seed": 0})
        await wait_for(lambda: len(app.screen._snapshot.runs) == 3)
        assert app.screen._selected == RUN


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_resizing_keeps_the_place(path, size):
    async with opened(path, "runs", size=size) as (app, pilot):
        await ready(app)
        await pilot.press("j")
        await pilot.resize_terminal(90, 30)
        await wait_for(lambda: app.screen.size.width == 90)
        assert app.screen._selected == RUN


def test_settings_that_differ_are_those_alone(path):
    with Store(path) as store:
        runs = list(read_runs(store, ()).runs)
    assert dict(differing_settings(runs)).keys() == {"name", "search.fairness", "model digest"}
    assert not differing_settings(runs[:1] * 2)


async def test_enter_opens_a_model_of_the_front_and_comes_back_to_it(path):
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        await pilot.press("tab")
        assert "run-2 has no front yet" in messages(app)[-1]
        await pilot.press("j")
        await wait_for(lambda: "Front (" in details(app))
        screen = app.screen
        members = [one.id for one in screen.front()]
        await pilot.press("tab", "G")
        await wait_for(lambda: f"▸ {members[-1]}" in shown(app), "the cursor in the front")
        await pilot.press("enter")
        await wait_for(lambda: isinstance(app.screen, CandidateScreen))
        assert app.screen._candidate == members[-1]
        await pilot.press("q")
        await wait_for(lambda: app.screen is screen)
        assert screen.in_front
        await pilot.press("escape", "k")
        await wait_for(lambda: "run-2" in details(app))
        assert not screen.in_front


async def test_the_mouse_opens_a_model_of_the_front(path):
    async with opened(path, "runs", size=(120, 40)) as (app, pilot):
        await ready(app)
        await pilot.press("j")
        await wait_for(lambda: "Front (" in details(app))
        view = app.screen.query_one("#runs-detail", PageView)
        line = view._page.stops[0] - round(view.scroll_y)
        await pilot.click(view, offset=(6, line + 1))  # below the border
        await wait_for(lambda: app.screen.in_front, "the front")
        await pilot.click(view, offset=(6, line + 1), times=2)
        await wait_for(lambda: isinstance(app.screen, CandidateScreen))


async def test_details_scroll_by_keys_and_name_the_digest_once(path):
    async with opened(path, "runs", size=(80, 16)) as (app, pilot):
        await ready(app)
        await pilot.press("j")
        await wait_for(lambda: "Front (" in details(app))
        view = app.screen.query_one("#runs-detail", PageView)
        await pilot.press("J")
        await wait_for(lambda: view.scroll_y > 0)
        await pilot.press("K")
        await wait_for(lambda: view.scroll_y == 0)
        digest = app.screen._current().row.digest
        assert details(app).count(digest) == 1


async def test_studies_are_a_key_away(tmp_path):
    from fairnad_screens.study import StudyScreen

    async with opened(tmp_path / "w.db", "runs") as (app, pilot):
        await pilot.press("s")
        await wait_for(lambda: isinstance(app.screen, StudyScreen), "the studies")
        await wait_for(lambda: "No study yet" in shown(app))
        await pilot.press("q")
        await wait_for(lambda: app.screen.SCOPE == "runs")
