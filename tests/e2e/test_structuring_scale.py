"""Structuring killed by SIGKILL, with the real worker and a real server; ``bench/structuring.py`` at a small size."""

import pytest

from bench.structuring import LANES, compare


@pytest.mark.slow
@pytest.mark.xdist_group("pipeline")
def test_killed_four_times_it_comes_to_the_same_ideas_and_asks_nothing_twice(tmp_path):
    whole, killed = compare(tmp_path, abstracts=30, papers=15, kills=4)
    assert len(whole.asked) == whole.calls == 30 + 15 * 15
    assert whole.repeated == 0
    assert len(whole.ideas) > 150
    assert killed.ideas == whole.ideas
    assert killed.asked.keys() == whole.asked.keys()
    assert killed.repeated <= 4 * LANES
    assert (killed.calls, killed.tokens) == (whole.calls, whole.tokens)
