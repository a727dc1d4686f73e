"""A pseudo-terminal that a command of the program has as its own; closing it is what a broken connection does."""

import fcntl
import os
import pty
import re
import subprocess
import termios
from contextlib import suppress

from tests.conftest import command_line

_CONTROL = re.compile(r"\x1b\[[0-9;?<>=$]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[@-_]")


class Terminal:
    """A command in a terminal of 40 lines.

    Args:
        search: Whose folder and variables the command has.
        arguments: The command; none: the application.
    """

    def __init__(self, search, *arguments):
        self._main, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (40, 120))
        os.set_blocking(self._main, False)

        def take_terminal():
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            command_line(*arguments), cwd=search.folder, env=search.variables, start_new_session=True,
            stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=take_terminal,
        )  # fmt: skip
        os.close(theirs)
        self._text = ""

    def text(self):
        """Everything that was printed so far, without what steers the terminal."""
        with suppress(OSError):
            while part := os.read(self._main, 1 << 16):
                self._text += part.decode("utf-8", "replace")
        return _CONTROL.sub("", self._text)

    def press(self, keys):
        """Type."""
        os.write(self._main, keys.encode())

    def close(self):
        """Take the terminal away, and return how the command ended."""
        os.close(self._main)
        return self.process.wait(60)
