"""Workers of a small played search, small disks, and what the search comes to undisturbed."""

from __future__ import annotations

import pytest

from fairnad_engine.store import Store
from tests.disks import small_disk_at
from tests.faults.played_worker import RUN, Worker, job_of, played_workspace


@pytest.fixture
def start():
    """Start workers; none outlives the test."""
    started = []

    def begin(path, job_id="job-1", prepare=lambda _: None):
        started.append(Worker(path, job_id, prepare))
        return started[-1]

    yield begin
    for one in started:
        one.end()


@pytest.fixture
def disk(tmp_path):
    """A disk of 6 MiB."""
    with small_disk_at(tmp_path / "disk", "6m") as folder:
        yield folder


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The digest of the search when nothing happens."""
    path = played_workspace(tmp_path_factory.mktemp("undisturbed"))
    worker = Worker(path)
    try:
        assert worker.wait() == 0, worker.log.read_text()
    finally:
        worker.end()
    with Store(path) as store:
        assert job_of(path).state == "done"
        return store.runs.get(RUN).digest


@pytest.fixture
def check_whole(undisturbed):
    """See that a run came to what it comes to undisturbed."""

    def check(path):
        assert job_of(path).state == "done"
        with Store(path) as store:
            assert store.runs.get(RUN).digest == undisturbed

    return check
