"""The errors a user can meet, each one line that names the place and the remedy.

Only these reach a user as text; anything else is a defect of the program and is logged whole. The exit codes
are part of the command's documented interface (``docs/cli.md``).
"""

from __future__ import annotations


class FairnadError(Exception):
    """A failure with a one-line message, the remedy included, and the exit code it ends a command with."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class InputError(FairnadError):
    """Something the user gave cannot be used: a file, an option, a setting."""

    exit_code = 2


class ModelUnavailableError(FairnadError):
    """The chosen language model does not answer or is not there; nothing falls back to another."""

    exit_code = 3


class ModelAwayError(ModelUnavailableError):
    """Nothing answers where the model's server should be; it may come back."""


class ModelMissingError(ModelUnavailableError):
    """The server answers and does not have the model; it can be got from Ollama's library."""


class StoreError(FairnadError):
    """The workspace file is locked, damaged, or of another version."""

    exit_code = 4


class DiskFullError(StoreError):
    """There is no room left where the workspace lies; what was being written is not there, all else is."""


class DamagedStoreError(StoreError):
    """The workspace file, or one beside it, does not hold what it should."""


class UnreachableStoreError(StoreError):
    """The workspace's disk or folder is gone, read-only, or does not read or write."""


class LeaseLostError(StoreError):
    """Another process has taken this one's job over; what this one would still write is refused."""


class JailError(FairnadError):
    """The jail lacks a layer, so model-written code is refused."""

    exit_code = 5


class RunFailedError(FairnadError):
    """A run ended without reaching its budget and cannot go on by itself."""

    exit_code = 6


class MachineFaultError(RunFailedError):
    """Disk, files, memory or processes failed a candidate's work: never its outcome; resumed, the run repeats it."""


class DevicesTakenError(RunFailedError):
    """Other runs have the devices that this one trains on, and it was not to wait for them."""


class InterruptedRunError(FairnadError):
    """A run was stopped before its end; the message says how to resume it."""

    exit_code = 7


class RefusedError(FairnadError):
    """A backbone file that was looked at by hand did not pass the ladder."""

    exit_code = 8


class JobFailedError(FairnadError):
    """A job in the background ended by a failure; the exit code is that failure's own."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
