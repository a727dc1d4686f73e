"""``--devices`` and ``--streams``: laid over ``[machine]``, and one line where they name nothing that is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from fairnad_engine import preflight
from fairnad_engine.errors import InputError
from fairnad_engine.search.config import RunConfig
from fairnad_engine.store import Store
from fairnad_tui.batch import override
from fairnad_tui.cli import main
from fairnad_tui.options import Devices, Streams


@pytest.mark.parametrize(
    ("text", "devices"),
    [("auto", "auto"), ("cpu", ("cpu",)), ("cuda:0", ("cuda:0",)), ("cuda:0, cuda:1", ("cuda:0", "cuda:1"))],
)
def test_devices_lie_over_the_settings(text: str, devices: Any) -> None:
    base = RunConfig.model_validate({"machine": {"devices": ["cuda:7"]}})
    assert override(base, devices=Devices().convert(text, None, None)).machine.devices == devices
    assert override(base).machine.devices == ("cuda:7",)


@pytest.mark.parametrize(("text", "streams"), [("auto", "auto"), ("1", 1), ("64", 64)])
def test_streams_lie_over_the_settings(text: str, streams: Any) -> None:
    base = RunConfig.model_validate({"machine": {"streams": 5}})
    assert override(base, streams=Streams().convert(text, None, None)).machine.streams == streams
    assert override(base).machine.streams == 5


@pytest.mark.parametrize("text", ["", "gpu", "cuda", "cuda:", "cuda:0;cuda:1", "cuda:0,,cuda:1", "cuda:1234", "CPU"])
def test_no_devices(text: str) -> None:
    with pytest.raises(click.BadParameter, match="write auto, cpu, cuda:0 or cuda:0,cuda:1"):
        Devices().convert(text, None, None)


@pytest.mark.parametrize("text", ["", "0", "65", "-1", "1.5", "many"])
def test_no_streams(text: str) -> None:
    with pytest.raises(click.BadParameter, match="write auto or 1 to 64"):
        Streams().convert(text, None, None)


def _refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and out == "" and err.count("\n") == 1
    return err


@pytest.mark.parametrize("command", [["run"], ["--no-ui", "--demo"], ["finish"], ["train", "net.py"]])
def test_a_word_that_is_no_device_is_one_line(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    told = _refused(capsys, *command, "--devices", "gpu")
    assert "'--devices': 'gpu' is no device; write auto, cpu, cuda:0 or cuda:0,cuda:1" in told


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "_CHECKS", ())  # the others are not of this test
    monkeypatch.setattr("fairnad_engine.training.devices._visible_gpus", lambda: 1)
    monkeypatch.setattr("fairnad_engine.workspace.create_run", lambda *_: pytest.fail("a run was stored"))
    Store(tmp_path / "w.db").close()
    told = _refused(capsys, "run", "--db", str(tmp_path / "w.db"), "--devices", "cpu,cuda:1")
    assert "machine.devices: cuda:1 is not there" in told


def test_nothing_is_asked_of_the_driver_where_no_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_CHECKS", ())
    monkeypatch.setattr("fairnad_engine.training.devices._visible_gpus", lambda: pytest.fail("asked"))
    for devices in ("auto", ["cpu"]):
        preflight.check_before_start(RunConfig.model_validate({"machine": {"devices": devices}}))
    monkeypatch.setattr("fairnad_engine.training.devices._visible_gpus", lambda: 2)
    with pytest.raises(InputError, match="cuda:2 is not there"):
        preflight.check_before_start(RunConfig.model_validate({"machine": {"devices": ["cuda:1", "cuda:2"]}}))
