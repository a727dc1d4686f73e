"""Studies on the screen: methods, curves, cells, several studies, hostile names, small terminals."""

import pytest

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
