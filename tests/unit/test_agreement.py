"""What the graph must say, and what it must refuse (architecture, section 2), one test or more for each point.

=================================================== ==========================================================
point                                               tests here
=================================================== ==========================================================
``requires_grad``                                   test_a_frozen_parameter_stays_frozen
tied parameters                                     test_tied_parameters_train_as_one
buffers                                             test_buffers_are_kept_apart_from_parameters
unbounded symbolic batch                            test_a_bound_on_the_batch_is_refused, test_any_batch_size
no devices, rebuild on ``meta``                     test_devices_are_stripped
dtypes that defeat autocast                         test_a_baked_precision_is_refused, test_drop_path_follows_autocast
drop-path as one operation                          test_drop_path_follows_autocast, test_drop_path_is_drawn_anew
in-place order                                      test_in_place_operations_keep_their_order
``num_batches_tracked``                             test_batches_are_counted_once_a_training_step
``no_grad`` blocks                                  test_a_no_grad_block_is_refused
two passes, two seeds                               test_baked_randomness_is_refused, test_what_torch_draws_in_…
custom ``autograd.Function``                        test_a_gradient_of_zero_is_seen
tensor hooks                                        test_a_hook_is_seen
one dictionary of parameters for both modes         test_both_modes_share_their_tensors
no string of the child reaches code                 test_no_name_is_executed, test_generated_text_holds_no_names
a child's own word is checked                       test_a_malformed_witness_agrees_with_nothing
=================================================== ==========================================================

``tests/jail/test_cheats.py`` sends the dishonest ones through the whole verifier; ``test_graph.py`` holds what a
description may say.
"""

import builtins
import copy
import functools
import json
import random
import re

import pytest
import torch
from torch import nn

from fairnad_engine.backbone import rebuild
from fairnad_engine.backbone.agreement import disagreement, probe
from fairnad_engine.backbone.export import CandidateError, build, export_with_witness, named_tensors, read_tensors
from fairnad_engine.backbone.graph import GraphRefusedError, parse_graph
from fairnad_engine.backbone.rebuild import GraphBackbone
from fairnad_engine.backbone.replay import replay_graph
from fairnad_engine.backbone.steadiness import first_difference

torch.set_num_threads(1)

BASE = """
import math
import torch
import torch.nn.functional as F
from torch import nn


class Zero(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 0


class Backbone(nn.Module):
    def __init__(self, in_channels, num_classes, width=1.0):
        super().__init__()
        self.one = nn.Conv2d(in_channels, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.two = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.head = nn.Linear(8, num_classes)
        # more

    def forward(self, x):
        x = F.relu(self.norm(self.one(x)))
        x = F.relu(self.two(x))
        x = self.head(x.mean((2, 3)))
        return x
"""
REQUEST = {"shape": [1, 8, 8], "classes": 10, "width": 1.0, "seed": 3}
MEAN, LOGITS = "        x = self.head(x.mean((2, 3)))\n", "        return x\n"
DROP_PATHS = {
    "rand and floor": (
        "x = x / 0.5 * torch.floor(0.5 + torch.rand((x.shape[0], 1), dtype=x.dtype, device=x.device)) "
        "if self.training else x"
    ),
    "bernoulli_": "x = x * x.new_empty((x.shape[0], 1)).bernoulli_(0.5).div_(0.5) if self.training else x",
    "dropout of ones": "x = x * F.dropout(torch.ones((x.shape[0], 1), dtype=x.dtype), 0.5, self.training)",
}
# Eager code promotes to float32 under autocast as well: the tensor that it draws from says no precision.
OF_A_TENSOR = "x = x * torch.bernoulli(torch.full((x.shape[0], 1), 0.5, device=x.device)) / 0.5 if self.training else x"


def network(before="", more="", after=""):
    """BASE with lines of ``forward`` before the head, lines of the constructor, and lines of ``forward`` at its end."""
    indented = ["".join(f"        {line}\n" for line in text.splitlines()) for text in (before, more, after)]
    source = BASE.replace("        # more\n", indented[1])
    return source.replace(MEAN, indented[0] + MEAN).replace(LOGITS, indented[2] + LOGITS)


@functools.cache
def _exported(source):
    document, weights, witness = export_with_witness(source, REQUEST)
    return json.dumps(document), weights, witness


def exported(source):
    document, weights, witness = _exported(source)
    return json.loads(document), weights, witness


def rebuilt(source):
    document, weights, _ = exported(source)
    return GraphBackbone(parse_graph(document), read_tensors(weights))


def difference(source):
    """What the source does otherwise than its graph."""
    document, weights, witness = exported(source)
    seen = replay_graph(document, read_tensors(weights), REQUEST["seed"])["seen"]
    return next((problem for claimed in witness if (problem := disagreement(claimed, seen))), None)


def trained(source, steps=3):
    """The source's own network and the graph's, after the same steps."""
    original, graph = build(source, 1, 10, 1.0, REQUEST["seed"]), rebuilt(source)
    images = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for model in (original, graph):
        torch.manual_seed(1)
        optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1, momentum=0.9)
        model.train()
        for _ in range(steps):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(images), torch.arange(6)).backward()
            optimiser.step()
        model.eval()
    assert torch.equal(original(images), graph(images))
    return dict(original.state_dict(keep_vars=False)), graph.named_weights()


def refusal(source):
    with pytest.raises(CandidateError) as refused:
        export_with_witness(source, REQUEST)
    return refused.value


def test_an_honest_network_agrees_with_its_graph():
    assert difference(network()) is None


def test_a_frozen_parameter_stays_frozen():
    source = network(more="self.two.weight.requires_grad_(False)")
    frozen = [t["name"] for t in exported(source)[0]["tensors"] if t["kind"] == "parameter" and not t["requires_grad"]]
    assert frozen == ["two.weight"]
    initial = rebuilt(source).named_weights()
    own, moved = trained(source)
    assert torch.equal(moved["two.weight"], initial["two.weight"])
    assert not torch.equal(moved["one.weight"], initial["one.weight"])
    assert torch.equal(own["one.weight"], moved["one.weight"])


def test_tied_parameters_train_as_one():
    source = network("x = F.relu(self.three(x))", "self.three = nn.Conv2d(8, 8, 3, padding=1, bias=False)")
    tied = source.replace("bias=False)\n\n    def forward", "bias=False)\n        self.three.weight = self.two.weight\n\n    def forward")  # fmt: skip # noqa: E501
    assert tied != source
    entries = {t["name"]: t["aliases"] for t in exported(tied)[0]["tensors"]}
    assert entries["two.weight"] == ["three.weight"]
    own, moved = trained(tied)
    assert "three.weight" not in moved
    assert torch.equal(own["two.weight"], moved["two.weight"])
    assert torch.equal(own["two.weight"], own["three.weight"])


@pytest.mark.parametrize("persistent", [True, False])
def test_buffers_are_kept_apart_from_parameters(persistent):
    more = f'self.register_buffer("scale", torch.full((8, 1, 1), 0.5), persistent={persistent})'
    source = network("x = x * self.scale", more)
    entry = next(t for t in exported(source)[0]["tensors"] if t["name"] == "scale")
    assert (entry["kind"], entry["requires_grad"]) == ("buffer", False)
    model = rebuilt(source)
    assert sorted(tuple(p.shape) for p in model.parameters()) == sorted([(8, 1, 3, 3), (8,), (8,), (8, 8, 3, 3), (10, 8), (10,)])  # fmt: skip # noqa: E501
    _, moved = trained(source)
    assert torch.equal(moved["scale"], torch.full((8, 1, 1), 0.5))


@pytest.mark.parametrize(
    "line",
    [
        "x = x if x.shape[0] < 8 else 2 * x",
        "x = 2 * x if x.shape[0] > 100 else x",
        "x = x if x.shape[0] % 2 == 0 else 2 * x",
        "x = x if x.shape[0] != 37 else 2 * x",
    ],
)
def test_a_bound_on_the_batch_is_refused(line):
    assert refusal(network(line)).kind == "not-exportable"


def test_any_batch_size():
    source = network("x = x.reshape(x.shape[0], -1).view(x.shape[0], 8, 8, 8)")
    model = rebuilt(source).eval()
    images = torch.randn(300, 1, 8, 8)
    whole = model(images)
    for size in (1, 2, 7, 64):
        assert torch.allclose(model(images[:size]), whole[:size], atol=1e-6)


def test_devices_are_stripped():
    source = network(
        "x = x + torch.arange(8, device=x.device, dtype=x.dtype).view(8, 1, 1) + torch.zeros(8, 1, 1).to(x.device)",
        after=DROP_PATHS["rand and floor"],
    )
    document, _, _ = exported(source)
    ops = [node["op"] for mode in ("train", "eval") for node in document[mode]["nodes"]]
    assert ops.count("aten.rand.default") == 1
    assert any(op.startswith("aten.arange") for op in ops)
    assert not re.search(r"device|cpu", json.dumps([document["train"], document["eval"]]))
    for training in (True, False):
        logits = GraphBackbone(parse_graph(document)).train(training)(torch.empty(5, 1, 8, 8, device="meta"))
        assert (logits.device.type, tuple(logits.shape)) == ("meta", (5, 10))


@pytest.mark.parametrize("line", ["x = x.double().float()", "x = x.half().float()", "x = x.to(torch.bfloat16) * 1.0"])
def test_a_baked_precision_is_refused(line):
    source = network(after=line)
    with pytest.raises(GraphRefusedError, match="the protocol decides the precision"):
        parse_graph(exported(source)[0])


@pytest.mark.parametrize("name", DROP_PATHS)
def test_drop_path_follows_autocast(name):
    model = rebuilt(network(after=DROP_PATHS[name])).train()
    images = torch.randn(4, 1, 8, 8)
    assert model(images).dtype is torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert model(images).dtype is torch.bfloat16


@pytest.mark.parametrize("drop_path", [*DROP_PATHS.values(), OF_A_TENSOR], ids=[*DROP_PATHS, "bernoulli of a tensor"])
def test_drop_path_is_drawn_anew(drop_path):
    source = network(after=drop_path)
    assert difference(source) is None
    own, moved = trained(source)
    assert torch.equal(own["one.weight"], moved["one.weight"])
    model, images = rebuilt(source).train(), torch.randn(16, 1, 8, 8)
    dropped = {tuple((model(images) == 0).all(1).tolist()) for _ in range(4)}
    assert len(dropped) > 1
    assert not bool((model.eval()(images) == 0).all(1).any())


def test_in_place_operations_keep_their_order():
    source = network("y = x * 1.0\nx = y + 1\ny.mul_(-2.0)\nz = y + x\ny.add_(3.0).relu_()\nx = x + y * z")
    assert difference(source) is None
    own, moved = trained(source)
    assert all(torch.equal(tensor, own[name]) for name, tensor in moved.items())
    # The same operations in another order are another network.
    other = network("y = x * 1.0\nx = y + 1\nz = y + x\ny.mul_(-2.0)\ny.add_(3.0).relu_()\nx = x + y * z")
    images = torch.randn(2, 1, 8, 8)
    assert not torch.allclose(rebuilt(source).eval()(images), rebuilt(other).eval()(images))


def test_batches_are_counted_once_a_training_step():
    own, moved = trained(network("x = self.again(x)\nx = self.again(x)", "self.again = nn.BatchNorm2d(8)"))
    assert (int(moved["norm.num_batches_tracked"]), int(moved["again.num_batches_tracked"])) == (3, 6)
    assert all(torch.equal(tensor, own[name]) for name, tensor in moved.items())


@pytest.mark.parametrize("block", ["torch.no_grad()", "torch.set_grad_enabled(False)"])
def test_a_no_grad_block_is_refused(block):
    assert refusal(network(f"with {block}:\n    x = F.relu(self.two(x))")).kind == "not-exportable"


def test_no_gradient_by_detaching_is_kept():
    source = network("x = x + self.three(x.detach())", "self.three = nn.Conv2d(8, 8, 1)")
    assert difference(source) is None
    own, moved = trained(source)
    assert all(torch.equal(tensor, own[name]) for name, tensor in moved.items())


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("x = x * __import__('random').random()", "baked-randomness"),
        ("x = x.roll(__import__('random').randrange(10**6), 2)", "baked-randomness"),
        ("x = x + torch.tensor([__import__('random').random()])", "baked-randomness"),
        ("x = x + torch.from_numpy(__import__('numpy').random.rand(1).astype('float32'))", "baked-randomness"),
        ("x = F.relu(x) if __import__('random').random() < 0.5 else F.gelu(x)", "baked-randomness"),
        ("self.calls = getattr(self, 'calls', 0) + 1\nx = x * self.calls", "baked-randomness"),
        ("x = x * float(torch.rand(()))", "not-exportable"),  # to the trace, a number of the data
    ],
)
def test_baked_randomness_is_refused(line, kind):
    random.seed(0)
    assert refusal(network(line)).kind == kind


@pytest.mark.parametrize(
    "line",
    [
        "x = F.dropout(x, 0.5, self.training)",
        "x = x + 0.1 * torch.randn_like(x)",
        "x = x * (torch.rand(x.shape[0], 1, 1, 1) < 0.5)",
        "x = x * torch.bernoulli(torch.full_like(x, 0.5))",
        "x = x + torch.tensor([0.25])",
        "x = x[torch.randperm(x.shape[0])]",
        "x = x + F.dropout(x, 0.5, self.training).data",
        "x = x + self.norm.running_mean.data.mean()",
    ],
)
def test_what_torch_draws_in_each_pass_is_the_same_computation(line):
    model = build(network(line), 1, 10, 1.0, 3)
    images, _ = probe((1, 8, 8), 10, 3)
    assert first_difference(model, named_tensors(model), images, 3) is None


def test_where_two_passes_part_is_named():
    model = build(network("self.calls = getattr(self, 'calls', 0) + 1\nx = x * self.calls"), 1, 10, 1.0, 3)
    images, _ = probe((1, 8, 8), 10, 3)
    assert first_difference(model, named_tensors(model), images, 3).startswith("aten.mul.Tensor")


def test_a_gradient_of_zero_is_seen():
    source = network("x = x + Zero.apply(F.relu(self.two(x)))")
    document, weights, witness = exported(source)
    seen = replay_graph(document, read_tensors(weights), REQUEST["seed"])["seen"]
    assert (witness[0]["train"], witness[0]["eval"]) == (seen["train"], seen["eval"])  # the loss gives nothing away
    assert "another gradient for" in difference(source)


@pytest.mark.parametrize(
    ("before", "more"),
    [
        ("x.requires_grad and not torch.compiler.is_exporting() and x.register_hook(lambda g: g * 10)", ""),
        ("", "self.two.weight.register_hook(lambda g: -g)"),
        ("", "self.norm.register_full_backward_hook(lambda m, i, o: tuple(g * 3 for g in i))"),
    ],
)
def test_a_hook_is_seen(before, more):
    assert "another gradient for" in difference(network(before, more))


def test_both_modes_share_their_tensors():
    source = network(before="x = F.dropout(x, 0.1, self.training)", after="x = x * self.gain", more="self.gain = nn.Parameter(torch.ones(10))")  # fmt: skip # noqa: E501
    document, weights, _ = exported(source)
    names = [t["name"] for t in document["tensors"]]
    assert len(set(names)) == len(names)
    assert set(names) == set(build(source, 1, 10, 1.0, 3).state_dict()) == set(read_tensors(weights))
    used = [
        {names[ref] for ref in map(int, re.findall(r'\{"t": (\d+)\}', json.dumps(document[mode])))}
        for mode in ("train", "eval")
    ]
    assert used[0] - used[1] == {"norm.num_batches_tracked"}
    assert used[1] <= used[0]
    model = GraphBackbone(parse_graph(document), read_tensors(weights))
    images = torch.randn(2, 1, 8, 8)
    before = model.eval()(images)
    with torch.no_grad():
        getattr(model, f"t{names.index('gain')}").mul_(2.0)
    assert torch.allclose(model.eval()(images), 2 * before)


CODE = "x): open({file!r}, 'w').close() #"
PLACES = {
    "a tensor": lambda d, code: d["tensors"][0].update(name=code),
    "an alias": lambda d, code: d["tensors"][0].update(aliases=[code]),
    "an operation": lambda d, code: d["train"]["nodes"][0].update(op=code),
    "an argument": lambda d, code: d["train"]["nodes"][0]["args"].append(code),
    "a keyword": lambda d, code: d["train"]["nodes"][0]["kwargs"].update({code: 1}),
    "a dtype": lambda d, code: d["train"]["nodes"][0]["args"].append({"d": code}),
    "a float": lambda d, code: d["train"]["nodes"][0]["args"].append({"f": code}),
    "a node": lambda d, code: d["train"]["nodes"][1]["args"].append({"n": code}),
    "the output": lambda d, code: d["train"].update(output={"n": code}),
    "a tag": lambda d, code: d["train"]["nodes"][0]["args"].append({code: 0}),
    "the version": lambda d, code: d.update(version=code),
    "a shape": lambda d, code: d["tensors"][0].update(shape=[code]),
}


@pytest.mark.parametrize("place", PLACES)
def test_no_name_is_executed(place, tmp_path):
    document = copy.deepcopy(exported(network())[0])
    file = tmp_path / "executed"
    PLACES[place](document, CODE.format(file=str(file)))
    with pytest.raises(GraphRefusedError):
        GraphBackbone(parse_graph(document))
    assert not file.exists()


def test_a_module_with_code_for_a_name_is_refused(tmp_path):
    file = tmp_path / "executed"
    name = CODE.format(file=str(file)).replace(".", "_")  # a parameter's name has no dots
    source = network("x = x * getattr(self, NAME)", "self.register_parameter(NAME, nn.Parameter(torch.ones(8, 1, 1)))")
    document, _, _ = exported(source.replace("class Zero", f"NAME = {name!r}\n\n\nclass Zero"))
    with pytest.raises(GraphRefusedError, match="not a plain dotted name"):
        parse_graph(document)
    assert not file.exists()


def test_generated_text_holds_no_names(monkeypatch):
    document = exported(network(after=DROP_PATHS["bernoulli_"]))[0]
    for node in document["train"]["nodes"]:
        node["kwargs"]["import"] = 1  # plain enough for the grammar, and a word of Python's
    texts = []

    def note(text, *arguments):
        texts.append(text)
        return builtins.compile(text, *arguments)

    monkeypatch.setattr(rebuild, "compile", note, raising=False)
    model = GraphBackbone(parse_graph(document))
    assert len(texts) == 2
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    plain = r"def|forward|x|t|return|None|device|\d+|[vo]\d+|c\d+_\d+"
    assert {word for word in words if not re.fullmatch(plain, word)} == set()
    with pytest.raises(RuntimeError, match="argument"):
        model.train()(torch.empty(2, 1, 8, 8, device="meta"))


@pytest.mark.parametrize(
    "change",
    [
        lambda w: None,
        lambda w: [],
        lambda w: {},
        lambda w: {**w, "train": None},
        lambda w: {**w, "train": [float("nan")] * 4},
        lambda w: {**w, "train": [True] * 4},
        lambda w: {**w, "train": w["train"][:3]},
        lambda w: {**w, "train": [10**400] * 4},
        lambda w: {**w, "train": ["1"] * 4},
        lambda w: {**w, "eval": [2 * n for n in w["eval"]]},
        lambda w: {**w, "gradients": {}},
        lambda w: {**w, "gradients": None},
        lambda w: {**w, "gradients": {**w["gradients"], "two.weight": None}},
        lambda w: {**w, "gradients": {**w["gradients"], "extra": [0.0] * 4}},
        lambda w: {**w, "buffers": []},
        lambda w: {**w, "buffers": {name: [0.0] * 4 for name in w["buffers"]}},
    ],
)
def test_a_malformed_witness_agrees_with_nothing(change):
    document, weights, witness = exported(network())
    seen = replay_graph(document, read_tensors(weights), REQUEST["seed"])["seen"]
    assert disagreement(witness[0], seen) is None
    assert disagreement(change(witness[0]), seen) is not None
