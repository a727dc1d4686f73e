"""What the machine does to a training is never the candidate's outcome; once mended, the same job is done."""

import asyncio
import os
import resource
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from fairnad_engine.artifacts import ArtifactFolder
from fairnad_engine.errors import DiskFullError, MachineFaultError
from fairnad_engine.training.executor import LocalExecutor
from fairnad_engine.training.process import _failure, _work
from tests.disks import small_disk_at
from tests.unit.test_training import job  # noqa: F401 - a fixture


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 256 KiB."""
    with small_disk_at(tmp_path / "small", "256k") as folder:
        yield folder


def test_a_full_disk_is_the_stores_error(small_disk):
    files = ArtifactFolder(small_disk / "files")
    with pytest.raises(DiskFullError, match=r"disk is full; free some space"):
        files.put(os.urandom(1 << 20), ".bin")
    assert files.get(files.put(b"small", ".bin")) == b"small"


def ended(job):  # noqa: F811
    """How a trainer tells the end of a job, without the process."""
    try:
        return _work(job.as_dict(), lambda _: None)["status"]
    except Exception as error:
        return _failure(error)


@pytest.mark.fault("machine-fault")
@pytest.mark.fault("data-gone")
@pytest.mark.fault("disk-full-trainer")
def test_every_fault_of_the_disk_is_the_machines(job, tmp_path, small_disk):  # noqa: F811
    full = small_disk / "files"
    full.mkdir()
    with pytest.raises(OSError, match="No space"):
        (small_disk / "ballast").write_bytes(bytes(512 << 10))
    assert ended(replace(job, artifacts=str(full), checkpoint_seconds=0.0)) == "disk-full"
    (small_disk / "ballast").unlink()
    assert ended(replace(job, artifacts=str(full))) == "done"
    weights = tmp_path / "weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    assert ended(job) == "machine-fault"
    weights.unlink()
    assert ended(job) == "machine-fault"
    weights.write_bytes(whole)
    (tmp_path / "graph.json").rename(tmp_path / "away")
    assert ended(job) == "machine-fault"
    (tmp_path / "away").rename(tmp_path / "graph.json")
    gone = replace(job, dataset="cifar10", data={"root": str(tmp_path / "vanished")})
    assert ended(gone) == "machine-fault"
    assert ended(job) == "done"


def highest_descriptor():
    return max(int(one.name) for one in Path("/proc/self/fd").iterdir())


@pytest.mark.fault("no-descriptors")
def test_a_trainer_without_descriptors_never_began(job):  # noqa: F811
    async def run():
        executor = LocalExecutor(1)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest_descriptor() + 1, hard))
        taken = []
        try:
            with suppress(OSError):  # until every number below the limit is in use
                while True:
                    taken.append(os.dup(0))
            return await executor.run(job, lambda _: None, 60.0)
        finally:
            for descriptor in taken:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await executor.close()

    outcome = asyncio.run(run())
    assert outcome.status == "machine-fault"
    assert "did not start" in outcome.message
    assert "Too many open files" in outcome.message


def test_what_is_the_networks_own_stays_its_own():
    assert _failure(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) == "trainer-error"
    assert _failure(OSError(28, "No space left on device")) == "disk-full"
    assert _failure(OSError(5, "Input/output error")) == "machine-fault"
    assert _failure(MachineFaultError("x")) == "machine-fault"
