"""The texts of the components that mix positions: attention, pooling, token MLP (see ``components``)."""

from __future__ import annotations

SELF_ATTENTION = '''
class SelfAttention(nn.Module):
    """Multi-head attention between all positions of a feature map (arXiv:2010.11929)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.size = max(4, channels // heads)
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * heads * self.size, bias=False)
        self.project = nn.Linear(heads * self.size, channels, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h, w = x.shape[2:]
        tokens = x.flatten(2).transpose(1, 2)
        return self.attend(tokens).transpose(1, 2).unflatten(2, (h, w))

    def attend(self, tokens: torch.Tensor) -> torch.Tensor:
        """Mix tokens of shape (..., tokens, channels)."""
        qkv = self.qkv(self.norm(tokens)).unflatten(-1, (3 * self.heads, self.size)).transpose(-3, -2)
        q, k, v = qkv.chunk(3, dim=-3)
        weights = torch.softmax(q @ k.transpose(-2, -1) * self.size**-0.5, dim=-1)
        return self.project((weights @ v).transpose(-3, -2).flatten(-2))
'''

WINDOW_ATTENTION = '''
class WindowAttention(SelfAttention):
    """Attention inside non-overlapping windows, so that its cost grows with the image's area (arXiv:2103.14030)."""

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__(channels, heads)
        self.window = window

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c, h, w = x.shape[1:]
        side = min(self.window, h, w)
        rows, columns = -(-h // side), -(-w // side)
        x = F.pad(x, (0, columns * side - w, 0, rows * side - h))
        x = x.unflatten(3, (columns, side)).unflatten(2, (rows, side))
        tokens = x.permute(0, 2, 4, 3, 5, 1).flatten(3, 4).flatten(1, 2)
        x = self.attend(tokens).unflatten(2, (side, side)).unflatten(1, (rows, columns))
        return x.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)[:, :, :h, :w]
'''

POOLING_MIXER = '''
class PoolingMixer(nn.Module):
    """Mix neighbouring positions by average pooling alone, less the identity (arXiv:2111.11418)."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(kernel, stride=1, padding=kernel // 2, count_include_pad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pool(x) - x
'''

MIXER_MLP = '''
class TokenMLP(nn.Module):
    """Mix positions by an MLP that all channels share, on a fixed grid of tokens (arXiv:2105.01601)."""

    def __init__(self, grid: int, hidden: int) -> None:
        super().__init__()
        self.grid = grid
        self.expand = nn.Linear(grid * grid, hidden)
        self.reduce = nn.Linear(hidden, grid * grid)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size = tuple(x.shape[2:])
        if size != (self.grid, self.grid):
            x = F.adaptive_avg_pool2d(x, self.grid)
        x = self.reduce(F.gelu(self.expand(x.flatten(2)))).unflatten(2, (self.grid, self.grid))
        return x if size == (self.grid, self.grid) else F.interpolate(x, size)
'''

ATTENTION_POOL = '''
class AttentionPool(nn.Module):
    """Pool a feature map by learnt softmax maps over its positions, one vector for each (arXiv:2112.13692)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.score = nn.Linear(channels, heads, bias=False)
        nn.init.zeros_(self.score.weight)  # training starts from plain averages

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        weights = torch.softmax(self.score(tokens).transpose(1, 2), dim=-1)
        return (weights @ tokens).flatten(1)
'''
