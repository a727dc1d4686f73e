"""Backbones without a blueprint: rewrites of their source, or an honest refusal."""

from dataclasses import replace

import pytest
import torch

from fairnad_engine.llm.protocol import DesignRefusedError, DesignTask, EditType, IdeaBrief, Purpose
from fairnad_engine.llm.rules import RulesDesigner, seed_source

torch.set_num_threads(1)

SOURCE = '''"""A net of my own."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Unit(nn.Module):
    def __init__(self, a, b, stride):
        super().__init__()
        self.conv = nn.Conv2d(a, b, kernel_size=3, stride=stride, padding=1, bias=False)  # keep me
        self.norm = nn.BatchNorm2d(b)

    def forward(self, x):
        return F.relu(self.norm(self.conv(x)))


class Backbone(nn.Module):
    def __init__(self, in_channels: int, num_classes: int, width: float = 1.0):
        """Build it."""
        super().__init__()
        c = max(4, round(8 * width / 4) * 4)
        self.body = nn.Sequential(
            Unit(in_channels, c, 1),
            nn.Conv2d(c, 2 * c, 3, stride=2, padding=1), nn.BatchNorm2d(2 * c), nn.ReLU(inplace=True),
            Unit(2 * c, 2 * c, 1),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(2 * c, num_classes)

    def forward(self, x):
        return self.head(self.pool(self.body(x)).flatten(1))
'''
EXPRESSED = [
    "conv.depthwise",
    "conv.grouped",
    "conv.dilated",
    "conv.large-kernel",
    "conv.factorised",
    "norm.layer-norm",
    "norm.group-norm",
    "norm.response-norm",
    "act.smooth",
    "act.hard",
    "pool.max-pool",
    "pool.blur-pool",
    "channel.feed-forward",
    "gate.squeeze-excitation",
    "gate.efficient-channel",
    "gate.spatial",
    "gate.multiplicative",
    "tail.generalised-pooling",
    "tail.final-expansion",
]


def task(purpose=Purpose.IDEA, sub="act.smooth", **changes):
    made = DesignTask(
        purpose=purpose,
        parent_source=SOURCE,
        idea=IdeaBrief("i", sub.split(".")[0], sub, "an idea", "") if sub else None,
        input_shape=(1, 8, 8),
        num_classes=10,
        max_params=20_000,
        max_macs=500_000,
        parent_params=3_800,
        parent_macs=60_000,
        entropy=(1, 2),
    )
    return replace(made, **changes)


def parameters(source):
    scope = {}
    exec(compile(source, "candidate", "exec"), scope)
    model = scope["Backbone"](1, 10)
    assert model(torch.randn(2, 1, 8, 8)).shape == (2, 10)
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("sub", EXPRESSED)
def test_expressible_idea_is_written_into_the_source(sub):
    for n in range(4):
        made = RulesDesigner().design(task(sub=sub, entropy=(n,)))
        assert made.source != SOURCE
        assert made.edit_type is EditType.STRUCTURAL
        assert "# keep me" in made.source
        parameters(made.source)


def test_rewrites_follow_each_other():
    source = SOURCE
    for n, sub in enumerate(reversed(EXPRESSED)):
        try:
            source = RulesDesigner().design(task(sub=sub, parent_source=source, entropy=(7, n))).source
        except DesignRefusedError:
            continue
        parameters(source)
    assert source.count("class SqueezeExcitation") == 1


@pytest.mark.parametrize("sub", ["links.dense", "schedule.late", "mixing.self-attention"])
def test_idea_beyond_the_rewrites_is_refused(sub):
    with pytest.raises(DesignRefusedError, match="no blueprint") as caught:
        RulesDesigner().design(task(sub=sub))
    assert caught.value.kind == "inexpressible"


def test_name_that_is_taken_is_left_alone():
    taken = SOURCE.replace("class Unit", "class SpatialGate").replace("Unit(", "SpatialGate(")
    with pytest.raises(DesignRefusedError):
        RulesDesigner().design(task(sub="gate.spatial", parent_source=taken))


@pytest.mark.parametrize("source", ["def broken(:", "\0", "x = 1", ""])
def test_source_that_is_no_backbone_is_refused(source):
    with pytest.raises(DesignRefusedError):
        RulesDesigner().design(task(parent_source=source))


def test_scale_up_and_downscale_go_through_the_width():
    wider = RulesDesigner().design(task(Purpose.SCALE_UP, None))
    assert wider.edit_type is EditType.CAPACITY
    assert parameters(wider.source) > parameters(SOURCE)
    smaller = RulesDesigner().design(task(Purpose.SCALE_DOWN, None))
    assert smaller.edit_type is EditType.CAPACITY
    assert parameters(smaller.source) < parameters(SOURCE)
    narrower = RulesDesigner().design(task(Purpose.DOWNSCALE, previous_source=wider.source, attempt=3))
    assert parameters(narrower.source) < parameters(wider.source)


def test_no_width_to_scale_is_refused():
    fixed = SOURCE.replace(", width: float = 1.0", "").replace("8 * width / 4", "2")
    with pytest.raises(DesignRefusedError, match="width"):
        RulesDesigner().design(task(Purpose.SCALE_UP, None, parent_source=fixed))


def test_hyper_parameter_similar_and_opposite():
    changed = RulesDesigner().design(task(Purpose.HYPERPARAMETER, None))
    assert changed.edit_type is EditType.HYPERPARAMETER
    parameters(changed.source)
    assert RulesDesigner().design(task(Purpose.SIMILAR, "act.smooth")).derived.sub == "act.smooth"
    assert RulesDesigner().design(task(Purpose.OPPOSITE, "act.smooth")).derived.sub == "act.hard"


def test_rendered_source_that_a_person_edited_is_rewritten_not_forgotten():
    edited = seed_source("digits-small").replace("F.relu(self.shortcut(x) + y)", "F.silu(self.shortcut(x) + y)")
    made = RulesDesigner().design(task(sub="act.hard", parent_source=edited, entropy=(0,)))
    assert "Backbone" in made.source
    parameters(made.source)
