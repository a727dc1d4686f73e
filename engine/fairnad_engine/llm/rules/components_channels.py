"""The texts of the components that weigh and mix channels: gates and channel MLPs (see ``components``)."""

from __future__ import annotations

SQUEEZE = '''
class SqueezeExcitation(nn.Module):
    """Weigh channels by what the whole map says of them (arXiv:1709.01507)."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(4, channels // reduction)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        summary = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.excite(F.relu(self.squeeze(summary))))
'''

EFFICIENT = '''
class EfficientChannelAttention(nn.Module):
    """Weigh each channel by its neighbours' means, with a handful of weights (arXiv:1910.03151)."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights = torch.sigmoid(self.conv(x.mean((2, 3)).unsqueeze(1)))
        return x * weights.transpose(1, 2).unsqueeze(-1)
'''

SPATIAL = '''
class SpatialGate(nn.Module):
    """Weigh positions by the mean and the maximum over channels around them (arXiv:1807.06521)."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        summary = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.conv(summary))
'''

MULTIPLICATIVE = '''
class MultiplicativeGate(nn.Module):
    """Multiply features, element by element, with a convolved copy of themselves (arXiv:2202.09741)."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(self.pointwise(self.depthwise(x)))
'''

FEED_FORWARD = '''
class FeedForward(nn.Module):
    """Residual channel MLP, position by position (arXiv:2010.11929)."""

    def __init__(self, channels: int, hidden: int, act: nn.Module) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.expand = nn.Conv2d(channels, hidden, 1)
        self.act = act
        self.reduce = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.reduce(self.act(self.expand(self.norm(x))))
'''

GATED_FEED_FORWARD = '''
class GatedFeedForward(nn.Module):
    """Residual channel MLP whose hidden units are products of two projections (arXiv:2002.05202)."""

    def __init__(self, channels: int, hidden: int, act: nn.Module) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.value = nn.Conv2d(channels, hidden, 1)
        self.gate = nn.Conv2d(channels, hidden, 1)
        self.act = act
        self.between = nn.BatchNorm2d(hidden)
        self.reduce = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(x)
        return x + self.reduce(self.between(self.value(y) * self.act(self.gate(y))))
'''

DEPTHWISE_FEED_FORWARD = '''
class DepthwiseFeedForward(nn.Module):
    """Residual channel MLP with a depthwise 3x3 convolution between its layers (arXiv:2106.13797)."""

    def __init__(self, channels: int, hidden: int, act: nn.Module) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.expand = nn.Conv2d(channels, hidden, 1, bias=False)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden, bias=False)
        self.between = nn.BatchNorm2d(hidden)
        self.act = act
        self.reduce = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.act(self.between(self.depthwise(self.expand(self.norm(x)))))
        return x + self.reduce(y)
'''
