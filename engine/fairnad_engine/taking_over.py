"""Taking a job over from a worker that lives and does nothing: stopped, hung, or on a host that is gone."""

from __future__ import annotations

import time
from collections.abc import Callable

from fairnad_engine.errors import StoreError
from fairnad_engine.store import Store, jobs
from fairnad_engine.store.records import JobRow

_LOOK_SECONDS = 0.2


def take_over(
    store: Store, job: JobRow, tell: Callable[[str], None], given_up: Callable[[], bool] = lambda: False
) -> None:
    """See that a job's worker stays quiet for a minute, and end it, so that another can take the job up.

    Args:
        store: The workspace.
        job: The job.
        tell: Called once with what is waited for, where there is something to wait for.
        given_up: Asked while it is waited; true ends that, and nothing is done.

    Raises:
        StoreError: The worker beats, may not be ended, or it was given up.
    """
    holder = store.jobs.holder(job.id)
    if holder is None or not store.jobs.is_held(job.id):
        return
    who = f"process {holder[0].pid} on {holder[0].host}"
    quiet = store.jobs.quiet_seconds(job.id)
    if quiet < jobs.STALE_SECONDS:
        tell(f"looking for {jobs.STALE_SECONDS:.0f} s whether the worker of {job.id}, {who}, still beats")
    while quiet < jobs.STALE_SECONDS and store.jobs.is_held(job.id):
        time.sleep(_LOOK_SECONDS)
        if given_up():
            raise StoreError(f"{job.id} is not taken over: you gave it up; {who} was left as it is")
        before, quiet = quiet, store.jobs.quiet_seconds(job.id)
        if quiet < before:
            raise StoreError(
                f"{job.id} is not taken over: its worker, {who}, beats; end it with: "
                f"fairnad-tui control stop-now {job.run_id or ''}"
            )
    try:
        holder[0].kill()
    except PermissionError as error:
        raise StoreError(f"{job.id} is not taken over: {who} belongs to another user; ask them to end it") from error
    store.jobs.dispossess(job.id)
