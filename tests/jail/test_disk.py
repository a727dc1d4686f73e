"""A full disk of the machine is not the candidate's doing, while it stays below what it may write."""

import subprocess
import tempfile

import pytest

from fairnad_engine.backbone.jail import Jail
from fairnad_engine.errors import MachineFaultError
from tests.jail.conftest import HERE

WRITES = "open('x', 'wb').write(bytes(2 << 20))"


def run_on_disk_of(tmp_path, monkeypatch, size):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    for above in (folder, *folder.parents):
        if above.is_relative_to("/tmp/"):
            above.chmod(above.stat().st_mode | 0o055)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    try:
        with Jail(tasks_module="hostile_tasks", extra_folders=[HERE], preload=(), wall_seconds=20.0) as jail:
            yield jail, folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_the_machines(tmp_path, monkeypatch):
    for jail, folder in run_on_disk_of(tmp_path, monkeypatch, "1m"):
        with pytest.raises(MachineFaultError, match="disk of the jail's scratch folders is full.*TMPDIR") as error:
            jail.run("snippet", {"source": WRITES})
        assert str(folder) in str(error.value)
        assert jail.run("snippet", {"source": "pass"}).ok


def test_who_only_says_so_is_not_believed(bare_jail):
    lie = bare_jail.run("snippet", {"source": "raise OSError(28, 'No space left on device')"})
    assert lie.failure == "output-too-large"
