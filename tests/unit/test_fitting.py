"""Widths that fit a budget, what a network costs, and which networks are the same."""

import functools
import json
from types import SimpleNamespace

import pytest
import torch

from fairnad_engine.artifacts import ArtifactFolder
from fairnad_engine.backbone.analysis import MAX_ACTIVATION_BYTES, measure
from fairnad_engine.backbone.canonical import structure_hashes
from fairnad_engine.backbone.effects import is_einsum
from fairnad_engine.backbone.export import export_backbone
from fairnad_engine.backbone.failures import CandidateError
from fairnad_engine.backbone.fitting import Hint, read_hints
from fairnad_engine.backbone.graph import GraphRefusedError, parse_graph
from fairnad_engine.backbone.jailed import TASKS
from fairnad_engine.backbone.verifier import Budget, Verifier
from fairnad_engine.llm.rules.seeds import seed_source

torch.set_num_threads(1)

PLAIN = """
import torch
import torch.nn.functional as F
from torch import nn


class Backbone(nn.Module):
    def __init__(self, in_channels, num_classes, width=1.0):
        super().__init__()
        w = round(8 * width)
        self.one = nn.Conv2d(in_channels, w, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(w)
        self.two = nn.Conv2d(w, w, 3, padding=1, bias=False)
        self.head = nn.Linear(w, num_classes)

    def forward(self, x):
        x = F.relu(self.norm(self.one(x)))
        y = F.relu(self.two(x))
        x = x + y
        x = x.mean((2, 3))
        return self.head(x)
"""
SHAPE = (1, 8, 8)


def params(w):
    return 9 * w + 2 * w + 9 * w * w + 10 * w + 10


def macs(w):
    return 64 * (9 * w + 9 * w * w) + 10 * w


def changed(*changes, source=PLAIN):
    for old, new in changes:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    return source


@functools.cache
def document_of(source, shape=SHAPE, width=1.0):
    request = {"shape": list(shape), "classes": 10, "width": width, "seed": 0}
    return json.dumps(export_backbone(source, request)[0])


def graph_of(source, **keywords):
    return parse_graph(json.loads(document_of(source, **keywords)))


class InProcess:
    """The jail's tasks without a jail, for sources that were written here; ``widths`` may be made to lie."""

    def __init__(self, lie=None):
        self.lie = lie
        self.exports = []

    def run(self, task, payload, blobs=None):
        if task == "widths" and self.lie is not None:
            return SimpleNamespace(ok=True, data={"widths": self.lie(payload["widths"])}, blobs={})
        if task == "export":
            self.exports.append(payload["width"])
        try:
            data, made = TASKS[task](json.loads(json.dumps(payload)), blobs or {})
        except CandidateError as failed:
            return SimpleNamespace(ok=False, failure=failed.kind, message=str(failed), data={}, blobs={})
        return SimpleNamespace(ok=True, failure=None, message="", data=json.loads(json.dumps(data)), blobs=made)


@pytest.fixture
def verify(tmp_path):
    def call(source, fit, most_params=10**9, most_macs=10**12, width=1.0, jail=None):
        budget = Budget(SHAPE, 10, most_params, most_macs)
        verdict = Verifier(jail or InProcess(), ArtifactFolder(tmp_path), budget, fit).verify(source, width, 0)
        if verdict.failure is None:
            assert verdict.params <= most_params
            assert verdict.macs <= most_macs
        return verdict

    return call


@pytest.mark.parametrize("requested", [1.0, 2.5, 4.0])
@pytest.mark.parametrize(
    ("most_params", "most_macs"),
    [(params(20), 10**12), (params(21) - 1, 10**12), (10**9, macs(20)), (10**9, macs(21) - 1), (params(20), macs(24))],
)
def test_fill_takes_the_widest_that_both_budgets_hold(verify, requested, most_params, most_macs):
    verdict = verify(PLAIN, "fill", most_params, most_macs, requested)
    assert (verdict.failure, verdict.params, verdict.macs) == (None, params(20), macs(20))
    assert round(8 * verdict.width) == 20


def test_fill_stays_where_nothing_wider_fits(verify):
    verdict = verify(PLAIN, "fill", params(8), macs(8))
    assert (verdict.failure, verdict.params) == (None, params(8))


def test_fill_goes_one_channel_beyond_what_was_asked_for(verify):
    verdict = verify(PLAIN, "fill", params(9))
    assert (verdict.failure, verdict.params) == (None, params(9))


def test_down_from_far_above(verify):
    verdict = verify(PLAIN, "down", params(8), width=6.0)
    assert (verdict.failure, verdict.params) == (None, params(6))  # sixteenths of the width: 6, then 9


def test_down_takes_the_widest_below_and_leaves_what_fits(verify):
    verdict = verify(PLAIN, "down", params(20), width=4.0)
    assert (verdict.failure, verdict.params, round(8 * verdict.width)) == (None, params(20), 20)
    verdict = verify(PLAIN, "down", params(20), width=0.5)
    assert (verdict.failure, verdict.width, verdict.params) == (None, 0.5, params(4))


def test_llm_leaves_the_width_to_the_model(verify):
    jail = InProcess()
    verdict = verify(PLAIN, "llm", params(20), width=4.0, jail=jail)
    assert (verdict.failure, jail.exports) == ("over-budget", [4.0])
    assert str(params(32)) in verdict.message


@pytest.mark.parametrize("fit", ["down", "fill"])
def test_a_source_that_ignores_its_width_is_not_fitted(verify, fit):
    source = changed(("w = round(8 * width)", "w = 8"))
    jail = InProcess()
    verdict = verify(source, fit, params(8), width=2.0, jail=jail)
    assert (verdict.failure, verdict.width, verdict.params) == (None, 2.0, params(8))
    assert verify(source, fit, params(8) - 1, width=2.0, jail=jail).failure == "over-budget"
    assert jail.exports == [2.0, 2.0]


@pytest.mark.parametrize("fit", ["down", "fill"])
def test_a_cost_that_is_not_monotone(verify, fit):
    """Some narrow networks are dear here: halving the interval at their cost would look on the wrong side."""
    source = changed(
        ("w = round(8 * width)", "w = 40 if 0.5 <= width < 0.7 else round(8 * width) if width < 1.3 else 30")
    )
    verdict = verify(source, fit, params(10), width=2.0)
    assert (verdict.failure, verdict.params) == (None, params(10))


@pytest.mark.parametrize("fit", ["down", "fill"])
def test_widths_that_do_not_build_are_passed_over(verify, fit):
    source = changed(("self.two = nn.Conv2d(w, w, 3, padding=1, bias=False)", "self.two = nn.Conv2d(w, w, 3, padding=1, bias=False, groups=4)"))  # fmt: skip # noqa: E501
    most = 9 * 23 + 2 * 23 + 9 * 23 * 23 // 4 + 10 * 23 + 10
    verdict = verify(source, fit, most, width=4.0)
    assert (verdict.failure, round(8 * verdict.width)) == (None, 20)


def test_a_hint_decides_nothing(verify):
    cheap = InProcess(lambda widths: [[1, 1]] * len(widths))
    verdict = verify(PLAIN, "down", params(2), width=4.0, jail=cheap)
    assert verdict.failure == "over-budget"
    assert len(cheap.exports) == 4
    verdict = verify(PLAIN, "fill", params(9), jail=InProcess(lambda widths: [[1, 1]] * len(widths)))
    assert (verdict.failure, verdict.width, verdict.params) == (None, 1.0, params(8))
    for lie in (lambda w: None, lambda w: "all of them", lambda w: [[1, 1]], lambda w: [["1", None]] * len(w)):
        assert verify(PLAIN, "down", params(2), width=4.0, jail=InProcess(lie)).failure == "over-budget"


@pytest.mark.parametrize(
    ("value", "hints"),
    [
        (None, [None, None]),
        ([[1, 2]], [None, None]),
        ([[1, 2], [3.0, 4]], [Hint(1, 2), Hint(3.0, 4)]),
        ([[1, 2], None], [Hint(1, 2), None]),
        ([[True, 2], ["1", 2]], [None, None]),
        ([[-1, 2], [float("nan"), 2]], [None, None]),
        ([[1, 2, 3], {"params": 1}], [None, None]),
    ],
)
def test_hints_are_read_with_care(value, hints):
    assert read_hints(value, 2) == hints


def test_activations_are_bounded():
    document = json.loads(document_of(PLAIN))
    document["input"] = [1, 1024, 1024]
    least = 4 * 8 * 1024 * 1024 * 6  # two convolutions, a norm, two activations, a sum
    assert measure(parse_graph(document)).activation_bytes >= least
    document["input"] = [1, 4096, 4096]
    assert 16 * least > MAX_ACTIVATION_BYTES
    with pytest.raises(GraphRefusedError) as refused:
        measure(parse_graph(document))
    assert refused.value.kind == "activations-too-large"


HIDDEN = ("self.head = nn.Linear(w, num_classes)", "self.head = nn.Linear(64, num_classes)\n        self.three = nn.Parameter(torch.randn(64, w))")  # fmt: skip # noqa: E501
MATMUL = 64 * 64 * 8  # of a pointwise convolution from 8 to 64 channels on 8 x 8


def test_a_matmul_as_a_broadcast_product_is_counted():
    source = changed(HIDDEN, ("x = x + y\n", "x = ((x + y).unsqueeze(1) * self.three.view(1, 64, -1, 1, 1)).sum(2)\n"))
    cost = measure(graph_of(source))
    assert cost.params == params(8) - 90 + 650 + 512
    assert cost.macs == macs(8) - 80 + 640 + MATMUL


def test_a_matmul_as_many_products_takes_memory():
    """Products of like shapes are no MACs, by ``FlopCounterMode`` neither; each one takes the memory of its result."""
    loop = "x = x + y\n        x = torch.stack([(x * self.three[i].view(-1, 1, 1)).sum(1) for i in range(64)], 1)\n"
    hidden, plain = measure(graph_of(changed(HIDDEN, ("x = x + y\n", loop)))), measure(graph_of(PLAIN))
    assert hidden.params == params(8) - 90 + 650 + 512
    assert hidden.macs == macs(8) - 80 + 640
    assert hidden.activation_bytes - plain.activation_bytes >= 4 * MATMUL


@pytest.mark.parametrize("equation", ["bchw,cd->bdhw", "i,i->", "bij, bjk -> bik", "aB,Bc,cd->ad", "ii->i"])
def test_einsum_equations(equation):
    assert is_einsum(equation)


@pytest.mark.parametrize(
    "equation",
    [
        None, 3, b"ij->i", "", "->", "ij", "ij,jk", "...ij->...i", "ij->k", "ij->ii", "ij->i->j", "ij,->i", ",ij->i",
        "i1->i", "ij->i;", "ij->i\n", "ij-> i)", "import os", "é->é", "a" * 13 + "->a", "a," * 6 + "a->a", "a" * 101,
        "x): exec('')->x", " " * 100 + "a->a",
    ],
)  # fmt: skip
def test_no_einsum_equations(equation):
    assert not is_einsum(equation)


def test_einsum_is_counted_and_its_equation_checked():
    source = changed(HIDDEN, ("x = x + y\n", "x = torch.einsum('bchw,dc->bdhw', x + y, self.three)\n"))
    document = json.loads(document_of(source))
    assert measure(parse_graph(document)).macs == macs(8) - 80 + 640 + MATMUL
    node = next(n for n in document["train"]["nodes"] if n["op"] == "aten.einsum.default")
    for bad in ("bchw,dc", "...,dc->...", ["bchw,dc->bdhw"], None):
        node["args"][0] = bad
        with pytest.raises(GraphRefusedError, match="einsum takes an equation"):
            parse_graph(document)


def named(name):
    document = json.loads(document_of(PLAIN))
    document["tensors"][0]["name"] = name
    return document


@pytest.mark.parametrize(
    "name", ["a", "0", "stage1.0.conv.weight", "branches.3x3-dw.weight", "_x.Y_1", "a." * 40 + "a"]
)
def test_names_of_parameters(name):
    assert parse_graph(named(name)).tensors[0].name == name


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "a.", ".a", "a..b", "a b", "a\n", "a;b", "a(b", "a'b", 'a"b', "a/b", "../a", "a\0", "é", "a\u202eb",
        "a" * 301, "a." * 41 + "a", None, 3, ["a"], "__import__('os')",
    ],
)  # fmt: skip
def test_no_names_of_parameters(name):
    with pytest.raises(GraphRefusedError, match="is not a plain dotted name"):
        parse_graph(named(name))


@pytest.mark.parametrize(("size", "millions"), [(32, 68.86), (16, 17.22)])
def test_resnet32(size, millions):
    cost = measure(graph_of(seed_source("resnet32"), shape=(3, size, size)))
    assert cost.params == 464_154
    assert round(cost.macs / 1e6, 2) == millions


REWRITES = {
    "a module for a function": [
        ("F.relu(self.norm(self.one(x)))", "self.act(self.norm(self.one(x)))"),
        ("w = round", "self.act = nn.ReLU()\n        w = round"),
    ],
    "in place": [("F.relu(self.norm(self.one(x)))", "F.relu(self.norm(self.one(x)), inplace=True)")],
    "a function for a module": [("self.two(x)", "F.conv2d(x, self.two.weight, None, 1, 1)")],
    "a linear by hand": [("self.head(x)", "F.linear(x, self.head.weight, self.head.bias)")],
    "torch.add": [("x = x + y", "x = torch.add(x, y)")],
    "the other order of a sum": [("x = x + y", "x = y + x")],
    "a sum in place": [("x = x + y", "x = x.clone()\n        x += y")],
    "other names": [("self.two = ", "self.zweite = "), ("self.two(x)", "self.zweite(x)")],
    "a sequential": [
        ("self.norm = nn.BatchNorm2d(w)", "self.stem = nn.Sequential(self.one, nn.BatchNorm2d(w), nn.ReLU())"),
        ("F.relu(self.norm(self.one(x)))", "self.stem(x)"),
    ],
    "a method": [
        ("y = F.relu(self.two(x))", "y = self.block(x)"),
        ("    def forward", "    def block(self, x):\n        return F.relu(self.two(x))\n\n    def forward"),
    ],
    "an unused module": [("w = round", "self.unused = nn.Conv2d(3, 3, 3)\n        w = round")],
    "unused work": [("x = x + y", "z = torch.sigmoid(self.two(y))\n        x = x + y")],
    "another order of making": [
        ("        self.head = nn.Linear(w, num_classes)\n", ""),
        ("        self.one = nn", "        self.head = nn.Linear(w, num_classes)\n        self.one = nn"),
    ],
    "defaults spelt out": [
        ("nn.BatchNorm2d(w)", "nn.BatchNorm2d(w, eps=1e-5, momentum=0.1)"),
        (
            "self.two = nn.Conv2d(w, w, 3, padding=1, bias=False)",
            "self.two = nn.Conv2d(w, w, (3, 3), (1, 1), (1, 1), (1, 1), 1, False)",
        ),
    ],
    "mean by name": [("x.mean((2, 3))", "torch.mean(x, dim=[2, 3], keepdim=False)")],
    "an identity": [("x = x + y", "x = nn.Identity()(x + y).contiguous()")],
}  # fmt: skip

NEAR_MISSES = {
    "ReLU6": [("F.relu(self.norm(self.one(x)))", "F.relu6(self.norm(self.one(x)))")],
    "a difference": [("x = x + y", "x = x - y")],
    "the other difference": [("x = x + y", "x = y - x")],
    "another eps": [("nn.BatchNorm2d(w)", "nn.BatchNorm2d(w, eps=1e-3)")],
    "another momentum": [("nn.BatchNorm2d(w)", "nn.BatchNorm2d(w, momentum=0.2)")],
    "no affine norm": [("nn.BatchNorm2d(w)", "nn.BatchNorm2d(w, affine=False)")],
    "a bias": [("nn.Conv2d(w, w, 3, padding=1, bias=False)", "nn.Conv2d(w, w, 3, padding=1)")],
    "a dilation": [("nn.Conv2d(w, w, 3, padding=1,", "nn.Conv2d(w, w, 3, padding=2, dilation=2,")],
    "activation before norm": [("F.relu(self.norm(self.one(x)))", "self.norm(F.relu(self.one(x)))")],
    "one more activation": [("x = x + y", "x = F.relu(x + y)")],
    "a sum with a factor": [("x = x + y", "x = torch.add(x, y, alpha=2)")],
    "max for mean": [("x.mean((2, 3))", "x.amax((2, 3))")],
    "a layer used twice": [("F.relu(self.two(x))", "F.relu(self.two(self.two(x)))")],
    "two layers alike": [
        ("F.relu(self.two(x))", "F.relu(self.three(self.two(x)))"),
        ("        self.head", "        self.three = nn.Conv2d(w, w, 3, padding=1, bias=False)\n        self.head"),
    ],
    "dropout": [("x.mean((2, 3))", "F.dropout(x.mean((2, 3)), 0.1, self.training)")],
    "more dropout": [("x.mean((2, 3))", "F.dropout(x.mean((2, 3)), 0.2, self.training)")],
    "wider": [("round(8 * width)", "round(9 * width)")],
    "a frozen layer": [("        self.head = ", "        self.two.weight.requires_grad_(False)\n        self.head = ")],
}


@pytest.mark.parametrize("name", REWRITES)
def test_the_same_network_written_otherwise(name):
    rewritten = changed(*REWRITES[name])
    assert structure_hashes(graph_of(rewritten)) == structure_hashes(graph_of(PLAIN))


@pytest.mark.parametrize("form", ["x.view(x.shape[0], -1)", "x.reshape(x.size(0), -1)", "torch.flatten(x, 1)"])
def test_the_same_flattening_written_otherwise(form):
    def pooled(flattened):
        return changed(("x = x.mean((2, 3))", f"x = F.adaptive_avg_pool2d(x, 1)\n        x = {flattened}"))

    one, other = (structure_hashes(graph_of(pooled(flattened))) for flattened in ("x.flatten(1)", form))
    assert one == other


def test_near_misses_are_all_other_networks():
    hashes = {name: structure_hashes(graph_of(changed(*changes))).exact for name, changes in NEAR_MISSES.items()}
    hashes["as it was"] = structure_hashes(graph_of(PLAIN)).exact
    assert len(set(hashes.values())) == len(hashes), hashes
