"""Leases: who holds one writes, and nobody else."""

import pytest

from fairnad_engine.errors import LeaseLostError
from fairnad_engine.processes import ProcessIdentity, current_identity
from fairnad_engine.store import Store, jobs
from tests.store.test_store import FROZEN


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "fairnad.db") as opened:
        yield opened


def as_another(monkeypatch, pid=1):
    """Make this process look like another one of this host."""
    me = current_identity()
    other = ProcessIdentity(me.host, me.boot_id, pid, 1)
    monkeypatch.setattr(jobs, "current_identity", lambda: other)
    return other


def results(store, run_id):
    """Write one row in each way that a search does: alone, ignored where known, put over, in one transaction."""
    yield lambda: store.runs.save_candidate(run_id, "g01-s01", {"position": 1, "derived": None})
    yield lambda: store.runs.save_attempt((run_id, 1, 1, 1, 0), {"purpose": "idea"})
    yield lambda: store.runs.start_training(run_id, "seed")
    values = {"purpose": "search", "seed": 0, "status": "done", "accuracy": 80.0}
    yield lambda: store.runs.save_evaluation(run_id, "seed", values, [{"epoch": 1}])
    yield lambda: store.runs.record_event(run_id, 1, "ideas", [])
    yield lambda: store.jobs.set_state("job-1", "failed", "by one who lost it")
    yield lambda: store.jobs.take_requests("job-1")


def test_who_lost_a_lease_writes_nothing_more(store, tmp_path, monkeypatch):
    run = store.runs.create("x", FROZEN)
    job = store.jobs.create("search", {}, run.id)
    store.runs.save_candidate(run.id, "seed", {"position": 0, "derived": None, "status": "verified"})
    store.jobs.act_under(job.id, store.jobs.acquire(job.id))
    for write in results(store, run.id):
        write()
    store.jobs.beat(job.id)
    as_another(monkeypatch)
    monkeypatch.setattr(jobs.JobTable, "is_held", lambda *_: False)  # it stood still for too long
    with Store(tmp_path / "fairnad.db") as successor:
        successor.jobs.acquire(job.id)
        successor.jobs.request(job.id, "pause")
        before = list(successor._db.conn.iterdump())
        for write in results(store, run.id):
            with pytest.raises(LeaseLostError, match="lease lost"):
                write()
        with pytest.raises(LeaseLostError, match="lease lost"):
            store.jobs.beat(job.id)
        store.jobs.release(job.id)
        assert list(successor._db.conn.iterdump()) == before
        successor.jobs.beat(job.id)
        assert successor.jobs.take_requests(job.id) == ["pause"]
        successor.jobs.release(job.id)
        assert successor.jobs.holder(job.id) is None
