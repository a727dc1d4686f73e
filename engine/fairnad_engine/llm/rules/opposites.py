"""What counts as the opposite of an idea: sub-categories whose ideas pull the other way.

Beside these, every sub-category has an inverse in the catalogue, which takes such ideas back.
"""

from __future__ import annotations

ANTONYMS: dict[str, tuple[str, ...]] = {
    "conv.dilated": ("conv.factorised",),
    "conv.large-kernel": ("conv.factorised", "channel.bottleneck"),
    "conv.factorised": ("conv.large-kernel",),
    "conv.depthwise": ("channel.feed-forward",),
    "conv.grouped": ("channel.channel-shuffle",),
    "mixing.self-attention": ("mixing.window-attention", "mixing.pooling-mixer"),
    "mixing.window-attention": ("mixing.self-attention",),
    "mixing.pooling-mixer": ("mixing.self-attention",),
    "mixing.mlp-mixer": ("mixing.pooling-mixer",),
    "norm.layer-norm": ("norm.group-norm",),
    "norm.group-norm": ("norm.layer-norm",),
    "norm.fewer-norms": ("norm.response-norm",),
    "norm.response-norm": ("norm.fewer-norms",),
    "act.smooth": ("act.hard",),
    "act.hard": ("act.smooth",),
    "pool.strided-conv": ("pool.max-pool", "pool.blur-pool"),
    "pool.max-pool": ("pool.strided-conv", "pool.blur-pool"),
    "pool.blur-pool": ("pool.strided-conv", "pool.max-pool"),
    "pool.space-to-depth": ("pool.max-pool",),
    "channel.bottleneck": ("channel.inverted-bottleneck",),
    "channel.inverted-bottleneck": ("channel.bottleneck",),
    "gate.squeeze-excitation": ("gate.spatial",),
    "gate.efficient-channel": ("gate.spatial",),
    "gate.spatial": ("gate.squeeze-excitation", "gate.efficient-channel"),
    "fusion.concat": ("fusion.weighted",),
    "fusion.weighted": ("fusion.concat",),
    "fusion.operation-order": ("residual.pre-activation",),
    "stem.deep": ("stem.large-kernel", "stem.patchify"),
    "stem.patchify": ("stem.deep",),
    "stem.large-kernel": ("stem.deep",),
    "stages.depth-ratio": ("stages.width-ratio",),
    "stages.width-ratio": ("stages.depth-ratio",),
    "schedule.early": ("schedule.late",),
    "schedule.late": ("schedule.early",),
    "tail.generalised-pooling": ("tail.attention-pooling",),
    "tail.attention-pooling": ("tail.generalised-pooling",),
}
