"""The journal of curation: bulk decisions, undo across connections, moves, merges, and the feed of changes."""

import pytest

from fairnad_engine.errors import InputError
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.llm.protocol import IdeaDraft
from fairnad_engine.store import Store
from fairnad_engine.workspace import template_of

TEXT = "# Title\n\nBefore it.\nUse depthwise convolutions.\nAfter it.\n\nAnother paragraph."
QUOTE = "Use depthwise convolutions."
MOVED = {"sub": "conv.grouped", "main": "conv", "level": "operation"}


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "w.db") as one:
        template, _ = template_of(one)
        paper = PaperText(
            id="p1",
            title="A paper",
            authors=(),
            year=2020,
            venue="",
            arxiv="",
            abstract="",
            text=TEXT,
            source="x",
            sections=(),
        )
        one.papers.add(paper)
        start = TEXT.index(QUOTE)
        drafts = [
            IdeaDraft(
                "conv", "conv.depthwise", f"idea {n}", f"Instruction number {n}.", QUOTE, (start, start + len(QUOTE))
            )
            for n in range(6)
        ]
        one.ideas.file_extracted("p1", drafts, template, "rules")
        yield one


def ids(store):
    return [line.id for line in store.curation.lines()]


def statuses(store):
    return [line.status for line in store.curation.lines()]


def test_a_bulk_decision_is_undone_as_one_by_another_connection(store):
    first, *rest = ids(store)
    store.ideas.decide([first], "rejected", "person")
    before = store.ideas.all()
    assert store.ideas.decide([first, *rest], "approved", "person") == 6
    with Store(store.path) as other:
        assert other.journal.last().summary == "approved 6 ideas"
        undone = other.journal.undo()
    assert (len(undone.ids), undone.left) == (6, 0)
    assert store.ideas.all() == before  # decider and time included
    assert store.journal.undo().ids == (first,)
    assert set(statuses(store)) == {"proposed"}
    assert store.journal.undo() is None


def test_undo_leaves_what_was_decided_again(store):
    one, two, *_ = ids(store)
    store.ideas.decide([one, two], "approved", "person")
    store._db.execute("UPDATE ideas SET status = 'rejected', decided_by = 'else' WHERE id = ?", [one])
    undone = store.journal.undo()
    assert (undone.ids, undone.left) == ((two,), 1)
    assert store.ideas.get(one).status == "rejected"


def test_undo_of_another_operation_than_the_one_meant_does_nothing(store):
    one, two, *_ = ids(store)
    store.ideas.decide([one], "approved", "person")
    meant = store.journal.last()
    store.ideas.decide([two], "approved", "person")
    assert store.journal.undo(meant.id) is None
    assert store.ideas.get(two).status == "approved"


def test_what_changes_nothing_is_no_operation(store):
    one = ids(store)[0]
    assert store.ideas.decide([one], "proposed", "person") == 0
    assert store.journal.edit(one, {"name": store.ideas.get(one).name}, "person") is False
    assert store.journal.last() is None


def test_an_unknown_idea_is_named_and_nothing_is_decided(store):
    with pytest.raises(InputError, match="'nosuch'"):
        store.ideas.decide([ids(store)[0], "nosuch"], "approved", "person")
    assert store.journal.last() is None
    assert set(statuses(store)) == {"proposed"}


def test_moves_and_edits_are_undone_with_their_history(store):
    one, two, *_ = ids(store)
    assert store.journal.move([one, two], MOVED, "person") == 2
    store.ideas.edit(one, {"instruction": "Something else."}, "person")
    assert [line.sub for line in store.curation.lines()].count("conv.grouped") == 2
    store.journal.undo()
    assert store.ideas.get(one).instruction == "Instruction number 0."
    assert set(store.journal.undo().ids) == {one, two}
    story = store.curation.story(store.ideas.get(one))
    assert story.idea.sub == "conv.depthwise"
    assert [(h.field, h.new, h.by) for h in story.history] == [
        ("sub", "conv.grouped", "person"),
        ("instruction", "Something else.", "person"),
        ("instruction", "Instruction number 0.", "undo"),
        ("sub", "conv.depthwise", "undo"),
    ]


def test_a_merge_keeps_sources_also_of_earlier_merges(store):
    one, two, three, *_ = ids(store)
    store.journal.merge(two, [one], "person")
    assert store.journal.merge(three, [two, three], "person") == 1
    story = store.curation.story(store.ideas.get(three))
    assert [s.idea_id for s in story.sources] == [one, two]
    assert story.sources[0].title == "A paper"
    merged = store.curation.story(store.ideas.get(two))
    assert (merged.idea.status, merged.idea.decided_by) == ("rejected", f"merged:{three}")
    assert merged.merged_into == "Instruction number 2."
    with pytest.raises(InputError, match="rejected"):
        store.journal.merge(two, [three], "person")
    store.journal.undo()
    assert store.curation.story(store.ideas.get(three)).sources == ()
    assert store.ideas.get(two).status == "proposed"
    assert [s.idea_id for s in store.curation.story(store.ideas.get(two)).sources] == [one]


def test_an_idea_of_ones_own_is_approved_and_undo_rejects_it(store):
    template, _ = template_of(store)
    mine = store.ideas.add_own(template, "conv.depthwise", "mine", "Use what I say.")
    assert store.ideas.get(mine).status == "approved"
    assert store.journal.undo().ids == (mine,)
    assert store.ideas.get(mine).status == "rejected"


def test_the_feed_names_each_changed_idea_once_whoever_wrote(store):
    seen = store.curation.sequence()
    one, two, *_ = ids(store)
    store.ideas.decide([two], "approved", "person")
    store.ideas.decide([two], "rejected", "person")
    store._db.execute("UPDATE ideas SET name = 'direct' WHERE id = ?", [one])
    assert [(line.id, line.status, line.name) for line in store.curation.changed_since(seen)] == [
        (one, "proposed", "direct"),
        (two, "rejected", "idea 1"),
    ]
    assert store.curation.changed_since(store.curation.sequence()) == []


def test_the_story_shows_the_quote_in_its_paragraph(store):
    story = store.curation.story(store.ideas.all()[0])
    start, end = story.quoted
    assert story.passage == "Before it.\nUse depthwise convolutions.\nAfter it."
    assert story.passage[start:end] == QUOTE
    assert (story.paper.title, story.paper.year, story.place.main_name) == ("A paper", 2020, "Convolution type")


def test_an_approved_import_is_undone_as_one_and_what_was_there_stays(store):
    template, _ = template_of(store)
    store.ideas.add_imported(template, [("conv.grouped", "there", "Was there.")], approve=False)
    assert store.journal.last() is None
    file = [("conv.grouped", name, f"Do {name}.") for name in ("a", "b")]
    assert (
        store.ideas.add_imported(template, [*file, file[0], ("conv.grouped", "there", "Was there.")], approve=True) == 2
    )
    assert store.journal.last().summary == "added 2 ideas"
    assert store.ideas.counts() | {"proposed": 0} == {"proposed": 0, "approved": 2, "rejected": 0, "imported": 1}
    assert len(store.journal.undo().ids) == 2
    assert store.ideas.counts() | {"proposed": 0} == {"proposed": 0, "approved": 0, "rejected": 2, "imported": 1}
    assert store.journal.last() is None
