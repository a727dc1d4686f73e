"""Long jobs: their state, what the user asks of them, and the lease of the process that works on them."""

from __future__ import annotations

import itertools
import json
import secrets

from sqlite_utils import Database

from fairnad_engine import clock
from fairnad_engine.errors import InputError, LeaseLostError, StoreError
from fairnad_engine.processes import ProcessIdentity, current_identity
from fairnad_engine.store.connection import now, transaction
from fairnad_engine.store.deletion import next_number
from fairnad_engine.store.faults import LEASE_LOST
from fairnad_engine.store.records import JobRow, Row, decode

STALE_SECONDS = 60.0  # a worker that an observer has seen no beat of for so long hangs, or its host is gone
AT_WORK = ("running", "waiting", "paused", "stopping")
"""States of a job that a process works on; ``waiting`` goes on by itself once what its message names is there."""
REQUEST_KINDS = ("pause", "resume", "stop", "stop-now")


class JobTable:
    """Jobs, requests and leases."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._tokens: dict[str, str] = {}  # of the leases that this process holds
        # By job: token and beats of the lease as last seen, and when on this process's own clock they were new.
        self._seen: dict[str, tuple[str | None, int, float]] = {}

    def create(self, kind: str, config: Row, run_id: str | None) -> JobRow:
        """Store a new job in state ``queued``."""
        with transaction(self._db):
            job_id = f"job-{next_number(self._db, 'jobs', 'job')}"
            at = now()
            self._db.table("jobs").insert(
                {
                    "id": job_id,
                    "kind": kind,
                    "run_id": run_id,
                    "state": "queued",
                    "config_json": json.dumps(config, sort_keys=True),
                    "message": "",
                    "exit_code": 0,
                    "created_at": at,
                    "updated_at": at,
                }
            )
        return self.get(job_id)

    def get(self, job_id: str) -> JobRow:
        """One job.

        Raises:
            InputError: There is no such job.
        """
        row = next(self._db.query("SELECT * FROM jobs WHERE id = ?", [job_id]), None)
        if row is None:
            raise InputError(f"job {job_id!r} does not exist; see: fairnad-tui status")
        return JobRow(**decode(row))

    def all(self) -> list[JobRow]:
        """Every job, newest first."""
        return [JobRow(**decode(row)) for row in self._db.query("SELECT * FROM jobs ORDER BY rowid DESC")]

    def of_run(self, run_id: str, kind: str = "search") -> JobRow | None:
        """The newest job of a kind that belongs to a run."""
        query = "SELECT * FROM jobs WHERE run_id = ? AND kind = ? ORDER BY rowid DESC LIMIT 1"
        row = next(self._db.query(query, [run_id, kind]), None)
        return None if row is None else JobRow(**decode(row))

    def in_hand(self, run_id: str) -> JobRow | None:
        """The job of a run that a process works on: its finish where one does, else its search."""
        finish = self.of_run(run_id, "finish")
        return finish if finish is not None and self.is_held(finish.id) else self.of_run(run_id)

    def set_state(self, job_id: str, state: str, message: str = "", exit_code: int = 0, fault: str = "") -> None:
        """Change a job's state."""
        values = {"state": state, "message": message, "exit_code": exit_code, "fault": fault, "updated_at": now()}
        self._db.table("jobs").update(job_id, values)

    def note_model(self, job_id: str, digest: str) -> None:
        """Say which weights a job's model has."""
        self._db.table("jobs").update(job_id, {"model_digest": digest})

    def set_config(self, job_id: str, config: Row) -> JobRow:
        """Give a job that is not being worked on other machine settings, and queue it again."""
        values = {"config_json": json.dumps(config, sort_keys=True), "state": "queued", "updated_at": now()}
        self._db.table("jobs").update(job_id, values)
        return self.get(job_id)

    def request(self, job_id: str, kind: str) -> None:
        """Ask a job to pause, resume or stop; it answers at its next safe point."""
        if kind not in REQUEST_KINDS:
            raise InputError(f"request {kind!r} does not exist; choose one of: {', '.join(REQUEST_KINDS)}")
        self._db.table("requests").insert({"job_id": job_id, "kind": kind, "at": now(), "handled_at": None})

    def take_requests(self, job_id: str) -> list[str]:
        """Return the requests not yet handled, in order, and mark them handled."""
        query = "SELECT id, kind FROM requests WHERE job_id = ? AND handled_at IS NULL ORDER BY id"
        rows = list(self._db.query(query, [job_id]))
        for row in rows:
            self._db.table("requests").update(row["id"], {"handled_at": now()})
        return [row["kind"] for row in rows]

    def acquire(self, job_id: str) -> str:
        """Take the job's lease for this process and return its token, which no earlier holder has.

        Raises:
            StoreError: A live process holds it.
        """
        me, token = current_identity(), secrets.token_hex(8)
        with transaction(self._db):
            holder = self.holder(job_id)
            if holder is not None and holder[0] != me:
                self.refuse_second(job_id)
            self._db.table("leases").upsert(
                {
                    "job_id": job_id,
                    "host": me.host,
                    "boot_id": me.boot_id,
                    "pid": me.pid,
                    "start_time": me.start_time,
                    "heartbeat": clock.now(),
                    "token": token,
                    "beats": 0,
                },
                pk="job_id",
            )
        self._tokens[job_id] = token
        return token

    def act_under(self, job_id: str, token: str) -> None:
        """Let this connection write nothing from now on but under a lease that this process took.

        Each write looks for the token in its own transaction, so that a process which stood still while another took
        its job over cannot add to the other's results.
        """
        self._tokens[job_id] = token
        own = f"job_id = {self._db.quote(job_id)} AND token = {self._db.quote(token)}"
        tables = [one for one in self._db.table_names() if one != "leases" and not one.startswith("sqlite_")]
        for table, event in itertools.product(tables, ("INSERT", "UPDATE", "DELETE")):
            self._db.execute(
                f"""CREATE TEMP TRIGGER "lease_{table}_{event}" BEFORE {event} ON main."{table}"
                    WHEN NOT EXISTS (SELECT 1 FROM main.leases WHERE {own})
                    BEGIN SELECT RAISE(ABORT, '{LEASE_LOST}'); END"""  # noqa: S608 - all of it is quoted above
            )

    def beat(self, job_id: str) -> None:
        """Renew the heartbeat.

        Raises:
            LeaseLostError: Another process has taken the job over.
        """
        beaten = self._db.execute(
            "UPDATE leases SET heartbeat = ?, beats = beats + 1 WHERE job_id = ? AND token = ?",
            [clock.now(), job_id, self._tokens.get(job_id)],
        )
        if not beaten.rowcount:
            raise LeaseLostError(f"{job_id}: lease lost: another process has taken it over; this one ends")

    def release(self, job_id: str) -> None:
        """Give the lease back; one that another process has taken since stays as it is."""
        self._db.table("leases").delete_where("job_id = ? AND token = ?", [job_id, self._tokens.pop(job_id, None)])

    def holder(self, job_id: str) -> tuple[ProcessIdentity, float] | None:
        """Who holds the lease, and the time of the last heartbeat."""
        row = next(self._db.query("SELECT * FROM leases WHERE job_id = ?", [job_id]), None)
        if row is None:
            return None
        identity = ProcessIdentity(row["host"], row["boot_id"], row["pid"], row["start_time"])
        return identity, row["heartbeat"]

    def refuse_second(self, job_id: str) -> None:
        """See that no process works on the job.

        Raises:
            StoreError: One does, or may; the message says which, and how to take over.
        """
        holder = self.holder(job_id)
        if holder is None or not self.is_held(job_id):
            return
        run_id = self.get(job_id).run_id
        told = (
            f"{job_id} is already worked on by process {holder[0].pid} on {holder[0].host}, last heartbeat "
            f"{max(0.0, clock.now() - holder[1]):.0f} s ago; follow it with: fairnad-tui attach {run_id or ''}"
        ).rstrip()
        take_over = f"; where it hangs: fairnad-tui run --resume {run_id} --take-over"
        raise StoreError(told + take_over if run_id else told)

    def living_state(self, job: JobRow) -> str:
        """The job's state; where it claims to be at work ``dead`` if nobody is, ``stalled`` if who is hangs."""
        waits = job.state == "queued" and self.holder(job.id) is not None  # a worker of its own waits for devices
        if job.state not in AT_WORK and not waits:
            return job.state
        if not self.is_held(job.id):
            return "dead"
        return "stalled" if self.quiet_seconds(job.id) >= STALE_SECONDS else job.state

    def is_held(self, job_id: str) -> bool:
        """Whether a process works on the job; one of another host is given up where it stays quiet."""
        holder = self.holder(job_id)
        if holder is None:
            return False
        quiet = self.quiet_seconds(job_id)
        alive = holder[0].is_alive()
        return quiet < STALE_SECONDS if alive is None else alive

    def quiet_seconds(self, job_id: str) -> float:
        """For how long this process has seen no beat of the lease, by its own steady clock; 0 at the first look.

        No clock of the holder's is read, and none that can be set: a jump of the time neither fakes a death nor
        hides one.
        """
        row = next(self._db.query("SELECT token, beats FROM leases WHERE job_id = ?", [job_id]), None)
        if row is None:
            return 0.0
        token, beats, since = self._seen.get(job_id, (None, -1, 0.0))
        if (token, beats) != (row["token"], row["beats"]):
            since = clock.steady()
            self._seen[job_id] = (row["token"], row["beats"], since)
        return clock.steady() - since

    def dispossess(self, job_id: str) -> None:
        """Remove the lease of a holder that is gone, unless it has beaten since this process looked last."""
        if self.holder(job_id) is not None and not self.is_held(job_id):
            token, beats, _ = self._seen[job_id]
            self._db.table("leases").delete_where("job_id = ? AND token IS ? AND beats = ?", [job_id, token, beats])
