"""What a short command adds up over thousands of rows is read from indexes, never from the rows and their programs."""

import pytest

from fairnad_engine.store import Store, ideas, ledger


@pytest.fixture
def database(tmp_path):
    with Store(tmp_path / "w.db") as store:
        yield store._db


@pytest.mark.parametrize(
    "query", [ledger._DECIDED, ledger._TRAININGS, ideas.COUNTS], ids=["decided", "trainings", "ideas"]
)
def test_only_indexes_are_read(database, query):
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query}", ["run-1"] * query.count("?"))]
    tables = [step for step in plan if step.startswith(("SEARCH", "SCAN")) and " INDEX " in step]
    assert tables
    # side models have no texts in their rows
    assert all("COVERING INDEX" in step for step in tables if "side_models" not in step), plan
    assert not any(step.startswith("SCAN") and " INDEX " not in step and step != "SCAN c" for step in plan), plan


def test_a_proposal_s_backbone_is_found_by_its_whole_place(database):
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {ledger._DECIDED}", ["run-1"])]
    assert any("idx_candidates_progress (run_id=? AND generation=? AND slot=? AND step=?)" in step for step in plan)
