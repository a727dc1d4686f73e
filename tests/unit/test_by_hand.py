"""A file by hand: what is read of the command line, what is built, what is told when a job ends."""

import json
import logging
import sys

import click
import pytest

from fairnad_engine import calibration
from fairnad_engine.artifacts import ArtifactFolder
from fairnad_engine.backbone.contract import Entry, check_source
from fairnad_engine.backbone.export import CandidateError, build, export_backbone
from fairnad_engine.by_hand import read_graph, read_subject
from fairnad_engine.by_hand_training import Course, Trained, check_free, read_course, train_alone
from fairnad_engine.errors import InputError, MachineFaultError
from fairnad_engine.on_finish import run_on_finish
from fairnad_engine.search.config import parse_config
from fairnad_engine.training.protocol import load_protocol
from fairnad_tui.options import ImageShape, Size

PLAIN = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes=10, channels=(4, 8)):
        super().__init__()
        first, second = channels
        assert isinstance(channels, tuple)
        self.layers = nn.Sequential(
            nn.Conv2d(3, first, 3), nn.ReLU(), nn.Conv2d(first, second, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
            nn.Flatten(), nn.Linear(second, classes),
        )
    def forward(self, x):
        return self.layers(x)

def small(**keywords):
    return Net(**keywords)

def nothing():
    return 3

LIMIT = 5
"""


def test_without_a_class_a_file_follows_the_contract(tmp_path):
    (tmp_path / "a.py").write_text(PLAIN)
    subject = read_subject(tmp_path / "a.py", width=0.5)
    assert subject.entry.follows_contract
    assert subject.width == 0.5
    assert subject.entry.request() == {}


def test_a_class_with_arguments_is_called_with_them_alone(tmp_path):
    (tmp_path / "a.py").write_text(PLAIN)
    subject = read_subject(tmp_path / "a.py", "Net", ["classes=7", "channels=(3, 5)"], ["timm.models"])
    assert subject.label == f"{tmp_path / 'a.py'}:Net"
    assert subject.entry == Entry("Net", {"classes": 7, "channels": (3, 5)}, frozenset({"timm"}))
    request = subject.entry.request()["entry"]
    model = build(subject.source, 3, 10, 1.0, 0, json.loads(json.dumps(request)))
    assert model.layers[-1].out_features == 7
    assert model.layers[0].out_channels == 3


def test_a_class_of_an_installed_package_needs_no_file():
    subject = read_subject(None, "torchvision.models:resnet18", ["num_classes=10"])
    assert subject.source == "from torchvision.models import resnet18\n"
    assert subject.entry.allow_imports == {"torchvision"}
    assert check_source(subject.source, entry=subject.entry) is None


@pytest.mark.parametrize(
    ("file", "name", "arguments", "width", "says"),
    [
        ("gone.py", None, [], None, "gone.py: No such file"),
        (".", None, [], None, "Is a directory"),
        ("bytes.py", None, [], None, "UTF-8"),
        (None, None, [], None, "no file"),
        (None, "Net", [], None, "MODULE:NAME"),
        (None, "os;x:y", [], None, "MODULE:NAME"),
        ("a.py", "a.b:Net", [], None, "without a file"),
        ("a.py", "Net", ["classes"], None, "name=value"),
        ("a.py", "Net", ["classes=ten"], None, "no Python literal"),
        ("a.py", "Net", ["classes=1e999"], None, "no Python literal"),
        ("a.py", "Net", ["1=2"], None, "name=value"),
        ("a.py", "Net", [], 0.5, "--width"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, monkeypatch, file, name, arguments, width, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text(PLAIN)
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError) as raised:
        read_subject(tmp_path / file if file else None, name, arguments, (), width)
    assert says in str(raised.value)


def test_the_fast_check_knows_what_a_plain_module_defines():
    assert check_source(PLAIN, entry=Entry("small", {})) is None
    missing = check_source(PLAIN, entry=Entry("Nett", {}))
    assert missing.kind == "contract"
    assert "'Nett'" in missing.message
    assert "Net, small, nothing, LIMIT" in missing.message
    assert check_source("from timm import *\n", entry=Entry("x", {}, frozenset({"timm"}))) is None
    assert check_source("if True:\n    class N: pass\n", entry=Entry("N", {})) is None
    assert check_source("def f():\n    class N: pass\n", entry=Entry("N", {})).kind == "contract"
    assert check_source("import os\nclass N: pass\n", entry=Entry("N", {})).kind == "import"


@pytest.mark.parametrize(
    ("name", "keywords", "kind", "says"),
    [
        ("Nett", {}, "contract", "Nett"),
        ("LIMIT", {}, "contract", "LIMIT"),
        ("nothing", {}, "contract", "returns int"),
        ("Net", {"depth": 3}, "build", "depth"),
    ],
)
def test_what_cannot_be_built_has_a_class(name, keywords, kind, says):
    with pytest.raises(CandidateError) as raised:
        build(PLAIN, 3, 10, 1.0, 0, Entry(name, keywords).request()["entry"])
    assert raised.value.kind == kind
    assert says in str(raised.value)


def test_the_seed_decides_a_plain_module_s_weights():
    entry = Entry("small", {}).request()["entry"]
    one, same, other = (build(PLAIN, 3, 10, 1.0, seed, entry).layers[0].weight for seed in (1, 1, 2))
    assert one.equal(same)
    assert not one.equal(other)


def test_a_plain_module_is_exported():
    request = {"shape": [3, 16, 16], "classes": 10, "width": 1.0, "seed": 0, **Entry("small", {}).request()}
    document, _ = export_backbone(PLAIN, request)
    assert sum(tensor["kind"] == "parameter" for tensor in document["tensors"]) == 6


@pytest.mark.parametrize(
    ("text", "count"), [("1500000", 1500000), ("1.5M", 1500000), ("60k", 60000), ("0.2g", 2 * 10**8)]
)
def test_sizes(text, count):
    assert Size().convert(text, None, None) == count


@pytest.mark.parametrize("text", ["", "0", "-3", "1.5T", "x", "0.0001"])
def test_no_sizes(text):
    with pytest.raises(click.BadParameter, match=r"1\.5M"):
        Size().convert(text, None, None)


def test_image_shapes():
    assert ImageShape().convert("3x32x16", None, None) == (3, 32, 16)
    for text in ("3x32", "3x0x4", "ax1x1", "3x32x32x3"):
        with pytest.raises(click.BadParameter, match="3x32x32"):
            ImageShape().convert(text, None, None)


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 1}', "[" * 5000])
def test_a_damaged_graph_is_named(tmp_path, content):
    (tmp_path / "graph.json").write_text(content)
    with pytest.raises(InputError, match=r"graph\.json: is no graph description"):
        read_graph(tmp_path / "graph.json")


def test_a_folder_with_something_in_it_is_not_written(tmp_path):
    check_free(tmp_path / "new" / "folder")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="not empty"):
        check_free(tmp_path)
    with pytest.raises(InputError, match="file"):
        check_free(tmp_path / "file" / "below")


class _Examined:
    graph_file, weights_file = "g", "w"

    class subject:
        label = "my.py"


def test_a_training_without_a_score_is_told(tmp_path):
    course = read_course("digits", "smoke")
    with pytest.raises(MachineFaultError, match=r"my\.py: could not be trained: FileNotFoundError"):
        train_alone(_Examined(), course, ArtifactFolder(tmp_path), lambda epoch: None)


def test_calibration_trains_all_where_that_is_quick(monkeypatch):
    digits = read_course("digits", "digits")
    large = _course("cifar10", load_protocol("digits"))
    monkeypatch.setattr(calibration, "accelerators", tuple)
    assert calibration.epochs_here(digits, None) == 15
    assert calibration.epochs_here(large, None) == 1
    assert calibration.epochs_here(large, 3) == 3
    assert calibration.epochs_here(large, 99) == 15
    monkeypatch.setattr(calibration, "accelerators", lambda: ("Some GPU, 80 GiB",))
    assert calibration.epochs_here(large, None) == 15


def _course(name, protocol):
    info = {"name": name, "image_shape": (3, 32, 32), "num_classes": 10, "split_label": "own-split"}
    return Course(name, type("Info", (), info)(), protocol)


def test_published_accuracy_stands_beside_the_same_protocol_alone(monkeypatch):
    protocol = load_protocol("smoke")
    monkeypatch.setattr(calibration, "load_protocol", lambda name: protocol)
    course = _course("cifar10", protocol)
    assert calibration._published("nb201-resnet", course, 2) == 93.97
    assert calibration._published("resnet32", course, 2) is None
    assert calibration._published("nb201-resnet", course, 1) is None
    assert calibration._published("nb201-resnet", _course("digits", protocol), 2) is None
    assert calibration._published("nb201-resnet", _course("cifar10", load_protocol("digits")), 15) is None


def test_seconds_are_extrapolated_from_the_median_epoch(monkeypatch):
    def fake(examination, course, files, on_epoch):
        assert course.protocol.epochs == 3
        return Trained(80.0, "w", tuple({"seconds": s} for s in (9.0, 2.0, 2.5)), 13.5)

    monkeypatch.setattr(calibration, "train_alone", fake)
    one = type("E", (), {"subject": _Examined.subject, "params": 1, "macs": 2})()
    found = calibration._measure(one, read_course("digits", "digits"), 3, None, lambda name, epoch: None)
    assert found.seconds_per_epoch == 2.5
    assert found.candidate_seconds == 37.5
    assert found.hours_for(96) == 1.0


def test_on_finish_tells_what_ended(tmp_path):
    script = "import os, sys; print([os.environ['FAIRNAD_' + n] for n in ('JOB', 'RUN', 'STATE', 'DB')], sys.argv[1])"
    (tmp_path / "tell.py").write_text(script)
    run_on_finish(
        f"{sys.executable} tell.py 'two words; $HOME'",
        job="job-1",
        run=None,
        state="done",
        db=tmp_path / "a.db",
        output=tmp_path / "out.txt",
    )
    expected = ["job-1", "", "done", str((tmp_path / "a.db").resolve())]
    assert (tmp_path / "out.txt").read_text() == f"{expected} two words; $HOME\n"


@pytest.mark.parametrize(
    ("command", "says", "limit"),
    [
        ("no-such-program-here", "No such file", 60),
        (f"{sys.executable} -c 'raise SystemExit(3)'", "exit status 3", 60),
        ("'open", "No closing quotation", 60),
        (f"{sys.executable} -c 'import time; time.sleep(600)'", "ended after 0.5 s", 0.5),
    ],
)
@pytest.mark.fault("on-finish-fails")
def test_a_failing_on_finish_is_one_line_of_the_log(tmp_path, caplog, command, says, limit):
    with caplog.at_level(logging.INFO, "fairnad.worker"):
        run_on_finish(
            command, job="j", run="r", state="done", db=tmp_path / "a.db", output=tmp_path / "out", limit=limit
        )
    assert len(caplog.records) == 1
    assert says in caplog.text


def test_on_finish_is_checked_and_changes_no_outcome():
    plain = parse_config({}, "x")
    told = parse_config({"machine": {"on_finish": "notify-send done"}}, "x")
    assert told.digest_settings() == plain.digest_settings()
    assert told.outcome_settings() == plain.outcome_settings()
    with pytest.raises(InputError, match=r"machine\.on_finish.*closing"):
        parse_config({"machine": {"on_finish": "echo 'open"}}, "x")
