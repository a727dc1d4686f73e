"""A terminal that goes away takes only what is in it: the run goes on, is found again, and ends when it is told to."""

import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import termios
import time
from contextlib import suppress

import pytest

from tests.conftest import command_line
from tests.soak.searches import JOB, RUN, Search
from tests.soak.victims import tree

pytestmark = pytest.mark.slow
_CONTROL = re.compile(r"\x1b\[[0-9;?<>=$]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[@-_]")


class Terminal:
    """A pseudo-terminal that a command has as its own; closing it is what a broken connection does."""

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
        with suppress(OSError):
            while part := os.read(self._main, 1 << 16):
                self._text += part.decode("utf-8", "replace")
        return _CONTROL.sub("", self._text)

    def close(self):
        os.close(self._main)
        return self.process.wait(30)


def wait_until(condition, seconds=120.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.05)
    return found


@pytest.fixture
def search(tmp_path):
    one = Search(tmp_path / "work", seed=3, trained=500)
    yield one
    worker = one.worker()
    if worker is not None:
        os.killpg(worker.pid, signal.SIGKILL)
    one.store.close()


def trained(search):
    return sum(one["what"] == "done" for one in search.trainings())


def test_a_run_outlives_its_terminal_is_found_again_and_stops(search):
    terminal = Terminal(search, "run", "--resume", RUN)
    wait_until(lambda: trained(search) and "seed" in terminal.text())  # it shows what it follows
    worker = search.worker()
    assert terminal.close() == -signal.SIGHUP
    before = trained(search)
    wait_until(lambda: trained(search) > before)
    assert search.worker() == worker
    (told,) = json.loads(search.call("status", "--json").stdout)["runs"]
    assert (told["state"], told["worker"]) == ("running", f"{worker.host}:{worker.pid}")

    again = Terminal(search)  # the application, which opens where there is something to see
    wait_until(lambda: re.search(rf"{RUN}.*running", again.text(), re.DOTALL))
    follows = Terminal(search, "attach", RUN)
    wait_until(lambda: "seed" in follows.text())
    for one in (again, follows):
        assert one.process.poll() is None
        one.close()
    assert search.worker() == worker

    family = wait_until(lambda: len(found := tree(worker.pid)) > 2 and found)  # itself, the jail, a trainer
    assert search.call("control", "stop").returncode == 0
    wait_until(lambda: not any(one.is_alive() for one in family))
    assert search.store.jobs.get(JOB).state == "stopped"
    assert search.store.jobs.holder(JOB) is None
    assert tree(worker.pid) == []
