"""Small networks for the feature tests, each written the way a person might."""

from __future__ import annotations

HEAD = '''
import torch
from torch import nn
from torch.nn import functional as F


def conv(a, b, k=3, s=1, g=1, d=1):
    return nn.Conv2d(a, b, k, stride=s, padding=d * (k // 2), groups=g, dilation=d, bias=False)


class Basic(nn.Module):
    def __init__(self, a, b, s=1):
        super().__init__()
        self.body = nn.Sequential(
            conv(a, b, 3, s), nn.BatchNorm2d(b), nn.ReLU(inplace=True), conv(b, b), nn.BatchNorm2d(b)
        )
        self.short = nn.Identity() if a == b and s == 1 else nn.Sequential(conv(a, b, 1, s), nn.BatchNorm2d(b))

    def forward(self, x):
        out = self.body(x)
        out += self.short(x)
        return F.relu(out, inplace=True)


class Net(nn.Module):
    """A stem, whatever stands in ``parts``, and the usual head."""

    def __init__(self, parts, channels, classes, stem=None):
        super().__init__()
        self.stem = stem or nn.Sequential(conv(3, 8), nn.BatchNorm2d(8), nn.ReLU())
        self.parts = nn.Sequential(*parts)
        self.head = nn.Linear(channels, classes)

    def forward(self, x):
        return self.head(self.parts(self.stem(x)).mean((2, 3)))
'''

BASIC = """
class Backbone(Net):
    def __init__(self, in_channels, classes, width=1.0):
        super().__init__([Basic(8, 8), Basic(8, 16, 2), Basic(16, 16)], 16, classes)
"""

CONVNEXT = '''
class LayerNorm2d(nn.Module):
    """Written out: no layer_norm in the graph."""

    def __init__(self, c):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(c)), nn.Parameter(torch.zeros(c))

    def forward(self, x):
        mean = x.mean(1, keepdim=True)
        var = (x - mean).pow(2).mean(1, keepdim=True)
        x = (x - mean) / torch.sqrt(var + 1e-6)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class GRN(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(1, 1, 1, c)), nn.Parameter(torch.zeros(1, 1, 1, c))

    def forward(self, x):
        gx = torch.norm(x, p=2, dim=(1, 2), keepdim=True)
        nx = gx / (gx.mean(dim=-1, keepdim=True) + 1e-6)
        return self.gamma * (x * nx) + self.beta + x


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.dw = conv(c, c, 7, g=c)
        self.norm = nn.LayerNorm(c)
        self.up, self.down = nn.Linear(c, 4 * c), nn.Linear(4 * c, c)
        self.grn = GRN(4 * c)
        self.scale = nn.Parameter(1e-6 * torch.ones(c))

    def forward(self, x):
        y = self.norm(self.dw(x).permute(0, 2, 3, 1))
        y = self.scale * self.down(self.grn(F.gelu(self.up(y))))
        return x + y.permute(0, 3, 1, 2)


class Backbone(Net):
    def __init__(self, in_channels, classes, width=1.0):
        stem = nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), LayerNorm2d(8))
        down = nn.Sequential(LayerNorm2d(8), nn.Conv2d(8, 12, 2, stride=2))
        super().__init__([Block(8), Block(8), down, Block(12)], 12, classes, stem)
'''

GATES = """
class SE(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(c, 4), nn.Linear(4, c)

    def forward(self, x):
        w = torch.sigmoid(self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1).flatten(1)))))
        return x * w[:, :, None, None].expand_as(x)


class Spatial(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = conv(2, 1, 7)

    def forward(self, x):
        w = self.conv(torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1))
        return torch.sigmoid(w).mul(x)


class GLU(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.proj, self.out = nn.Conv2d(c, 2 * c, 1), nn.Conv2d(c, c, 1)

    def forward(self, x):
        a, b = self.proj(x).chunk(2, dim=1)
        return x + 0.2 * self.out(a * F.gelu(b))


class Swish(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


class Backbone(Net):
    def __init__(self, in_channels, classes, width=1.0):
        super().__init__([SE(8), Spatial(), Swish(), GLU(8), F_GLU(8), nn.Hardswish(), Basic(8, 8)], 8, classes)


class F_GLU(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.proj = nn.Conv2d(c, 2 * c, 1)

    def forward(self, x):
        return F.glu(self.proj(x), dim=1)
"""

ATTENTION = '''
class Attention(nn.Module):
    """Tokens by reshape, heads by reshape, matmul and softmax."""

    def __init__(self, c, heads, fused=False):
        super().__init__()
        self.heads, self.fused = heads, fused
        self.norm = nn.LayerNorm(c)
        self.qkv, self.proj = nn.Linear(c, 3 * c), nn.Linear(c, c)

    def tokens(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v)
        else:
            a = (q @ k.transpose(-2, -1)) * (c // self.heads) ** -0.5
            y = a.softmax(dim=-1) @ v
        return x + self.proj(y.transpose(1, 2).reshape(b, n, c))

    def forward(self, x):
        b, c, h, w = x.shape
        return self.tokens(x.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(b, c, h, w)


class Window(Attention):
    def forward(self, x):
        b, c, h, w = x.shape
        s = 4
        x = x.view(b, c, h // s, s, w // s, s).permute(0, 2, 4, 3, 5, 1).reshape(-1, s * s, c)
        x = self.tokens(x).view(b, h // s, w // s, s, s, c)
        return x.permute(0, 5, 1, 3, 2, 4).reshape(b, c, h, w)


class Tokens(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.mix = nn.Sequential(nn.Linear(n, n), nn.GELU(), nn.Linear(n, n))

    def forward(self, x):
        return x + self.mix(x.flatten(2)).view_as(x)


class Backbone(Net):
    def __init__(self, in_channels, classes, width=1.0):
        super().__init__([Basic(8, 8), Attention(8, 2), Attention(8, 1, True), Window(8, 2), Tokens(256)], 8, classes)
'''

DOWNSAMPLING = """
class Sliced(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.reduce = nn.Conv2d(4 * a, b, 1)

    def forward(self, x):
        x = torch.cat([x[:, :, ::2, ::2], x[:, :, 1::2, ::2], x[:, :, ::2, 1::2], x[:, :, 1::2, 1::2]], 1)
        return self.reduce(x)


class Folded(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.reduce = nn.Conv2d(4 * a, b, 1)

    def forward(self, x):
        b, c, h, w = x.shape
        x = x.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(b, 4 * c, h // 2, w // 2)
        return self.reduce(x)


class Blur(nn.Module):
    def __init__(self, c):
        super().__init__()
        line = torch.tensor([1.0, 2.0, 1.0])
        self.register_buffer("kernel", (torch.outer(line, line) / 16).repeat(c, 1, 1, 1))

    def forward(self, x):
        return F.conv2d(x, self.kernel, stride=2, padding=1, groups=x.shape[1])


class Backbone(Net):
    def __init__(self, in_channels, classes, width=1.0):
        parts = [Basic(8, 8), Sliced(8, 8), Basic(8, 8), Folded(8, 8), Basic(8, 8), Blur(8), Basic(8, 8)]
        super().__init__([*parts, nn.MaxPool2d(2), Basic(8, 8)], 8, classes)
"""

SHUFFLE = """
class Shuffled(nn.Module):
    def __init__(self, c):
        super().__init__()
        h = c // 2
        self.body = nn.Sequential(conv(h, h, 1), nn.BatchNorm2d(h), nn.ReLU6(), conv(h, h, 3, g=h), conv(h, h, 1, g=2))

    def forward(self, x):
        a, b = x.chunk(2, dim=1)
        x = torch.cat([a, self.body(b)], dim=1)
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


class Backbone(Net):
    def __init__(self, in_channels, classes, width=1.0):
        super().__init__([Shuffled(8), Shuffled(8), nn.ChannelShuffle(2), Basic(8, 8)], 8, classes)
"""

INCEPTION = """
class Inception(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.a = conv(c, c)
        self.b = nn.Sequential(nn.Conv2d(c, c, (1, 5), padding=(0, 2)), nn.Conv2d(c, c, (5, 1), padding=(2, 0)))
        self.c = conv(c, c, 3, d=2)
        self.d = nn.Sequential(nn.AvgPool2d(3, 1, 1), nn.Conv2d(c, c, 1))
        self.mix = nn.Sequential(conv(4 * c, c, 1), nn.GroupNorm(2, c))

    def forward(self, x):
        y = torch.cat([self.a(x), self.b(x), self.c(x), self.d(x)], dim=1)
        return F.leaky_relu(x + self.mix(y), 0.1)


class Backbone(Net):
    def __init__(self, in_channels, classes, width=1.0):
        super().__init__([Inception(8), Basic(8, 8)], 8, classes)
"""

PREACT = """
class DropPath(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        if not self.training:
            return x
        keep = 1 - self.p
        mask = x.new_empty(x.shape[0], 1, 1, 1).bernoulli_(keep).div_(keep)
        return x * mask


class Pre(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(c), nn.ReLU(True), conv(c, c), nn.BatchNorm2d(c), nn.ReLU(True), nn.Dropout(0.3), conv(c, c)
        )
        self.drop = DropPath(0.1)

    def forward(self, x):
        return x + self.drop(self.body(x))


class Backbone(Net):
    def __init__(self, in_channels, classes, width=1.0):
        stem = nn.Sequential(conv(3, 4, 3, 2), nn.ReLU(), conv(4, 4), nn.ReLU(), conv(4, 8), nn.MaxPool2d(2))
        super().__init__([Pre(8), Pre(8), Pre(8)], 8, classes, stem)
"""

LINKS = """
class Backbone(nn.Module):
    def __init__(self, in_channels, classes, width=1.0):
        super().__init__()
        self.stem = conv(3, 8, 7, 2)
        self.one = nn.Sequential(Basic(8, 8), Basic(8, 8))
        self.two = nn.Sequential(Basic(8, 16, 2), Basic(16, 16))
        self.link = nn.Sequential(nn.AvgPool2d(2), conv(8, 16, 1))
        self.expand = nn.Sequential(conv(16, 64, 1), nn.BatchNorm2d(64), nn.ReLU())
        self.power = nn.Parameter(torch.ones(1) * 3)
        self.head = nn.Linear(64 + 8, classes)

    def forward(self, x):
        a = self.one(self.stem(x))
        b = self.two(a) + self.link(a)
        y = self.expand(b).clamp(min=1e-6).pow(self.power).mean((2, 3)).pow(1 / self.power)
        return self.head(torch.cat([y, a.mean((2, 3))], 1))
"""

PLAIN = '''
class Backbone(nn.Module):
    """No residual at all."""

    def __init__(self, in_channels, classes, width=1.0):
        super().__init__()
        layers, c = [], 3
        for n, s in ((8, 1), (8, 1), (16, 2), (16, 1), (16, 1)):
            layers += [conv(c, n, 3, s), nn.BatchNorm2d(n), nn.ReLU()]
            c = n
        self.body = nn.Sequential(*layers)
        self.query = nn.Parameter(torch.randn(1, 1, 16))
        self.head = nn.Linear(16, classes)

    def forward(self, x):
        tokens = self.body(x).flatten(2).transpose(1, 2)
        weights = (tokens * self.query).sum(-1, keepdim=True).softmax(1)
        return self.head((weights * tokens).sum(1))
'''
