"""Small backbones for the labelled pairs, each the kind of thing a person would write for one idea.

``BASE`` is a residual network of three stages; most others are what became of it. All are written by hand.
"""

from __future__ import annotations

HEAD = """
import math

import torch
from torch import nn
from torch.nn import functional as F


def conv(a, b, k=3, s=1, g=1, d=1):
    return nn.Conv2d(a, b, k, stride=s, padding=d * (k // 2), groups=g, dilation=d, bias=False)


def cb(a, b, k=3, s=1, g=1, d=1):
    return nn.Sequential(conv(a, b, k, s, g, d), nn.BatchNorm2d(b))


def cbr(a, b, k=3, s=1, g=1, d=1):
    return nn.Sequential(conv(a, b, k, s, g, d), nn.BatchNorm2d(b), nn.ReLU())


class Residual(nn.Module):
    def __init__(self, body, short=None, act=None):
        super().__init__()
        self.body, self.short, self.act = body, short or nn.Identity(), act or nn.ReLU()

    def forward(self, x):
        return self.act(self.body(x) + self.short(x))


def block(*body, short=None, act=None):
    return Residual(nn.Sequential(*body), short, act)


def basic(a, b, s=1):
    return block(cbr(a, b, 3, s), cb(b, b), short=None if a == b and s == 1 else cb(a, b, 1, s))


class Net(nn.Module):
    def __init__(self, parts, channels, classes, stem=None, tail=None):
        super().__init__()
        self.stem = stem or cbr(3, 8)
        self.parts = nn.Sequential(*parts)
        self.tail = tail or nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(channels, classes)

    def forward(self, x):
        return self.head(self.tail(self.parts(self.stem(x))))
"""


def net(parts: str, channels: int = 24, define: str = "", **more: str) -> str:
    """A backbone of these parts; ``define`` stands before it, ``more`` gives its stem or tail."""
    rest = "".join(f", {name}={text}" for name, text in more.items())
    return (
        f"{HEAD}\n{define}\n\nclass Backbone(Net):\n    def __init__(self, in_channels, classes, width=1.0):\n"
        f"        super().__init__([{parts}], {channels}, classes{rest})\n"
    )


STAGES = "basic(8, 8), basic(8, 8), basic(8, 16, 2), basic(16, 16), basic(16, 24, 2), basic(24, 24)"
FIRST_FIVE = STAGES.removesuffix(", basic(24, 24)")
ALL = "one(8, 8), one(8, 8), one(8, 16, 2), one(16, 16), one(16, 24, 2), one(24, 24)"
SHORT = "short=None if a == b and s == 1 else cb(a, b, 1, s)"


def every(body: str, more: str = "", define: str = "", **rest: str) -> str:
    """A network whose every block is ``body`` of (a, b, s)."""
    text = f"{define}\n\ndef one(a, b, s=1):\n    return block({body}, {SHORT}{more})\n"
    return net(ALL, define=text, **rest)


def last(part: str, define: str = "") -> str:
    """The base with its last block exchanged."""
    return net(f"{FIRST_FIVE}, {part}", define=define)


def after(part: str, define: str = "") -> str:
    """The base with a part behind its second block."""
    return net(STAGES.replace("basic(8, 8), basic(8, 16", f"basic(8, 8), {part}, basic(8, 16"), define=define)


NETWORKS = {
    "base": net(STAGES),
    # Convolutions
    "separable": every("cbr(a, b, 3, s), conv(b, b, g=b), cb(b, b, 1)"),
    "depth-multiplier": last("block(conv(24, 48, g=24), nn.BatchNorm2d(48), nn.ReLU(), cb(48, 24, 1))"),
    "grouped": every("cbr(a, b, 3, s), cb(b, b, g=4)"),
    "dilated": every("cbr(a, b, 3, s), cb(b, b, d=2)"),
    "dilated-1x1": last("block(cbr(24, 24), nn.Conv2d(24, 24, 1, dilation=2, bias=False), nn.BatchNorm2d(24))"),
    "one-by-one": last("block(cbr(24, 24), cb(24, 24, 1))"),
    "large": every("cbr(a, b, 3, s), cb(b, b, 5)"),
    "large-depthwise": last("block(conv(24, 24, 7, g=24), nn.BatchNorm2d(24), nn.ReLU(), cb(24, 24, 1))"),
    "stacked": every("cbr(a, b, 3, s), cbr(b, b), cb(b, b)"),
    "asymmetric": every(
        "cbr(a, b, 3, s), nn.Conv2d(b, b, (3, 1), padding=(1, 0)), nn.Conv2d(b, b, (1, 3), padding=(0, 1)), "
        "nn.BatchNorm2d(b)"
    ),
    # Norms and activations
    "layer-norm": every(
        "conv(a, b, 3, s), LN(b), nn.ReLU(), conv(b, b), LN(b)",
        define="""
class LN(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.g, self.b = nn.Parameter(torch.ones(c, 1, 1)), nn.Parameter(torch.zeros(c, 1, 1))

    def forward(self, x):
        m = x.mean(1, keepdim=True)
        return self.g * (x - m) * torch.rsqrt((x - m).square().mean(1, keepdim=True) + 1e-6) + self.b
""",
    ),
    "group-norm": every("conv(a, b, 3, s), nn.GroupNorm(4, b), nn.ReLU(), conv(b, b), nn.GroupNorm(4, b)"),
    "instance-norm": every(
        "conv(a, b, 3, s), nn.InstanceNorm2d(b, affine=True), nn.ReLU(), conv(b, b), nn.InstanceNorm2d(b, affine=True)"
    ),
    "fewer-norms": every("conv(a, b, 3, s), nn.ReLU(), cb(b, b)"),
    "grn": every(
        "cbr(a, b, 3, s), GRN(b), cb(b, b)",
        define="""
class GRN(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.g, self.b = nn.Parameter(torch.zeros(1, c, 1, 1)), nn.Parameter(torch.zeros(1, c, 1, 1))

    def forward(self, x):
        e = torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True)
        return self.g * (x * (e / (e.mean(1, keepdim=True) + 1e-6))) + self.b + x
""",
    ),
    "local-response": after(
        "Respond()",
        """
class Respond(nn.Module):
    def forward(self, x):
        s = F.pad(x.square(), (0, 0, 0, 0, 1, 1))
        return x / (1 + 0.1 * (s[:, :-2] + s[:, 1:-1] + s[:, 2:])).pow(0.75)
""",
    ),
    "gelu": every("conv(a, b, 3, s), nn.BatchNorm2d(b), nn.GELU(), cb(b, b)", ", act=nn.GELU()"),
    "swish-by-hand": every(
        "conv(a, b, 3, s), nn.BatchNorm2d(b), Swish(), cb(b, b)",
        define="""
class Swish(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.5 * x)
""",
    ),
    "hard-swish": every("conv(a, b, 3, s), nn.BatchNorm2d(b), nn.Hardswish(), cb(b, b)", ", act=nn.Hardswish()"),
    "relu6": every("conv(a, b, 3, s), nn.BatchNorm2d(b), nn.ReLU6(), cb(b, b)"),
    "fewer-acts": every("cbr(a, b, 3, s), cb(b, b)", ", act=nn.Identity()"),
    # Mixing
    "attention": last(
        "Attention(24, 3)",
        define := """
class Attention(nn.Module):
    def __init__(self, c, heads, window=0):
        super().__init__()
        self.heads, self.window = heads, window
        self.norm, self.qkv, self.proj = nn.LayerNorm(c), nn.Linear(c, 3 * c), nn.Linear(c, c)

    def mix(self, t):
        b, n, c = t.shape
        q, k, v = self.qkv(self.norm(t)).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        return t + self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, c))

    def forward(self, x):
        b, c, h, w = x.shape
        s = self.window
        if not s:
            return self.mix(x.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(b, c, h, w)
        x = x.view(b, c, h // s, s, w // s, s).permute(0, 2, 4, 3, 5, 1).reshape(-1, s * s, c)
        x = self.mix(x).view(b, h // s, w // s, s, s, c)
        return x.permute(0, 5, 1, 3, 2, 4).reshape(b, c, h, w)
""",
    ),
    "windows": last("Attention(24, 3, 2)", define),
    "pool-mixer": last(
        "block(Mixer(), nn.BatchNorm2d(24))",
        """
class Mixer(nn.Module):
    def forward(self, x):
        return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False) - x
""",
    ),
    "token-mlp": last(
        "Tokens(16, 32)",
        """
class Tokens(nn.Module):
    def __init__(self, n, hidden):
        super().__init__()
        self.a, self.b = nn.Linear(n, hidden), nn.Linear(hidden, n)

    def forward(self, x):
        return x + self.b(F.gelu(self.a(x.flatten(2)))).view_as(x)
""",
    ),
    # Downsampling
    "max-pooled": net(
        "basic(8, 8), basic(8, 8), Down(8, 16), basic(16, 16), Down(16, 24), basic(24, 24)",
        define="""
def Down(a, b):
    return block(cbr(a, b), cb(b, b), nn.MaxPool2d(2), short=cb(a, b, 1, 2))
""",
    ),
    "max-3x3-kept": after("nn.MaxPool2d(3, 1, 1)"),
    "avg-pooled": net(
        "basic(8, 8), basic(8, 8), Down(8, 16), basic(16, 16), Down(16, 24), basic(24, 24)",
        define="""
def Down(a, b):
    return block(cbr(a, b), cb(b, b), nn.AvgPool2d(2), short=cb(a, b, 1, 2))
""",
    ),
    "blur": net(
        "basic(8, 8), basic(8, 8), Down(8, 16), basic(16, 16), Down(16, 24), basic(24, 24)",
        define="""
class Blur(nn.Module):
    def __init__(self, c):
        super().__init__()
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("filter", (line[:, None] * line[None]).expand(c, 1, 4, 4).clone())

    def forward(self, x):
        return F.conv2d(F.pad(x, (1, 1, 1, 1)), self.filter, stride=2, groups=x.shape[1])


def Down(a, b):
    return block(cbr(a, b), Blur(b), cb(b, b), short=cb(a, b, 1, 2))
""",
    ),
    "unshuffled": net(
        "basic(8, 8), basic(8, 8), nn.PixelUnshuffle(2), cbr(32, 16, 1), basic(16, 16), basic(16, 16), "
        "basic(16, 24, 2), basic(24, 24)"
    ),
    # Residuals
    "pre-activation": net(
        ALL,
        define=f"""
class Linear2(nn.Identity):
    pass


def nrc(a, b, s=1):
    return nn.Sequential(nn.BatchNorm2d(a), nn.ReLU(), conv(a, b, 3, s))


def one(a, b, s=1):
    return block(nrc(a, b, s), nrc(b, b), {SHORT}, act=Linear2())
""",
    ),
    "act-before-norm": every("conv(a, b, 3, s), nn.ReLU(), nn.BatchNorm2d(b), conv(b, b), nn.BatchNorm2d(b)"),
    "padded": net(
        ALL,
        define="""
class Pad(nn.Module):
    def __init__(self, more):
        super().__init__()
        self.more = more

    def forward(self, x):
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.more))


def one(a, b, s=1):
    return block(cbr(a, b, 3, s), cb(b, b), short=Pad(b - a) if s == 2 else None)
""",
    ),
    "pooled-shortcut": net(
        ALL,
        define="""
def one(a, b, s=1):
    short = nn.Sequential(nn.AvgPool2d(2), cb(a, b, 1)) if s == 2 else None
    return block(cbr(a, b, 3, s), cb(b, b), short=short)
""",
    ),
    "projected-everywhere": net(
        ALL, define="def one(a, b, s=1):\n    return block(cbr(a, b, 3, s), cb(b, b), short=cb(a, b, 1, s))\n"
    ),
    "layer-scale": every(
        "cbr(a, b, 3, s), cb(b, b), Scale(b)",
        define="""
class Scale(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gamma = nn.Parameter(1e-2 * torch.ones(c, 1, 1))

    def forward(self, x):
        return self.gamma * x
""",
    ),
    "scaled-by-0.2": every(
        "cbr(a, b, 3, s), cb(b, b), Fifth()",
        define="class Fifth(nn.Module):\n    def forward(self, x):\n        return 0.2 * x\n",
    ),
    "scaled-images": net(
        STAGES,
        stem="nn.Sequential(Half(), cbr(3, 8))",
        define="class Half(nn.Module):\n    def forward(self, x):\n        return x * 0.5\n",
    ),
    "drop-path": every(
        "cbr(a, b, 3, s), cb(b, b), Drop(0.2)",
        define="""
class Drop(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        if not self.training:
            return x
        return x * torch.bernoulli(torch.full((x.shape[0], 1, 1, 1), 1 - self.p)) / (1 - self.p)
""",
    ),
    "dropout-before-head": net(STAGES, tail="nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2))"),
    # Branches
    "two-kernels": last(
        "block(Sum(cb(24, 24, 3), cb(24, 24, 5)))",
        SUM := """
class Sum(nn.Module):
    def __init__(self, *ways):
        super().__init__()
        self.ways = nn.ModuleList(ways)

    def forward(self, x):
        return sum(way(x) for way in self.ways)
""",
    ),
    "two-dilations": last("block(Sum(cb(24, 24, 3), cb(24, 24, 3, d=2)))", SUM),
    "many-paths": last("block(Sum(*[nn.Sequential(cbr(24, 4, 1), cbr(4, 4), cb(4, 24, 1)) for _ in range(4)]))", SUM),
    "pooled-path": last(
        "block(Sum(nn.Sequential(cbr(24, 24), cb(24, 24)), nn.Sequential(nn.AvgPool2d(3, 1, 1), cb(24, 24, 1))))", SUM
    ),
    "split": last(
        "Half(24)",
        """
class Half(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.body = nn.Sequential(cbr(c // 2, c // 2), cbr(c // 2, c // 2))

    def forward(self, x):
        a, b = x.chunk(2, 1)
        return torch.cat([a, self.body(b)], 1)
""",
    ),
    # Channels
    "bottleneck": every("cbr(a, b // 4, 1), cbr(b // 4, b // 4, 3, s), cb(b // 4, b, 1)"),
    "inverted": every("cbr(a, 4 * a, 1), cbr(4 * a, 4 * a, 3, s, g=4 * a), cb(4 * a, b, 1)"),
    "one-more-bottleneck": after("block(cbr(8, 2, 1), cbr(2, 2), cb(2, 8, 1))"),
    "one-more-block": after("basic(8, 8)"),
    "channel-mlp": after("block(nn.BatchNorm2d(8), conv(8, 32, 1), nn.GELU(), conv(32, 8, 1), act=nn.Identity())"),
    "shuffled": every(
        "cbr(a, b, 3, s), conv(b, b, 1, g=2), nn.ChannelShuffle(2), cb(b, b, g=2)",
    ),
    "not-shuffled": every("cbr(a, b, 3, s), conv(b, b, 1, g=2), cb(b, b, g=2)"),
    "pointwise-first": every("cbr(a, b, 3, s), conv(b, b, 1), cb(b, b, g=b)"),
    "inverted-late": every("cbr(a, a, 3, s, g=a), cbr(a, 4 * a, 1), cb(4 * a, b, 1)"),
    # Gates
    "se": every(
        "cbr(a, b, 3, s), cb(b, b), SE(b)",
        define="""
class SE(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(c, 4), nn.ReLU(), nn.Linear(4, c), nn.Sigmoid())

    def forward(self, x):
        return x * self.fc(x.mean((2, 3)))[:, :, None, None]
""",
    ),
    "eca": every(
        "cbr(a, b, 3, s), cb(b, b), ECA()",
        define="""
class ECA(nn.Module):
    def __init__(self, k=3):
        super().__init__()
        self.conv = nn.Conv1d(1, 1, k, padding=k // 2, bias=False)

    def forward(self, x):
        y = F.adaptive_avg_pool2d(x, 1).squeeze(-1).transpose(1, 2)
        return x * self.conv(y).transpose(1, 2).unsqueeze(-1).sigmoid()
""",
    ),
    "added-context": every(
        "cbr(a, b, 3, s), cb(b, b), Context(b)",
        define="""
class Context(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.fc = nn.Sequential(nn.Conv2d(c, 4, 1), nn.ReLU(), nn.Conv2d(4, c, 1))

    def forward(self, x):
        return x + self.fc(x.mean((2, 3), keepdim=True))
""",
    ),
    "spatial-gate": every(
        "cbr(a, b, 3, s), cb(b, b), Gate()",
        define="""
class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = conv(2, 1, 3)

    def forward(self, x):
        return x * torch.sigmoid(self.conv(torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)))
""",
    ),
    "glu": last(
        "block(cbr(24, 24), GLU(24))",
        """
class GLU(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.a, self.b = conv(c, c, 1), conv(c, c, 1)

    def forward(self, x):
        return self.a(x) * torch.sigmoid(self.b(x))
""",
    ),
    # Fusion
    "concat": last(
        "Join(24)",
        """
class Join(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.body, self.mix = nn.Sequential(cbr(c, c), cb(c, c)), cbr(2 * c, c, 1)

    def forward(self, x):
        return self.mix(torch.cat([x, self.body(x)], 1))
""",
    ),
    "weighted": net(
        ALL,
        define="""
class Weighted(nn.Module):
    def __init__(self, a, b, s):
        super().__init__()
        self.w = nn.Parameter(torch.ones(2))
        self.body = nn.Sequential(cbr(a, b, 3, s), cb(b, b))
        self.short = nn.Identity() if a == b else cb(a, b, 1, s)

    def forward(self, x):
        w = F.relu(self.w)
        return F.relu(w[0] * self.body(x) + w[1] * self.short(x))


def one(a, b, s=1):
    return Weighted(a, b, s)
""",
    ),
    "selective": last(
        "block(Select(24))",
        '''
class Select(nn.Module):
    """Two kernels, summed with weights that a softmax gives each channel."""

    def __init__(self, c):
        super().__init__()
        self.a, self.b, self.c = cbr(c, c), cbr(c, c, 5), c
        self.fc = nn.Sequential(nn.Linear(c, 8), nn.ReLU(), nn.Linear(8, 2 * c))

    def forward(self, x):
        a, b = self.a(x), self.b(x)
        w = self.fc((a + b).mean((2, 3))).view(-1, 2, self.c).softmax(1)
        return a * w[:, 0, :, None, None] + b * w[:, 1, :, None, None]
''',
    ),
    # Stems
    "deep-stem": net(STAGES, stem="nn.Sequential(cbr(3, 4), cbr(4, 4), cbr(4, 8))"),
    "patches": net(STAGES, stem="nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.BatchNorm2d(8))"),
    "stem-7x7": net(STAGES, stem="cbr(3, 8, 7)"),
    "stem-7x7-strided": net(STAGES, stem="cbr(3, 8, 7, 2)"),
    "stem-strided": net(STAGES, stem="cbr(3, 8, 3, 2)"),
    # Stages
    "depths-1-1-4": net("basic(8, 8), basic(8, 16, 2), basic(16, 24, 2), *[basic(24, 24) for _ in range(3)]"),
    "depths-3-3-3": net(
        "basic(8, 8), basic(8, 8), basic(8, 8), basic(8, 16, 2), basic(16, 16), basic(16, 16), basic(16, 24, 2), "
        "basic(24, 24), basic(24, 24)"
    ),
    "widths-8-24-48": net(
        "basic(8, 8), basic(8, 8), basic(8, 24, 2), basic(24, 24), basic(24, 48, 2), basic(48, 48)", 48
    ),
    "twice-as-wide": net(
        "basic(16, 16), basic(16, 16), basic(16, 32, 2), basic(32, 32), basic(32, 48, 2), basic(48, 48)",
        48,
        stem="cbr(3, 16)",
    ),
    "four-stages": net(f"{STAGES}, basic(24, 32, 2), basic(32, 32)", 32),
    "attention-stage": net(
        "basic(8, 8), basic(8, 8), basic(8, 16, 2), basic(16, 16), cbr(16, 24, 3, 2), Attention(24, 3), "
        "Attention(24, 3)",
        define=define,
    ),
    "depthwise-stage": net(
        "basic(8, 8), basic(8, 8), basic(8, 16, 2), basic(16, 16), one(16, 24, 2), one(24, 24)",
        define=f"def one(a, b, s=1):\n    return block(cbr(a, a, 3, s, g=a), cb(a, b, 1), {SHORT})\n",
    ),
    "depthwise-all": every("cbr(a, a, 3, s, g=a), cb(a, b, 1)"),
    "bottleneck-stage": net(
        "basic(8, 8), basic(8, 8), basic(8, 16, 2), basic(16, 16), one(16, 24, 2), one(24, 24)",
        define=f"def one(a, b, s=1):\n    return block(cbr(a, 6, 1), cbr(6, 6, 3, s), cb(6, b, 1), {SHORT})\n",
    ),
    # Schedule
    "early": net("basic(8, 16, 2), basic(16, 16), basic(16, 24, 2), basic(24, 24), basic(24, 24), basic(24, 24)"),
    "late": net("basic(8, 8), basic(8, 8), basic(8, 16), basic(16, 16), basic(16, 24, 2), basic(24, 24)"),
    "own-downsampling": net(
        "basic(8, 8), basic(8, 8), Down(8, 16), basic(16, 16), basic(16, 16), Down(16, 24), basic(24, 24), "
        "basic(24, 24)",
        define="""
def Down(a, b):
    return nn.Sequential(nn.BatchNorm2d(a), nn.Conv2d(a, b, 2, stride=2))
""",
    ),
    # Links
    **{
        name: f"""{HEAD}
class Backbone(nn.Module):
    def __init__(self, in_channels, classes, width=1.0):
        super().__init__()
        self.stem = cbr(3, 8)
        self.one = nn.Sequential(basic(8, 8), basic(8, 8))
        self.two = nn.Sequential(basic(8, 16, 2), basic(16, 16))
        self.three = nn.Sequential(basic({after_two}, 24, 2), basic(24, 24))
{init}

    def forward(self, x):
        x = self.stem(x)
        a = self.one(x)
        b = self.two(a)
{forward}
"""
        for name, after_two, init, forward in (
            (
                "skip",
                16,
                "        self.link = nn.Sequential(nn.AvgPool2d(4), conv(8, 24, 1))\n"
                "        self.head = nn.Linear(24, classes)",
                "        c = self.three(b) + self.link(a)\n        return self.head(c.mean((2, 3)))",
            ),
            (
                "skip-concat",
                16,
                "        self.head = nn.Linear(32, classes)",
                "        c = torch.cat([self.three(b), F.avg_pool2d(a, 4)], 1)\n"
                "        return self.head(c.mean((2, 3)))",
            ),
            (
                "dense-stages",
                32,
                "        self.head = nn.Linear(24 + 16 + 8 + 8, classes)",
                "        b = torch.cat([b, F.avg_pool2d(a, 2), F.avg_pool2d(x, 2)], 1)\n"
                "        c = self.three(b)\n"
                "        c = torch.cat([c, F.avg_pool2d(b[:, :16], 2), F.avg_pool2d(a, 4), F.avg_pool2d(x, 4)], 1)\n"
                "        return self.head(c.mean((2, 3)))",
            ),
            (
                "pyramid-head",
                16,
                "        self.head = nn.Linear(24 + 16 + 8, classes)",
                "        c = self.three(b)\n"
                "        return self.head(torch.cat([a.mean((2, 3)), b.mean((2, 3)), c.mean((2, 3))], 1))",
            ),
            (
                "top-down",
                16,
                "        self.p2, self.p3 = conv(16, 24, 1), conv(24, 24, 1)\n"
                "        self.head = nn.Linear(24, classes)",
                "        p3 = self.p3(self.three(b))\n"
                "        p2 = self.p2(b) + F.interpolate(p3, scale_factor=2.0)\n"
                "        return self.head(p2.mean((2, 3)) + p3.mean((2, 3)))",
            ),
        )
    },
    "dense-layers": net(
        "basic(8, 8), basic(8, 8), basic(8, 16, 2), basic(16, 16), Grow(16, 8), Grow(24, 8), Grow(32, 8), "
        "cbr(40, 24, 1), nn.AvgPool2d(2)",
        define="""
class Grow(nn.Module):
    def __init__(self, a, more):
        super().__init__()
        self.new = nn.Sequential(nn.BatchNorm2d(a), nn.ReLU(), conv(a, more))

    def forward(self, x):
        return torch.cat([x, self.new(x)], 1)
""",
    ),
    # Tails
    "power-mean": net(
        STAGES,
        tail="GeM()",
        define="""
class GeM(nn.Module):
    def __init__(self):
        super().__init__()
        self.p = nn.Parameter(torch.tensor(3.0))

    def forward(self, x):
        return x.clamp(min=1e-4).pow(self.p).mean((2, 3)).pow(1 / self.p)
""",
    ),
    "global-max": net(STAGES, tail="nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten())"),
    "attention-pool": net(
        STAGES,
        tail="Pool(24)",
        define="""
class Pool(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.query = nn.Parameter(torch.randn(c, 1) * 0.02)

    def forward(self, x):
        t = x.flatten(2).transpose(1, 2)
        return ((t @ self.query).softmax(1) * t).sum(1)
""",
    ),
    "expanded": net(STAGES, 96, tail="nn.Sequential(cbr(24, 96, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())"),
    "expanded-late": net(
        STAGES, 96, tail="nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 96), nn.Hardswish())"
    ),
}
