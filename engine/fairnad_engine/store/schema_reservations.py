"""Which job trains on which device, and which ones wait for it; after :mod:`fairnad_engine.store.schema_net`."""

from __future__ import annotations

from sqlite_utils import Database

from fairnad_engine.store.schema_net import migrations as migrations


@migrations()
def m024_reservations(db: Database) -> None:
    """A row for each device that a job has or waits for, in order of arrival; it holds while the job's lease does."""
    db.table("reservations").create(
        {"id": int, "job_id": str, "token": str, "host": str, "device": str, "streams": int, "held": int, "at": str},
        pk="id",
        not_null={"job_id", "token", "host", "device", "streams", "held", "at"},
    )
    db.table("reservations").create_index(["job_id", "host", "device"], unique=True)
