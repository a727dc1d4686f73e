"""Devices of a machine that jobs of this workspace train on, and the line of those that wait for them.

A row belongs to a lease: where the lease is gone, is another's or its holder is dead, the row is void, so that nobody
has to clean up after a process that was killed. A GPU is one job's at a time. The CPU is everybody's, up to a number
of trainings where one is set. A job gets all it asks for at once, in order of arrival among those that ask for the
same; it never holds one device while it waits for another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from fairnad_engine.store.connection import now, transaction
from fairnad_engine.store.jobs import JobTable

CPU = "cpu"


@dataclass(frozen=True)
class Wanted:
    """What a job asks for.

    Attributes:
        host: The machine.
        device: ``cpu``, or a GPU by what does not depend on who looks: its number or UUID on the machine.
        streams: Trainings at a time on it; 0 where measurements decide.
    """

    host: str
    device: str
    streams: int


@dataclass(frozen=True)
class Reservation:
    """A device that a job has, or waits for.

    Attributes:
        id: Grows in order of arrival.
        job_id: The job.
        run_id: Its run; None for one without.
        host: The machine.
        device: See :class:`Wanted`.
        streams: See :class:`Wanted`.
        held: Whether the job has it; otherwise it waits.
        at: Since when, UTC.
    """

    id: int
    job_id: str
    run_id: str | None
    host: str
    device: str
    streams: int
    held: bool
    at: str

    @property
    def wanted(self) -> Wanted:
        """What was asked for."""
        return Wanted(self.host, self.device, self.streams)


@dataclass(frozen=True)
class QueuePlace:
    """Where a job stands that waits: 1 is next; ``reason`` says in words what it waits for."""

    place: int
    reason: str


class ReservationTable:
    """Devices in use."""

    def __init__(self, database: Database, jobs: JobTable) -> None:
        self._db = database
        self._jobs = jobs

    def all(self) -> list[Reservation]:
        """Devices that jobs have or wait for, in order of arrival; void rows are left out."""
        rows = self._db.query(
            """SELECT r.id, r.job_id, j.run_id, r.host, r.device, r.streams, r.held, r.at
               FROM reservations r JOIN jobs j ON j.id = r.job_id
               JOIN leases l ON l.job_id = r.job_id AND l.token = r.token ORDER BY r.id"""
        )
        found = [Reservation(**{**row, "held": bool(row["held"])}) for row in rows]
        alive = {job: self._jobs.is_held(job) for job in {one.job_id for one in found}}
        return [one for one in found if alive[one.job_id]]

    def place(self, job_id: str, most_on_cpu: int = 0) -> QueuePlace | None:
        """Where a waiting job stands in the line; None where it does not wait, or nothing is in its way.

        Args:
            job_id: The job.
            most_on_cpu: Trainings at a time on the CPU, all jobs together, that this job respects; 0 for any number.
        """
        rows = self.all()
        mine = [one for one in rows if one.job_id == job_id and not one.held]
        return _place(rows, mine[0].id, [one.wanted for one in mine], most_on_cpu) if mine else None

    def take(
        self,
        job_id: str,
        token: str,
        wanted: Sequence[Wanted],
        *,
        most_on_cpu: int = 0,
        beyond: Callable[[], str] = lambda: "",
    ) -> QueuePlace | None:
        """Reserve everything that a job wants, or stand in line for it.

        Args:
            job_id: The job, whose lease this process holds.
            token: Of the lease.
            wanted: Devices.
            most_on_cpu: See :meth:`place`.
            beyond: Asked where nothing in this workspace is in the way, at last: what else is, in words.

        Returns:
            None where the job has it all now, otherwise its place.
        """
        with transaction(self._db):
            rows = self.all()
            valid = {one.id for one in rows}
            void = [row["id"] for row in self._db.query("SELECT id FROM reservations") if row["id"] not in valid]
            for one in void:
                self._db.table("reservations").delete(one)
            mine = [one for one in rows if one.job_id == job_id]
            if {one.wanted for one in mine} != set(wanted):
                self._db.table("reservations").delete_where("job_id = ?", [job_id])
                self._db.table("reservations").insert_all(
                    {"job_id": job_id, "token": token, **vars(one), "held": 0, "at": now()} for one in wanted
                )
                rows = self.all()
                mine = [one for one in rows if one.job_id == job_id]
            if all(one.held for one in mine):
                return None
            place = _place(rows, mine[0].id, wanted, most_on_cpu)
            if place is None and (elsewhere := beyond()):
                place = QueuePlace(1, elsewhere)
            if place is None:
                self._db.execute("UPDATE reservations SET held = 1, at = ? WHERE job_id = ?", [now(), job_id])
            return place

    def give_back(self, job_id: str, token: str) -> None:
        """Free what a job has and leave the line."""
        self._db.table("reservations").delete_where("job_id = ? AND token = ?", [job_id, token])


def _place(rows: list[Reservation], arrived: int, wanted: Sequence[Wanted], most_on_cpu: int) -> QueuePlace | None:
    """The place of a job that arrived with row ``arrived`` among all valid rows."""
    mine = next(one.job_id for one in rows if one.id == arrived)
    before = [one for one in rows if one.job_id != mine and (one.held or one.id < arrived)]
    blocking = [one for each in wanted for one in _in_the_way(before, each, most_on_cpu)]
    if not blocking:
        return None
    waiting = {one.job_id for one in blocking if not one.held}
    return QueuePlace(1 + len(waiting), _told(next((one for one in blocking if one.held), blocking[0])))


def _in_the_way(before: list[Reservation], wanted: Wanted, most_on_cpu: int) -> list[Reservation]:
    same = [one for one in before if (one.host, one.device) == (wanted.host, wanted.device)]
    if wanted.device != CPU:
        return same
    # One that wants more than there may be gets the CPU where nobody else has it: it would wait for ever.
    taken = sum(one.streams for one in same)
    return same if most_on_cpu and taken + wanted.streams > most_on_cpu else []


def _told(one: Reservation) -> str:
    who = one.run_id or one.job_id
    on = f"{one.streams} trainings on the CPU" if one.device == CPU else one.device
    return f"{who} ({one.job_id}) {'has' if one.held else 'waits for'} {on} on {one.host}"
