"""The process of one job: ``python -m fairnad_engine.worker FILE JOB``.

It holds the job's lease, beats, answers requests, and is the only writer of the job's results. It never executes a
candidate's source: that happens in the jail's processes.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fairnad_engine import clock
from fairnad_engine.activity import Activity
from fairnad_engine.children import end_survivors
from fairnad_engine.errors import DamagedStoreError, FairnadError, LeaseLostError, MachineFaultError, StoreError
from fairnad_engine.faults import fault_of
from fairnad_engine.heartbeat import Heartbeat
from fairnad_engine.job_log import JobLog
from fairnad_engine.llm.absence import absences_told_to
from fairnad_engine.on_finish import run_on_finish
from fairnad_engine.queueing import Devices
from fairnad_engine.reading_jobs import propose_categories, structure_papers
from fairnad_engine.restoring import told_of_backup
from fairnad_engine.room import Room
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.control import Control, StopRequestedError
from fairnad_engine.shown_state import ShownState
from fairnad_engine.store import Store
from fairnad_engine.store.local_copy import working_file
from fairnad_engine.store.records import JobRow
from fairnad_engine.store.snapshots import Snapshots, leave_all
from fairnad_engine.store.soundness import check_sound
from fairnad_engine.training_jobs import finish, search, study
from fairnad_engine.waiting import Waiting
from fairnad_engine.workspace import children_file, end_worker, job_folder

# A stop ends their trainings and model calls in flight: the next life goes on from checkpoints and stored replies.
_ENDED_AT_ONCE = ("search", "finish")
_STOP_SECONDS = 2.5  # until what does not let go is killed
_STATES = {0: "done", 7: "stopped"}  # by the exit code; any other is a failure
_log = logging.getLogger("fairnad.worker")


def main() -> None:
    """Carry out the job named on the command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    path, job_id = Path(sys.argv[1]), sys.argv[2]
    with _opened(path) as store:
        job = store.jobs.get(job_id)
        try:
            token = store.jobs.acquire(job_id)
            store.jobs.act_under(job_id, token)
        except FairnadError as error:
            _log.error("%s", error)
            sys.exit(error.exit_code)
        end_survivors(children_file(path, job_id))
        snapshots = Snapshots(path)
        snapshots.start()
        try:
            # Not asyncio.run(), which waits for the model calls that are abandoned.
            code = asyncio.new_event_loop().run_until_complete(_guarded(store, job, token))
        finally:
            _write(lambda: store.jobs.release(job_id))
            snapshots.end()
        _call_on_finish(store, job, _STATES.get(code, "failed"))
    for problem in leave_all():
        _log.error("%s", problem)
    logging.shutdown()
    os._exit(code)  # likewise: a thread that waits for a model's answer would keep the process


def _opened(path: Path) -> Store:
    try:
        return Store(path)
    except StoreError as error:
        _log.error("%s", error)
        sys.exit(error.exit_code)


def _write(change: Callable[[], None]) -> None:
    """Make a last change to the store; where that fails too, what ended the job is what the user needs to see."""
    try:
        change()
    except StoreError as error:
        _log.error("%s", error)


def _call_on_finish(store: Store, job: JobRow, state: str) -> None:
    """Run the user's command, after the lease is given back: it may take its time, and resume the job."""
    if job.kind == "study":
        return  # each of its runs calls its own
    config = store.runs.get(job.run_id).config if job.kind == "finish" and job.run_id else job.config
    config = config["run"] if job.kind == "propose" else config
    run_on_finish(
        RunConfig.model_validate(config).machine.on_finish,
        job=job.id,
        run=job.run_id,
        state=state,
        db=store.path,
        output=job_folder(store.path, job.id) / "on_finish.txt",
    )


@dataclass(frozen=True)
class _End:
    """How a job ends: the state that is stored, why, and the exit code."""

    state: str
    message: str
    exit_code: int = 0
    fault: str = ""


async def _guarded(store: Store, job: JobRow, token: str) -> int:
    control, waiting = Control(), Waiting()
    loop = asyncio.get_running_loop()
    room = Room(store.path, waiting, lambda held: loop.call_soon_threadsafe(control.hold, held))
    work = asyncio.current_task()
    assert work is not None  # noqa: S101 - this is a coroutine
    patience = _Patience()

    def handle(request: str) -> None:
        first = not control.stopping
        control.handle(request)
        if request == "stop" and first and job.kind in _ENDED_AT_ONCE:
            patience.begin()
            work.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle, "stop")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    activity = Activity(job_folder(store.path, job.id) / "activity.json")
    shown, log = ShownState(job.id, control, waiting), JobLog(job_folder(store.path, job.id))

    def look(beside: Store) -> None:
        """Take requests, publish what is going on; in the heartbeat's thread."""
        for request in beside.jobs.take_requests(job.id):
            _log.info("asked to %s", request)
            if request == "stop-now":
                _stop_now(beside, job)
            if request == "stop" and job.kind in _ENDED_AT_ONCE:
                patience.begin()  # not left to the loop, which may stand still
            loop.call_soon_threadsafe(handle, request)
            shown.asked(request)
        if patience.is_over():
            _stop_now(beside, job)  # something does not let go
        room.look()
        log.keep_small()
        shown.publish(beside)
        try:
            activity.flush()
        except OSError as error:  # it is tried again; the beat went well
            shown.unwritten(error)
            room.heard(error)

    def troubled(error: Exception) -> None:
        room.heard(error)
        room.look()

    heartbeat = Heartbeat(store.path, job.id, token, look, _leave, troubled)
    devices = Devices(store, job, token, shown.wait_in_line)
    try:
        with absences_told_to(waiting.told):
            end = await _ended(store, job, control, activity, heartbeat, room, devices)
    finally:
        _write(devices.give_back)
        heartbeat.end()  # what it stores must not follow the end
        with suppress(OSError):
            activity.flush()
    _write(lambda: store.jobs.set_state(job.id, end.state, end.message, end.exit_code, end.fault))
    room.end()
    return end.exit_code if end.state != "stopped" else 7


async def _ended(
    store: Store, job: JobRow, control: Control, activity: Activity, heartbeat: Heartbeat, room: Room, devices: Devices
) -> _End:
    """Do a job's work; how it ended."""
    try:
        store.jobs.take_requests(job.id)  # what was asked of an earlier life is over
        store.jobs.set_state(job.id, "running")
        _log.info("%s (%s) starts as process %d", job.id, job.kind, os.getpid())
        heartbeat.start()
        if not await asyncio.to_thread(check_sound, working_file(store.path)):
            _log.info("the workspace was looked through for damage only in part: it is large, or its disk is slow")
        message = await _worked(store, job, control, activity, room, devices)
    except asyncio.CancelledError:
        if not control.stopping:
            raise
        _log.info("%s stopped on request, with what was in flight", job.id)
        return _End("stopped", "stopped on request")
    except StopRequestedError:
        _log.info("%s stopped on request", job.id)
        return _End("stopped", "stopped on request")
    except DamagedStoreError as error:
        told = f"{str(error).partition('; restore')[0]}; {told_of_backup(store.path)}"
        _log.error("%s", told)
        return _End("failed", told, error.exit_code, fault_of(error))
    except FairnadError as error:
        _log.error("%s", error)
        return _End("failed", str(error), error.exit_code, fault_of(error))
    except OSError as error:
        _log.exception("%s ended by a fault of the machine", job.id)
        told = f"{error}; that is the machine's fault, not the run's: mend it, then resume"
        return _End("failed", told, MachineFaultError.exit_code, fault_of(error))
    except Exception as error:
        _log.exception("%s ended by a defect of the program", job.id)
        return _End("failed", f"defect: {type(error).__name__}: {error}"[:500], 1)
    _log.info("%s done: %s", job.id, message)
    return _End("done", message)


async def _worked(store: Store, job: JobRow, control: Control, activity: Activity, room: Room, devices: Devices) -> str:
    """Do a job's work to its end; each time the disk is full, go on from what is stored once there is room."""
    while True:
        try:
            await devices.wait(control)
            return await _WORK[job.kind](store, job, control, activity)
        except (FairnadError, OSError) as error:
            if not room.heard(error):
                raise
            _log.warning("interrupted: %s", error)
        await room.returns(control)


class _Patience:
    """With a stop that takes its course."""

    def __init__(self) -> None:
        self._until = math.inf

    def begin(self) -> None:
        self._until = min(self._until, clock.steady() + _STOP_SECONDS)

    def is_over(self) -> bool:
        return clock.steady() > self._until


def _stop_now(store: Store, job: JobRow) -> None:
    """End this process and all of its own; of a study the worker of the run under way too."""
    if job.kind == "study":
        for one in store.studies.runs(job.config["study"]):
            run_job = store.jobs.of_run(one.run_id)
            if run_job is not None and store.jobs.is_held(run_job.id):
                end_worker(store, run_job)
                store.jobs.set_state(run_job.id, "stopped", "stopped at once on request")
    store.jobs.set_state(job.id, "stopped", "stopped at once on request")
    store.jobs.release(job.id)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _leave() -> None:
    """End at once, whatever is under way: another process has taken the job over."""
    _log.error("lease lost: another process has taken the job over")
    logging.shutdown()
    os._exit(LeaseLostError.exit_code)  # trainers and jail die with this process


_WORK = {
    "structure": structure_papers,
    "propose": propose_categories,
    "search": search,
    "finish": finish,
    "study": study,
}

if __name__ == "__main__":
    main()
