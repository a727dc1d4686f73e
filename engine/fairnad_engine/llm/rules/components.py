"""The building blocks of rendered sources, each as the text that is written into a source that uses it.

A rendered source stands alone, so a component is text here, not code: only what a backbone uses is written.
"""

from __future__ import annotations

from .components_channels import (
    DEPTHWISE_FEED_FORWARD,
    EFFICIENT,
    FEED_FORWARD,
    GATED_FEED_FORWARD,
    MULTIPLICATIVE,
    SPATIAL,
    SQUEEZE,
)
from .components_mixing import ATTENTION_POOL, MIXER_MLP, POOLING_MIXER, SELF_ATTENTION, WINDOW_ATTENTION

SCALED = '''
def scaled(channels: int, width: float, divisor: int = 1) -> int:
    """Return ``channels * width`` rounded to a positive multiple of ``divisor``."""
    return max(1, round(channels * width / divisor)) * divisor
'''

INITIALISE = '''
def initialise(module: nn.Module) -> None:
    """Draw the weights of convolutions for rectified activations (He et al., arXiv:1502.01852)."""
    if isinstance(module, (nn.Conv1d, nn.Conv2d)):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
'''

PAD_SHORTCUT = '''
class PadShortcut(nn.Module):
    """Shortcut without parameters: subsample, and pad new channels with zeros (option A of arXiv:1512.03385)."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.before = (channels - in_channels) // 2
        self.after = channels - in_channels - self.before

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, self.before, self.after))
'''

DROP_PATH = '''
class DropPath(nn.Module):
    """Leave the residual of a random sample out while training (stochastic depth, arXiv:1603.09382)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        return x * F.dropout(x.new_ones(x.shape[0], 1, 1, 1), self.rate, training=True)
'''

LAYER_NORM = '''
class LayerNorm2d(nn.LayerNorm):
    """Normalise each position of a feature map over its channels."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
'''

RESPONSE_NORM = '''
class ResponseNorm(nn.Module):
    """Let channels compete by the energy of their responses (global response normalisation, arXiv:2301.00808)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels, 1, 1), 0.1))
        self.shift = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        energy = (x.square().mean((2, 3), keepdim=True) + 1e-6).sqrt()
        response = energy / (energy.mean(1, keepdim=True) + 1e-6)
        return x + self.scale * (x * response) + self.shift
'''

FACTORISED_CONV = '''
class FactorisedConv(nn.Sequential):
    """A k x k convolution as k x 1 followed by 1 x k (arXiv:1512.00567)."""

    def __init__(self, in_channels: int, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        half = kernel // 2
        super().__init__(
            nn.Conv2d(
                in_channels, channels, (kernel, 1), stride=(stride, 1), padding=(half, 0), groups=groups, bias=False
            ),
            nn.Conv2d(
                channels, channels, (1, kernel), stride=(1, stride), padding=(0, half), groups=groups, bias=False
            ),
        )
'''

PARALLEL_CONV = '''
class ParallelConv(nn.Module):
    """Convolutions of several kernel sizes side by side, summed."""

    def __init__(
        self, in_channels: int, channels: int, kernels: tuple[int, ...], stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(in_channels, channels, k, stride=stride, padding=k // 2, groups=groups, bias=False)
            for k in kernels
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, *others = self.convs
        y = first(x)
        for conv in others:
            y = y + conv(x)
        return y
'''

CHANNEL_SHUFFLE = '''
class ChannelShuffle(nn.Module):
    """Interleave the channels of groups, so that the next grouped layer sees all of them (arXiv:1707.01083)."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(1, (self.groups, x.shape[1] // self.groups)).transpose(1, 2).flatten(1, 2)
'''

BLUR_POOL = '''
class BlurPool(nn.Module):
    """Halve the resolution behind a fixed binomial filter, against aliasing (arXiv:1904.11486)."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        line = torch.tensor([math.comb(size - 1, k) / 2.0 ** (size - 1) for k in range(size)])
        self.half = size // 2
        self.register_buffer("kernel", torch.outer(line, line).repeat(channels, 1, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.kernel, stride=2, padding=self.half, groups=x.shape[1])
'''

GEM_POOL = '''
class GeneralisedMeanPool(nn.Module):
    """Pool a feature map by a mean of learnt power: 1 is the mean, infinity the maximum (arXiv:1711.02512)."""

    def __init__(self) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.full((1,), 3.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        power = self.power.clamp(1.0, 8.0)
        return x.clamp(min=1e-2).pow(power).mean((2, 3)).pow(1.0 / power)
'''

MIXED_POOL = '''
class MixedPool(nn.Module):
    """Pool a feature map by its mean and its maximum, in a learnt mixture for each channel (arXiv:1509.08985)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mixture = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        share = torch.sigmoid(self.mixture)
        return share * x.mean((2, 3)) + (1.0 - share) * x.amax((2, 3))
'''

MAX_POOL = '''
class GlobalMaxPool(nn.Module):
    """Pool a feature map by its maximum."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.amax((2, 3))
'''

PYRAMID_POOL = '''
class PyramidPool(nn.Module):
    """Pool a feature map whole and by quarters, all concatenated (spatial pyramid, arXiv:1406.4729)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x.mean((2, 3)), F.adaptive_avg_pool2d(x, 2).flatten(1)], dim=1)
'''

# In the order in which a source defines them: a component stands behind what it builds on.
COMPONENTS: dict[str, str] = {
    "scaled": SCALED,
    "initialise": INITIALISE,
    "PadShortcut": PAD_SHORTCUT,
    "DropPath": DROP_PATH,
    "LayerNorm2d": LAYER_NORM,
    "ResponseNorm": RESPONSE_NORM,
    "FactorisedConv": FACTORISED_CONV,
    "ParallelConv": PARALLEL_CONV,
    "SelfAttention": SELF_ATTENTION,
    "WindowAttention": WINDOW_ATTENTION,
    "PoolingMixer": POOLING_MIXER,
    "TokenMLP": MIXER_MLP,
    "ChannelShuffle": CHANNEL_SHUFFLE,
    "BlurPool": BLUR_POOL,
    "SqueezeExcitation": SQUEEZE,
    "EfficientChannelAttention": EFFICIENT,
    "SpatialGate": SPATIAL,
    "MultiplicativeGate": MULTIPLICATIVE,
    "FeedForward": FEED_FORWARD,
    "GatedFeedForward": GATED_FEED_FORWARD,
    "DepthwiseFeedForward": DEPTHWISE_FEED_FORWARD,
    "GeneralisedMeanPool": GEM_POOL,
    "MixedPool": MIXED_POOL,
    "GlobalMaxPool": MAX_POOL,
    "PyramidPool": PYRAMID_POOL,
    "AttentionPool": ATTENTION_POOL,
}

# What a component needs beside itself.
NEEDS: dict[str, tuple[str, ...]] = {"WindowAttention": ("SelfAttention",)}
