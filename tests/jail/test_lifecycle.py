"""Attempts side by side, deadlines, deaths of zygote and client, what is left behind: nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from conftest import HERE

from fairnad_engine.backbone.jail import Jail, places, wire
from fairnad_engine.backbone.jail.turns import Turns
from fairnad_engine.errors import JailError

SLEEP = "import os, time\nprint(os.getpid(), os.getcwd(), flush=True)\ntime.sleep(3600)"


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE  # an orphan init has yet to reap
    except psutil.NoSuchProcess:
        return True


def zygote_of(jail: Jail) -> int:
    return jail.run("ping", {}).data["parent"]


def test_blobs_and_data_come_back(bare_jail: Jail) -> None:
    blobs = {"w": os.urandom(3 << 20), "empty": b""}
    result = bare_jail.run("ping", {"value": {"x": [1, "é"]}}, blobs)
    assert result.ok
    assert result.data["pong"] == {"x": [1, "é"]}
    assert result.blobs == blobs


def test_attempts_run_side_by_side_and_are_not_mixed_up(bare_jail: Jail) -> None:
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda n: bare_jail.run("ping", {"value": n}, {"b": bytes([n])}), range(60)))
    assert [r.data["pong"] for r in results] == list(range(60))
    assert [r.blobs["b"] for r in results] == [bytes([n]) for n in range(60)]
    assert len({r.data["process"] for r in results}) == 60


@pytest.mark.fault("jail-deadline")
def test_deadline_kills_and_leaves_nothing(bare_jail: Jail) -> None:
    result = bare_jail.run("snippet", {"source": SLEEP}, wall_seconds=2.0)
    process, scratch = result.stdout.split()
    assert result.failure == "timeout"
    assert result.seconds >= 2.0
    assert not psutil.pid_exists(int(process))
    assert not Path(scratch).exists()


def test_an_attempt_hung_does_not_hold_up_its_neighbour(bare_jail: Jail) -> None:
    with ThreadPoolExecutor(1) as pool:
        hung = pool.submit(bare_jail.run, "snippet", {"source": SLEEP}, wall_seconds=2.0)
        assert all(bare_jail.run("ping", {}).ok for _ in range(20))
        assert hung.result().failure == "timeout"


def test_scratch_is_private_and_flat_and_nothing_in_it_can_be_hidden(bare_jail: Jail) -> None:
    source = """
        import os, tempfile
        descriptor, name = tempfile.mkstemp()
        os.write(descriptor, b"x")
        seen = {
            "here": os.path.dirname(name) == os.getcwd(),
            "above": tries(lambda: os.listdir("..")),
            "folder": tries(lambda: os.mkdir("d")),
            "removed": tries(lambda: os.unlink(name)),
        }
    """
    result = bare_jail.run("snippet", {"source": textwrap.dedent(source)})
    assert result.data["seen"] == {"here": True, "above": "EACCES", "folder": "EPERM", "removed": "EPERM"}


def test_chance_is_the_same_in_every_zygote() -> None:
    source = "import random\nseen = {'drawn': random.random()}"
    drawn = []
    for _ in range(2):
        with Jail(tasks_module="hostile_tasks", extra_folders=[HERE], preload=()) as jail:
            drawn.append(jail.run("snippet", {"source": source}).data["seen"]["drawn"])
    assert drawn[0] == drawn[1]


def test_a_deadline_met_without_computing_is_tried_once_more_alone(bare_jail: Jail) -> None:
    seen: list[set[int]] = []

    class Watched(Turns):
        @contextmanager
        def alone(self) -> Iterator[None]:
            with super().alone():
                seen.append({self._together})
                yield

    bare_jail._turns = Watched()
    spin = bare_jail.run("snippet", {"source": "while True: pass"}, wall_seconds=20.0, cpu_seconds=1)
    assert (spin.failure, spin.attempts) == ("timeout", 1)
    with ThreadPoolExecutor(3) as pool:
        asleep = pool.submit(bare_jail.run, "snippet", {"source": SLEEP}, wall_seconds=0.3)
        others = [pool.submit(bare_jail.run, "ping", {}) for _ in range(8)]
        assert (asleep.result().failure, asleep.result().attempts) == ("timeout", 2)
        assert all(other.result().ok for other in others)
    assert seen == [{0}]


def test_a_kill_by_the_system_is_tried_once_more_alone(bare_jail: Jail) -> None:
    result = bare_jail.run("snippet", {"source": "import os\nos.kill(os.getpid(), 9)"})
    assert (result.failure, result.attempts) == ("memory", 2)


def test_one_who_waits_to_be_alone_goes_before_newcomers() -> None:
    turns, order = Turns(), []

    def alone() -> None:
        with turns.alone():
            order.append("alone")

    def newcomer() -> None:
        with turns.shared():
            order.append("newcomer")

    with turns.shared():
        waiting = threading.Thread(target=alone)
        waiting.start()
        until(lambda: turns._waiting)
        late = threading.Thread(target=newcomer)
        late.start()
    waiting.join(30)
    late.join(30)
    assert order == ["alone", "newcomer"]


def test_output_is_bounded_and_cannot_steer_a_terminal(bare_jail: Jail) -> None:
    result = bare_jail.run("snippet", {"source": "print('\\x1b[2J\\x9b1m\\u202e' + 'x' * 300_000)"})
    assert result.ok
    assert len(result.stdout) <= 64 << 10
    assert not set(result.stdout) & set("\x1b\x9b\u202e")


def test_a_failure_quotes_the_candidates_own_lines(bare_jail: Jail) -> None:
    source = "def build():\n    raise ValueError('wrong\\nshape')\n\nbuild()\n"
    result = bare_jail.run("snippet", {"source": source})
    assert result.failure == "crash"
    assert result.message.splitlines() == [
        "ValueError: wrong shape",
        "  candidate.py:4 in <module>: build()",
        "  candidate.py:2 in build: raise ValueError('wrong\\nshape')",
    ]


def test_one_attempt_cannot_poison_the_next(bare_jail: Jail) -> None:
    poison = "import builtins, json, os\nbuiltins.len = json.loads = os.read = None\nseen = {}"
    bare_jail.run("snippet", {"source": poison})
    assert bare_jail.run("snippet", {"source": "seen = {'n': len('abc')}"}).data["seen"] == {"n": 3}


def test_unknown_task_and_oversized_request(bare_jail: Jail) -> None:
    assert bare_jail.run("nothing", {}).failure == "crash"
    with pytest.raises(wire.FrameError):
        bare_jail.run("ping", {}, {"b": bytes(wire.MAX_BLOB_BYTES + 1)})


@pytest.mark.fault("zygote-killed")
def test_a_dead_zygote_is_replaced_and_the_attempt_repeated(bare_jail: Jail) -> None:
    first = zygote_of(bare_jail)
    source = "import time\ntime.sleep(2)\nseen = {'end': 'reached'}"  # time enough to find and kill it
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(bare_jail.run, "snippet", {"source": source})
        until(lambda: psutil.Process(first).children())
        child = psutil.Process(first).children()[0]
        os.kill(first, signal.SIGKILL)
        assert running.result().data["seen"] == {"end": "reached"}
    assert gone(child)
    assert zygote_of(bare_jail) != first


def test_a_child_that_is_stopped_is_ended_at_its_deadline_and_the_attempt_repeated(bare_jail: Jail) -> None:
    source = "import time\ntime.sleep(2)\nseen = {'end': 'reached'}"  # time enough to find and stop it
    zygote = psutil.Process(zygote_of(bare_jail))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(bare_jail.run, "snippet", {"source": source}, wall_seconds=6.0)
        until(zygote.children)
        child = zygote.children()[0]
        os.kill(child.pid, signal.SIGSTOP)
        result = running.result()
    assert (result.data["seen"], result.attempts) == ({"end": "reached"}, 2)
    assert gone(child)


def test_closing_ends_what_runs(tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def hang(jail: Jail) -> None:
        try:
            jail.run("snippet", {"source": SLEEP})
        except JailError as error:
            errors.append(error)

    with Jail(tasks_module="hostile_tasks", extra_folders=[HERE], preload=()) as jail:
        zygote = psutil.Process(zygote_of(jail))
        thread = threading.Thread(target=hang, args=(jail,))
        thread.start()
        until(zygote.children)
        (child,) = zygote.children()
    thread.join(30)
    assert len(errors) == 1
    assert gone(child)
    assert gone(zygote)
    with pytest.raises(JailError, match="closed"):
        jail.run("ping", {})


def test_everything_dies_with_the_client() -> None:
    script = f"""
        import threading, time
        from pathlib import Path
        from fairnad_engine.backbone.jail import Jail
        with Jail(tasks_module="hostile_tasks", extra_folders=[Path({str(HERE)!r})], preload=()) as jail:
            zygote = jail.run("ping", {{}}).data["parent"]
            ask = {{"source": "import os\\nseen = {{'at': os.getcwd()}}"}}
            base = jail.run("snippet", ask).data["seen"]["at"]
            threading.Thread(target=jail.run, args=("snippet", {{"source": {SLEEP!r}}})).start()
            print(zygote, base.rsplit("/", 1)[0], flush=True)
            time.sleep(3600)
    """
    environment = {**os.environ, "PYTHONPATH": str(places.PACKAGE.parent)}
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True, env=environment
    ) as client:
        assert client.stdout is not None
        number, base = client.stdout.readline().split()
        zygote = psutil.Process(int(number))
        until(zygote.children)
        (child,) = zygote.children()
        client.kill()
    until(lambda: gone(child))
    until(lambda: gone(zygote))
    until(lambda: not Path(base).exists())


def test_a_zygote_that_cannot_start_says_why_in_one_line() -> None:
    with pytest.raises(JailError, match="no_such_tasks") as caught, Jail(tasks_module="no_such_tasks", preload=()):
        pass
    assert "\n" not in str(caught.value)


def test_a_memory_limit_below_what_the_interpreter_maps_is_refused() -> None:
    tiny = Jail(tasks_module="hostile_tasks", extra_folders=[HERE], preload=(), memory_bytes=64 << 20)
    with pytest.raises(JailError, match="no room"), tiny:
        pass


def test_the_client_receives_json_only(bare_jail: Jail) -> None:
    result = bare_jail.run("ping", {"value": [1.5, None, True, {"a": "b"}]})
    assert json.loads(json.dumps(result.data)) == result.data
