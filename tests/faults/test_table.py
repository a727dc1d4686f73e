"""Every fault of the table is provoked by a test, and docs/reliability.md has the table as the program has it."""

import re

import pytest

from fairnad_engine import errors
from fairnad_engine.fault_table import FAULTS
from fairnad_engine.faults import fault_named, fault_of, fault_table, remedy_of
from tests.conftest import ROOT

ENDS = {"running", "waiting", "failed", "stopped", "stalled", "dead", "refused", "candidate"}
_MARK = re.compile(r'pytest\.mark\.fault\("([a-z-]+)"\)')


def provoked():
    """The names that tests carry, each with the files it stands in."""
    found = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name in _MARK.findall(path.read_text("utf-8")):
            found.setdefault(name, set()).add(path.name)
    return found


def test_at_least_thirty_faults_are_provoked_and_none_is_left_out():
    names = [one.name for one in FAULTS]
    assert len(set(names)) == len(names) >= 30
    assert set(names) - set(provoked()) == set()


def test_no_test_names_a_fault_that_is_not_in_the_table():
    assert set(provoked()) - {one.name for one in FAULTS} == set()


def test_rows_are_whole_and_their_ends_known():
    for one in FAULTS:
        assert one.end in ENDS, one.name
        assert all((one.shows, one.goes_on, one.remedy)), one.name
        assert "|" not in "".join((one.shows, one.end, one.goes_on, one.remedy)), one.name
        assert "\n" not in one.remedy, one.name


def test_the_document_has_the_table():
    """Written anew by: python -m fairnad_engine.faults."""
    document = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    assert fault_table() in document, "run: python -m fairnad_engine.faults docs/reliability.md"


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (errors.DiskFullError("x"), "disk-full"),
        (OSError(28, "No space left on device"), "disk-full"),
        (OSError(122, "Disk quota exceeded"), "disk-full"),
        (OSError(5, "Input/output error"), "machine-fault"),
        (errors.DamagedStoreError("x"), "store-damaged"),
        (errors.ModelAwayError("x"), "model-away-too-long"),
        (errors.ModelMissingError("x"), "model-missing"),
        (errors.MachineFaultError("x"), "machine-fault"),
        (errors.RunFailedError("x"), ""),
        (ValueError("x"), ""),
    ],
)
def test_errors_have_the_fault_that_they_stand_for(error, name):
    assert fault_of(error) == name
    assert bool(remedy_of(name)) == bool(name) == (fault_named(name) is not None)
