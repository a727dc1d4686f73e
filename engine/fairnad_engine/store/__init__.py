"""The workspace: one SQLite file, and a folder of content-addressed files beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from sqlite_utils import Database

from fairnad_engine.artifacts import ArtifactFolder
from fairnad_engine.store.beside import BesideTable
from fairnad_engine.store.calls import CallTable
from fairnad_engine.store.connection import open_database, snapshot, transaction
from fairnad_engine.store.curation import CurationTable
from fairnad_engine.store.deletion import RunDeletion
from fairnad_engine.store.filing import FilingTable
from fairnad_engine.store.ideas import IdeaTable
from fairnad_engine.store.jobs import JobTable
from fairnad_engine.store.journal import IdeaJournal
from fairnad_engine.store.ledger import LedgerTable
from fairnad_engine.store.lineage import LineageTable
from fairnad_engine.store.live import LiveTable
from fairnad_engine.store.local_copy import working_file
from fairnad_engine.store.outcomes import OutcomeTable
from fairnad_engine.store.papers import PaperTable
from fairnad_engine.store.proposals import ProposalTable
from fairnad_engine.store.reservations import ReservationTable
from fairnad_engine.store.runs import RunTable
from fairnad_engine.store.sampling import SamplingTable
from fairnad_engine.store.studies import StudyTable
from fairnad_engine.store.template_versions import TemplateTable
from fairnad_engine.store.test_scores import TestTable

__all__ = ["Store"]


class Store:
    """An open workspace; use it from one thread."""

    def __init__(self, path: Path) -> None:
        """Open or create the workspace file, or its copy on this machine's disk.

        Args:
            path: The workspace's name and home; files beside the store lie there.

        Raises:
            StoreError: The file cannot be used.
        """
        self.path = path
        self._db: Database = open_database(working_file(path))
        self.files = ArtifactFolder(path.with_name(f"{path.stem}-files"))
        self.papers = PaperTable(self._db)
        self.templates = TemplateTable(self._db)
        self.ideas = IdeaTable(self._db)
        self.journal = IdeaJournal(self._db)
        self.curation = CurationTable(self._db)
        self.jobs = JobTable(self._db)
        self.reservations = ReservationTable(self._db, self.jobs)
        self.runs = RunTable(self._db)
        self.beside = BesideTable(self._db)
        self.lineage = LineageTable(self._db)
        self.sampling = SamplingTable(self._db)
        self.calls = CallTable(self._db)
        self.ledger = LedgerTable(self._db)
        self.tests = TestTable(self._db)
        self.live = LiveTable(self._db)
        self.outcomes = OutcomeTable(self._db)
        self.filing = FilingTable(self._db)
        self.proposals = ProposalTable(self._db)
        self.studies = StudyTable(self._db, self.runs)
        self.deletion = RunDeletion(self._db, self.runs, self.jobs, self.files)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make several writes one."""
        with transaction(self._db):
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Make several reads see the workspace as it is at the first of them, whatever is written meanwhile."""
        with snapshot(self._db):
            yield

    def data_version(self) -> int:
        """A number that changes when another connection writes."""
        return int(self._db.conn.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
