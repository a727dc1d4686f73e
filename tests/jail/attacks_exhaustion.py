"""Hostile modules that use up the machine or hang."""

from __future__ import annotations

from attack import Attack, ending

RESOURCES = (
    ending(
        "memory bomb",
        "memory",
        """
        block = []
        while True:
            block.append(bytearray(1 << 26))
        """,
        memory_bytes=1 << 30,
    ),
    ending(
        "memory map",
        "memory",
        """
        import mmap

        mmap.mmap(-1, 1 << 45)
        """,
    ),
    ending(
        "huge number",
        "crash memory timeout",
        """
        x = 10 ** (10**11)
        """,
        wall_seconds=1.0,
    ),
    ending(
        "processor spin",
        "timeout",
        """
        while True:
            pass
        """,
        cpu_seconds=1,
        wall_seconds=20.0,
    ),
    ending(
        "spin that ignores SIGXCPU",
        "timeout",
        """
        import signal

        signal.signal(signal.SIGXCPU, signal.SIG_IGN)
        while True:
            pass
        """,
        cpu_seconds=1,
        wall_seconds=20.0,
    ),
    ending(
        "sleep that ignores signals",
        "timeout",
        """
        import signal, time

        for n in (1, 2, 3, 13, 14, 15):
            signal.signal(n, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        while True:
            time.sleep(3600)
        """,
        wall_seconds=0.3,
    ),
    ending(
        "loop in C",
        "timeout",
        """
        import re

        re.match("(a*)*b", "a" * 64)
        """,
        wall_seconds=0.3,
    ),
    ending(
        "pause in C",
        "timeout",
        """
        import ctypes

        ctypes.PyDLL(None).pause()
        """,
        wall_seconds=0.3,
    ),
    ending(
        "dead lock",
        "timeout",
        """
        import threading

        l = threading.Lock()
        l.acquire()
        l.acquire()
        """,
        wall_seconds=0.3,
    ),
    ending(
        "endless reading",
        "timeout",
        """
        import os

        r, w = os.pipe()
        os.read(r, 1)
        """,
        wall_seconds=0.3,
    ),
    ending(
        "never-ending except",
        "timeout",
        """
        while True:
            try:
                1 / 0
            except BaseException:
                pass
        """,
        wall_seconds=0.3,
    ),
    Attack(
        "thread bomb",
        """
        import threading

        stop, started = threading.Event(), 0
        try:
            while started < 5000:
                threading.Thread(target=stop.wait, daemon=True).start()
                started += 1
        except RuntimeError:
            pass
        stop.set()
        seen = {"started": "few" if started < 200 else str(started)}
        """,
        answers=frozenset({"few"}),
    ),
    Attack(
        "descriptor bomb",
        """
        import os

        held = []
        seen = {"open": tries(lambda: [held.append(os.dup(0)) for _ in range(5000)])}
        """,
        answers=frozenset({"EMFILE"}),
    ),
    ending(
        "one huge file",
        "output-too-large",
        """
        with open("f", "wb") as f:
            while True:
                f.write(bytes(1 << 20))
        """,
    ),
    ending(
        "many files",
        "output-too-large timeout",
        """
        n = 0
        while True:
            open(str(n), "wb").write(bytes(1 << 20))
            n += 1
        """,
        wall_seconds=20.0,
    ),
    ending(
        "deep recursion",
        "crash",
        """
        def f():
            f()


        f()
        """,
    ),
    ending(
        "deep syntax",
        "crash memory",
        """
        exec("(" * 100000 + ")" * 100000)
        """,
    ),
)
