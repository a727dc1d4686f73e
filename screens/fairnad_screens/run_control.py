"""What a user may ask of a run: pause, go on, stop, resume; and why not, where not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fairnad_engine.errors import InputError
from fairnad_engine.store import Store
from fairnad_screens.actions import key_of


class Controlled(Protocol):
    """A run as far as it can be controlled."""

    @property
    def id(self) -> str:
        """The run's id."""

    @property
    def job(self) -> str:
        """The job that is worked on: its finish, else its search; empty for none."""

    @property
    def state(self) -> str:
        """What becomes of it."""

    @property
    def held(self) -> bool:
        """Whether a process works on it."""


# Request, as the store calls it, and what it does.
REQUESTS = {
    "pause": "Pause: nothing new is proposed or trained; trainings in flight go on",
    "resume": "Go on with the paused search",
    "stop": "Stop within seconds; trainings in flight go on from their checkpoints on resume",
    "stop-now": "Kill it at once; what is in flight goes on from its checkpoint on resume",
    "start": "Resume: start a new worker where the run stands",
}


def why_not(request: str, head: Controlled | None) -> str | None:
    """Why a request cannot be made of a run; None where it can."""
    if head is None:
        return f"There is no run yet; {key_of('app.launch')} launches one."
    if not head.job:
        return f"{head.id} has no job to control."
    if request == "start":
        if head.state == "done":
            shows, launches = key_of("app.runs"), key_of("app.launch")
            return f"{head.id} is done; {shows} shows its report, {launches} launches another search."
        return f"{head.id} is being worked on already." if head.held else None
    if not head.held:
        mend = "" if head.state == "done" else f" {key_of('search.resume')} resumes it."
        return f"{head.id} is {head.state}; nobody works on it.{mend}"
    if request == "pause" and head.state == "stalled":
        return f"{head.id} hangs and would not hear it; {key_of('search.stop')} stops it, Runs takes it over."
    if request == "pause" and head.state == "waiting":
        return f"{head.id} is {head.state} and goes on by itself; {key_of('search.stop')} stops it."
    if request == "pause" and head.state not in ("running", "queued"):  # who pauses in line lets others pass
        return f"{head.id} is {head.state} already."
    if request == "resume" and head.state != "paused":
        return f"{head.id} is {head.state}, not paused."
    if request == "stop" and head.state == "stopping":
        offers = f"{key_of('search.control')} offers to stop at once"
        return f"{head.id} stops within seconds; {offers}."
    return None


def ask(store: Store, head: Controlled, request: str) -> str:
    """Make a request of the worker; return what to tell the user."""
    store.jobs.request(head.job, request)
    told = {"pause": "pause", "resume": "go on", "stop": "stop", "stop-now": "stop at once"}[request]
    return f"Asked {head.id} to {told}; it answers at its next safe point."


def resume(store: Store, head: Controlled) -> str:
    """Start a new worker with the settings the job has; takes as long as it takes to start.

    Raises:
        InputError: The run is done.
        StoreError: It is being worked on, or the worker does not start.
    """
    from fairnad_engine.workspace import start_worker

    job = store.jobs.get(head.job)
    if job.state == "done":
        raise InputError(f"{head.id} is done; launch another search with {key_of('app.launch')}")
    if not store.jobs.is_held(job.id):
        # Queued, it counts as started only when the new worker has taken it.
        job = store.jobs.set_config(job.id, job.config)
    start_worker(store, job)
    return f"{head.id} goes on in the background."


def take_over(store: Store, run_id: str, job_id: str, given_up: Callable[[], bool]) -> str:
    """End a worker that stays quiet for a minute, and start another in its place; takes that minute.

    Args:
        store: A store of its own: watching takes a while.
        run_id: For messages.
        job_id: The job whose worker hangs.
        given_up: Asked now and then; once true nothing more is done.

    Raises:
        StoreError: The worker beats, may not be ended, or the user gave it up.
    """
    from fairnad_engine.taking_over import take_over as end_hung_worker
    from fairnad_engine.workspace import start_worker

    job = store.jobs.get(job_id)
    end_hung_worker(store, job, lambda _: None, given_up)
    start_worker(store, store.jobs.set_config(job.id, job.config))
    return f"{run_id} was taken over and goes on in the background."
