"""The gate of the trust boundary: what a description may say."""

import copy
import json

import pytest
import torch
from torch import nn

from fairnad_engine.backbone.analysis import count_params, measure
from fairnad_engine.backbone.canonical import structure_hashes
from fairnad_engine.backbone.export import CandidateError, build, export_backbone, read_tensors
from fairnad_engine.backbone.graph import GraphRefusedError, parse_graph
from fairnad_engine.backbone.rebuild import GraphBackbone

torch.set_num_threads(1)

SOURCE = """
import torch
from torch import nn
import torch.nn.functional as F


class Backbone(nn.Module):
    def __init__(self, in_channels, num_classes, width=1.0):
        super().__init__()
        w = int(8 * width)
        self.stem = nn.Conv2d(in_channels, w, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(w)
        self.body = nn.Conv2d(w, w, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(w)
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(w, num_classes)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)))
        x = F.relu(x + self.norm2(self.body(x)))
        return self.head(self.drop(x.mean((2, 3))))
"""
REQUEST = {"shape": [1, 8, 8], "classes": 10, "width": 1.0, "seed": 3}


def exported(source=SOURCE, **changes):
    document, weights = export_backbone(source, {**REQUEST, **changes})
    return json.loads(json.dumps(document)), weights


@pytest.fixture(scope="module")
def document():
    return exported()[0]


def test_round_trip_through_canonical_json(document):
    graph = parse_graph(document)
    assert parse_graph(json.loads(graph.to_json())) == graph
    assert graph.input_shape == (1, 8, 8)
    assert graph.num_classes == 10


def test_rebuilt_network_trains_bit_exactly_like_the_original():
    document, weights = exported()
    rebuilt = GraphBackbone(parse_graph(document), read_tensors(weights))
    original = build(SOURCE, 1, 10, 1.0, 3)
    torch.manual_seed(0)
    images, labels = torch.randn(16, 1, 8, 8), torch.randint(0, 10, (16,))
    for model in (rebuilt, original):
        torch.manual_seed(1)
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for _ in range(5):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimiser.step()
        model.eval()
    assert torch.equal(rebuilt(images), original(images))
    state = original.state_dict()
    for name, tensor in rebuilt.named_weights().items():
        assert torch.equal(tensor, state[name]), name


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda d: d.update(version=2), "graph-refused"),
        (lambda d: d.update(input=[1, 8]), "graph-refused"),
        (lambda d: d.update(classes=True), "graph-refused"),
        (lambda d: d["train"]["nodes"][0].update(op="aten.system.default"), "op-not-allowed"),
        (lambda d: d["train"]["nodes"][0].update(op="aten.conv2d.default; import os"), "op-not-allowed"),
        (lambda d: d["train"]["nodes"][0].update(op=["aten.conv2d.default"]), "op-not-allowed"),
        (lambda d: d["eval"]["nodes"][0]["args"].__setitem__(0, {"n": 5}), "graph-refused"),
        (lambda d: d["eval"]["nodes"][0]["args"].__setitem__(0, {"n": -1}), "graph-refused"),
        (lambda d: d["eval"]["nodes"][0]["args"].__setitem__(0, {"t": 10_000}), "graph-refused"),
        (lambda d: d["eval"]["nodes"][0]["args"].__setitem__(0, {"x": 0, "n": 0}), "graph-refused"),
        (lambda d: d["eval"]["nodes"][0]["args"].append("__import__('os')"), "graph-refused"),
        (lambda d: d["eval"]["nodes"][0]["args"].append(float("nan")), "graph-refused"),
        (lambda d: d["eval"]["nodes"][0]["args"].append(2**70), "graph-refused"),
        (lambda d: d["eval"]["nodes"][0]["args"].append([[[[[[[[1]]]]]]]]), "graph-refused"),
        (lambda d: d["eval"]["nodes"][0]["kwargs"].update({"x: 1) or (": 1}), "graph-refused"),
        (lambda d: d["eval"].update(output={"t": 0}), "graph-refused"),
        (lambda d: d["eval"].update(nodes=d["eval"]["nodes"] * 4000), "graph-refused"),
        (lambda d: d["tensors"][0].update(name="x'); import os; ('"), "graph-refused"),
        (lambda d: d["tensors"][0].update(name=d["tensors"][1]["name"]), "graph-refused"),
        (lambda d: d["tensors"][0].update(dtype="complex64"), "graph-refused"),
        (lambda d: d["tensors"][0].update(kind="optimiser"), "graph-refused"),
        (lambda d: d["tensors"][0].update(shape=[2**31, 2**31]), "graph-refused"),
        (lambda d: d["tensors"][0].update(shape=[-1]), "graph-refused"),
        (lambda d: d["tensors"][0].update(requires_grad="yes"), "graph-refused"),
    ],
)
def test_what_is_not_allowed_is_refused(document, change, kind):
    bad = copy.deepcopy(document)
    change(bad)
    with pytest.raises(GraphRefusedError) as refused:
        parse_graph(bad)
    assert refused.value.kind == kind
    assert "\n" not in str(refused.value)


def test_writing_into_a_parameter_is_refused(document):
    bad = copy.deepcopy(document)
    bad["train"]["nodes"].append({"op": "aten.zero_.default", "args": [{"t": 0}], "kwargs": {}})
    with pytest.raises(GraphRefusedError, match="only a step counter may be written"):
        parse_graph(bad)


def test_a_huge_factory_is_refused(document):
    bad = copy.deepcopy(document)
    bad["eval"]["nodes"].append({"op": "aten.zeros.default", "args": [[100_000, 100_000]], "kwargs": {}})
    with pytest.raises(GraphRefusedError, match="makes more than"):
        parse_graph(bad)


@pytest.mark.parametrize("value", [None, [], "graph", 3, {"version": 1}])
def test_not_even_a_graph(value):
    with pytest.raises(GraphRefusedError):
        parse_graph(value)


def test_weights_must_fit(document):
    _, weights = exported()
    tensors = read_tensors(weights)
    graph = parse_graph(document)
    with pytest.raises(GraphRefusedError, match="are missing or not"):
        GraphBackbone(graph, {**tensors, "head.weight": torch.zeros(3, 3)})
    with pytest.raises(GraphRefusedError, match="not finite"):
        GraphBackbone(graph, {**tensors, "head.bias": torch.full((10,), float("nan"))})


def test_costs_come_from_the_graph(document):
    cost = measure(parse_graph(document))
    assert cost.params == 8 * 9 + 16 + 8 * 8 * 9 + 16 + 8 * 10 + 10
    assert cost.macs == 64 * 8 * 9 + 64 * 8 * 8 * 9 + 80


def test_parameters_hidden_in_buffers_count():
    hidden = SOURCE.replace("self.drop =", 'self.register_buffer("extra", torch.randn(8, 1, 1)); self.drop =').replace(
        "return self.head", "x = x * self.extra\n        return self.head"
    )
    assert count_params(parse_graph(exported(hidden)[0])) == count_params(parse_graph(exported()[0])) + 8


def test_cheap_when_counted_and_dear_when_used_is_refused():
    cheat = SOURCE.replace(
        "        x = F.relu(x + self.norm2(self.body(x)))",
        "        if self.training:\n            x = F.relu(x + self.norm2(self.body(x)))",
    )
    with pytest.raises(GraphRefusedError) as refused:
        measure(parse_graph(exported(cheat)[0]))
    assert refused.value.kind == "train-eval-mismatch"


def test_attention_is_counted():
    attention = SOURCE.replace(
        "        return self.head",
        "        t = x.flatten(2).transpose(1, 2)\n"
        "        x = F.scaled_dot_product_attention(t, t, t).transpose(1, 2).reshape(x.shape)\n"
        "        return self.head",
    )
    plain, with_attention = (measure(parse_graph(exported(s)[0])).macs for s in (SOURCE, attention))
    assert with_attention - plain == 2 * 64 * 64 * 8


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("F.relu(x + self.norm2(self.body(x)))", "torch.relu_(self.norm2(self.body(x)) + x)"),
        ("x.mean((2, 3))", "x.mean(dim=(2, 3), keepdim=False)"),
        ("self.head(self.drop(x.mean((2, 3))))", "self.head(self.drop(x.contiguous().mean((2, 3))))"),
        ("F.relu(self.norm", "nn.functional.relu(self.norm"),
    ],
)
def test_the_same_network_written_differently_has_the_same_hash(old, new):
    assert old in SOURCE
    one, other = (structure_hashes(parse_graph(exported(s)[0])) for s in (SOURCE, SOURCE.replace(old, new)))
    assert one == other


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("F.relu(x + ", "F.gelu(x + "),
        ("x + self.norm2(self.body(x))", "self.norm2(self.body(x))"),
        ("nn.Conv2d(w, w, 3, padding=1, bias=False)", "nn.Conv2d(w, w, 5, padding=2, bias=False)"),
        ("nn.Conv2d(w, w, 3, padding=1, bias=False)", "nn.Conv2d(w, w, 3, padding=1, groups=2, bias=False)"),
        ("self.norm2(self.body(x))", "self.norm2(self.body(self.body(x)))"),
    ],
)
def test_another_network_has_other_hashes(old, new):
    assert old in SOURCE
    one, other = (structure_hashes(parse_graph(exported(s)[0])) for s in (SOURCE, SOURCE.replace(old, new)))
    assert one.exact != other.exact
    assert one.width_normalised != other.width_normalised


def test_a_widened_copy_differs_exactly_but_not_width_normalised():
    one, other = (structure_hashes(parse_graph(exported(width=w)[0])) for w in (1.0, 2.0))
    assert one.exact != other.exact
    assert one.width_normalised == other.width_normalised


def test_tied_parameters_are_one_entry():
    tied = SOURCE.replace(
        "self.drop =", "self.body.weight = nn.Parameter(self.body.weight); self.twin = self.body; self.drop ="
    )
    document, _ = exported(tied)
    entry = next(t for t in document["tensors"] if t["name"] == "body.weight")
    assert entry["aliases"] == ["twin.weight"]


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("class Backbone", "class Other", "contract"),
        ("import torch\n", "import torch\nimport no_such_module\n", "import"),
        ("w = int(8 * width)", "w = int('eight')", "build"),
        ("self.body(x)))", "self.head(x)))", "forward"),
        ("return self.head(self.drop(x.mean((2, 3))))", "return x", "output-shape"),
        ("return self.head(self.drop(x.mean((2, 3))))", "return self.head(x.mean((2, 3))).detach()", "backward"),
        (
            "        x = F.relu(self.norm",
            "        x = x * (1 if float(x.sum()) > 0 else 2)\n        x = F.relu(self.norm",
            "not-exportable",
        ),
        (
            "        x = F.relu(self.norm",
            "        x = x if x.shape[0] < 8 else 2 * x\n        x = F.relu(self.norm",
            "not-exportable",
        ),
        ("def forward(self, x):", "def forward(self, x:", "syntax"),
    ],
)
def test_each_way_to_fail_has_its_class(old, new, kind):
    assert old in SOURCE
    with pytest.raises(CandidateError) as failed:
        exported(SOURCE.replace(old, new, 1))
    assert failed.value.kind == kind
