"""Which fault an error stands for, and what mends it.

The row of a job that failed carries the fault's name, so that command and screens can show its remedy.
"""

from __future__ import annotations

import errno
import sys
from itertools import takewhile
from pathlib import Path

from fairnad_engine import errors
from fairnad_engine.fault_table import FAULTS, Fault

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the system's errors that say that a disk, or the user's part of it, is full."""

_NAMED = {one.name: one for one in FAULTS}
_OF_ERROR: dict[type[BaseException], str] = {
    errors.DiskFullError: "disk-full",
    errors.DamagedStoreError: "store-damaged",
    errors.UnreachableStoreError: "folder-gone",
    errors.LeaseLostError: "lease-lost",
    errors.StoreError: "store-locked",
    errors.ModelAwayError: "model-away-too-long",
    errors.ModelMissingError: "model-missing",
    errors.ModelUnavailableError: "model-fails",
    errors.JailError: "jail-layer",
    errors.MachineFaultError: "machine-fault",
}


def fault_named(name: str) -> Fault | None:
    """The fault of a name, if there is one."""
    return _NAMED.get(name)


def fault_of(error: BaseException) -> str:
    """The name of the fault that an error stands for; empty where it is none of the table."""
    named = (_OF_ERROR[one] for one in type(error).__mro__ if one in _OF_ERROR)
    if isinstance(error, OSError):
        return "disk-full" if error.errno in NO_ROOM else "machine-fault"
    return next(named, "")


def is_disk_full(error: BaseException) -> bool:
    """Whether an error says that there is no room left."""
    return fault_of(error) == "disk-full"


def remedy_of(name: str) -> str:
    """What can be done about a job's fault; empty where nothing is known."""
    found = fault_named(name)
    return found.remedy if found else ""


def fault_table() -> str:
    """The faults as the Markdown table of ``docs/reliability.md``."""
    head = ["| fault | how it shows | end state | what goes on | remedy |", "|---|---|---|---|---|"]
    rows = (f"| `{f.name}` | {f.shows} | {f.end} | {f.goes_on} | {f.remedy} |" for f in FAULTS)
    return "\n".join((*head, *rows)) + "\n"


def write_table(document: Path) -> None:
    """Put the table into a document, in the place of the one that it has."""
    text = document.read_text("utf-8")
    begin = text.index(fault_table().splitlines()[0])
    rows = takewhile(lambda line: line.startswith("|"), text[begin:].splitlines(keepends=True))
    end = begin + len("".join(rows))
    document.write_text(text[:begin] + fault_table() + text[end:], "utf-8")


if __name__ == "__main__":
    write_table(Path(sys.argv[1]))
