"""nb201-resnet: the ResNet of NAS-Bench-201 (arXiv:2001.00326), an image backbone for PyTorch."""

import torch
from torch import nn


def scaled(channels: int, width: float) -> int:
    """Return ``channels * width`` rounded to a positive whole number."""
    return max(1, round(channels * width))


class ReluConvNorm(nn.Module):
    """ReLU, 3x3 convolution, BatchNorm: the operation between two nodes of a cell."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(self.relu(x)))


class Cell(nn.Module):
    """Residual cell: two operations in a row beside an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ReluConvNorm(channels, channels)
        self.second = ReluConvNorm(channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(self.first(x))


class Reduction(nn.Module):
    """Basic block between stages: halves the resolution, its shortcut by average pooling and a 1x1 convolution."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.first = ReluConvNorm(in_channels, channels, stride=2)
        self.second = ReluConvNorm(channels, channels)
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(in_channels, channels, 1, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.shortcut(x) + self.second(self.first(x))


class Backbone(nn.Module):
    """3 stages of 5 residual cells, 16-32-64 channels wide, a reduction before the second and the third.

    ``width`` multiplies the channels inside; inputs (N, in_channels, H, W), logits (N, num_classes).
    """

    def __init__(self, in_channels: int, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        c1, c2, c3 = scaled(16, width), scaled(32, width), scaled(64, width)
        self.stem = nn.Sequential(nn.Conv2d(in_channels, c1, 3, padding=1, bias=False), nn.BatchNorm2d(c1))
        self.stage1 = nn.Sequential(*(Cell(c1) for _ in range(5)))
        self.reduction1 = Reduction(c1, c2)
        self.stage2 = nn.Sequential(*(Cell(c2) for _ in range(5)))
        self.reduction2 = Reduction(c2, c3)
        self.stage3 = nn.Sequential(*(Cell(c3) for _ in range(5)))
        self.tail = nn.Sequential(nn.BatchNorm2d(c3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(c3, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stage1(self.stem(x))
        x = self.stage2(self.reduction1(x))
        x = self.stage3(self.reduction2(x))
        return self.classifier(self.tail(x))
