"""Devices are one job's at a time, given out in order of arrival, and free when their holder's lease is."""

from contextlib import ExitStack

import pytest

from fairnad_engine.store import Store
from fairnad_engine.store.jobs import JobTable
from fairnad_engine.store.reservations import CPU, Wanted


def gpu(number, streams=0):
    return Wanted("here", f"GPU {number}", streams)


def cpu(streams):
    return Wanted("here", CPU, streams)


@pytest.fixture
def line(tmp_path):
    """Jobs by name, each with a connection and a lease of its own, as workers have them."""
    with ExitStack() as opened:

        class Line:
            path = tmp_path / "w.db"

            def __init__(self):
                self.store = opened.enter_context(Store(self.path))
                self.tokens = {}

            def arrive(self, name):
                store = opened.enter_context(Store(self.path))
                job = store.jobs.create("search", {}, None)
                self.tokens[name] = (store, job.id, store.jobs.acquire(job.id))
                return self

            def take(self, name, *wanted, **limits):
                store, job_id, token = self.tokens[name]
                return store.reservations.take(job_id, token, wanted, **limits)

            def leave(self, name):
                store, job_id, token = self.tokens[name]
                store.reservations.give_back(job_id, token)

        yield Line()


def test_a_gpu_is_one_jobs_and_those_that_wait_get_it_in_order_of_arrival(line):
    for name in "abc":
        line.arrive(name)
    assert line.take("a", gpu(0)) is None
    first, second = line.take("b", gpu(0)), line.take("c", gpu(0))
    assert (first.place, second.place) == (1, 2)
    assert "job-1" in first.reason and "has GPU 0" in first.reason
    line.leave("a")
    assert line.take("c", gpu(0)).place == 2  # asks first, and has come later
    assert line.take("b", gpu(0)) is None
    assert line.take("b", gpu(0)) is None  # asked again, it has what it has
    line.leave("b")
    assert line.take("c", gpu(0)) is None
    assert [(one.job_id, one.held) for one in line.store.reservations.all()] == [("job-3", True)]


def test_all_or_nothing_and_who_wants_other_devices_is_not_kept_waiting(line):
    for name in "abcd":
        line.arrive(name)
    assert line.take("a", gpu(0)) is None
    assert line.take("b", gpu(0), gpu(1)).place == 1
    assert line.take("c", gpu(2)) is None
    # The second GPU is nobody's yet, and promised to the one that came before.
    assert line.take("d", gpu(1)).reason.startswith("job-2 (job-2) waits for GPU 1")
    assert {one.device for one in line.store.reservations.all() if one.held} == {"GPU 0", "GPU 2"}
    line.leave("a")
    assert line.take("b", gpu(0), gpu(1)) is None
    assert Wanted("there", "GPU 0", 0) not in {one.wanted for one in line.store.reservations.all()}
    assert line.take("d", Wanted("there", "GPU 0", 0)) is None  # another machine's, and it wants no other any more
    assert line.take("a", gpu(1)).place == 1


def test_the_cpu_is_everybodys_up_to_a_number_of_trainings(line):
    for name in "abcd":
        line.arrive(name)
    assert line.take("a", cpu(2)) is None
    assert line.take("b", cpu(2)) is None  # it knows no limit
    assert line.take("c", cpu(2), most_on_cpu=5).place == 1
    assert line.take("d", cpu(1), most_on_cpu=5).place == 2  # it would fit, and has come later
    line.leave("a")
    assert line.take("c", cpu(2), most_on_cpu=5) is None
    assert line.take("d", cpu(1), most_on_cpu=5) is None
    for name in "bcd":
        line.leave(name)
    assert line.take("a", cpu(9), most_on_cpu=5) is None  # more than there may be, where nobody else has any


@pytest.mark.parametrize("how", ["released", "taken over", "dead"])
def test_what_a_holder_leaves_behind_is_void(line, how, monkeypatch):
    for name in "ab":
        line.arrive(name)
    assert line.take("a", gpu(0)) is None
    assert line.take("b", gpu(0)) is not None
    if how == "released":
        line.store.jobs._tokens["job-1"] = line.tokens["a"][2]
        line.store.jobs.release("job-1")
    elif how == "taken over":
        line.store.jobs.acquire("job-1")
    else:
        alive = JobTable.is_held
        monkeypatch.setattr(JobTable, "is_held", lambda self, job: job != "job-1" and alive(self, job))
    assert [one.job_id for one in line.store.reservations.all()] == ["job-2"]
    assert line.store.reservations.place("job-2") is None
    assert line.take("b", gpu(0)) is None
    assert line.store._db.table("reservations").count == 1


def test_what_is_in_the_way_elsewhere_is_asked_last_and_leaves_the_job_waiting(line):
    for name in "ab":
        line.arrive(name)
    assert line.take("a", gpu(0), beyond=lambda: "GPU 0 is used by another workspace").reason.startswith("GPU 0 is")
    assert [one.held for one in line.store.reservations.all()] == [False]
    assert line.take("b", gpu(0), beyond=lambda: pytest.fail("it is not its turn")).place == 2
    assert line.take("a", gpu(0)) is None
