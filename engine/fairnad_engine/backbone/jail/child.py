"""The life of a child: enter the jail, read one request, do one task, reply, end."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NoReturn

from fairnad_engine.backbone.jail import failures, wire
from fairnad_engine.backbone.jail.entry import REQUEST_FD, RESULT_FD, Confinement, enter

Task = Callable[[dict[str, Any], dict[str, bytes]], tuple[dict[str, Any], dict[str, bytes]]]


def live(confinement: Confinement, descriptors: tuple[int, int, int], tasks: Mapping[str, Task]) -> NoReturn:
    """Run one attempt and end the process; nothing after the reply runs, ``atexit`` and finalizers included.

    Args:
        confinement: What to confine itself to.
        descriptors: Where to read the request, write the result, and write standard output and error.
        tasks: What can be asked, by name.
    """
    try:
        began = time.perf_counter()
        try:
            enter(confinement, *descriptors)
        except BaseException as error:
            _tell_not_entered(descriptors[1], error)
            os._exit(1)
        entry_seconds = time.perf_counter() - began
        _write(RESULT_FD, wire.ENTERED)  # before any line of the candidate: it cannot take this back
        reply = _reply(tasks, entry_seconds)
        for stream in (sys.stdout, sys.stderr):
            with suppress(BaseException):
                stream.flush()
        _write(RESULT_FD, reply)
        os._exit(0)
    finally:
        os._exit(2)  # a candidate that broke what the lines above call


def _reply(tasks: Mapping[str, Task], entry_seconds: float) -> bytes:
    source: object = None
    try:
        header, blobs = wire.decode(_read(REQUEST_FD))
        os.close(REQUEST_FD)
        payload = header["payload"]
        source = payload.get("source")
        _settle_chance()
        data, reply_blobs = tasks[header["task"]](payload, blobs)
        return wire.encode({"ok": True, "data": data, "entry": entry_seconds}, reply_blobs)
    except wire.FrameError as error:
        return _failure(failures.OUTPUT_TOO_LARGE, str(error))
    except BaseException as error:
        return _describe(error, source)


def _settle_chance() -> None:
    """Seed what a zygote seeds by chance when it imports it; torch has one default seed everywhere."""
    random.seed(0)
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed(0)


def _tell_not_entered(result: int, error: BaseException) -> None:
    report = wire.NOT_ENTERED + f"{type(error).__name__}: {error}".encode()
    for descriptor in (result, RESULT_FD):  # whichever number it had when entering failed
        with suppress(OSError):
            _write(descriptor, report)
            return


def _describe(error: BaseException, source: object) -> bytes:
    try:
        return _failure(failures.classify(error), failures.describe(error, source))
    except BaseException:  # the candidate's own exception class misbehaves
        return _failure(failures.CRASH, "an exception that cannot be shown")


def _failure(kind: str, message: str) -> bytes:
    return wire.encode({"ok": False, "failure": kind, "message": message}, {})


def _read(descriptor: int) -> bytes:
    parts = []
    while part := os.read(descriptor, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
