"""Every torchvision classification family goes through the real jail, becomes a graph and comes back as a network.

The suite tries fifteen of the twenty-one, `make soak` all.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fairnad_engine.backbone.agreement import disagreement
from fairnad_engine.backbone.analysis import measure
from fairnad_engine.backbone.export import read_tensors
from fairnad_engine.backbone.graph import BackboneGraph, parse_graph
from fairnad_engine.backbone.jail import Jail
from fairnad_engine.backbone.jail.client import TORCH
from fairnad_engine.backbone.rebuild import GraphBackbone

torch.set_num_threads(1)
pytestmark = pytest.mark.slow

# Every layer of each; the resolution is the smallest that it takes.
SIZES = {
    "alexnet": 64, "convnext_tiny": 32, "densenet121": 32, "efficientnet_b0": 32, "efficientnet_v2_s": 32,
    "googlenet": 32, "inception_v3": 75, "maxvit_t": 64, "mnasnet0_5": 32, "mobilenet_v2": 32,
    "mobilenet_v3_small": 32, "regnet_y_400mf": 32, "resnet18": 32, "resnext50_32x4d": 32, "wide_resnet50_2": 32,
    "shufflenet_v2_x0_5": 32, "squeezenet1_0": 32, "swin_t": 32, "swin_v2_t": 64, "vgg11": 32, "vit_b_16": 32,
}  # fmt: skip
# Close relatives of another one; tried by `make soak`.
RELATIVES = {"efficientnet_v2_s", "inception_v3", "resnext50_32x4d", "swin_v2_t", "vgg11", "wide_resnet50_2"}
# Of these five steps are taken too, and of small transformers, whose full size takes minutes.
EXACT = {"resnet18", "efficientnet_b0", "convnext_tiny", "shufflenet_v2_x0_5", "densenet121", "mobilenet_v3_small"}
SMALL = {
    "vit": """
from torchvision.models.vision_transformer import VisionTransformer
def Network():
    return VisionTransformer(32, 8, num_layers=3, num_heads=3, hidden_dim=48, mlp_dim=96, dropout=0.1, num_classes=10)
""",
    "swin": """
from torchvision.models.swin_transformer import SwinTransformer
def Network():
    return SwinTransformer(
        [4, 4], embed_dim=24, depths=[2, 2], num_heads=[2, 4], window_size=[4, 4], stochastic_depth_prob=0.2,
        num_classes=10,
    )
""",
}
KEYWORDS = {
    "googlenet": ", aux_logits=False, init_weights=False",
    "inception_v3": ", aux_logits=False, init_weights=False",
    "vit_b_16": ", image_size=32, dropout=0.1",
}
# ``maxvit_t`` fixes windows of 7, which need 224 pixels: its own numbers with windows of 2.
MAXVIT = """
from torchvision.models.maxvit import MaxVit
def Network():
    return MaxVit(
        input_size=(64, 64), stem_channels=64, partition_size=2, block_channels=[64, 128, 256, 512],
        block_layers=[2, 2, 5, 2], head_dim=32, stochastic_depth_prob=0.2, num_classes=10,
    )
"""
MEMORY = 12 << 30


def source(name: str) -> str:
    if name in SMALL:
        return SMALL[name]
    if name == "maxvit_t":
        return MAXVIT
    return (
        "import torchvision\n"
        "def Network():\n"
        f"    return torchvision.models.{name}(weights=None, num_classes=10{KEYWORDS.get(name, '')})\n"
    )


def request(size: int) -> dict:
    entry = {"name": "Network", "keywords": "{}"}
    return {"shape": [3, size, size], "classes": 10, "width": 1.0, "seed": 0, "entry": entry}


def eager(name: str) -> nn.Module:
    scope: dict = {}
    exec(source(name), scope)
    torch.manual_seed(0)
    return scope["Network"]()


@pytest.fixture(scope="module")
def jail() -> Iterator[Jail]:
    with Jail(
        memory_bytes=MEMORY, cpu_seconds=300, wall_seconds=600.0, reply_bytes=600 << 20, preload=(*TORCH, "torchvision")
    ) as jail:
        yield jail


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.soak if name in RELATIVES else ()) for name in SIZES]
)
def test_through_the_jail_and_back(name: str, jail: Jail) -> None:
    size = SIZES[name]
    result = jail.run("export", {"source": source(name), **request(size)})
    assert result.ok, f"{result.failure}: {result.message}"
    graph = parse_graph(result.data["graph"])
    assert_same_cost(graph, eager(name).eval().to("meta"))
    assert_runs_on_meta(graph)
    again = jail.run("replay", {"graph": result.data["graph"], "seed": 0}, {"weights": result.blobs["weights"]})
    assert again.ok, f"{again.failure}: {again.message}"
    assert [disagreement(seen, again.data["seen"]) for seen in result.data["witness"]] == [None, None]
    assert again.data["leak"] is False
    if name in EXACT:
        weights = read_tensors(result.blobs["weights"])
        del result, again
        assert_trains_like(eager(name), GraphBackbone(graph, weights))


@pytest.mark.parametrize("name", SMALL)
def test_transformers_train_exactly(name: str, jail: Jail) -> None:
    result = jail.run("export", {"source": source(name), **request(32)})
    assert result.ok, f"{result.failure}: {result.message}"
    weights = read_tensors(result.blobs["weights"])
    assert_trains_like(eager(name), GraphBackbone(parse_graph(result.data["graph"]), weights))


def test_enough_kinds_are_trained() -> None:
    assert len(SIZES) == 21
    assert len(EXACT) + len(SMALL) >= 6
    assert set(SIZES) >= EXACT
    assert set(SIZES) > RELATIVES and not RELATIVES & EXACT


def assert_same_cost(graph: BackboneGraph, original: nn.Module) -> None:
    """MACs equal torch's own count of the eager network; no parameter is missing."""
    cost = measure(graph)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        original(torch.empty(1, *graph.input_shape, device="meta"))
    assert cost.macs == counter.get_total_flops() // 2
    assert cost.params >= sum(p.numel() for p in original.parameters())


def assert_runs_on_meta(graph: BackboneGraph) -> None:
    for training in (True, False):
        logits = GraphBackbone(graph).train(training)(torch.empty(5, *graph.input_shape, device="meta"))
        assert logits.shape == (5, 10)
        assert logits.device.type == "meta"


def assert_trains_like(original: nn.Module, rebuilt: GraphBackbone) -> None:
    """Five steps of the jail's graph move every weight and statistic exactly as the eager network's."""
    images = torch.randn(4, *rebuilt.graph.input_shape, generator=torch.Generator().manual_seed(5))
    before = {key: tensor.clone() for key, tensor in original.state_dict().items()}
    for model in (original, rebuilt):
        torch.manual_seed(6)
        optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        model.train()
        for _ in range(5):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(images), torch.arange(4)).backward()
            optimiser.step()
    state, moved = original.state_dict(), rebuilt.named_weights()
    assert any(not torch.equal(state[key], tensor) for key, tensor in before.items())
    assert [key for key, tensor in state.items() if not torch.equal(tensor, moved[key])] == []
    # Without no_grad: in it, eager attention takes a fused short cut that rounds otherwise.
    difference = (original.eval()(images) - rebuilt.eval()(images)).detach().abs().max()
    assert float(difference) == 0.0
