"""The `rules` designer: what it answers to each kind of task."""

from dataclasses import replace

import pytest
import torch

from fairnad_engine.llm.protocol import (
    DesignRefusedError,
    DesignTask,
    EditType,
    Failure,
    IdeaBrief,
    Outcome,
    Purpose,
)
from fairnad_engine.llm.rules import TRANSFORMATIONS, RulesDesigner, count, seed_source
from fairnad_engine.llm.rules.catalogue.stages import depths, widths
from fairnad_engine.llm.rules.render import parse, render, render_code
from fairnad_engine.llm.rules.scaling import widened
from fairnad_engine.llm.rules.seeds import SEEDS

torch.set_num_threads(1)

DIGITS = (1, 8, 8)
SOURCE = seed_source("digits-small")
SUBS = sorted({sub for transformation in TRANSFORMATIONS.values() for sub in transformation.subs})


def idea(sub, instruction=""):
    return IdeaBrief("idea-1", sub.split(".")[0], sub, "an idea", instruction)


def task(purpose=Purpose.IDEA, sub="conv.depthwise", **changes):
    cost = count(SEEDS["digits-small"], DIGITS, 10)
    made = DesignTask(
        purpose=purpose,
        parent_source=SOURCE,
        idea=idea(sub) if sub else None,
        input_shape=DIGITS,
        num_classes=10,
        max_params=60_000,
        max_macs=1_500_000,
        parent_params=cost.params,
        parent_macs=cost.macs,
        entropy=(1, 2, 3),
    )
    return replace(made, **changes)


def design(*args, **kwargs):
    return RulesDesigner().design(task(*args, **kwargs))


def code(source):
    return source.rsplit("# blueprint:", 1)[0]


@pytest.mark.parametrize("sub", SUBS)
def test_idea_of_every_sub_category_changes_the_network(sub):
    made = design(sub=sub)
    assert code(made.source) != code(SOURCE)
    assert made.edit_type is EditType.STRUCTURAL
    assert made.change
    assert "\n" not in made.change
    assert parse(made.source).last == sub
    assert made.derived is None


@pytest.mark.parametrize("purpose", [p for p in Purpose if p is not Purpose.DOWNSCALE])
def test_equal_tasks_get_equal_designs(purpose):
    assert design(purpose) == design(purpose)


def test_entropy_and_attempt_change_the_design():
    made = {design(entropy=(1, n)).source for n in range(12)}
    assert len(made) >= 6
    retries = {design(Purpose.DEBUG, attempt=n, original=Purpose.IDEA).source for n in range(8)}
    assert len(retries) >= 4


@pytest.mark.parametrize(
    ("sub", "instruction", "expected"),
    [
        ("conv.large-kernel", "Replace 3x3 convolutions by depthwise 7x7 ones.", "7x7"),
        ("gate.squeeze-excitation", "Squeeze-and-excitation with a reduction ratio of 16.", "(16)"),
        ("conv.dilated", "Use a dilation rate of 3 in the last stage.", "dilation 3"),
        ("channel.inverted-bottleneck", "Inverted bottlenecks with an expansion ratio of 6.", "x6"),
        ("act.smooth", "Replace ReLU by GELU throughout.", "GELU"),
        ("act.hard", "Use the hard-swish activation in deeper layers.", "hard swish"),
        ("stem.deep", "A stem of three 3x3 convolutions.", "3 3x3"),
        ("mixing.self-attention", "Self-attention with 8 heads.", "8 heads"),
    ],
)
def test_words_of_the_instruction_steer_the_parameters(sub, instruction, expected):
    for n in range(4):
        assert expected in design(idea=idea(sub, instruction), entropy=(n,)).change


def test_inexpressible_idea_is_refused_with_the_reason():
    with pytest.raises(DesignRefusedError, match=r"quantum\.entanglement") as caught:
        design(sub="quantum.entanglement")
    assert caught.value.kind == "inexpressible"


def test_idea_that_finds_nothing_to_change_is_refused():
    plain = parse(SOURCE)
    full = render(replace(plain, tail=replace(plain.tail, levels=(0, 1))))
    with pytest.raises(DesignRefusedError):
        design(sub="links.multi-scale", parent_source=full)


def test_scale_up_uses_the_slack_and_keeps_within_the_budgets():
    for n in range(12):
        made = design(Purpose.SCALE_UP, sub=None, entropy=(n,))
        cost = count(parse(made.source), DIGITS, 10)
        assert made.edit_type is EditType.CAPACITY
        assert cost.params <= 60_000
        assert cost.macs <= 1_500_000
        assert cost.params > task().parent_params or cost.macs > task().parent_macs


def test_scale_up_without_slack_is_refused():
    with pytest.raises(DesignRefusedError, match="slack"):
        design(Purpose.SCALE_UP, sub=None, max_params=30_200, max_macs=360_000)


def test_scale_up_of_a_parent_trained_at_a_narrower_width_starts_from_there():
    wide = widened(SEEDS["digits-small"], 3.0)
    made = design(Purpose.SCALE_UP, sub=None, parent_source=render(wide))
    assert count(parse(made.source), DIGITS, 10).params <= 60_000


def test_scale_down_keeps_the_design_at_a_fraction_of_its_cost():
    old, shares = count(parse(SOURCE), DIGITS, 10), []
    for n in range(20):
        made = design(Purpose.SCALE_DOWN, sub=None, entropy=(n,))
        new = count(parse(made.source), DIGITS, 10)
        assert made.edit_type is EditType.CAPACITY
        shares.append(max(new.params / old.params, new.macs / old.macs))
    assert max(shares) <= 0.5
    assert min(shares) < 0.2


def test_scale_down_of_what_has_no_width_left_is_refused():
    tiny = render(widened(SEEDS["digits-small"], 0.01))
    with pytest.raises(DesignRefusedError, match="of its cost"):
        design(Purpose.SCALE_DOWN, sub=None, parent_source=tiny)


def test_hyper_parameter_change_leaves_depth_and_width():
    for n in range(12):
        made = design(Purpose.HYPERPARAMETER, sub=None, entropy=(n,))
        child = parse(made.source)
        assert made.edit_type is EditType.HYPERPARAMETER
        assert code(made.source) != code(SOURCE)
        assert (depths(child), widths(child)) == (depths(SEEDS["digits-small"]), widths(SEEDS["digits-small"]))


@pytest.mark.parametrize("sub", SUBS)
def test_similar_and_opposite_name_the_idea_that_they_derive(sub):
    parent = design(sub=sub, entropy=(3,)).source
    similar = design(Purpose.SIMILAR, sub, parent_source=parent, entropy=(4,))
    assert similar.derived.main == sub.split(".")[0]
    assert code(similar.source) != code(parent)
    opposite = design(Purpose.OPPOSITE, sub, parent_source=parent, entropy=(4,))
    assert opposite.derived.sub in SUBS
    assert opposite.derived.main == opposite.derived.sub.split(".")[0]
    assert opposite.derived.instruction
    assert code(opposite.source) != code(parent)


def test_opposite_of_smooth_activations_is_hard_ones():
    subs = {design(Purpose.OPPOSITE, "act.smooth", entropy=(n,)).derived.sub for n in range(6)}
    assert "act.hard" in subs


def test_similar_keeps_to_the_sub_category_while_it_has_more_to_give():
    for sub in ("conv.depthwise", "gate.squeeze-excitation", "channel.inverted-bottleneck", "tail.final-expansion"):
        parent = design(sub=sub).source
        for n in range(4):
            assert design(Purpose.SIMILAR, sub, parent_source=parent, entropy=(n,)).derived.sub == sub


def test_similar_without_an_idea_takes_the_parents_last_one():
    parent = design(sub="gate.spatial").source
    assert design(Purpose.SIMILAR, None, parent_source=parent).derived.sub == "gate.spatial"


def test_remembered_change_is_not_repeated():
    first = design(sub="stem.large-kernel")
    memory = (Outcome("accuracy stalled", first.change, "97.0 -> 96.1"),)
    assert design(sub="stem.large-kernel", memory=memory).change != first.change


@pytest.mark.parametrize("sub", ["channel.feed-forward", "conv.large-kernel", "links.dense", "branch.channel-split"])
def test_downscale_fits_the_budgets_and_keeps_the_idea(sub):
    child = parse(design(sub=sub).source)
    big = render(widened(child, 4.0))
    made = design(
        Purpose.DOWNSCALE,
        sub,
        previous_source=big,
        failure=Failure("over-budget", "too large"),
        attempt=1,
        original=Purpose.IDEA,
    )
    small = parse(made.source)
    cost = count(small, DIGITS, 10)
    assert cost.params <= 60_000
    assert cost.macs <= 1_500_000
    assert cost.params > 20_000
    assert made.edit_type is EditType.STRUCTURAL
    assert replace(small, stem=child.stem, stages=child.stages) == child
    assert {block.paths for _, _, block in small.blocks()} == {block.paths for _, _, block in child.blocks()}


@pytest.mark.parametrize("purpose", [Purpose.SIMILAR, Purpose.OPPOSITE])
def test_downscale_keeps_the_idea_that_was_derived(purpose):
    first = design(purpose, "act.smooth")
    made = design(
        Purpose.DOWNSCALE,
        "act.smooth",
        previous_source=render(widened(parse(first.source), 4.0)),
        failure=Failure("over-budget", "too large"),
        attempt=1,
        original=purpose,
        derived=first.derived,
    )
    assert (made.edit_type, made.derived) == (EditType.STRUCTURAL, first.derived)
    assert first.derived is not None


@pytest.mark.parametrize("original", [Purpose.SCALE_UP, Purpose.HYPERPARAMETER])
def test_downscale_of_stage_two_derives_nothing(original):
    big = render(widened(SEEDS["digits-small"], 4.0))
    made = design(Purpose.DOWNSCALE, None, previous_source=big, attempt=1, original=original)
    wanted = EditType.CAPACITY if original is Purpose.SCALE_UP else EditType.HYPERPARAMETER
    assert (made.edit_type, made.derived) == (wanted, None)


def test_a_task_is_known_again_whatever_its_last_design_derived():
    one = task(Purpose.DOWNSCALE)
    assert repr(one) == repr(replace(one, derived=design(Purpose.SIMILAR, "act.smooth").derived))


def test_each_downscale_goes_further():
    big = render(widened(SEEDS["digits-small"], 4.0))
    sizes = [
        count(parse(design(Purpose.DOWNSCALE, previous_source=big, attempt=n).source), DIGITS, 10).params
        for n in (1, 2, 3, 4)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 4


def test_budget_below_any_width_is_refused():
    with pytest.raises(DesignRefusedError, match="too small"):
        design(Purpose.DOWNSCALE, previous_source=SOURCE, max_params=100, max_macs=100)


def test_chain_of_designs_keeps_its_blueprint():
    source = SOURCE
    for n, sub in enumerate(SUBS[::6]):
        source = RulesDesigner().design(task(sub=sub, parent_source=source, entropy=(9, n))).source
    assert render_code(parse(source)) in source
