"""The ideas in memory: what a filter matches, what changes do to cursor and marks, the pace. No widgets here."""

import pytest

from fairnad_engine.store import Store
from fairnad_screens.data.ideas import Known, read_ideas
from fairnad_screens.data.ideas_book import IdeaBook
from fairnad_screens.data.ideas_filter import IdeaFilter, status_in, with_status
from fairnad_screens.data.ideas_pace import Pace
from tests.tui.idea_library import fill


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    with Store(fill(tmp_path_factory.mktemp("ideas") / "w.db")) as store:
        return read_ideas(store, Known())


@pytest.fixture
def book(snapshot):
    one = IdeaBook()
    one.set_papers(snapshot.papers)
    one.load(snapshot.lines)
    return one


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("cat:conv", [3, 4, 5]),
        ("cat:conv.depthwise number 5", [5]),
        ("cat:operation", list(range(9))),
        ("paper:p1", [5, 6, 7, 8]),
        ("paper:residual", [0, 1, 2, 3, 4]),
        ('paper:"layers rethinking" grounded:yes', [5, 6, 7]),
        ("grounded:no", [8]),
        ("origin:own", []),
        ("origin:ext 3", [3]),
        ("status:prop QUOTE 2", [2]),
        ("status:approved", []),
        ("status: 7", [7]),
        ("status:nonsense", []),
        ("name.7", []),
    ],
)
def test_tokens_of_the_filter(book, text, places):
    book.filter = IdeaFilter.parse(text)
    book.refilter()
    assert book.shown == places


def test_the_filter_text_takes_another_status():
    assert with_status("Status:approved  a b", "rejected") == "status:rejected a b"
    assert with_status("status:approved", None) == ""
    assert with_status("xstatus:y", None) == "xstatus:y"
    assert status_in("cat:conv status:approved") == "approved"
    assert status_in("status:app") is None


def test_a_decided_row_leaves_and_comes_back_and_the_cursor_stays_on_its_idea(book):
    book.filter = IdeaFilter.parse("status:proposed")
    book.refilter()
    book.move_to(4)
    here = book.current
    first = book.lines[0]
    book.put(first._replace(status="approved"))
    assert (book.current, book.cursor, len(book.shown)) == (here, 3, 8)
    book.put(first)
    assert (book.current, book.cursor, len(book.shown)) == (here, 4, 9)
    book.put(book.lines[8]._replace(status="approved"))
    assert (book.current, book.decided) == (here, 1)


def test_new_and_moved_ideas_are_put_in_order_and_the_cursor_stays_on_its_idea(book):
    book.move_to(3)
    here = book.current
    assert not book.merge([book.lines[5]])
    moved = book.lines[0]._replace(sub="tail.x", order=("tail.x", 1))
    assert book.merge([moved])
    assert (book.lines[-1], book.current) == (moved, here)
    new = here._replace(id="new", order=("act.a", 0))
    assert book.merge([new])
    assert (book.lines[0], book.current) == (new, here)


@pytest.mark.parametrize("by", ["put", "merge"])
def test_a_moved_idea_keeps_its_row_while_the_cursor_is_on_it(book, by):
    book.move_to(3)
    moved = book.current._replace(sub="tail.x", order=("tail.x", 1))
    below = book.lines[4]
    if by == "put":
        book.put(moved)
    else:
        book.merge([moved])
    assert (book.lines[3], book.current) == (moved, moved)
    book.move_to(4)
    assert (book.lines[-1], book.current, book.cursor) == (moved, below, 3)


def test_a_filter_puts_a_moved_idea_where_it_belongs(book):
    book.move_to(3)
    moved = book.current._replace(sub="tail.x", order=("tail.x", 1))
    book.put(moved)
    book.refilter()
    assert (book.lines[-1], book.current) == (moved, moved)


def test_a_range_is_what_lies_between_whichever_way(book):
    book.move_to(5)
    book.anchor = book.current.id
    book.move_to(2)
    assert list(book.ranged()) == [2, 3, 4, 5]
    book.end_range()
    assert book.marked() == [book.lines[i].id for i in (2, 3, 4, 5)]
    book.filter = IdeaFilter.parse("cat:conv")
    book.refilter()
    assert book.hidden_marks() == 1


def test_marks_of_ideas_that_are_gone_are_forgotten(book):
    book.mark_shown()
    book.anchor = book.lines[8].id
    book.load(book.lines[:3])
    assert (len(book.marks), book.anchor) == (3, None)


def test_only_changes_are_read(tmp_path):
    with Store(fill(tmp_path / "w.db")) as store:
        first = read_ideas(store, Known())
        assert (first.whole, len(first.lines), len(first.papers), len(first.subs)) == (True, 9, 2, 55)
        again = read_ideas(store, first.known)
        assert (again.whole, again.lines, again.papers, again.subs) == (False, (), None, None)
        store.ideas.decide([first.lines[4].id], "rejected", "person")
        (changed,) = read_ideas(store, again.known).lines
        assert changed == first.lines[4]._replace(status="rejected")


def test_the_pace_is_of_the_last_minutes():
    pace = Pace()
    assert pace.per_minute(0.0) is None
    for second in range(0, 120, 2):
        pace.note(1, float(second))
    assert pace.per_minute(120.0) == 30
    assert pace.per_minute(418.0) == 1
    assert pace.per_minute(1000.0) is None
