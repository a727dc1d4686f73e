"""Near-duplicates: what says the same is one group, what a word or a number makes another idea is not."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from fairnad_engine.knowledge.near_duplicates import duplicate_groups, group_of
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.knowledge.structuring import apply_policy
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.protocol import IdeaDraft
from fairnad_engine.store import Store
from fairnad_engine.store.knowledge_records import IdeaRow
from fairnad_tui.cli import group as program

FIRST = "Use a depthwise 7x7 convolution in each block."


def idea(number, instruction, **other):
    row = IdeaRow(
        f"i{number}", "p", "operation", "conv", "conv.depthwise", "n", instruction, "q", (0, 1), "extracted",
        "proposed", "", "", "", "exact",
    )  # fmt: skip
    return replace(row, **other)


def grouped(*instructions, **settings_):
    ideas = [idea(number, text) for number, text in enumerate(instructions)]
    return [[one.id for one in group.ideas] for group in duplicate_groups(ideas, **settings_)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (FIRST, FIRST),
        (FIRST, "Use depthwise 7×7 convolutions in every block"),
        (FIRST, "In each block, apply a 7x7 depthwise convolution."),
        ("Normalise each feature map over its channels.", "Apply normalization of feature maps over channels"),
        (FIRST, "Use a depthwise 7x7 convolution in each block of the network."),
    ],
)
def test_what_says_the_same(one, other):
    assert grouped(one, other) == [["i0", "i1"]]
    assert grouped(other, one) == [["i0", "i1"]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (FIRST, "Use a depthwise 5x5 convolution in each block."),
        (FIRST, "Use a pointwise 7x7 convolution in each block."),
        (FIRST, "Never use a depthwise 7x7 convolution in each block."),
        ("Place the normalisation before each convolution.", "Place the normalisation after each convolution."),
        ("Increase the width of each stage of the network.", "Decrease the width of each stage of the network."),
        ("Replace ReLU by GELU in each block of the network.", "Replace ReLU by SiLU in each block of the network."),
        ("Replace batch norm by layer norm in each block.", "Replace batch norm by group norm in each block."),
        (FIRST, "Use a depthwise 7x7 convolution with squeezing, gating and a residual path around it, in each block."),
        ("", "Use it."),
    ],
)  # fmt: skip
def test_what_does_not(one, other):
    assert grouped(one, other) == []


def test_the_threshold():
    texts = (FIRST, "Use a depthwise 7x7 convolution in each block of the network.")
    assert grouped(*texts, threshold=95) == []
    assert grouped(FIRST, FIRST.upper(), threshold=100) == [["i0", "i1"]]
    assert grouped(FIRST, FIRST + " Hence convolutions.", threshold=50) == [["i0", "i1"]]


def test_other_sub_categories_rejected_and_derived_ones_stand_apart():
    here = idea(0, FIRST)
    for other in ({"sub": "conv.dense"}, {"status": "rejected"}, {"origin": "derived"}):
        assert duplicate_groups([here, idea(1, FIRST, **other)]) == []


def test_the_one_to_keep():
    ungrounded = {"span": None, "grounded_by": ""}
    ideas = [
        idea(0, FIRST, **ungrounded),
        idea(1, FIRST, grounded_by="fuzzy"),
        idea(2, FIRST, grounded_by="tolerant"),
        idea(3, FIRST),
        idea(4, FIRST),
        idea(5, FIRST, grounded_by=""),
        idea(6, FIRST, status="approved", **ungrounded),
    ]
    (group,) = duplicate_groups(ideas)
    assert [one.id for one in group.ideas] == ["i6", "i3", "i4", "i2", "i5", "i1", "i0"]
    assert {alike for _, alike in group.others} == {100.0}


def test_members_are_like_the_representative_and_not_a_chain():
    words = "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima"
    texts = [" ".join(words.split()[: 4 + 2 * step]) for step in range(5)]
    assert grouped(texts[2], texts[3]) == [["i0", "i1"]]
    assert grouped(*texts) == [["i1", "i2"], ["i3", "i4"]]


def test_the_group_of_one_is_that_of_all():
    ideas = [idea(number, f"Use {number // 3} {'large ' * (number % 2)}kernels in blocks") for number in range(60)]
    groups = duplicate_groups(ideas)
    assert len(groups) == 20
    for one in ideas:
        mine = [group for group in groups if one.id in {member.id for member in group.ideas}]
        assert group_of(one, ideas) == (mine[0] if mine else None)


WORDS = "use block blocks layer norm 3 5 before after conv Ünïcode ×"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(WORDS.split()), max_size=6).map(" ".join), max_size=12)
)  # fmt: skip
def test_nothing_is_in_two_groups(texts):
    ideas = [idea(number, text) for number, text in enumerate(texts)]
    members = [one.id for group in duplicate_groups(ideas) for one in group.ideas]
    assert len(members) == len(set(members))
    assert all(len(group.others) >= 1 for group in duplicate_groups(ideas))


def test_more_than_one_block_of_rows():
    ideas = [idea(number, FIRST if number % 2 else f"Say {'x' * (number + 5)} {number}") for number in range(600)]
    (group,) = duplicate_groups(ideas)
    assert len(group.ideas) == 300
    texts = [f"{a}{b}{c}one {c}{a}{b}two" for a in "abcdefgh" for b in "ijklmnop" for c in "qrstuv"]
    assert grouped(*texts, *texts) == [[f"i{number}", f"i{number + 384}"] for number in range(384)]


# -- in the workspace -----------------------------------------------------------------------------------------------

QUOTE = "A depthwise 7x7 convolution is used."


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "fairnad.db"
    with Store(place) as store:
        template = Template.load()
        for number in range(3):
            paper = PaperText(f"p{number}", f"Paper {number}", (), None, "", "", "", QUOTE, "x", ())
            store.papers.add(paper)
            span = (0, len(QUOTE))
            same = FIRST if number < 2 else FIRST.replace("each block", "every block")
            grounded = (None, "", None) if number == 0 else (span, "exact", 1.0)
            drafts = [
                IdeaDraft("conv", "conv.depthwise", "n", same, QUOTE, *grounded),
                IdeaDraft("conv", "conv.depthwise", "n", f"Say {number} words.", QUOTE, span, "exact", 1.0),
            ]
            store.ideas.file_extracted(paper.id, drafts, template, "x")
    return place


def states(store):
    return sorted((one.paper_id, one.instruction, one.status, one.decided_by) for one in store.ideas.all())


def test_a_policy_that_approves_each_idea_once(path):
    with Store(path) as store:
        assert apply_policy(store, "grounded-unique") == 4
        approved = store.ideas.all("approved")
        assert {one.decided_by for one in approved} == {"policy:grounded-unique"}
        assert [one.paper_id for one in approved if "Use" in one.instruction] == ["p1"]
        assert apply_policy(store, "grounded-unique") == 0  # what is approved stands for the others
        assert apply_policy(store, "grounded") == 1
        assert [one.paper_id for one in store.ideas.all("proposed")] == ["p0"]


def invoke(path, *arguments):
    found = CliRunner().invoke(program, ["ideas", *arguments, "--db", str(path)])
    assert found.exit_code == 0, found.output
    return found.output


def test_they_are_listed(path):
    lines = invoke(path, "duplicates").splitlines()
    assert lines[0].split("\t") == ["group", "alike", "id", "status", "grounded", "sub-category", "idea"]
    assert [line.split("\t")[0:2] + line.split("\t")[3:5] for line in lines[1:]] == [
        ["1", "-", "proposed", "exact"],
        ["1", "100.0 %", "proposed", "exact"],
        ["1", "100.0 %", "proposed", "no"],
    ]
    (document,) = json.loads(invoke(path, "duplicates", "--json"))
    assert [one["paper"] for one in document["ideas"]] == ["Paper 1", "Paper 2", "Paper 0"]
    assert document["representative"] == document["ideas"][0]["id"]
    assert json.loads(invoke(path, "duplicates", "--json", "--category", "act")) == []
    refused = CliRunner().invoke(program, ["ideas", "duplicates", "--threshold", "30", "--db", str(path)])
    assert refused.exit_code == 2 and "50" in refused.output


def test_they_are_merged_and_parted_again(path):
    with Store(path) as store:
        before = states(store)
    assert invoke(path, "duplicates", "--merge") == "groups: 1; ideas merged into the first of their group: 2\n"
    assert invoke(path, "duplicates", "--merge") == "groups: 0; ideas merged into the first of their group: 0\n"
    with Store(path) as store:
        (kept,) = [one for one in store.ideas.all("proposed") if one.instruction == FIRST]
        assert kept.paper_id == "p1"
        assert {one.title for one in store.curation.story(kept).sources} == {"Paper 0", "Paper 2"}
        assert {one.decided_by for one in store.ideas.all("rejected")} == {f"merged:{kept.id}"}
        assert store.journal.last().by == "near-duplicates"
        assert store.journal.undo().ids
        assert states(store) == before


def test_the_policy_is_a_setting(path):
    assert invoke(path, "approve", "--policy", "grounded-unique") == "4 ideas approved\n"
