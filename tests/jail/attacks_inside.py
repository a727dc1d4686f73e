"""Hostile modules that reach for other processes, the kernel, privileges and the jail itself.

Raw system call numbers are those of x86_64.
"""

from __future__ import annotations

from attack import REFUSED, Attack

NEIGHBOURS = (
    Attack(
        "kill",
        """
        import os, signal

        parent = os.getppid()
        seen = {
            "parent": tries(lambda: os.kill(parent, signal.SIGKILL)),
            "probe": tries(lambda: os.kill(parent, 0)),
            "client": tries(lambda: os.kill(GIVEN["client"], signal.SIGTERM)),
            "all": tries(lambda: os.kill(-1, signal.SIGKILL)),
            "group": tries(lambda: os.kill(0, signal.SIGTERM)),
            "tkill": raw(200, parent, 9),
            "tgkill": raw(234, parent, parent, 9),
            "queue": raw(129, parent, 9, bytes(128)),
            "pidfd": raw(434, parent, 0),
        }
        """,
    ),
    Attack(
        "signals by descriptor owner",
        """
        import fcntl, os

        r, w = os.pipe()
        seen = {
            "owner": tries(lambda: fcntl.fcntl(r, fcntl.F_SETOWN, os.getppid())),
            "signal": tries(lambda: fcntl.fcntl(r, 10, 9)),
            "ioctl": tries(lambda: fcntl.ioctl(r, 0x8901, bytes(4))),
        }
        """,
    ),
    Attack(
        "look into the parent",
        """
        import os

        p = os.getppid()
        seen = {
            "attach": raw(101, 16, p, 0, 0),
            "seize": raw(101, 0x4206, p, 0, 0),
            "read": raw(310, p, bytes(16), 1, bytes(16), 1, 0),
            "write": raw(311, p, bytes(16), 1, bytes(16), 1, 0),
            "kcmp": raw(312, p, p, 0, 0, 0),
            "perf": raw(298, bytes(128), p, -1, -1, 0),
        }
        """,
    ),
    Attack(
        "limits and priority of others",
        """
        import os, resource

        p = os.getppid()
        seen = {
            "prlimit": tries(lambda: resource.prlimit(p, resource.RLIMIT_CPU, (1, 1))),
            "nice": raw(141, 0, p, 19),
            "affinity": tries(lambda: os.sched_setaffinity(p, {0})),
            "scheduler": raw(144, p, 3, bytes(8)),
            "io": raw(251, 1, p, 3 << 13),
        }
        """,
    ),
    Attack(
        "memory that outlives the process",
        """
        import os, ctypes
        from multiprocessing import shared_memory

        seen = {
            "memfd": raw(319, b"x", 0),
            "secret": raw(447, 0),
            "shm": raw(29, 0, 4096, 0o1600),
            "msg": raw(68, 0, 0o1600),
            "sem": raw(64, 0, 1, 0o1600),
            "mq": raw(240, b"x", 0o102, 0o600, None),
            "key": raw(248, b"user", b"x", b"x", 1, -3),
            "keyctl": raw(250, 0, -3, 1),
            "posix": tries(lambda: shared_memory.SharedMemory("fairnad", create=True, size=64)),
        }
        """,
    ),
    Attack(
        "kernel interfaces",
        """
        seen = {
            "io_uring": raw(425, 8, bytes(120)),
            "bpf": raw(321, 0, bytes(128), 128),
            "fault": raw(323, 0),
            "aio": raw(206, 1, bytes(8)),
            "splice": raw(275, 0, None, 1, None, 1, 0),
            "vmsplice": raw(278, 1, bytes(16), 1, 0),
            "ldt": raw(154, 0, bytes(16), 16),
            "module": raw(175, bytes(16), 16, b""),
            "reboot": raw(169, 0, 0, 0, None),
            "clock": raw(227, 0, bytes(16)),
            "log": raw(103, 3, bytes(64), 64),
            "personality": raw(135, 0x0400000),
        }
        """,
    ),
    Attack(
        "terminals",
        """
        import fcntl

        seen = {
            "type": tries(lambda: fcntl.ioctl(1, 0x5412, b"x")),
            "console": tries(lambda: fcntl.ioctl(1, 0x541C, b"x")),
            "control": tries(lambda: fcntl.ioctl(1, 0x540E, 1)),
            "tty": tries(lambda: open("/dev/tty", "w")),
        }
        """,
        answers=REFUSED | {"ENOENT", "ENXIO"},
    ),
)

PRIVILEGES = (
    Attack(
        "become root",
        """
        import os

        seen = {
            "setuid": tries(lambda: os.setuid(0)),
            "resuid": tries(lambda: os.setresuid(0, 0, 0)),
            "groups": tries(lambda: os.setgroups([0])),
            "capset": raw(126, bytes(8), bytes(24)),
            "fsuid": raw(122, 0),
            "user": "done" if os.getuid() == 0 else "EPERM",
        }
        """,
    ),
    Attack(
        "take off the jail",
        """
        seen = {
            "death signal": raw(157, 1, 0, 0, 0, 0),
            "dumpable": raw(157, 4, 1, 0, 0, 0),
            "seccomp": raw(157, 22, 0, 0, 0, 0),
            "filter": raw(317, 1, 0, bytes(16)),
            "landlock": raw(444, bytes(8), 8, 0),
            "keepcaps": raw(157, 8, 1, 0, 0, 0),
            "subreaper": raw(157, 36, 1, 0, 0, 0),
        }
        """,
    ),
    Attack(
        "raise the limits",
        """
        import resource as r

        kinds = [
            r.RLIMIT_AS,
            r.RLIMIT_CPU,
            r.RLIMIT_FSIZE,
            r.RLIMIT_NOFILE,
            r.RLIMIT_NPROC,
            r.RLIMIT_CORE,
        ]
        seen = {str(k): tries(lambda: r.setrlimit(k, (r.RLIM_INFINITY, r.RLIM_INFINITY))) for k in kinds}
        """,
        answers=REFUSED | {"ValueError"},
    ),
    Attack(
        "os through __subclasses__",
        """
        found = [c for c in ().__class__.__base__.__subclasses__() if c.__name__ == "_wrap_close"]
        system = found[0].__init__.__globals__["system"]
        seen = {"system": "done" if system("touch " + GIVEN["guard"] + "/planted") == 0 else "EPERM"}
        """,
    ),
    Attack(
        "frames of the caller",
        """
        import sys

        frame, tasks = sys._getframe(), None
        while frame:
            tasks = frame.f_locals.get("tasks") or tasks
            frame = frame.f_back
        tasks["ping"] = lambda payload, blobs: ({"pong": "poisoned"}, {})
        seen = {"own copy": "done" if len(tasks) else "EPERM"}
        """,
        answers=frozenset({"done"}),
    ),
    Attack(
        "pickle",
        """
        import pickle, os


        class Bomb:
            def __reduce__(self):
                return os.open, (GIVEN["guard"] + "/planted", os.O_CREAT | os.O_WRONLY)


        seen = {"loads": tries(lambda: pickle.loads(pickle.dumps(Bomb())))}
        """,
    ),
    Attack(
        "after the end: atexit, finalizers, threads",
        """
        import atexit, threading, time, weakref

        plant = lambda *_: open(GIVEN["guard"] + "/planted", "w")
        atexit.register(plant)


        class Late:
            __del__ = plant


        keep = Late()
        weakref.finalize(keep, plant)
        atexit.register(time.sleep, 3600)
        threading.Thread(target=time.sleep, args=(3600,)).start()
        seen = {}
        """,
    ),
)
