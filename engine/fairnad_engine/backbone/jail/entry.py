"""Entering the jail: every layer in the one order that works, in a fork of one thread that ran nothing yet."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fairnad_engine.backbone.jail import identity, landlock, limits, namespaces, places, seccomp

REQUEST_FD, RESULT_FD = 3, 4

# One thread each: a candidate's threads would fight its neighbours for two cores. No GPU is to be found.
ENVIRONMENT = {
    "PATH": "",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
}


@dataclass(frozen=True)
class Confinement:
    """What one child is confined to.

    Attributes:
        parent: Process id of the zygote, with which the child dies.
        uid: Who to become when started as root.
        keep_reading: Keep ``CAP_DAC_READ_SEARCH``; see :func:`identity.drop_privileges`.
        limits: How much it may use.
        read: Folders it may read.
        scratch: Folder it may write.
        namespaces: Try for namespaces of its own first; see :mod:`namespaces`.
        weak: Go on without Landlock or seccomp where the kernel lacks them (``--accept-weak-jail``).
    """

    parent: int
    uid: int
    keep_reading: bool
    limits: limits.Limits
    read: tuple[Path, ...]
    scratch: Path
    namespaces: bool = False
    weak: bool = False


def enter(confinement: Confinement, request: int, result: int, output: int) -> None:
    """Confine the calling process for ever; afterwards fd 3 is the request, 4 the result, 1 and 2 the output.

    Landlock comes before seccomp, which refuses it, and both come after the change of user, which undoes the
    parent-death signal.

    Raises:
        OSError: A layer could not be put on; the caller must end the process.
    """
    os.setsid()
    _keep_descriptors(request, result, output)
    identity.be_first_for_the_oom_killer()
    _scrub_environment(confinement.scratch)
    os.chdir(confinement.scratch)
    if confinement.namespaces:
        namespaces.enter()
    identity.drop_privileges(confinement.uid, keep_reading=confinement.keep_reading)
    identity.forbid_new_privileges()
    identity.die_with(confinement.parent)
    fresh = os.getuid() == confinement.uid
    limits.impose(confinement.limits, 0 if fresh else limits.tasks_of(os.getuid()))
    if landlock.abi() or not confinement.weak:
        landlock.restrict(confinement.read, [confinement.scratch], places.DEVICES)
    try:
        seccomp.install(os.getpid())
    except OSError:
        if not confinement.weak:
            raise


def _keep_descriptors(request: int, result: int, output: int) -> None:
    import fcntl

    nothing = os.open("/dev/null", os.O_RDONLY)
    order = (nothing, output, output, request, result)
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 64) for fd in order]  # out of the way of 0 to 4
    identity.keep_only({fd: target for target, fd in enumerate(high)})


def _scrub_environment(scratch: Path) -> None:
    os.environ.clear()
    os.environ.update(ENVIRONMENT, HOME=str(scratch), TMPDIR=str(scratch))
    tempfile.tempdir = str(scratch)  # looking for one would try to remove a file
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True)
