"""digits-small: an image backbone for PyTorch."""

import torch
from torch import nn
from torch.nn import functional as F


def scaled(channels: int, width: float, divisor: int = 1) -> int:
    """Return ``channels * width`` rounded to a positive multiple of ``divisor``."""
    return max(1, round(channels * width / divisor)) * divisor


def initialise(module: nn.Module) -> None:
    """Draw the weights of convolutions for rectified activations (He et al., arXiv:1502.01852)."""
    if isinstance(module, (nn.Conv1d, nn.Conv2d)):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


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


class BasicBlock(nn.Module):
    """Residual block: 3x3, 3x3."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.shortcut = PadShortcut(in_channels, channels, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return F.relu(self.shortcut(x) + y)


class Backbone(nn.Module):
    """3 stages of 2-2-2 blocks, 8-16-24 channels wide.

    ``width`` multiplies the channels inside; inputs (N, in_channels, H, W), logits (N, num_classes).
    """

    def __init__(self, in_channels: int, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        c0 = scaled(8, width)
        c1 = scaled(8, width)
        c2 = scaled(16, width)
        c3 = scaled(24, width)
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, c0, 3, padding=1, bias=False),
            nn.BatchNorm2d(c0),
            nn.ReLU(),
        )
        self.stage1 = nn.Sequential(
            BasicBlock(c0, c1),
            BasicBlock(c1, c1),
        )
        self.stage2 = nn.Sequential(
            BasicBlock(c1, c2, stride=2),
            BasicBlock(c2, c2),
        )
        self.stage3 = nn.Sequential(
            BasicBlock(c2, c3, stride=2),
            BasicBlock(c3, c3),
        )
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(c3, num_classes)
        self.apply(initialise)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x0 = self.stem(x)
        x1 = self.stage1(x0)
        x2 = self.stage2(x1)
        x3 = self.stage3(x2)
        features = self.pool(x3)
        return self.classifier(features)


# blueprint: {"version":1,"name":"digits-small","stem":{"channels":8},"stages":[{"channels":8,"blocks":[{"layers":[{},{"act":"none"}],"times":2}]},{"channels":16,"blocks":[{"layers":[{},{"act":"none"}],"stride":2},{"layers":[{},{"act":"none"}]}]},{"channels":24,"blocks":[{"layers":[{},{"act":"none"}],"stride":2},{"layers":[{},{"act":"none"}]}]}]}
