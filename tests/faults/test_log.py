"""A job's log stays small whoever writes into it, and whoever looks on sees its end."""

import os
import subprocess
import sys
import threading
import time

import pytest

from fairnad_engine.job_log import JobLog
from fairnad_screens.data.search_follow import LogTail
from tests.conftest import environment
from tests.faults.played_worker import played_workspace

_WRITES = """
import subprocess, sys, time
for number in range(3000):
    print("worker", number, "x" * 80, flush=True)
    if number % 100 == 0:
        time.sleep(0.01)  # a copy that is held up by a busy machine holds what is written meanwhile too
    if number == 1000:
        # A child has the worker's descriptor, as trainers and the jail have.
        more = "import time\\nfor number in range(3000):\\n    print('child', number, 'y' * 80, flush=True)\\n"
        # What is written between the end of a copy and the cut is lost; the last line comes when nothing is cut.
        more += "    number % 100 or time.sleep(0.01)\\n    number == 2998 and time.sleep(0.3)"
        child = subprocess.Popen([sys.executable, "-c", more])
child.wait()
"""


@pytest.mark.fault("log-full")
def test_it_is_cut_under_the_hands_of_those_who_write(tmp_path):
    log = JobLog(tmp_path, most=20_000, parts=2)
    with log.path.open("ab") as file:
        process = subprocess.Popen([sys.executable, "-c", _WRITES], stdout=file, env=environment())
    while process.poll() is None:
        log.keep_small()
        time.sleep(0.001)
    assert process.returncode == 0
    log.keep_small()
    left = sorted(one.name for one in tmp_path.iterdir())
    assert left == ["log.1.txt", "log.2.txt", "log.txt"]
    assert sum(one.stat().st_size for one in tmp_path.iterdir()) <= 2 * 3 * 20_000  # of half a megabyte
    text = log.part(1).read_text() + log.path.read_text()  # which may just have been cut
    assert "child 2999" in text or "worker 2999" in text
    assert "\0" not in text  # nobody went on at an old place
    assert len(text.splitlines()) > 5


@pytest.mark.fault("log-full")
def test_a_worker_cuts_its_own_log_and_the_desk_shows_its_end(tmp_path, start, check_whole):
    path = played_workspace(tmp_path)

    def prepare(played):
        from fairnad_engine import heartbeat, worker

        heartbeat.BEAT_SECONDS = 0.05
        worker.JobLog = lambda folder: JobLog(folder, most=5_000, parts=2)
        threading.Thread(target=babble, daemon=True).start()
        played.trainers.seconds = 0.05

    def babble():
        for number in range(2000):
            os.write(2, f"a line that some library writes, number {number}\n".encode())
            time.sleep(0.001)

    worker = start(path, prepare=prepare)
    assert worker.wait() == 0
    check_whole(path)
    parts = sorted(one.name for one in worker.log.parent.glob("log*.txt"))
    assert parts == ["log.1.txt", "log.2.txt", "log.txt"]
    assert any("done: run digest" in line for line in LogTail(path, "job-1").read())


def test_a_log_without_room_for_its_copy_is_cut_all_the_same(disk):
    log = JobLog(disk, most=1 << 20, parts=2)
    log.path.write_bytes(b"line\n" * (800_000))
    with (disk / "ballast").open("wb") as file:
        file.write(bytes(os.statvfs(disk).f_bavail * 4096 - (1 << 19)))
    log.keep_small()
    assert log.path.stat().st_size == 0
