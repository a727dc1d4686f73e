"""The catalogue of transformations: each one builds, trains and exports, alone and in chains."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from fairnad_engine.backbone.ops import ALLOWED_OPS
from fairnad_engine.llm.rules import TRANSFORMATIONS, count
from fairnad_engine.llm.rules.catalogue import HYPERPARAMETERS, INVERSES
from fairnad_engine.llm.rules.catalogue.draw import Draw
from fairnad_engine.llm.rules.geometry import InvalidBlueprintError, layout
from fairnad_engine.llm.rules.opposites import ANTONYMS, CONTRASTS
from fairnad_engine.llm.rules.render import parse, render, render_code
from fairnad_engine.llm.rules.scaling import refit
from fairnad_engine.llm.rules.seeds import SEEDS

torch.set_num_threads(1)

DIGITS, CIFAR = (1, 8, 8), (3, 32, 32)
SEED = SEEDS["digits-small"]
SUBS = {sub for transformation in TRANSFORMATIONS.values() for sub in transformation.subs}
# What these change is not in the seed; each needs another transformation first.
PREPARED = {
    "layer-order": "depthwise-separable",
    "gate-size": "squeeze-excitation",
    "attention-heads": "self-attention",
    "attention-window": "window-attention",
    "residual-scale-start": "residual-scaling",
}


def build(blueprint, channels=1):
    scope = {}
    exec(compile(render(blueprint), "candidate", "exec"), scope)
    return scope["Backbone"](channels, 10)


def apply(transformation, blueprint, *entropy, tries=40):
    """Return the first real change of a blueprint, or None."""
    for attempt in range(tries):
        change = transformation.apply(blueprint, Draw(np.random.default_rng([*entropy, attempt]), DIGITS))
        if change is None:
            continue
        try:
            new = refit(change.blueprint, DIGITS)
        except InvalidBlueprintError:
            continue
        if render_code(new) != render_code(blueprint):
            return new
    return None


def chain(k, *, tables=(TRANSFORMATIONS, INVERSES, HYPERPARAMETERS)):
    """Return the blueprint behind three to six random transformations."""
    rng, blueprint = np.random.default_rng([11, k]), SEED
    options = [transformation for table in tables for transformation in table.values()]
    for step in range(int(rng.integers(3, 7))):
        blueprint = apply(options[int(rng.integers(len(options)))], blueprint, k, step, tries=5) or blueprint
    return blueprint


def check_training_step(blueprint, shape):
    """Check logits, gradients and the count of a network on one batch."""
    model = build(blueprint, shape[0])
    with FlopCounterMode(display=False) as counter:
        logits = model(torch.randn(4, *shape))
    assert logits.shape == (4, 10)
    assert torch.isfinite(logits).all()
    cross_entropy(logits, torch.arange(4)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        # A norm further on cancels a shift in front of it, so the gradient of some biases is zero by design.
        assert name.endswith(".bias") or parameter.grad.abs().max() > 0, name
    params = sum(p.numel() for p in model.parameters())
    assert count(blueprint, shape, 10) == (params, counter.get_total_flops() // 8)


def test_every_sub_category_of_every_main_category_is_expressed():
    assert len(SUBS) == 55
    assert len({sub.split(".")[0] for sub in SUBS}) == 15
    assert len(TRANSFORMATIONS) >= 55


def test_every_sub_category_has_an_opposite():
    taken_back = {sub for inverse in INVERSES.values() for sub in inverse.subs}
    assert taken_back | set(ANTONYMS) >= SUBS
    named = {sub for table in (ANTONYMS, CONTRASTS) for subs in table.values() for sub in subs}
    assert named <= SUBS


@pytest.mark.parametrize("name", sorted({**TRANSFORMATIONS, **HYPERPARAMETERS}))
def test_transformation_changes_the_network_and_it_learns(name):
    table = {**TRANSFORMATIONS, **HYPERPARAMETERS}
    parent = apply(TRANSFORMATIONS[PREPARED[name]], SEED, 1) if name in PREPARED else SEED
    child = apply(table[name], parent, 2)
    assert child is not None
    assert parse(render(child)) == child
    torch.manual_seed(0)
    check_training_step(child, DIGITS)
    assert build(child, 3)(torch.randn(4, *CIFAR)).shape == (4, 10)


@pytest.mark.parametrize("name", sorted(TRANSFORMATIONS.keys() - PREPARED.keys()))
def test_transformation_applies_to_the_cifar_seed(name):
    change = None
    for attempt in range(20):
        change = TRANSFORMATIONS[name].apply(SEEDS["resnet32"], Draw(np.random.default_rng([3, attempt]), CIFAR))
        if change is not None and render_code(change.blueprint) != render_code(SEEDS["resnet32"]):
            break
    layout(change.blueprint, CIFAR)
    assert render_code(change.blueprint) != render_code(SEEDS["resnet32"])
    assert change.text


@pytest.mark.parametrize("name", sorted(INVERSES))
def test_inverse_takes_an_idea_back(name):
    sub = INVERSES[name].subs[0]
    ideas = [t for t in TRANSFORMATIONS.values() if sub in t.subs]
    changed = [apply(idea, SEED, 4, k) for idea in ideas for k in range(3)]
    undone = [apply(INVERSES[name], child, 5) for child in changed if child is not None]
    assert any(undone)
    check_training_step(next(child for child in undone if child is not None), DIGITS)


@pytest.mark.parametrize("part", range(6))
def test_all_transformations_together_export_in_both_modes_with_allowed_operations(part):
    blueprint, applied = SEED, []
    for n, name in enumerate(sorted(TRANSFORMATIONS)[part::6]):
        child = apply(TRANSFORMATIONS[name], blueprint, part, n)
        blueprint, applied = (blueprint, applied) if child is None else (child, [*applied, name])
    assert len(applied) >= 8
    model = build(blueprint)
    for training in (True, False):
        program = torch.export.export(
            model.train(training),
            (torch.randn(4, *DIGITS),),
            dynamic_shapes=({0: torch.export.Dim("batch", min=2)},),
            strict=False,
        )
        targets = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
        assert {t for t in targets if t.startswith("aten.")} <= ALLOWED_OPS
        assert all(limits.lower == 2 and limits.upper > 10**6 for limits in program.range_constraints.values())


@pytest.mark.parametrize("block", range(6))
def test_random_chains_stay_valid(block):
    for k in range(10 * block, 10 * block + 10):
        blueprint = chain(k)
        assert parse(render(blueprint)) == blueprint
        torch.manual_seed(k)
        check_training_step(blueprint, DIGITS)


def test_width_fits_every_chain():
    for k in range(10):
        blueprint = chain(k)
        scope = {}
        exec(compile(render(blueprint), "candidate", "exec"), scope)
        model = scope["Backbone"](1, 10, 0.45)
        assert model(torch.randn(2, *DIGITS)).shape == (2, 10)
        assert sum(p.numel() for p in model.parameters()) == count(blueprint, DIGITS, 10, 0.45).params


def test_single_steps_are_diverse():
    order = sorted(TRANSFORMATIONS)
    rng = np.random.default_rng(0)
    children = [apply(TRANSFORMATIONS[order[int(rng.integers(len(order)))]], SEED, 6, k) for k in range(100)]
    found = [render_code(child) for child in children if child is not None]
    assert len(set(found)) >= 90
