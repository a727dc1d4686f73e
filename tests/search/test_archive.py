"""The archive that a search keeps in memory: the same as one that is read anew, also after kills."""

import pytest

from fairnad_engine.search.archive import Archive, remember
from tests.search.playing import RUN, play, workspace

MODES = ("snapshot", "sequential", "lookahead")


def from_scratch(store, generation, slot):
    """What may be seen, from every row of the run."""
    here = (generation, slot)
    candidates = [c for c in store.runs.candidates(RUN) if (c.generation, c.slot) < here]
    attempts = [a for a in store.runs.attempts(RUN) if (a.generation, a.slot) < here]
    return [(c.id, c.status, c.accuracy) for c in candidates], remember(attempts, candidates)


@pytest.mark.parametrize("mode", MODES)
def test_kept_across_generations_it_is_what_the_store_holds_also_after_kills(tmp_path, monkeypatch, mode):
    looks, at = [], Archive.at

    def compared(archive, generation, slot):
        found = at(archive, generation, slot)
        assert found == at(Archive(archive._store, RUN), generation, slot)
        seen = [(c.id, c.status, c.accuracy) for c in found.candidates]
        assert (seen, found.memory) == from_scratch(archive._store, generation, slot)
        looks.append((generation, slot))
        return found

    monkeypatch.setattr(Archive, "at", compared)
    digests = []
    for kills in ((), (3, 6, 9)):
        with workspace(tmp_path / str(len(kills)), {"proposals": mode}, {"trained": 45}) as store:
            for timing, kill_at in enumerate((*kills, None)):
                digest = play(store, float(timing), kill_at)
                assert (digest is None) == (kill_at is not None)
            digests.append(digest)
    assert digests[0] == digests[1]
    assert len({generation for generation, _ in looks}) > 1


def test_it_reads_only_rows_that_are_new_or_open(tmp_path):
    with workspace(tmp_path, budget={"trained": 30}) as store:
        play(store)
        archive, read = Archive(store, RUN), []
        everyone = archive.candidates()
        store._db.conn.set_trace_callback(read.append)
        assert archive.candidates() is everyone
        store._db.conn.set_trace_callback(None)
        assert len(read) == 1
        assert f"rowid > {max(one.row for one in everyone)}" in read[0]


def test_a_candidate_that_changes_is_seen_as_it_is(tmp_path):
    with workspace(tmp_path, budget={"trained": 20}) as store:
        play(store)
        last = store.runs.candidates(RUN)[-1]
        store._db.table("candidates").update((RUN, last.id), {"status": "training", "accuracy": None})
        archive = Archive(store, RUN)
        assert archive.candidates()[-1].status == "training"
        store._db.table("candidates").update((RUN, last.id), {"status": "trained", "accuracy": 91.0})
        assert archive.candidates()[-1].accuracy == 91.0


def test_memory_reads_no_more_attempts_than_it_looks_through(tmp_path):
    with workspace(tmp_path, budget={"trained": 30}) as store:
        play(store)
        everything = store.runs.attempts(RUN)
        for here in ((1, 1), (1, 7), (2, 1), (2, 20), (9, 1)):
            before = [a for a in everything if (a.generation, a.slot) < here]
            assert store.runs.attempts_before(RUN, *here, 6) == before[-6:]


def test_events_of_a_kind_are_those_of_all_that_are_of_it(tmp_path):
    with workspace(tmp_path, budget={"trained": 30}) as store:
        play(store)
        everything = store.runs.events(RUN)
        assert len({event["kind"] for event in everything}) > 1
        for kinds in (("briefs",), ("ideas", "briefs"), ("none",)):
            assert store.runs.events(RUN, kinds) == [event for event in everything if event["kind"] in kinds]
