"""How far runs are: the same as counting their candidates, and read without their programs."""

import sqlite3

import pytest

from fairnad_engine.search.selection import best_accuracy, counted, trained
from fairnad_tui.commands.running import workspace_status
from tests.search.playing import RUN, play, workspace

HEAVY = {("candidates", "source"), ("attempts", "source"), ("attempts", "verdict_json"), ("model_calls", "reply")}


@pytest.mark.parametrize("chains", ["both", "last"])
def test_status_counts_what_the_candidates_are(tmp_path, chains):
    with workspace(tmp_path, {"stage3_counts": chains}, {"trained": 30}) as store:
        assert workspace_status(store)["runs"][0]["best_validation_accuracy"] is None
        assert play(store, kill_at=25) is None
        candidates = store.runs.candidates(RUN)
        (shown,) = workspace_status(store)["runs"]
        assert shown["trained"] == sum(c.generation > 0 for c in trained(candidates))
        assert shown["counted"] == len(counted(candidates, chains))
        assert shown["screened"] == 0
        assert shown["generation"] == store.runs.generations(RUN)[-1].number
        assert shown["best_validation_accuracy"] == best_accuracy(candidates)
        assert shown["budget"] == 30


def test_status_reads_no_programs(tmp_path):
    with workspace(tmp_path, budget={"trained": 20}) as store:
        play(store)
        read = set()

        def note(action, table, column, *_):
            if action == sqlite3.SQLITE_READ:
                read.add((table, column))
            return sqlite3.SQLITE_OK

        store._db.conn.set_authorizer(note)
        workspace_status(store)
        assert ("candidates", "status") in read
        assert not HEAVY & read


def test_the_count_of_models_is_answered_by_its_index_alone(tmp_path):
    with workspace(tmp_path) as store:
        statements = []
        store._db.conn.set_trace_callback(statements.append)
        store.runs.progress(RUN)
        store._db.conn.set_trace_callback(None)
        counting = [one for one in statements if "FROM candidates" in one]
        assert len(counting) == 2
        for one in counting:
            plan = " ".join(str(tuple(row)) for row in store._db.conn.execute(f"EXPLAIN QUERY PLAN {one}"))
            assert "COVERING INDEX idx_candidates_progress" in plan
