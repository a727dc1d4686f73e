"""Small disks that fill for real."""

import subprocess
from contextlib import contextmanager

import pytest


@contextmanager
def small_disk_at(folder, size):
    """A folder on a disk of its own, of a size as mount takes it; only root may make one."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no disk can be mounted here: only root may")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
