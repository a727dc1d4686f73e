"""What judges a search after its kills sees each kind of harm."""

import sqlite3
from collections import Counter

import pytest

from fairnad_engine.store import Store
from fairnad_engine.workspace import template_of
from tests.soak.committed import Committed, repeated


@pytest.fixture
def path(tmp_path):
    with Store(tmp_path / "fairnad.db") as store:
        template, _ = template_of(store)
        store.ideas.add_imported(template, [(one.id, one.name, one.id) for one in template.subs], approve=True)
    return tmp_path / "fairnad.db"


def change(path, statement):
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM ideas WHERE rowid = 3", "UPDATE ideas SET status = 'rejected' WHERE rowid = 3"],
)
def test_a_committed_row_that_is_gone_or_otherwise_is_lost(path, statement):
    committed = Committed(path)
    committed.look()
    assert committed.rows > 50
    committed.look()
    assert committed.lost == []
    change(path, statement)
    committed.look()
    assert [one[0] for one in committed.lost] == ["ideas"]


def test_damage_of_the_file_is_seen(path):
    committed = Committed(path)
    assert committed.corruption() == []
    with path.open("r+b") as file:
        data = bytearray(file.read())
        place = data.rindex(b"conv.depthwise")
        file.seek(place - place % 4096)
        file.write(b"\xff" * 200)
    assert committed.corruption() != []


def test_a_training_begun_once_too_often_is_seen():
    def started(*jobs):
        return [{"job": job, "what": "start"} for job in jobs] + [{"job": "a", "what": "done"}]

    assert repeated(started("a", "b", "b"), Counter({"b": 1})) == []
    assert repeated(started("a", "b", "b", "b"), Counter({"b": 1})) == ["b: 3 starts, 1 kills"]
    assert repeated(started("a", "a"), Counter()) == ["a: 2 starts, 0 kills"]
