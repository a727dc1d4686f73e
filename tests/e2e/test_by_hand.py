"""``verify``, ``train``, ``graph``, ``calibrate`` and ``on_finish`` as a user meets them."""

import json
import signal
import subprocess
import sys

import pytest

from fairnad_engine.resources import template_file
from fairnad_engine.search.config import parse_config
from fairnad_engine.store import Store
from fairnad_engine.workspace import create_structure_job, job_folder
from tests.conftest import command_line, environment

SMALL = str(template_file("backbones", "digits-small.py"))
DIGITS = ("--input", "1x8x8")
BROKEN = """
from torch import nn

class Backbone(nn.Module):
    def __init__(self, in_channels, num_classes, width=1.0):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 6, 3, groups=5)

    def forward(self, x):
        return self.conv(x)
"""
SPY = """
from torch import nn

with open("/etc/passwd") as file:
    print(file.read())

class Backbone(nn.Module):
    def __init__(self, in_channels, num_classes, width=1.0):
        super().__init__()

    def forward(self, x):
        return x
"""


def test_a_good_file_passes(fairnad):
    ended = fairnad("verify", SMALL, *DIGITS, "--budget", "60k,3M", "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["verdict"] == "passed"
    assert found["failure"] is None
    assert (found["params"], found["macs"]) == (30_098, 357_360)
    assert found["budget"] == {"max_params": 60_000, "max_macs": 3_000_000}
    assert found["width"] == 1.0
    assert len(found["exact_hash"]) == len(found["width_hash"]) == 32
    assert found["graph"]["operations"]["batch norm"] == 13
    assert found["activation_bytes"] > 5 * 4 * 8 * 8 * 8  # five layers of 8 channels at the first resolution


def test_a_broken_file_is_refused_with_its_line(fairnad, tmp_path):
    (tmp_path / "broken.py").write_text(BROKEN)
    ended = fairnad("verify", "broken.py")
    assert ended.code == 8
    assert ended.err == ""
    assert "verdict\trefused\nfailure\tbuild\n" in ended.out
    assert "candidate.py:7 in __init__: self.conv = nn.Conv2d(in_channels, 6, 3, groups=5)" in ended.out


def test_a_file_that_reads_what_is_not_its_own_is_named(fairnad, tmp_path):
    (tmp_path / "spy.py").write_text(SPY)
    ended = fairnad("verify", "spy.py", "--json")
    assert ended.code == 8
    assert json.loads(ended.out)["failure"] == "jail-violation"
    assert "root:" not in ended.out + ended.err


def test_a_missing_file_is_one_line(fairnad):
    for command in (["verify", "gone.py"], ["train", "gone.py"], ["graph", "diff", "gone.py", SMALL]):
        ended = fairnad(*command)
        assert ended.code == 2
        assert "gone.py: No such file or directory; name a Python file" in ended.one_line()


@pytest.mark.slow
def test_a_network_that_nobody_here_wrote(fairnad, tmp_path):
    (tmp_path / "mine.py").write_text("from torchvision.models import resnet18\n")
    refused = fairnad("verify", "mine.py", "--class", "resnet18", "--arg", "num_classes=10", "--json")
    assert refused.code == 8
    assert json.loads(refused.out)["failure"] == "import"
    allowed = fairnad(
        *("verify", "mine.py", "--class", "resnet18", "--arg", "num_classes=10", "--allow-import", "torchvision"),
        "--json",
    )
    assert allowed.code == 0, allowed.err
    found = json.loads(allowed.out)
    # Published: 11,689,512 with 1000 classes, of which the head has 513,000.
    assert found["params"] == 11_689_512 - 513_000 + 5_130
    assert found["file"] == "mine.py:resnet18"
    assert found["graph"]["operations"]["batch norm"] == 20


@pytest.mark.slow
def test_two_graphs_are_compared(fairnad, tmp_path):
    source = template_file("backbones", "digits-small.py").read_text()
    (tmp_path / "other.py").write_text(source.replace("BasicBlock(c1, c1),\n        )", ")"))
    other = fairnad("graph", "diff", SMALL, "other.py", *DIGITS, "--json")
    assert other.code == 0, other.err
    found = json.loads(other.out)
    assert not found["same_structure"]
    changes = {row["name"]: row["change"] for row in found["counts"]}
    assert changes["batch norm"] == -2
    assert changes["add"] == -1
    assert changes["trained elements"] == -2 * (8 * 8 * 9 + 16)


def test_a_file_that_python_cannot_read_has_no_graph(fairnad, tmp_path):
    (tmp_path / "broken.py").write_text(BROKEN.replace(":", ""))
    refused = fairnad("graph", "show", "broken.py")
    assert refused.code == 8
    assert refused.one_line().startswith("fairnad-tui: broken.py: syntax: line 4: ")


@pytest.mark.slow
def test_a_file_is_trained_kept_and_scored_again(fairnad, tmp_path):
    ended = fairnad("train", SMALL, "--protocol", "smoke", "--seed", "3", "--save", "kept")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[0].endswith("passed, 30,098 parameters, 357,360 MACs")
    assert [line.split()[1] for line in lines[1:3]] == ["1/2", "2/2"]
    assert "% validation on digits, protocol smoke, 2 epochs, own-split, seed 3" in lines[3]
    assert "test" not in ended.out
    model = json.loads((tmp_path / "kept" / "model.json").read_text())
    assert f"{model['validation_accuracy']:.2f} % validation" in lines[3]
    again = fairnad("evaluate", "kept", "--json")
    assert again.code == 0, again.err
    assert json.loads(again.out)["equal"]
    shown = fairnad("graph", "show", "kept/graph.json", "--json")
    assert json.loads(shown.out)["trained_elements"] == 30_098
    assert fairnad("graph", "diff", "kept/graph.json", "kept/graph.json").out == "the same structure\n"
    full = fairnad("train", SMALL, "--protocol", "smoke", "--save", "kept")
    assert full.code == 2
    assert "kept: is not empty" in full.one_line()


@pytest.mark.slow
def test_an_interrupt_ends_a_training_cleanly(tmp_path):
    (tmp_path / "long.toml").write_text('name = "long"\nepochs = 5000\nbatch_size = 64\nlearning_rate = 0.01\n')
    process = subprocess.Popen(
        command_line("train", SMALL, "--protocol", "long.toml", "--json"),
        cwd=tmp_path,
        env=environment(TMPDIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        events = [json.loads(process.stdout.readline())["event"] for _ in range(2)]
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
    assert events == ["verdict", "epoch"]
    assert process.returncode == 130
    assert said.strip() == "fairnad-tui: interrupted"
    assert list(tmp_path.glob("fairnad-*")) == []


@pytest.mark.slow
def test_calibrate_says_what_a_candidate_costs(fairnad):
    ended = fairnad("calibrate", "--protocol", "smoke", "--epochs", "1", "--candidates", "100", "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert [one["name"] for one in found["networks"]] == ["nb201-resnet", "resnet32"]
    # With three input channels 559,386 and 464,154.
    assert [one["params"] for one in found["networks"]] == [559_386 - 288, 464_154 - 288]
    assert [one["macs"] for one in found["networks"]] == [4_892_288, 4_286_080]
    for one in found["networks"]:
        assert one["published"] is None
        assert one["candidate_seconds"] == 2 * one["seconds_per_epoch"] > 0
        assert one["hours"]["100"] == pytest.approx(one["candidate_seconds"] / 36, abs=0.001)
        assert 0 <= one["accuracy"] <= 100
    assert "training 1 of 2 epochs" in ended.err


def test_on_finish_runs_when_a_job_ends(tmp_path):
    (tmp_path / "tell.py").write_text(
        "import json, os\n"
        "told = {k: v for k, v in os.environ.items() if k.startswith('FAIRNAD_')}\n"
        "open('told.json', 'w').write(json.dumps(told))\n"
    )
    document = {"model": {"llm": "rules"}, "machine": {"on_finish": f"{sys.executable} tell.py"}}
    with Store(tmp_path / "a.db") as store:
        job = create_structure_job(store, parse_config(document, "x"))
    ended = subprocess.run(
        [sys.executable, "-m", "fairnad_engine.worker", str(tmp_path / "a.db"), job.id],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads((tmp_path / "told.json").read_text()) == {
        "FAIRNAD_JOB": job.id,
        "FAIRNAD_RUN": "",
        "FAIRNAD_STATE": "done",
        "FAIRNAD_DB": str(tmp_path / "a.db"),
    }
    assert (job_folder(tmp_path / "a.db", job.id) / "on_finish.txt").read_text() == ""
