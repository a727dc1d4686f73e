"""Complete small searches with kills at random moments lose nothing, repeat nothing and end as if undisturbed."""

import random
import time
from collections import Counter

import pytest

from tests.soak.killing import Killing
from tests.soak.searches import Search

VICTIMS = ("worker", "zygote", "child", "trainer", "app")
SHORT = {"worker": 4, "zygote": 1, "child": 6, "trainer": 24, "app": 15}


def disturbed(folder, rng, plan, undisturbed, *, longest, **settings):
    """One search under a plan; what is left of the plan, and what came of it."""
    started = time.monotonic()
    search = Search(folder, **settings)
    killing = Killing(search, rng, plan, longest)
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
            left, told = disturbed(folder, rng, left, plain.digest(), longest=0.1, **settings)
            assert told.wrong == []
            kills += told.kills
    plain.store.close()
    assert kills == SHORT
