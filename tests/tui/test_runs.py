"""Runs and reports: every action, the comparison, deletion and what it leaves."""

import pytest
from textual.widgets import Input

from fairnad_engine import clock
from fairnad_engine import workspace as jobs
from fairnad_engine.activity import Activity, NodeLoad
from fairnad_engine.processes import ProcessIdentity, current_identity
from fairnad_engine.store import Store
from fairnad_screens.candidate import CandidateScreen
from fairnad_screens.data.runs import differing_settings, read_runs
from fairnad_screens.dialogs import ConfirmDialog, LineDialog
from fairnad_screens.runs_control import WatchDialog
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
        answers = await said_to(app, pilot, "enter", "space", "c", "n", "e", "v", "f", "D", "a", "tab", "r", "t")
        assert all("There is no run yet; L opens" in one for one in answers), answers
        assert await said_to(app, pilot, "escape") == ["There is no mark to take back."]
        await pilot.press("j", "k", "g", "G", "J", "K")


async def test_runs_are_listed_newest_first_with_their_details(path):
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        await wait_for(lambda: SECOND in shown(app) and RUN in shown(app), "the list")
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
        await pilot.press("enter")  # which may be pressed unasked
        assert isinstance(app.screen, ConfirmDialog)
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


# -- workers ------------------------------------------------------------------------------------------------------

GONE = ProcessIdentity(current_identity().host, "another boot", 1, 1)
ELSEWHERE = ProcessIdentity("gpu-box", "its boot", 4711, 99)


def hold(path, identity, run=SECOND, state="running", message=""):
    """Another process has a run's lease."""
    with Store(path) as store:
        job = store.jobs.of_run(run)
        store.jobs.set_state(job.id, state, message)
        lease = {"job_id": job.id, "host": identity.host, "boot_id": identity.boot_id, "pid": identity.pid,
                 "start_time": identity.start_time, "heartbeat": clock.now() - 7, "token": "t", "beats": 1}  # fmt: skip
        store._db.table("leases").upsert(lease, pk="job_id")
        return job.id


def beat(path):
    with Store(path) as store:
        store._db.execute("UPDATE leases SET beats = beats + 1, heartbeat = ?", [clock.now()])


def worker(app):
    return next((line for line in details(app).splitlines() if line.startswith("Worker")), "")


async def test_who_works_on_a_run_is_named(path):
    hold(path, current_identity())
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        me = current_identity()
        await wait_for(lambda: f"{me.host}:{me.pid}, heartbeat" in details(app))
        assert "live" in worker(app)
        answers = await said_to(app, pilot, "r", "t")
        assert "worked on already" in answers[0]
        assert "which beats" in answers[1]


async def test_a_worker_that_is_gone_is_stale_and_r_resumes(path, monkeypatch):
    started = []
    hold(path, GONE)
    monkeypatch.setattr(jobs, "start_worker", lambda store, job: started.append((job.id, job.state)))
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        await wait_for(lambda: "stale: it is gone" in details(app))
        assert "r resumes" in details(app)
        assert "dead" in shown(app)
        assert "No process holds run-2; r resumes it." in (await said_to(app, pilot, "t"))[0]
        await pilot.press("r")
        await wait_for(lambda: any("goes on in the background" in one for one in messages(app)))
    assert [state for _, state in started] == ["queued"]


async def test_silence_is_told_and_a_beat_ends_it(path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(clock, "steady", lambda: now[0])
    hold(path, ELSEWHERE)
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        await wait_for(lambda: "gpu-box:4711" in details(app))
        assert "live, on another host" in worker(app)
        assert "t takes over if it is gone" in (await said_to(app, pilot, "r"))[0]
        now[0] += 6
        await wait_for(lambda: "silent" in worker(app))
        now[0] += 60
        await wait_for(lambda: "stale" in worker(app))
        assert "t takes over" in details(app)
        beat(path)
        await wait_for(lambda: "live" in worker(app))


async def test_taking_over_says_what_happens_watches_and_goes_on(path, monkeypatch):
    now, started = [0.0], []
    monkeypatch.setattr(clock, "steady", lambda: now[0])
    monkeypatch.setattr(jobs, "start_worker", lambda store, job: started.append(job))
    job = hold(path, ELSEWHERE)
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        await wait_for(lambda: "live" in worker(app))
        now[0] += 6
        await wait_for(lambda: "silent" in worker(app))
        await pilot.press("t")
        await wait_for(lambda: isinstance(app.screen, ConfirmDialog))
        assert "process 4711 on gpu-box" in shown(app)
        assert "cannot be ended from here" in " ".join(shown(app).split())
        await pilot.press("y")
        await wait_for(lambda: isinstance(app.screen, WatchDialog))
        assert "Esc: give it up" in shown(app)

        def gone_on():  # the watching thread looks five times a second
            now[0] += 0 if started else 2
            return started

        await wait_for(gone_on, "the new worker")
        await wait_for(lambda: any("was taken over" in one for one in messages(app)))
        await wait_for(lambda: not isinstance(app.screen, WatchDialog))
    assert [one.id for one in started] == [job]
    with Store(path) as store:
        assert store.jobs.holder(job) is None


async def test_taking_over_is_given_up_with_esc(path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(clock, "steady", lambda: now[0])
    monkeypatch.setattr(jobs, "start_worker", lambda store, job: pytest.fail("nothing is started"))
    job = hold(path, ELSEWHERE)
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        await wait_for(lambda: "live" in worker(app))
        now[0] += 6
        await wait_for(lambda: "silent" in worker(app))
        await pilot.press("t")
        await wait_for(lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await wait_for(lambda: isinstance(app.screen, WatchDialog))
        await pilot.press("escape")
        await wait_for(lambda: any("you gave it up" in one for one in messages(app)))
    with Store(path) as store:
        assert store.jobs.holder(job)[0] == ELSEWHERE


@pytest.mark.parametrize(
    ("state", "message", "told"),
    [
        (
            "waiting",
            "/data: the disk is full; free some space there",
            ("Waits", "goes on by itself", "free some space"),
        ),
        ("queued", "2 of 2 GPUs are taken by run-1", ("Queued", "taken by run-1")),
        (
            "failed",
            "cuda:0: out of memory; lower --streams",
            ("Fault", "out of memory", "Remedy", "lower --streams; r"),
        ),
        ("failed", "[/] \x1b[31m\u202e no remedy here", ("Fault", "see its log")),
    ],
)
async def test_states_come_with_reason_and_remedy(path, state, message, told):
    hold(path, GONE if state == "failed" else current_identity(), state=state, message=message)
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        for words in told:
            await wait_for(lambda words=words: words in " ".join(details(app).split()), words)
        assert "\x1b" not in shown(app)
        assert state in shown(app)
        if state in ("waiting", "queued"):
            app.goto("home")
            await wait_for(lambda: " ".join(shown(app).split()).count(message[:12]) >= 1, "the reason on home")
            app.selected_run = SECOND
            app.goto("search")
            await wait_for(lambda: state in shown(app), "the state on the desk")
            app._said = ""
            await pilot.press("full_stop")
            # Who pauses in line lets others pass; what waits for its cause to clear has nothing to pause.
            told = "is waiting and goes on by itself" if state == "waiting" else f"Asked {SECOND} to pause"
            await wait_for(lambda: any(told in one for one in messages(app)), told)


async def test_a_waiting_run_whose_worker_is_gone_is_dead(path):
    hold(path, GONE, state="waiting", message="the disk is full; free some")
    async with opened(path, "runs") as (app, _):
        await ready(app)
        await wait_for(lambda: "dead" in shown(app))
        assert "Waits" not in details(app)


async def test_nodes_and_their_load(path):
    job = hold(path, current_identity())
    folder = jobs.job_folder(path, job)
    folder.mkdir(parents=True)
    activity = Activity(folder / "activity.json")
    activity.show_nodes([NodeLoad("10.0.0.2", True, 32, 8, 4, 2.5, 5), NodeLoad("10.0.0.3", False, 0, 0, 0, 0, 0)])
    activity.flush()
    async with opened(path, "runs") as (app, _):
        await ready(app)
        await wait_for(lambda: "Nodes (2, 1 gone)" in details(app))
        lines = details(app).splitlines()
        at = next(place for place, line in enumerate(lines) if line.startswith("Nodes"))
        assert "10.0.0.3" in lines[at + 1] and "gone" in lines[at + 1]
        assert lines[at + 2].split()[1:] == ["10.0.0.2", "8/32", "2.5/4", "5"]


async def test_the_workspace_is_backed_up(path, tmp_path):
    target = tmp_path / "copy" / "b.db"
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        for again in (False, True):
            await pilot.press("b")
            await wait_for(lambda: isinstance(app.screen, LineDialog))
            app.screen.query_one(Input).value = str(target)
            await pilot.press("enter")
            if again:
                await wait_for(lambda: isinstance(app.screen, ConfirmDialog))
                assert "up to date" in shown(app)
                await pilot.press("y")
            await wait_for(lambda n=again: sum("The backup is" in one for one in messages(app)) == 1 + n, "its end")
        assert str(target) in messages(app)[-1].replace("\n", "")
    with Store(target) as store:
        assert store.runs.get(RUN).digest


async def test_a_backup_onto_the_workspace_is_refused(path):
    async with opened(path, "runs") as (app, pilot):
        await ready(app)
        await pilot.press("b")
        await wait_for(lambda: isinstance(app.screen, LineDialog))
        app.screen.query_one(Input).value = str(path)
        await pilot.press("enter")
        await wait_for(lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await wait_for(lambda: any("is the workspace itself" in one for one in messages(app)))
