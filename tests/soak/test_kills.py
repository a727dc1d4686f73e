"""Complete small searches with kills at random moments lose nothing, repeat nothing and end as if undisturbed."""

import json
import os
import random
import re
import shutil
import signal
import time
from collections import Counter

import pytest

from tests.soak.killing import PATIENCE, Killing
from tests.soak.searches import RUN, Search
from tests.soak.terminals import Terminal

VICTIMS = ("worker", "zygote", "child", "trainer", "app")
SHORT = {"stop": 1, "worker": 2, "zygote": 1, "child": 3, "trainer": 28, "app": 16}


def disturbed(folder, rng, plan, undisturbed, *, longest, spread, **settings):
    """One search under a plan; what is left of the plan, and what came of it."""
    started = time.monotonic()
    search = Search(folder, **settings)
    killing = Killing(search, rng, plan, longest=longest, spread=spread)
    left = killing.run()
    if search.digest() != undisturbed:
        killing.told.wrong.append(f"digest {search.digest()}, undisturbed {undisturbed}")
    print(killing.told.line(folder.name, time.monotonic() - started), flush=True)
    for one in [*killing.told.reasons, *killing.told.wrong[:20]]:
        print("  ", one, flush=True)
    search.store.close()
    return left, killing.told


SMALL = {"seed": 3, "trained": 5}


def wait_until(condition, seconds=PATIENCE):
    """What the condition came to."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A search to its end, which nothing disturbs but the loss of the terminal that it was started from."""
    search = Search(tmp_path_factory.mktemp("undisturbed") / "plain", **SMALL)
    yield search
    worker = search.worker()
    if worker is not None:
        os.killpg(worker.pid, signal.SIGKILL)
    search.store.close()


@pytest.mark.slow
@pytest.mark.xdist_group("soak")
@pytest.mark.timeout(600)
def test_a_run_outlives_its_terminal_and_is_found_again(undisturbed):
    search = undisturbed
    terminal = Terminal(search, "run", "--resume", RUN)
    wait_until(lambda: search.trainings() and "queued" not in search.state() and terminal.text())
    worker = search.worker()
    assert terminal.close() in (-signal.SIGHUP, 1)  # or what it wrote to the terminal failed first
    before = len(search.trainings())
    wait_until(lambda: len(search.trainings()) > before)
    (told,) = json.loads(search.call("status", "--json").stdout)["runs"]
    assert (told["state"], told["worker"]) == ("running", f"{worker.host}:{worker.pid}")
    again = Terminal(search)  # the application, which opens where there is something to see
    follows = Terminal(search, "attach", RUN)
    wait_until(lambda: re.search(rf"{RUN}.*running", again.text(), re.DOTALL))
    wait_until(lambda: "seed" in follows.text())
    assert search.worker() == worker
    assert again.process.poll() is None
    assert search.call("control", "stop").returncode == 0
    wait_until(lambda: search.state() == "stopped" and search.worker() is None)
    follows.close()
    wait_until(lambda: "stopped" in again.text())
    again.press("S")
    wait_until(lambda: again.press("r") or search.worker())  # started from the screens this time
    assert search.worker() != worker
    again.close()
    wait_until(lambda: search.state() == "done")
    assert search.digest()


@pytest.mark.slow
@pytest.mark.xdist_group("soak")
@pytest.mark.timeout(900)
def test_fifty_kills_lose_nothing(tmp_path, undisturbed):
    if undisturbed.state() != "done":
        undisturbed.finish()  # where this test runs alone
    rng = random.Random(50)
    left, kills = Counter(SHORT), Counter()
    for number in range(4):  # one, as a rule, is long enough for all kills
        if left.total():
            folder = tmp_path / f"killed-{number}"
            left, told = disturbed(folder, rng, left, undisturbed.digest(), longest=0.1, spread=40, **SMALL)
            assert told.wrong == []
            kills += told.kills
    assert kills == SHORT


# Every kind of search: seeds, what a proposal may see, whether failed slots are refilled, proposals at a time.
KINDS = (
    {"seed": 3, "trained": 10},
    {"seed": 4, "trained": 10, "search": {"proposals": "lookahead"}, "lanes": 4},
    {"seed": 5, "trained": 10, "search": {"proposals": "sequential"}},
    {"seed": 6, "trained": 10, "search": {"refill": True}, "lanes": 3},
)
SHARES = {"worker": 20, "zygote": 6, "child": 14, "trainer": 35, "app": 25}  # of a hundred kills
STOPS = 2  # requests besides, on a hundred kills


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"seed-{kind['seed']}")
def test_a_thousand_kills_lose_nothing(tmp_path, kind):
    total = int(os.environ.get("FAIRNAD_SOAK_KILLS", "1000")) // len(KINDS)
    plain = Search(tmp_path / "plain", **kind)
    plain.finish()
    wanted = Counter({victim: total * share // 100 for victim, share in SHARES.items()})
    wanted["trainer"] += total - wanted.total()
    wanted["stop"] = -(-total * STOPS // 100)
    left, kills, wrong = Counter(wanted), Counter(), []
    rng = random.Random(kind["seed"])
    for number in range(4 + total):
        if not left.total():
            break
        folder = tmp_path / f"seed-{kind['seed']}-{number}"
        pace = {"longest": rng.choice((0.1, 0.5)), "spread": 30}
        left, told = disturbed(folder, rng, left, plain.digest(), **pace, **kind)
        kills += told.kills
        wrong += [f"{folder.name}: {one}" for one in told.wrong]
        if not told.wrong:
            shutil.rmtree(folder, ignore_errors=True)  # an app that was killed may still be leaving
    plain.store.close()
    assert wrong == []
    assert kills == wanted
