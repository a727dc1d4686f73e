"""The wheel: built, installed away from the checkout, and run there."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
        timeout=200,
    )
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_adds_three_names_and_its_data(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"fairnad_tui", "fairnad_screens", "fairnad_engine"}
    for needed in (
        "_data/templates/attributes.yaml",
        "_data/templates/backbones/resnet32.py",
        "_data/templates/presets/demo.toml",
    ):
        assert f"fairnad_engine/{needed}" in names
    assert sum(name.startswith("fairnad_engine/_data/sample_papers/") for name in names) >= 16
    assert not [name for name in names if name.startswith("tests/")]


def test_the_installed_wheel_runs_a_demo_away_from_the_checkout(wheel, tmp_path):
    # An own environment that sees the installed dependencies, but not the editable checkout.
    venv.create(tmp_path / "venv", with_pip=False)
    site = Path(
        sysconfig.get_path("purelib", vars={"base": str(tmp_path / "venv"), "platbase": str(tmp_path / "venv")})
    )
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target", str(site), str(wheel)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = tmp_path / "venv" / "bin" / "python"
    where = subprocess.run(
        [python, "-c", "import fairnad_engine; print(fairnad_engine.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert str(site) in where.stdout
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [python, "-m", "fairnad_tui", "--no-ui", "--demo", "--trained", "4"],
        cwd=work,
        capture_output=True,
        text=True,
        env=environment(PATH=os.environ["PATH"]),
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum(e["event"] == "candidate" and e["status"] == "trained" for e in events) == 5
    assert Path(work / events[-1]["path"]).exists()
