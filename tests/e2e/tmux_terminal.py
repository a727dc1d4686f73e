"""A real terminal for tests: a shell in tmux, on a server of its own, driven by keys and read from its screen."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

LONGEST_WAIT = 60.0
PROMPT = "ready$ "
_LOOK_SECONDS = 0.05
_servers = itertools.count(1)


def tmux_problem() -> str:
    """Why there is no terminal to drive, with the remedy; empty where there is one."""
    return "" if shutil.which("tmux") else "tmux is not installed, so NO real terminal was driven: apt-get install tmux"


class Terminal:
    """A shell in tmux. Everything goes in as keys; what comes out is the screen and the clipboard.

    Args:
        folder: Where the shell starts.
        environment: The shell's variables; those of a surrounding tmux are left out.
        size: Columns and rows.
        term: What programs inside find in ``TERM``.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *,
        size: tuple[int, int] = (80, 24),
        term: str = "screen-256color",
    ) -> None:
        self._server = f"fairnad-{os.getpid()}-{next(_servers)}"
        self._environment = {k: v for k, v in environment.items() if not k.startswith("TMUX")}
        begin = folder / "shell-begins"
        begin.write_text(f"PS1='{PROMPT}'\n")  # a shell takes its prompt from no variable of its parent's
        self._environment["ENV"] = str(begin)
        settings = folder / "tmux.conf"
        settings.write_text(
            f'set -g default-terminal "{term}"\n'
            "set -s set-clipboard on\n"  # what a program copies (OSC 52) becomes tmux's buffer
            "set -s escape-time 0\n"
            "set -g status off\n"
        )
        columns, rows = map(str, size)
        # Every option stands before the shell: what is typed from here on is keys.
        shell = ["new-session", "-d", "-x", columns, "-y", rows, "-c", str(folder), "exec /bin/sh -i"]
        self._tmux("-f", str(settings), *shell)
        try:
            self.wait_for(PROMPT.strip())
        except BaseException:
            self.close()
            raise

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self._server, *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=LONGEST_WAIT)
        assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr}"
        return done.stdout

    def keys(self, *names: str) -> None:
        """Press keys, by tmux's names: ``a``, ``Enter``, ``C-q``, ``Escape``."""
        self._tmux("send-keys", "--", *names)

    def type(self, text: str) -> None:
        """Type a text, letter by letter."""
        self._tmux("send-keys", "-l", "--", text)

    def line(self, text: str) -> None:
        """Type a line and send it off."""
        self.type(text)
        self.keys("Enter")

    def start(self, command: str) -> None:
        """Run a program from a clean screen; :meth:`ended` waits for its end."""
        self.line(f"clear; {command}; echo ended with $?")

    def ended(self) -> int:
        """Wait until what was started has ended and given the screen back; return its exit status."""
        screen = self.wait_until(lambda screen: re.search(r"ended with \d+\n", screen), "the end of the program")
        return int(re.findall(r"ended with (\d+)\n", screen)[-1])

    def screen(self) -> str:
        """What is on the screen, without the blanks at line ends."""
        return self._tmux("capture-pane", "-p")

    def clipboard(self) -> str:
        """What a program copied last; empty where none did."""
        return self._tmux("show-buffer") if self._tmux("list-buffers") else ""

    def resize(self, columns: int, rows: int) -> None:
        """Change the window's size."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def wait_for(self, *texts: str, gone: str = "", seconds: float = LONGEST_WAIT) -> str:
        """Wait until all texts are on one screen, and another is not; return that screen.

        Raises:
            AssertionError: They do not come; it holds the screen as it is then.
        """
        wanted = f"{texts} without {gone!r}" if gone else f"{texts}"
        return self.wait_until(
            lambda screen: all(text in screen for text in texts) and not (gone and gone in screen), wanted, seconds
        )

    def wait_until(self, true: Callable[[str], object], what: str, seconds: float = LONGEST_WAIT) -> str:
        """Wait until something holds, of the screen or of anything else; return the screen.

        Raises:
            AssertionError: It does not come to hold; it holds the screen as it is then.
        """
        end = time.monotonic() + seconds
        while not true(screen := self.screen()):
            assert time.monotonic() < end, f"waited in vain for {what}; the screen is\n{framed(screen)}"
            time.sleep(_LOOK_SECONDS)
        return screen

    def close(self) -> None:
        """End the server: the shell and what runs in it lose their terminal, as when a connection breaks.

        It returns when they have ended, since what they write last is read by who comes back.
        """
        command = ["tmux", "-L", self._server]
        panes = ["list-panes", "-a", "-F", "#{pane_pid}"]
        shells = subprocess.run([*command, *panes], env=self._environment, capture_output=True, text=True).stdout
        inside = [one for shell in map(int, shells.split()) for one in psutil.process_iter() if _session(one) == shell]
        place = ["display-message", "-p", "#{socket_path}"]
        socket = subprocess.run([*command, *place], env=self._environment, capture_output=True, text=True).stdout
        subprocess.run([*command, "kill-server"], env=self._environment, capture_output=True)
        _, left = psutil.wait_procs(inside, LONGEST_WAIT)
        assert not left, f"outlived their terminal: {left}"
        if socket:  # the server leaves it behind
            Path(socket.strip()).unlink(missing_ok=True)


def _session(process: psutil.Process) -> int:
    """The number of the process that began its session; 0 where it is gone."""
    try:
        return os.getsid(process.pid)
    except ProcessLookupError:
        return 0


def framed(screen: str) -> str:
    """A screen for the message of an assertion."""
    lines = screen.splitlines()
    rule = "-" * max(map(len, lines), default=0)
    return "\n".join((rule, *lines, rule))
