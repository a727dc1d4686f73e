"""Studies on the screen: methods, curves, cells, several studies, hostile names, small terminals."""

import pytest

from fairnad_engine.report.study import StudyReport, study_markdown
from fairnad_engine.search.compared import compare
from fairnad_engine.search.control_row import CONTROL, beside_columns
from fairnad_engine.search.study import study_view
from fairnad_engine.store import Store
from fairnad_screens.data.study import read_study
from fairnad_screens.study import StudyScreen
from fairnad_screens.widgets.study_curve import StudyCurve
from tests.tui.harness import messages, opened, shown, wait_for
from tests.tui.studied import write_study

SMALL, WIDE = (80, 24), (120, 40)


@pytest.fixture
def path(tmp_path):
    with Store(tmp_path / "w.db") as store:
        write_study(store)
    return tmp_path / "w.db"


async def study(app, pilot):
    await pilot.press("s")
    await wait_for(lambda: isinstance(app.screen, StudyScreen), "the study screen")
    await wait_for(lambda: app.screen._snapshot is not None, "the comparison")
    await pilot.pause()
    return app.screen


@pytest.mark.parametrize("size", [SMALL, WIDE])
async def test_methods_and_cells_are_compared(path, size):
    async with opened(path, "runs", size=size) as (app, pilot):
        screen = await study(app, pilot)
        text = shown(app)
        for part in ("first", "digits, 40 models a run, 4 of 6 done", "fairnad", "random", "volume at 17", "pass",
                     "its 95 % band", "trained models", "2 done"):  # fmt: skip
            assert part in text, part
        found = screen._snapshot
        fairnad = found.curves("fairnad")
        assert f"{fairnad.hypervolume.mean[17]:.4f}" in text
        cell = found.view.cell("fairnad", 3)
        assert f"{cell.hypervolume:.4f}" in text
        sums = found.sums["fairnad"]
        assert f"{sums.trained} trained of {sums.proposed} proposed" in text
        assert sums.passing == pytest.approx(85 / 100)


@pytest.mark.parametrize("size", [SMALL, WIDE])
async def test_the_control_stands_below_the_methods_and_in_the_report(path, size):
    async with opened(path, "runs", size=size) as (app, pilot):
        await study(app, pilot)
        assert "seed scaled up" not in shown(app)
    with Store(path) as store:
        assert not any("Control" in table.title for table in report_of(store).tables())
        for accuracy, (method, seed) in ((91.0, ("random", 3)), (92.0, ("fairnad", 3)), (94.0, ("fairnad", 4))):
            run = next(one for one in store.studies.runs("first") if (one.method, one.seed) == (method, seed))
            control(store, run.run_id, accuracy)
        report = report_of(store)
    assert [(one.seed, one.accuracy) for one in report.view.controls] == [(3, 92.0), (4, 94.0)]  # one for each seed
    (table,) = (one for one in report.tables() if "Control" in one.title)
    assert table.rows[-1][:3] == ("all 2", "-", "93.00 ± 1.41")
    assert [one["accuracy"] for one in report.document()["controls"]] == [92.0, 94.0]
    assert "Control: the seed scaled up" in study_markdown(report)
    async with opened(path, "runs", size=size) as (app, pilot):
        await study(app, pilot)
        assert "seed scaled up         93.00 92.00-94.00" in shown(app)
        await pilot.press("G")
        assert app.screen._chosen() == "random"  # the cursor stays on methods


def report_of(store):
    view = study_view(store, "first")
    return StudyReport(view, "digits", compare([], view.methods))


def control(store, run_id, accuracy):
    """The seed at the budget's edge, as a run trains it."""
    columns = vars(store.runs.candidates(run_id)[0])
    measured = {
        name: columns[name] for name in ("width", "params", "macs", "exact_hash", "width_hash", "graph", "weights")
    }
    store.beside.save(run_id, CONTROL, beside_columns(measured, CONTROL, "seed", "class Backbone: ...", "wider"))
    values = {
        "purpose": CONTROL, "seed": 0, "protocol": "p", "protocol_digest": "p", "status": "done",
        "accuracy": accuracy, "weights": None, "message": "", "seconds": 1.0,
    }  # fmt: skip
    store.runs.save_evaluation(run_id, CONTROL, values, [])


async def test_a_cell_opens_its_run(path):
    async with opened(path, "runs") as (app, pilot):
        screen = await study(app, pilot)
        await pilot.press("j", "tab", "G", "enter")
        assert any("not started" in one for one in messages(app))
        await pilot.press("k", "enter")
        await wait_for(lambda: app.screen is not screen and app.screen.SCOPE == "search", "the desk")
        assert app.selected_run == "run-4"


async def test_movement_and_the_other_curve(path):
    async with opened(path, "home") as (app, pilot):
        screen = await study(app, pilot)
        assert screen._chosen() == "fairnad"
        await pilot.press("G")
        assert screen._chosen() == "random"
        await pilot.press("g")
        assert screen._chosen() == "fairnad"
        await pilot.press("enter", "j", "k", "j")
        assert screen._in_cells
        assert screen._cell == 1
        await pilot.press("tab", "x")
        assert "best validation %" in shown(app)
        await pilot.press("x")
        assert "best validation %" not in shown(app)
        await pilot.press("q")
        await wait_for(lambda: app.screen.SCOPE == "home")


async def test_a_refresh_sees_what_was_trained_meanwhile(path):
    async with opened(path, "runs") as (app, pilot):
        screen = await study(app, pilot)
        before = screen._snapshot.view.cell("fairnad", 5).trained
        with Store(path) as store:
            run = next(one.run_id for one in store.studies.runs("first") if (one.method, one.seed) == ("fairnad", 5))
            last = store.runs.candidates(run)[-1]
            values = {**vars(last), "id": "more", "position": last.position + 1, "slot": 19, "status": "trained"}
            values.pop("run_id")
            values.pop("created_at")
            store.runs.save_candidate(run, "more", {**values, "accuracy": 99.0})
        await wait_for(lambda: not screen._comparing)
        await pilot.press("r")
        await wait_for(lambda: screen._snapshot.view.cell("fairnad", 5).trained == before + 1, "the new model")


async def test_several_studies_and_none(path, tmp_path):
    with Store(path) as store:
        write_study(store, "second")
    async with opened(path, "runs") as (app, pilot):
        screen = await study(app, pilot)
        assert "second" in shown(app)
        assert "study 2 of 2" in shown(app)
        await pilot.press("greater_than_sign")
        assert any("newest" in one for one in messages(app))
        await pilot.press("less_than_sign")
        await wait_for(lambda: screen._snapshot.view.name == "first")
    async with opened(tmp_path / "empty.db", "home") as (app, pilot):
        await study(app, pilot)
        assert "No study yet" in shown(app)
        await pilot.press("x")
        assert any("fairnad-tui study --config" in one for one in messages(app))


async def test_hostile_names_are_text(tmp_path):
    with Store(tmp_path / "w.db") as store:
        write_study(store, methods=("[red]x[/] \x1b[31m\u202e漢字", "random"))
        names = store.studies.get("first").config["methods"]
        document = {**store.studies.get("first").config, "variants": {names[0]: {}}}
        store.studies.save("first", document)
    async with opened(tmp_path / "w.db", "runs") as (app, pilot):
        await study(app, pilot)
        for size in (SMALL, (40, 10), (20, 5), WIDE):
            await pilot.resize_terminal(*size)
            await pilot.press("x", "tab")
            assert not [c for c in shown(app) if (ord(c) < 32 and c != "\n") or c in "\x7f\u202e"]
        assert "[red]x[/]" in shown(app)


def test_a_curve_has_its_band_around_its_mean(path):
    from fairnad_screens.widgets.study_curve import _BAND, _MEAN, _picture

    with Store(path) as store:
        found = read_study(store, "first")
    band = found.curves("fairnad").hypervolume
    rows = _picture(band, None, 12, 30)
    assert {len(row) for row in rows} == {30}
    columns = ["".join(column) for column in zip(*rows, strict=True)]
    assert all(column.count(_MEAN) == 1 for column in columns)
    assert any(_BAND in column for column in columns)
    for column in columns:
        filled = column.strip()
        assert set(filled) <= {_BAND, _MEAN}  # without a hole
    heights = [column.index(_MEAN) for column in columns[:15]]
    assert heights[0] > heights[-1]  # it rises
    assert StudyCurve().count() == 0
