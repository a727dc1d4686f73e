"""Complete small searches with kills at random moments lose nothing, repeat nothing and end as if undisturbed."""

import os
import random
import shutil
import time
from collections import Counter

import pytest

from tests.soak.killing import Killing
from tests.soak.searches import Search

VICTIMS = ("worker", "zygote", "child", "trainer", "app")
SHORT = {"worker": 3, "zygote": 1, "child": 4, "trainer": 27, "app": 15}


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


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fifty_kills_lose_nothing(tmp_path):
    settings = {"seed": 3, "trained": 5}
    plain = Search(tmp_path / "plain", **settings)
    plain.finish()
    rng = random.Random(50)
    left, kills = Counter(SHORT), Counter()
    for number in range(4):  # one, as a rule, is long enough for all kills
        if left.total():
            folder = tmp_path / f"killed-{number}"
            left, told = disturbed(folder, rng, left, plain.digest(), longest=0.1, spread=40, **settings)
            assert told.wrong == []
            kills += told.kills
    plain.store.close()
    assert kills == SHORT


# Every kind of search: seeds, what a proposal may see, whether failed slots are refilled, proposals at a time.
KINDS = (
    {"seed": 3, "trained": 10},
    {"seed": 4, "trained": 10, "search": {"proposals": "lookahead"}, "lanes": 4},
    {"seed": 5, "trained": 10, "search": {"proposals": "sequential"}},
    {"seed": 6, "trained": 10, "search": {"refill": True}, "lanes": 3},
)
SHARES = {"worker": 20, "zygote": 6, "child": 14, "trainer": 35, "app": 25}  # of a hundred kills


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"seed-{kind['seed']}")
def test_a_thousand_kills_lose_nothing(tmp_path, kind):
    total = int(os.environ.get("FAIRNAD_SOAK_KILLS", "1000")) // len(KINDS)
    plain = Search(tmp_path / "plain", **kind)
    plain.finish()
    wanted = Counter({victim: total * share // 100 for victim, share in SHARES.items()})
    wanted["trainer"] += total - wanted.total()
    left, kills, wrong = Counter(wanted), Counter(), []
    rng = random.Random(kind["seed"])
    for number in range(4 + total):
        if not left.total():
            break
        folder = tmp_path / f"seed-{kind['seed']}-{number}"
        pace = {"longest": rng.choice((0.1, 0.5)), "spread": 80}
        left, told = disturbed(folder, rng, left, plain.digest(), **pace, **kind)
        kills += told.kills
        wrong += [f"{folder.name}: {one}" for one in told.wrong]
        if not told.wrong:
            shutil.rmtree(folder)
    plain.store.close()
    assert wrong == []
    assert kills == wanted
