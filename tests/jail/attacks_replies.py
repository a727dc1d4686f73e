"""Hostile modules that die, or reply with what is no reply."""

from __future__ import annotations

from attack import ending

REPLIES = (
    ending(
        "os._exit",
        "crash",
        """
        import os

        os._exit(0)
        """,
    ),
    ending(
        "sys.exit",
        "crash",
        """
        import sys

        sys.exit(0)
        """,
    ),
    ending(
        "KeyboardInterrupt",
        "crash",
        """
        raise KeyboardInterrupt
        """,
    ),
    ending(
        "abort",
        "crash",
        """
        import os

        os.abort()
        """,
    ),
    ending(
        "segmentation fault",
        "crash",
        """
        import ctypes

        ctypes.string_at(8)
        """,
    ),
    ending(
        "kill itself",
        "crash memory",
        """
        import os

        os.kill(os.getpid(), 9)
        """,
    ),
    ending(
        "exception that will not be shown",
        "crash",
        """
        class E(Exception):
            def __str__(self):
                raise self


        raise E
        """,
    ),
    ending(
        "flood of output",
        "output-too-large",
        """
        while True:
            print("x" * 65536)
        """,
    ),
    ending(
        "flood of the result",
        "output-too-large",
        """
        import os

        while True:
            os.write(4, bytes(1 << 16))
        """,
    ),
    ending(
        "reply with a huge blob",
        "memory output-too-large",
        """
        blobs["b"] = bytes(80 << 20)
        """,
    ),
    ending(
        "reply with huge data",
        "memory output-too-large",
        """
        seen = "x" * (9 << 20)
        """,
    ),
    ending(
        "reply that is no JSON",
        "crash",
        """
        seen = {"x": object()}
        """,
    ),
    ending(
        "reply of NaN",
        "crash",
        """
        seen = {"x": float("nan")}
        """,
    ),
    ending(
        "forged nesting",
        "crash",
        """
        import os, struct

        b = b"[" * 200000
        os.write(4, struct.pack(">I", len(b)) + b)
        os._exit(0)
        """,
    ),
    ending(
        "forged length",
        "crash",
        r"""
        import os

        os.write(4, b"\xff" * 64)
        os._exit(0)
        """,
    ),
    ending(
        "forged jail failure",
        "crash",
        """
        import os

        os.write(4, b"-the jail is broken")
        os._exit(1)
        """,
    ),
    ending(
        "second frame",
        "crash",
        """
        import os, struct

        b = b'{"ok":true,"data":{},"blobs":[]}'
        os.write(4, struct.pack(">I", len(b)) + b)
        """,
    ),
    ending(
        "broken tools",
        "crash",
        """
        import json, os

        json.dumps = lambda *a, **k: 1 / 0
        seen = {}
        """,
    ),
)
