"""A run that trains nothing is given up after the same generation, however often it was killed before."""

import random

import pytest

from fairnad_engine.errors import RunFailedError
from fairnad_engine.search.loop import GIVEN_UP
from fairnad_engine.store.runs import RunTable
from tests.search import playing
from tests.search.playing import RUN, KilledError, play, workspace


class NothingBuilds(playing.Verifier):
    """All is refused but the seed."""

    def verify(self, source, width, seed):
        self.fails = 0.0 if source == "seed" else 1.0
        return super().verify(source, width, seed)


def closed(store):
    return [one.number for one in store.runs.generations(RUN) if one.state == "done"]


def give_up(store, **life):
    with pytest.raises(RunFailedError, match="3 generations in a row"):
        play(store, verifier=NothingBuilds(), **life)
    return closed(store)


@pytest.mark.fault("barren")
def test_a_run_that_was_killed_gives_up_where_an_undisturbed_one_does(tmp_path):
    with workspace(tmp_path / "a") as store:
        undisturbed = give_up(store)
        assert undisturbed == [1, 2, 3]
        assert give_up(store) == [1, 2, 3, 4, 5, 6]  # resumed all the same
    rng, lives = random.Random(1), 0
    with workspace(tmp_path / "b") as store:
        for lives in range(1000):
            try:
                play(store, seed=lives, verifier=NothingBuilds(), steps=rng.randrange(40, 160))
            except RunFailedError:
                break
        assert lives > 3
        assert closed(store) == undisturbed


def test_killed_between_the_last_generation_and_giving_up(tmp_path, monkeypatch):
    plain = RunTable.record_event

    def killed(table, run_id, generation, kind, payload):
        if kind == GIVEN_UP:
            raise KilledError
        plain(table, run_id, generation, kind, payload)

    with workspace(tmp_path) as store:
        monkeypatch.setattr(RunTable, "record_event", killed)
        assert play(store, verifier=NothingBuilds()) is None
        monkeypatch.setattr(RunTable, "record_event", plain)
        assert give_up(store) == [1, 2, 3]
