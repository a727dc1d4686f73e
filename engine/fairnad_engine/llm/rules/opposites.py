"""What counts as the opposite of an idea.

``ANTONYMS`` are sub-categories whose ideas pull the other way, as the attribute tree names them. Where it only says
to reduce, remove or reverse, the catalogue's inverses take the idea back; ``CONTRASTS`` are what is left for a parent
in which there is nothing to take back.
"""

from __future__ import annotations

ANTONYMS: dict[str, tuple[str, ...]] = {
    "conv.large-kernel": ("conv.factorised",),
    "conv.factorised": ("conv.large-kernel",),
    "mixing.self-attention": ("mixing.window-attention",),
    "mixing.window-attention": ("mixing.self-attention",),
    "mixing.pooling-mixer": ("mixing.self-attention",),
    "mixing.mlp-mixer": ("mixing.pooling-mixer",),
    "act.smooth": ("act.hard",),
    "act.hard": ("act.smooth",),
    "pool.strided-conv": ("pool.max-pool",),
    "pool.max-pool": ("pool.strided-conv",),
    "pool.blur-pool": ("pool.max-pool",),
    "pool.space-to-depth": ("pool.max-pool",),
    "channel.bottleneck": ("channel.inverted-bottleneck",),
    "channel.inverted-bottleneck": ("channel.bottleneck",),
    "gate.squeeze-excitation": ("gate.spatial",),
    "gate.efficient-channel": ("gate.squeeze-excitation",),
    "gate.spatial": ("gate.squeeze-excitation",),
    "fusion.concat": ("fusion.weighted",),
    "fusion.weighted": ("fusion.concat",),
    "stem.deep": ("stem.patchify",),
    "stem.patchify": ("stem.deep",),
    "stem.large-kernel": ("stem.deep",),
    "schedule.early": ("schedule.late",),
    "schedule.late": ("schedule.early",),
    "tail.generalised-pooling": ("tail.attention-pooling",),
    "tail.attention-pooling": ("tail.generalised-pooling",),
}

CONTRASTS: dict[str, tuple[str, ...]] = {
    "conv.depthwise": ("channel.feed-forward",),
    "conv.grouped": ("channel.channel-shuffle",),
    "conv.dilated": ("conv.factorised",),
    "norm.layer-norm": ("norm.group-norm",),
    "norm.group-norm": ("norm.layer-norm",),
    "norm.fewer-norms": ("norm.response-norm",),
    "norm.response-norm": ("norm.fewer-norms",),
    "fusion.operation-order": ("residual.pre-activation",),
    "residual.pre-activation": ("fusion.operation-order",),
    "stages.depth-ratio": ("stages.width-ratio",),
    "stages.width-ratio": ("stages.depth-ratio",),
    "branch.multi-kernel": ("conv.factorised",),
    "branch.cardinality": ("branch.multi-kernel",),
    "branch.channel-split": ("channel.feed-forward",),
    "links.skip": ("schedule.separate-layer",),
    "links.dense": ("links.skip",),
}
