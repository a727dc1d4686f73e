"""``run --dry-run``: plan, protocol, forecast and what is missing, and nothing is done."""

import json

import pytest

pytestmark = pytest.mark.xdist_group("pipeline")


@pytest.mark.slow
def test_the_papers_preset_says_what_it_would_take_and_what_is_missing(fairnad, tmp_path):
    ended = fairnad("run", "--preset", "paper-cifar10", "--dry-run", "--json", FAIRNAD_DATA=str(tmp_path / "none"))
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["plan"]["stages"] == [8, 8, 4]
    assert (found["plan"]["budget"]["trained"], found["plan"]["generations"]) == (500, 25)
    assert found["plan"]["models"] == 600  # trainings: of a chain of two the budget counts one
    assert found["plan"]["papers"] == ["samples"]
    assert found["plan"]["budget"]["max_macs"] == 200_000_000
    assert (found["protocol"]["name"], found["protocol"]["epochs"]) == ("nasbench201", 200)
    needs = {one["name"]: one for one in found["needs"]}
    assert {"model", "data set", "index files", "GPU", "approved ideas", "jail", "seed backbone"} <= set(needs)
    assert not found["ready"]
    assert "cifar-split.txt" in needs["index files"]["problem"]
    for missing in ("data set", "index files", "approved ideas"):
        assert not needs[missing]["ready"]
        assert needs[missing]["problem"]
        assert "\n" not in needs[missing]["problem"]
    expected = found["forecast"]
    assert expected["hours"]["low"] <= expected["hours"]["middle"] <= expected["hours"]["high"]
    assert expected["costs"]["training"]["source"].startswith("timed: the seed")
    assert expected["proposals"]["middle"] > 500
    assert expected["disk_bytes"]["middle"] > 500 * 4 * 464_154
    assert expected["prompt_tokens"]["middle"] > expected["completion_tokens"]["middle"] > 0
    assert expected["bottleneck"] in ("model", "training")
    assert "24.22 GPU-days" in found["published"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_text_has_every_part_and_options_lie_over_the_settings(fairnad, tmp_path):
    ended = fairnad(
        "run", "--preset", "small-cpu", "--dry-run", "--trained", 30, "--workers", 3, "--method", "fair+pareto"
    )
    assert ended.code == 0, ended.err
    for told in ("30, and the seed digits-small", "protocol digits: digits, 15 epochs", "bottleneck", "MISSING"):
        assert told in ended.out
    assert "fair+pareto, main+sub" in ended.out
    assert ended.err.splitlines()[-1] == "nothing was trained; 1 missing"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--preset", "paper-cifar", "--dry-run"), "paper-cifar10"),
        (("--preset", "../protocols/digits"), "no such preset"),
        (("--preset", "demo", "--config", "x.toml"), "name one"),
        (("--dry-run", "--resume", "run-1"), "--resume"),
        (("--json",), "--dry-run"),
        (("--preset", "demo", "--method", "greedy", "--dry-run"), "fair+pareto"),
        (("--resume", "run-1", "--method", "random"), "--fork run-1"),
    ],
)
def test_what_does_not_go_together_is_one_line(fairnad, tmp_path, arguments, told):
    from fairnad_engine.store import Store

    Store(tmp_path / "fairnad.db").close()
    ended = fairnad("run", *arguments)
    assert ended.code == 2
    assert told in ended.one_line()
