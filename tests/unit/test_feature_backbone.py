"""Exported winners as sources of feature maps: each resolution with its channels and stride, at other sizes too."""

import copy
import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from fairnad_engine.llm.protocol import DesignTask, IdeaBrief, Purpose
from fairnad_engine.llm.rules import TRANSFORMATIONS, RulesDesigner, seed_source
from fairnad_engine.report.feature_backbone import FeatureBackbone, SizeError, load_features

torch.set_num_threads(1)

DIGITS, CIFAR = (1, 8, 8), (3, 32, 32)
SUBS = sorted({sub for transformation in TRANSFORMATIONS.values() for sub in transformation.subs})


def build(source, channels, width=1.0):
    scope = {}
    exec(compile(source, "candidate", "exec"), scope)
    return scope["Backbone"](channels, 10, width).eval()


def child_of(name, shape, sub):
    brief = IdeaBrief("i", sub.split(".")[0], sub, "an idea", "")
    return RulesDesigner().design(
        DesignTask(
            purpose=Purpose.IDEA, parent_source=seed_source(name), idea=brief, input_shape=shape, num_classes=10,
            max_params=10**7, max_macs=10**9, parent_params=1, parent_macs=1, entropy=(1, 2, 3),
        )
    )  # fmt: skip


def stage_outputs(model, x):
    found = {}
    stages = [name for name, _ in model.named_children() if name.startswith("stage")]
    handles = [
        getattr(model, name).register_forward_hook(lambda _m, _i, out, name=name: found.update({name: out}))
        for name in stages
    ]
    model(x)
    for handle in handles:
        handle.remove()
    return [found[name] for name in stages]


@pytest.mark.parametrize(
    ("name", "shape", "channels"), [("digits-small", DIGITS, [8, 16, 24]), ("resnet32", CIFAR, [16, 32, 64])]
)
@pytest.mark.parametrize("size", [64, 224])
def test_the_maps_are_what_the_stages_give(name, shape, channels, size):
    model = build(seed_source(name), shape[0])
    net = FeatureBackbone(model, shape)
    assert net.feature_info.channels() == channels
    assert net.feature_info.reduction() == [1, 2, 4]
    assert net.feature_info[1] == {"num_chs": channels[1], "reduction": 2, "index": 1}
    x = torch.randn(2, shape[0], size, size)
    with torch.no_grad():
        maps, expected = net(x), stage_outputs(model, x)
    assert [tuple(one.shape) for one in maps] == [
        (2, c, size // r, size // r) for c, r in zip(channels, (1, 2, 4), strict=True)
    ]
    assert all(torch.equal(one, other) for one, other in zip(maps, expected, strict=True))


@pytest.mark.parametrize("sub", SUBS)
def test_every_kind_of_winner_gives_maps_at_the_sizes_of_detectors(sub):
    """Children of the seed that was trained at 8x8; those with attention and token mixing among them."""
    net = FeatureBackbone(build(child_of("digits-small", DIGITS, sub).source, 1), DIGITS)
    reductions = net.feature_info.reduction()
    assert reductions == sorted(set(reductions)) and len(reductions) >= 2
    # Attention between all positions of a map as large as the image takes 40 GB at 224x224, whoever computes it.
    for size in (64,) if sub == "mixing.self-attention" else (64, 224):
        with torch.no_grad():
            maps = net.features(torch.randn(1, 1, size, size))
        for one, channels, reduction in zip(maps, net.feature_info.channels(), reductions, strict=True):
            assert one.shape[1] == channels
            assert abs(one.shape[2] - size / reduction) < 1 and one.shape[2] == one.shape[3]


class Positions(nn.Module):
    """A table for 8x8 positions, that is fitted to other sizes, or is not."""

    def __init__(self, resized):
        super().__init__()
        self.resized = resized
        self.table = nn.Parameter(torch.randn(1, 64, 32) * 0.02)

    def forward(self, h, w):
        if not self.resized or h * w == 64:
            return self.table
        grid = self.table.transpose(1, 2).reshape(1, 32, 8, 8)
        return F.interpolate(grid, (h, w)).flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    """A patch embedding with a table of positions and a head for one size, as a model may write it."""

    def __init__(self, in_channels, num_classes, width=1.0, *, resized=False):
        super().__init__()
        self.patch = nn.Conv2d(in_channels, 32, 4, stride=4)
        self.position = Positions(resized)
        self.norm = nn.LayerNorm(32)
        self.attend = nn.MultiheadAttention(32, 8, batch_first=True)
        self.merge = nn.Conv2d(32, 48, 2, stride=2)
        self.head = nn.Linear(48 * 16, num_classes)

    def forward(self, x):
        x = self.patch(x)
        n, c, h, w = x.shape
        tokens = x.flatten(2).transpose(1, 2) + self.position(h, w)
        tokens = tokens + self.attend(self.norm(tokens), self.norm(tokens), self.norm(tokens))[0]
        x = torch.relu(self.merge(tokens.transpose(1, 2).reshape(n, c, h, w)))
        return self.head(x.flatten(1))


class ChannelsLast(nn.Module):
    """Attention scores (N, heads, tokens, tokens) and maps with channels last, none of which is a feature map."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 2, stride=2)
        self.norm = nn.LayerNorm(16)
        self.mix = nn.Linear(16, 16)
        self.down = nn.Conv2d(16, 20, 3, stride=2, padding=1)
        self.head = nn.Linear(20, 10)

    def forward(self, x):
        x = self.stem(x)
        last = self.norm(x.permute(0, 2, 3, 1))
        x = x + self.mix(last).permute(0, 3, 1, 2)
        small = F.avg_pool2d(x, x.shape[2] // 4).flatten(2)
        scores = torch.softmax(small.unsqueeze(1).transpose(2, 3) @ small.unsqueeze(1), dim=-1)
        x = x + scores.mean()
        return self.head(torch.relu(self.down(x)).mean((2, 3)))


def test_a_table_for_one_size_is_one_line_that_says_so():
    net = FeatureBackbone(VisionTransformer(3, 10), CIFAR, name="g07-s03")
    assert (net.feature_info.channels(), net.feature_info.reduction()) == ([32, 48], [4, 8])
    assert [tuple(one.shape) for one in net(torch.randn(2, 3, 32, 32))] == [(2, 32, 8, 8), (2, 48, 4, 4)]
    for size in (64, 224):
        with pytest.raises(SizeError, match=rf"g07-s03 was trained at 32x32 and does not run at {size}x{size}") as told:
            net(torch.randn(2, 3, size, size))
        assert "\n" not in str(told.value)


def test_a_head_for_one_size_stands_in_nobodys_way():
    net = FeatureBackbone(VisionTransformer(3, 10, resized=True), CIFAR)
    assert (net.feature_info.channels(), net.feature_info.reduction()) == ([32, 48], [4, 8])
    for size in (64, 224):
        assert [tuple(one.shape) for one in net(torch.randn(2, 3, size, size))] == [
            (2, 32, size // 4, size // 4), (2, 48, size // 8, size // 8),
        ]  # fmt: skip


def test_neither_attention_scores_nor_channels_last_pass_for_a_map():
    net = FeatureBackbone(ChannelsLast(), CIFAR)
    assert (net.feature_info.channels(), net.feature_info.reduction()) == ([16, 20], [2, 4])
    assert [tuple(one.shape) for one in net(torch.randn(1, 3, 64, 64))] == [(1, 16, 32, 32), (1, 20, 16, 16)]


def test_some_of_the_maps_training_and_copies():
    net = FeatureBackbone(build(seed_source("resnet32"), 3), CIFAR, out_indices=(1, -1))
    assert [(one["index"], one["reduction"]) for one in net.feature_info] == [(1, 2), (2, 4)]
    net.train()
    sum(one.mean() for one in net(torch.randn(2, 3, 64, 64))).backward()
    assert all(p.grad is not None for name, p in net.model.named_parameters() if "classifier" not in name)
    twin = copy.deepcopy(net).eval()
    net.eval()
    x = torch.randn(1, 3, 40, 56)
    with torch.no_grad():
        assert all(torch.equal(one, other) for one, other in zip(net(x), twin(x), strict=True))
    with pytest.raises(IndexError):
        FeatureBackbone(build(seed_source("resnet32"), 3), CIFAR, out_indices=(3,))


def test_a_lack_of_memory_is_not_taken_for_a_size():
    class Greedy(nn.Conv2d):
        def forward(self, x):
            if x.shape[-1] > 100:
                raise RuntimeError("CUDA out of memory")
            return super().forward(x)

    net = FeatureBackbone(nn.Sequential(Greedy(3, 4, 3, padding=1), nn.ReLU()), CIFAR)
    with pytest.raises(RuntimeError, match="^CUDA out of memory"):
        net(torch.randn(1, 3, 224, 224))


def test_a_module_without_maps_is_refused():
    with pytest.raises(ValueError, match="no feature map"):
        FeatureBackbone(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), DIGITS)


def test_a_folder_is_loaded_with_its_weights(tmp_path):
    source = seed_source("digits-small")
    model = build(source, 1, 0.5)
    (tmp_path / "backbone.py").write_text(source)
    (tmp_path / "model.json").write_text(
        json.dumps({"id": "g01-s02", "input_shape": [1, 8, 8], "num_classes": 10, "width": 0.5})
    )
    save_file({**dict(model.named_parameters()), **dict(model.named_buffers())}, tmp_path / "weights.safetensors")
    net, x = load_features(tmp_path), torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        assert all(torch.equal(one, other) for one, other in zip(net(x), stage_outputs(model, x), strict=True))
        fresh = load_features(tmp_path, weights=False)
        assert not torch.equal(fresh(x)[0], net(x)[0])
