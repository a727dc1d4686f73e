"""The `rules` designer's blueprints: rendered as source, read back, counted."""

import ast
from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from fairnad_engine.llm.rules import count, seed_source
from fairnad_engine.llm.rules.blueprint import Block, Layer, Link, Stage
from fairnad_engine.llm.rules.geometry import InvalidBlueprintError, layout
from fairnad_engine.llm.rules.notation import from_json, to_json
from fairnad_engine.llm.rules.render import parse, render
from fairnad_engine.llm.rules.seeds import SEEDS
from fairnad_engine.resources import template_file

torch.set_num_threads(1)

DIGITS, CIFAR = (1, 8, 8), (3, 32, 32)


def build(source, channels, width=1.0):
    scope = {}
    exec(compile(source, "candidate", "exec"), scope)
    return scope["Backbone"](channels, 10, width)


def measured(source, shape, width=1.0):
    model = build(source, shape[0], width)
    with FlopCounterMode(display=False) as counter:
        model(torch.randn(2, *shape))
    return sum(p.numel() for p in model.parameters()), counter.get_total_flops() // 4


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_shipped_seed_is_what_its_blueprint_renders(name):
    assert template_file("backbones", f"{name}.py").read_text() == seed_source(name)


def test_resnet32_has_the_published_size():
    params, macs = measured(seed_source("resnet32"), CIFAR)
    assert params == 464_154
    assert round(macs / 1e6, 2) == 68.86
    assert count(SEEDS["resnet32"], CIFAR, 10) == (params, macs)


def test_digits_seed_is_small():
    params, macs = measured(seed_source("digits-small"), DIGITS)
    assert (params, macs) == count(SEEDS["digits-small"], DIGITS, 10)
    assert 15_000 < params < 35_000
    assert macs < 2_000_000


def test_wider_resnet32_with_projections_is_the_scaling_control():
    projected = SEEDS["resnet32"]
    for s in (1, 2):
        projected = projected.with_block(s, 0, replace(projected.block(s, 0), shortcut="conv"))
    params, macs = measured(render(projected), CIFAR, width=27 / 16)
    assert round(params / 1e6, 3) == 1.325
    assert round(macs / 1e6, 1) == 196.3


@pytest.mark.parametrize("width", [0.3, 1.0, 1.7])
@pytest.mark.parametrize("name", sorted(SEEDS))
def test_width_changes_the_cost_as_counted_and_not_the_logits(name, width):
    shape = DIGITS if name == "digits-small" else CIFAR
    source = seed_source(name)
    assert count(SEEDS[name], shape, 10, width) == measured(source, shape, width)
    assert build(source, shape[0], width)(torch.randn(2, *shape)).shape == (2, 10)


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_source_reads_back_as_its_blueprint(name):
    assert parse(seed_source(name)) == SEEDS[name]
    assert from_json(to_json(SEEDS[name])) == SEEDS[name]


def test_source_imports_torch_and_math_alone():
    tree = ast.parse(seed_source("resnet32"))
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert names | modules <= {"torch", "torch.nn", "math"}


def test_edited_code_does_not_pass_for_its_old_blueprint():
    source = seed_source("digits-small")
    assert parse(source.replace("F.relu(self.norm1", "F.gelu(self.norm1")) is None
    assert parse(source.replace('"channels":8', '"channels":12', 1)) is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# blueprint: ",
        "# blueprint: []",
        "# blueprint: {}",
        '# blueprint: {"version":99}',
        '# blueprint: {"version":1,"name":"x","stem":{"channels":"8"},"stages":[]}',
        '# blueprint: {"version":1,"name":"x","stem":{"channels":8},"stages":[{"channels":8,"blocks":[7]}]}',
        '# blueprint: {"version":1,"name":"x","stem":{"channels":8},"stages":[{"times":1000000}]}',
        "# blueprint: " + "[" * 5000,
    ],
)
def test_broken_blueprint_line_counts_as_none(line):
    assert parse(f"import torch\n{line}\n") is None


def test_network_too_deep_for_the_image_is_refused():
    seed = SEEDS["digits-small"]
    halving = Stage(24, (Block(layers=(Layer(), Layer()), stride=2),))
    with pytest.raises(InvalidBlueprintError, match="below one pixel"):
        layout(replace(seed, stages=(*seed.stages, halving, halving)), DIGITS)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"links": (Link(2, 1),)}, "link"),
        ({"stages": ()}, "stage"),
        ({"stages": (Stage(8, (Block(layers=(Layer(width=0.5),)),)),)}, "width"),
        ({"stages": (Stage(8, (Block(layers=(Layer(op="attention"),), stride=2),)),)}, "stride"),
        ({"stages": (Stage(8, (Block(layers=(Layer(kernel=4),)),)),)}, "even"),
        ({"stages": (Stage(8, (Block(layers=(Layer(),), split=True),)),)}, "split"),
    ],
)
def test_blueprint_that_cannot_work_is_refused(change, reason):
    with pytest.raises(InvalidBlueprintError, match=reason):
        render(replace(SEEDS["digits-small"], **change))
