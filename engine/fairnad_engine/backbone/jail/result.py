"""What an attempt came to: its reply where it gave a well-formed one, a failure class in every other case."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass, field
from typing import Any

from fairnad_engine.backbone.jail import failures, wire
from fairnad_engine.backbone.jail.attempt import MOST_OUTPUT_BYTES, Ended
from fairnad_engine.backbone.jail.limits import Limits
from fairnad_engine.errors import JailError

_KIND = re.compile(r"[a-z][a-z-]{0,39}")
_MESSAGE_CHARACTERS = 4000
_BUSY = 0.8  # of the deadline, spent computing: then no neighbour was to blame


@dataclass(frozen=True)
class JailResult:
    """The outcome of one attempt; everything but ``seconds`` may have been chosen by the candidate.

    Attributes:
        ok: The task gave a reply.
        data: The reply, bounded JSON.
        blobs: The reply's binary parts.
        failure: Failure class where not ``ok``: ``timeout``, ``memory``, ``crash``, ``jail-violation``,
            ``output-too-large``, or what the task reported (``syntax``, ``build``, ``forward`` ...).
        message: One line, then the candidate's own last lines that led there.
        stdout: The first 64 KiB of its standard output and error.
        seconds: Wall time from fork to death, measured by the zygote.
        attempts: 2 where the first ended for what may have been the machine's load, and this is the second, alone.
        entry_seconds: What entering the jail took, by the child's own clock.
    """

    ok: bool
    data: dict[str, Any] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    failure: str | None = None
    message: str = ""
    stdout: str = ""
    seconds: float = 0.0
    entry_seconds: float = 0.0
    attempts: int = 1


def judge(ended: Ended, limits: Limits) -> JailResult:
    """Turn the end of a child into a result; what the kernel and the zygote saw outranks what the child said.

    Raises:
        JailError: The child could not enter the jail; no line of the candidate was run.
    """
    if ended.frame.startswith(wire.NOT_ENTERED):
        reason = _clean(ended.frame[1:500].decode("utf-8", "replace"))
        raise JailError(f"the jail could not be entered: {reason}; see `fairnad-tui doctor`")
    output = _clean(ended.output.decode("utf-8", "replace"))
    seconds = float(ended.report["seconds"])
    death = _death(ended, limits)
    if death is not None:
        return JailResult(False, failure=death[0], message=death[1], stdout=output, seconds=seconds)
    try:
        header, blobs = wire.decode(ended.frame[1:])
        return _reply(header, blobs, output, seconds)
    except wire.FrameError as error:
        code = os.waitstatus_to_exitcode(int(ended.report["status"]))
        kind = failures.OUTPUT_TOO_LARGE if "more than" in str(error) else failures.CRASH
        message = f"ended with exit status {code} and no usable reply ({error})"
        return JailResult(False, failure=kind, message=message, stdout=output, seconds=seconds)


def depends_on_load(ended: Ended, limits: Limits) -> bool:
    """Say whether a busier or freer machine might have ended the attempt otherwise.

    It came to its deadline having computed for less than most of the time, or the system killed it for memory.
    """
    cpu = float(ended.report["cpu"])
    if ended.report["reason"] == "deadline":
        return cpu < _BUSY * limits.wall_seconds
    status, asked = int(ended.report["status"]), ended.flooded or ended.report["reason"] is not None
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return killed and not asked and not _spent(cpu, limits)


def _spent(cpu: float, limits: Limits) -> bool:
    return cpu >= limits.cpu_seconds - 0.5


def _death(ended: Ended, limits: Limits) -> tuple[str, str] | None:
    """Class and message where the child was ended from outside or by a signal."""
    reason = ended.report["reason"]
    if reason == "deadline":
        return failures.TIMEOUT, f"did not end within {limits.wall_seconds:g} s"
    if reason == "scratch":
        return failures.OUTPUT_TOO_LARGE, f"wrote more than {limits.scratch_bytes} bytes of files"
    if ended.flooded:
        return (
            failures.OUTPUT_TOO_LARGE,
            f"printed more than {MOST_OUTPUT_BYTES} or replied more than {limits.reply_bytes} bytes",
        )
    status = int(ended.report["status"])
    if not os.WIFSIGNALED(status):
        return None
    number = os.WTERMSIG(status)
    if number == signal.SIGXCPU or (number == signal.SIGKILL and _spent(float(ended.report["cpu"]), limits)):
        return failures.TIMEOUT, f"used more than {limits.cpu_seconds} s of processor time"
    if number == signal.SIGKILL:
        return failures.MEMORY, "killed by the system, most likely for the memory it used"
    if number == signal.SIGSYS:
        return failures.JAIL_VIOLATION, "made a system call of a foreign architecture"
    if number == signal.SIGXFSZ:
        return failures.OUTPUT_TOO_LARGE, "wrote a file beyond the size limit"
    if b"bad_alloc" in ended.output:
        return failures.MEMORY, "ran out of memory in native code"
    return failures.CRASH, f"killed by signal {number} ({signal.strsignal(number)})"


def _reply(header: dict[str, Any], blobs: dict[str, bytes], output: str, seconds: float) -> JailResult:
    if header.get("ok") is True and isinstance(header.get("data"), dict):
        entry = header.get("entry")
        entered = float(entry) if isinstance(entry, float) else 0.0
        return JailResult(True, header["data"], blobs, None, "", output, seconds, entered)
    kind, message = header.get("failure"), header.get("message")
    if not (isinstance(kind, str) and _KIND.fullmatch(kind) and isinstance(message, str)):
        kind, message = failures.CRASH, "the reply is neither a result nor a failure"
    return JailResult(False, failure=kind, message=_clean(message), stdout=output, seconds=seconds)


def _clean(text: str) -> str:
    """Bound a text and take out what could steer a terminal."""
    kept = text[: max(_MESSAGE_CHARACTERS, 64 << 10)]
    return "".join(c if c in "\n\t" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in kept)
