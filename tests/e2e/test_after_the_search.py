"""From a small search on: extended, finished, forked, started warm, exported, through the command alone."""

import json
import subprocess
import sys

import pytest

from fairnad_engine.store import Store

CONFIG = """
name = "small"
[papers]
sources = ["samples"]
[model]
llm = "rules"
[data]
dataset = "digits"
protocol = "smoke"
[budget]
trained = 2
max_params = 60_000
max_macs = 3_000_000
[search]
seed_backbone = "digits-small"
stages = [2, 1, 0]
control = "search"
"""


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_search_goes_on_in_every_way(fairnad, tmp_path):
    (tmp_path / "small.toml").write_text(CONFIG)
    assert fairnad("--no-ui", "--config", "small.toml").code == 0
    short = json.loads(fairnad("report", "--json").out)
    assert short["control"]["state"] == "trained" and short["budget"]["trained_so_far"] == 2

    assert "done; see" in fairnad("run", "--resume", "run-1").one_line()
    assert "name a larger one" in fairnad("run", "--resume", "run-1", "--trained", "1").one_line()
    assert "--fork run-1" in fairnad("run", "--resume", "run-1", "--seed", "3").one_line()
    assert fairnad("run", "--resume", "run-1", "--trained", "4").code == 0
    # That it ends as a run with the budget from the start is shown in tests/search/test_lineage.py.
    (run,) = json.loads(fairnad("status", "--json").out)["runs"]
    assert run["digest"] and run["trained"] == 4

    done = fairnad("finish", "run-1", "--top", "1", "--fill", "--nader-column")
    assert done.code == 0, done.err
    assert "chosen by test" in done.out and "do not compare with this run" in done.out
    tests = scores_on_test(tmp_path / "fairnad.db")
    assert len({one.seed for one in tests}) == 3 and all(0 <= one.test_accuracy <= 100 for one in tests)
    assert fairnad("finish", "run-1", "--top", "1", "--fill", "--nader-column").code == 0
    assert scores_on_test(tmp_path / "fairnad.db") == tests  # touched once
    said = fairnad("run", "--fork", "run-1", "--generation", "1", "--trained", "5", "--seed", "4")
    assert said.code == 0, said.err
    fork = json.loads(fairnad("report", "run-2", "--json").out)
    assert fork["ancestry"]["run"] == "run-1" and fork["ancestry"]["test_seen"].startswith("generation")
    assert fairnad("run", "--warm-start", "run-1", "--config", "small.toml", "--seed", "5").code == 0
    warm = json.loads(fairnad("report", "run-3", "--json").out)
    assert {one["outcome"] for one in warm["ancestry"]["members"]} == {"came with its score"}
    assert "name one of them" in fairnad("run", "--fork", "run-1", "--resume", "run-1").one_line()
    assert "add --fork" in fairnad("run", "--generation", "1").one_line()

    best = fork["front"][0]["id"]
    assert fairnad("export", best, "--run", "run-2", "--tensorboard", "board").code == 0
    assert list((tmp_path / "board" / "run-2").glob("events.out.tfevents.*"))
    assert "name a candidate" in fairnad("export").one_line()
    told = features(tmp_path / best)
    assert [one[1] for one in told["maps"]] == told["channels"] and told["maps"][0][2] == 64


def scores_on_test(db):
    with Store(db) as store:
        return store.tests.of_run("run-1")


def features(folder):
    """Call the exported folder as a detector would: nothing of this program is imported."""
    code = (
        "import json, torch; from features import load_features; net = load_features(); "
        "maps = net.features(torch.randn(1, 1, 64, 64)); "
        "print(json.dumps({'channels': net.feature_info.channels(), 'maps': [list(m.shape) for m in maps]}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
