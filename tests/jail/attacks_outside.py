"""Hostile modules that reach for files, networks and other programs.

Raw system call numbers are those of x86_64.
"""

from __future__ import annotations

from attack import REFUSED, Attack, ending

FILES = (
    Attack(
        "read outside",
        """
        places = [
            GIVEN["secret"],
            "/etc/passwd",
            "/etc/shadow",
            "/etc/hostname",
            "/proc/1/environ",
            "/proc/1/maps",
            "/proc/self/environ",
            "/proc/self/maps",
            f"/proc/{__import__('os').getppid()}/mem",
            "/dev/mem",
        ]
        seen = {place: tries(lambda: open(place, "rb").read(1)) for place in places}
        """,
        answers=REFUSED | {"ENOENT"},
    ),
    Attack(
        "list folders outside",
        """
        import os

        places = ["/", "/home", "/root", "/etc", "/proc", "/tmp", "/dev", GIVEN["guard"], "..", "../.."]
        seen = {place: tries(lambda: os.listdir(place)) for place in places}
        """,
        answers=REFUSED | {"ENOENT"},
    ),
    Attack(
        "write outside",
        """
        import os

        guard = GIVEN["guard"]
        seen = {
            "new": tries(lambda: open(guard + "/planted", "w")),
            "append": tries(lambda: open(GIVEN["secret"], "a")),
            "folder": tries(lambda: os.mkdir(guard + "/planted")),
            "fifo": tries(lambda: os.mkfifo(guard + "/planted")),
            "nameless": tries(lambda: os.open(guard, os.O_TMPFILE | os.O_RDWR)),
            "library": tries(lambda: open(os.__file__, "a")),
            "parent": tries(lambda: open("../planted", "w")),
        }
        """,
    ),
    Attack(
        "truncate without writing",
        """
        import os

        secret = GIVEN["secret"].encode()
        library = os.__file__.encode()
        seen = {
            "truncate": tries(lambda: os.truncate(secret, 0)),
            "read-only": tries(lambda: os.open(secret, os.O_RDONLY | os.O_TRUNC)),
            "library": tries(lambda: os.open(library, os.O_RDONLY | os.O_TRUNC)),
            "mode 3": raw(257, -100, secret, 3 | os.O_TRUNC, 0),
            "old open": raw(2, secret, 3 | os.O_TRUNC, 0),
        }
        """,
    ),
    Attack(
        "links out of the scratch",
        """
        import os

        open("own", "w").write("x")
        secret = GIVEN["secret"]
        seen = {
            "symlink": tries(lambda: os.symlink(secret, "link")),
            "link": tries(lambda: os.link(secret, "hard")),
            "link out": tries(lambda: os.link("own", GIVEN["guard"] + "/planted")),
            "through the link": tries(lambda: open("link").read()),
        }
        """,
        answers=REFUSED | {"ENOENT"},
    ),
    Attack(
        "move and remove outside",
        """
        import os

        open("own", "w").write("x")
        secret = GIVEN["secret"]
        seen = {
            "remove": tries(lambda: os.unlink(secret)),
            "take": tries(lambda: os.rename(secret, "taken")),
            "plant": tries(lambda: os.rename("own", GIVEN["guard"] + "/planted")),
            "rmdir": tries(lambda: os.rmdir(GIVEN["guard"])),
        }
        """,
        answers=REFUSED | {"EXDEV"},
    ),
    Attack(
        "change modes, owners, times, attributes",
        """
        import os

        open("own", "w").write("x")
        secret = GIVEN["secret"]
        seen = {
            "suid": tries(lambda: os.chmod("own", 0o4755)),
            "fchmod": tries(lambda: os.fchmod(os.open("own", os.O_RDONLY), 0o4755)),
            "fchmodat2": raw(452, -100, b"own", 0o4755, 0),
            "secret": tries(lambda: os.chmod(secret, 0o777)),
            "owner": tries(lambda: os.chown(secret, 0, 0)),
            "times": tries(lambda: os.utime(secret, (0, 0))),
            "attribute": tries(lambda: os.setxattr(secret, "user.x", b"x")),
        }
        """,
    ),
    Attack(
        "files by handle",
        """
        seen = {
            "name": raw(303, -100, GIVEN["secret"].encode(), None, None, 0),
            "open": raw(304, 0, bytes(128), 0),
            "openat2": raw(437, -100, b"/", bytes(24), 24),
        }
        """,
    ),
    Attack(
        "mounts and namespaces",
        """
        seen = {
            "mount": raw(165, b"none", b".", b"tmpfs", 0, None),
            "unshare user": raw(272, 0x10000000),
            "unshare mount": raw(272, 0x20000),
            "setns": raw(308, 0, 0),
            "chroot": raw(161, b"."),
            "pivot": raw(155, b".", b"."),
            "fsopen": raw(430, b"tmpfs", 0),
            "open_tree": raw(428, -100, b"/", 1),
            "clone user": raw(56, 0x10000000 | 17, 0, 0, 0, 0),
        }
        """,
    ),
    Attack(
        "watch files",
        """
        seen = {"inotify": raw(294, 0), "fanotify": raw(300, 0, 0)}
        """,
    ),
    Attack(
        "inherited descriptors",
        """
        import os

        live = []
        for fd in range(4096):
            try:
                os.fstat(fd)
                live.append(fd)
            except OSError:
                pass
        seen = {"live": str(live)}
        """,
        answers=frozenset({"[0, 1, 2, 4]"}),
    ),
    Attack(
        "secrets in the environment",
        """
        import ctypes, os

        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_char_p
        libc = [n for n in ("FAIRNAD_TEST_SECRET", "SSH_AUTH_SOCK", "USER") if getenv(n.encode())]
        seen = {"os": str([n for n in os.environ if "SECRET" in n or n == "USER"]), "libc": str(libc)}
        """,
        answers=frozenset({"[]"}),
    ),
)

NETWORK = (
    Attack(
        "sockets of every family",
        """
        import socket

        seen = {}
        for family, kind in (
            (2, 1),
            (2, 2),
            (10, 1),
            (1, 1),
            (1, 2),
            (16, 3),
            (17, 3),
            (40, 1),
            (38, 5),
            (31, 3),
        ):
            seen[f"{family}/{kind}"] = tries(lambda: socket.socket(family, kind))
        seen["pair"] = tries(socket.socketpair)
        seen["raw"] = raw(41, 2, 1, 0)
        """,
    ),
    Attack(
        "connections",
        """
        import socket, http.client, asyncio

        seen = {
            "tcp": tries(lambda: socket.create_connection(("127.0.0.1", GIVEN["port"]), 1)),
            "http": tries(
                lambda: http.client.HTTPConnection("127.0.0.1", GIVEN["port"]).request("GET", "/")
            ),
            "loop": tries(asyncio.new_event_loop),
            "connect": raw(42, 4, bytes(16), 16),
            "bind": raw(49, 4, bytes(16), 16),
            "sendmsg": raw(46, 4, bytes(64), 0),
            "accept": raw(288, 4, None, None, 0),
        }
        """,
    ),
)

PROGRAMS = (
    Attack(
        "shell",
        """
        import os

        touch = "touch " + GIVEN["guard"] + "/planted"
        seen = {
            "system": "done" if os.system(touch) == 0 else "EPERM",
            "popen": tries(lambda: os.popen(touch).read()),
        }
        """,
    ),
    Attack(
        "subprocess and its relatives",
        """
        import subprocess, os, pty, sys

        touch = ["touch", GIVEN["guard"] + "/planted"]
        seen = {
            "run": tries(lambda: subprocess.run(touch)),
            "absolute": tries(lambda: subprocess.run(["/bin/touch", touch[1]])),
            "spawn": tries(lambda: os.posix_spawn("/bin/touch", touch, {})),
            "spawnv": tries(lambda: os.spawnv(os.P_NOWAIT, "/bin/touch", touch)),
            "pty": tries(pty.fork),
            "exec": tries(lambda: os.execv("/bin/touch", touch)),
            "python": tries(lambda: os.execv(sys.executable, ["python", "-c", "pass"])),
        }
        """,
        answers=REFUSED | {"ENOENT", "OSError"},
    ),
    Attack(
        "multiprocessing",
        """
        import multiprocessing as mp

        seen = {}
        for way in ("fork", "spawn", "forkserver"):
            seen[way] = tries(lambda: mp.get_context(way).Process(target=print).start())
        """,
    ),
    Attack(
        "raw exec",
        """
        seen = {
            "execve": raw(59, b"/bin/true", None, None),
            "execveat": raw(322, -100, b"/bin/true", None, None, 0),
        }
        """,
    ),
    Attack(
        "fork by every route",
        """
        import os

        seen = {
            "fork": tries(os.fork),
            "raw fork": raw(57),
            "clone": raw(56, 17, 0, 0, 0, 0),
            "clone vm": raw(56, 0x4111, 0, 0, 0, 0),
            "clone3": raw(435, bytes(88), 88),
            "forkpty": tries(os.forkpty),
        }
        """,
    ),
    Attack(
        "leave the session",
        """
        import os

        seen = {"setsid": raw(112), "setpgid": raw(109, 0, 0)}
        """,
    ),
    Attack(
        "x32 and calls of the future",
        """
        seen = {
            "x32": raw(0x40000000 | 39),
            "x32 exec": raw(0x40000000 | 520, b"/bin/true", None, None),
            "new": raw(470),
            "far": raw(5000),
            "compat range": raw(520),
        }
        """,
    ),
    ending(
        "32-bit gate",
        "crash jail-violation",
        """
        import ctypes, mmap

        code = mmap.mmap(-1, 4096, prot=7)
        code.write(bytes.fromhex("b814000000cd80c3"))
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
        """,
    ),
)
