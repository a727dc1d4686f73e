"""How long a run still takes, on the command line: ``status``, ``attach``, as text and as JSON."""

import pytest
from click.testing import CliRunner

from fairnad_engine.search.forecast import time_left
from fairnad_engine.store import Store
from fairnad_tui.commands.running import status, workspace_status
from fairnad_tui.displays import RichPanel
from fairnad_tui.follow import _News
from fairnad_tui.left import left_text
from tests.tui.search_run import WrittenRun


@pytest.fixture
def run(tmp_path):
    with Store(tmp_path / "fairnad.db") as store:
        written = WrittenRun(store)
        written.work()
        yield written


def news(follower, kind):
    return [event for event in follower.events() if event["event"] == kind]


def test_status_says_what_the_forecast_says_until_the_run_is_over(run):
    store = run.store
    assert workspace_status(store)["runs"][0]["hours_left"] is None  # no training is known yet
    run.seed()
    run.generation(1)
    expected = time_left(store, run.id).hours
    left = workspace_status(store)["runs"][0]["hours_left"]
    assert left == {"low": expected.low, "middle": expected.middle, "high": expected.high}
    assert 0 < left["low"] <= left["middle"] <= left["high"]
    shown = CliRunner().invoke(status, ["--db", str(store.path)])
    assert left_text(left) in shown.output
    store.runs.end(run.id, "digest")
    assert workspace_status(store)["runs"][0]["hours_left"] is None


def test_a_followed_run_tells_it_once_known_and_after_each_generation(run):
    with Store(run.store.path) as other:  # what follows is another process
        follower = _News(other, other.jobs.get(run.job))
        assert news(follower, "left") == []
        run.seed()
        (first,) = news(follower, "left")
        assert first["hours"]["middle"] > 0 and (first["done"], first["total"]) == (0, 100)
        run.candidate("g09-s01", 9, 1, 1)
        assert news(follower, "left") == []
        run.generation(1)
        (second,) = news(follower, "left")
    assert second["done"] > 0
    assert RichPanel().sentence(second) == f"left: {left_text(second['hours'])}"


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (None, "-"),
        ({"low": 0.01, "middle": 0.5, "high": 2.25}, "about 30 min, 36 s to 2.2 h"),
        ({"low": 10, "middle": 47, "high": 480}, "about 47.0 h, 10.0 h to 20.0 days"),
    ],
)
def test_spans_are_told_in_fitting_units(hours, text):
    assert left_text(hours) == text
