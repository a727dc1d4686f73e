"""Hand-labelled edits: was an idea of this sub-category applied between this parent and this child?

Labels were given by reading the networks (``realisation_networks``) against the sub-category's definition, before any
verdict was looked at. A line is (parent, child, sub-categories that were applied, sub-categories that were not); what
a definition leaves open is not labelled. Those that were not applied are chosen to be near: another kind of the same
thing, or the same operation in another place.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

_LINES: tuple[tuple[str, str, str, str], ...] = (
    # Convolutions
    ("base", "separable", "conv.depthwise", "conv.grouped conv.large-kernel residual.shortcut-projection"),
    ("base", "grouped", "conv.grouped", "conv.depthwise branch.multi-kernel"),
    ("grouped", "separable", "conv.depthwise", "conv.grouped"),
    ("separable", "grouped", "conv.grouped", "conv.depthwise"),
    ("one-by-one", "depth-multiplier", "conv.depthwise", "conv.grouped"),
    ("not-shuffled", "base", "", "conv.grouped conv.depthwise"),
    ("base", "dilated", "conv.dilated", "conv.large-kernel branch.multi-kernel"),
    ("one-by-one", "dilated-1x1", "", "conv.dilated"),
    ("base", "large", "conv.large-kernel", "conv.dilated stem.large-kernel"),
    ("base", "large-depthwise", "conv.large-kernel conv.depthwise", "conv.dilated"),
    ("large", "stacked", "conv.factorised", "conv.large-kernel"),
    ("base", "asymmetric", "conv.factorised", "conv.large-kernel"),
    ("large", "base", "", "conv.factorised conv.large-kernel"),
    ("base", "stacked", "", "conv.factorised"),
    ("base", "stem-7x7", "stem.large-kernel", "conv.large-kernel stem.patchify stem.deep schedule.early"),
    # Norms and activations
    ("base", "layer-norm", "norm.layer-norm", "norm.group-norm norm.fewer-norms norm.response-norm"),
    ("base", "group-norm", "norm.group-norm", "norm.layer-norm norm.fewer-norms"),
    ("base", "instance-norm", "norm.group-norm", "norm.layer-norm"),
    ("base", "fewer-norms", "norm.fewer-norms", "norm.layer-norm act.fewer-activations"),
    ("base", "grn", "norm.response-norm", "norm.layer-norm gate.squeeze-excitation fusion.weighted"),
    ("base", "local-response", "norm.response-norm", "norm.layer-norm"),
    ("base", "gelu", "act.smooth", "act.hard act.fewer-activations"),
    ("base", "swish-by-hand", "act.smooth", "gate.multiplicative act.hard"),
    ("base", "hard-swish", "act.hard", "act.smooth gate.multiplicative"),
    ("gelu", "relu6", "act.hard", "act.smooth"),
    ("base", "fewer-acts", "act.fewer-activations", "norm.fewer-norms residual.pre-activation"),
    # Mixing
    ("base", "attention", "mixing.self-attention", "mixing.window-attention mixing.mlp-mixer branch.channel-split"),
    ("base", "windows", "mixing.window-attention", "mixing.self-attention pool.space-to-depth"),
    ("attention", "windows", "mixing.window-attention", "mixing.self-attention"),
    ("windows", "attention", "mixing.self-attention", "mixing.window-attention"),
    ("base", "pool-mixer", "mixing.pooling-mixer", "branch.pooled-branch pool.blur-pool mixing.self-attention"),
    ("base", "token-mlp", "mixing.mlp-mixer", "channel.feed-forward mixing.self-attention"),
    # Downsampling
    ("base", "max-pooled", "pool.max-pool", "pool.blur-pool pool.strided-conv"),
    ("max-pooled", "base", "pool.strided-conv", "pool.max-pool"),
    ("base", "max-3x3-kept", "", "pool.max-pool branch.pooled-branch"),
    ("base", "avg-pooled", "pool.blur-pool", "pool.max-pool mixing.pooling-mixer"),
    ("base", "blur", "pool.blur-pool", "conv.depthwise pool.max-pool"),
    ("base", "unshuffled", "pool.space-to-depth", "pool.strided-conv channel.channel-shuffle"),
    # Residuals
    ("base", "pre-activation", "residual.pre-activation", "residual.shortcut-projection norm.fewer-norms"),
    ("base", "act-before-norm", "fusion.operation-order", "residual.pre-activation norm.fewer-norms"),
    ("pre-activation", "base", "", "residual.pre-activation"),
    ("base", "padded", "residual.shortcut-projection", "pool.strided-conv"),
    ("padded", "base", "residual.shortcut-projection", "schedule.separate-layer channel.bottleneck"),
    ("base", "pooled-shortcut", "residual.shortcut-projection", "mixing.pooling-mixer"),
    ("base", "projected-everywhere", "residual.shortcut-projection", "channel.bottleneck"),
    ("padded", "inverted", "channel.inverted-bottleneck conv.depthwise", "channel.bottleneck"),
    ("base", "layer-scale", "residual.residual-scaling", "gate.squeeze-excitation residual.stochastic-depth"),
    ("base", "scaled-by-0.2", "residual.residual-scaling", "fusion.weighted"),
    ("base", "scaled-images", "", "residual.residual-scaling"),
    ("base", "drop-path", "residual.stochastic-depth", "residual.residual-scaling gate.spatial"),
    ("base", "dropout-before-head", "", "residual.stochastic-depth"),
    # Branches
    ("base", "two-kernels", "branch.multi-kernel conv.large-kernel", "branch.cardinality branch.pooled-branch"),
    ("base", "two-dilations", "conv.dilated", "branch.cardinality conv.large-kernel"),
    ("base", "many-paths", "branch.cardinality", "branch.multi-kernel branch.pooled-branch"),
    ("base", "pooled-path", "branch.pooled-branch", "mixing.pooling-mixer branch.multi-kernel branch.cardinality"),
    ("base", "split", "branch.channel-split", "gate.multiplicative channel.channel-shuffle conv.grouped"),
    # Channels
    ("base", "bottleneck", "channel.bottleneck", "channel.inverted-bottleneck residual.shortcut-projection"),
    ("base", "inverted", "channel.inverted-bottleneck", "channel.bottleneck channel.feed-forward conv.grouped"),
    ("inverted", "bottleneck", "channel.bottleneck", "channel.inverted-bottleneck conv.depthwise"),
    ("base", "one-more-bottleneck", "", "channel.feed-forward channel.inverted-bottleneck"),
    ("base", "one-more-block", "stages.depth-ratio", "channel.feed-forward stages.width-ratio links.skip"),
    ("base", "channel-mlp", "channel.feed-forward", "channel.inverted-bottleneck channel.bottleneck mixing.mlp-mixer"),
    ("not-shuffled", "shuffled", "channel.channel-shuffle", "pool.space-to-depth conv.grouped branch.channel-split"),
    ("base", "not-shuffled", "conv.grouped", "channel.channel-shuffle conv.depthwise"),
    ("separable", "pointwise-first", "fusion.operation-order", "conv.depthwise residual.pre-activation"),
    ("inverted", "inverted-late", "fusion.operation-order", "channel.inverted-bottleneck conv.depthwise"),
    ("base", "separable", "", "fusion.operation-order channel.bottleneck"),
    # Gates
    ("base", "se", "gate.squeeze-excitation", "gate.efficient-channel gate.spatial gate.multiplicative"),
    ("base", "eca", "gate.efficient-channel", "gate.squeeze-excitation gate.spatial"),
    ("se", "eca", "gate.efficient-channel", "gate.squeeze-excitation"),
    ("eca", "se", "gate.squeeze-excitation", "gate.efficient-channel"),
    ("base", "added-context", "", "gate.squeeze-excitation gate.efficient-channel fusion.weighted"),
    ("base", "spatial-gate", "gate.spatial", "gate.squeeze-excitation fusion.concat"),
    ("se", "spatial-gate", "gate.spatial", "gate.squeeze-excitation gate.efficient-channel"),
    ("base", "glu", "gate.multiplicative", "gate.squeeze-excitation gate.spatial branch.channel-split"),
    # Fusion
    ("base", "concat", "fusion.concat", "fusion.weighted links.dense links.skip links.multi-scale"),
    ("base", "weighted", "fusion.weighted", "fusion.concat gate.squeeze-excitation"),
    ("base", "selective", "fusion.weighted branch.multi-kernel", "fusion.concat mixing.self-attention"),
    ("base", "se", "", "fusion.weighted residual.residual-scaling"),
    # Stems
    ("base", "deep-stem", "stem.deep", "stem.patchify stem.large-kernel"),
    ("base", "patches", "stem.patchify schedule.early", "stem.large-kernel stem.deep"),
    ("patches", "stem-7x7", "stem.large-kernel schedule.late", "stem.patchify"),
    ("stem-strided", "stem-7x7-strided", "stem.large-kernel", "stem.patchify schedule.early"),
    ("base", "stem-strided", "schedule.early", "stem.patchify stem.deep stem.large-kernel schedule.separate-layer"),
    # Stages
    ("base", "depths-1-1-4", "stages.depth-ratio", "stages.width-ratio stages.stage-count"),
    ("base", "depths-3-3-3", "", "stages.depth-ratio stages.width-ratio stages.mixed-blocks"),
    ("base", "widths-8-24-48", "stages.width-ratio", "stages.depth-ratio stages.stage-count"),
    ("base", "twice-as-wide", "", "stages.depth-ratio channel.inverted-bottleneck"),
    ("base", "four-stages", "stages.stage-count", "stages.mixed-blocks schedule.separate-layer"),
    ("base", "attention-stage", "stages.mixed-blocks mixing.self-attention", "mixing.window-attention"),
    ("base", "depthwise-stage", "stages.mixed-blocks conv.depthwise", "channel.bottleneck"),
    ("base", "depthwise-all", "conv.depthwise", "stages.mixed-blocks"),
    ("depthwise-all", "depthwise-stage", "stages.mixed-blocks", "conv.depthwise"),
    ("base", "bottleneck-stage", "stages.mixed-blocks channel.bottleneck", "channel.inverted-bottleneck"),
    ("base", "bottleneck", "", "stages.mixed-blocks"),
    # Schedule
    ("base", "early", "schedule.early", "schedule.late schedule.separate-layer"),
    ("base", "late", "schedule.late", "schedule.early"),
    ("late", "base", "schedule.early", "schedule.late"),
    ("base", "own-downsampling", "schedule.separate-layer", "residual.shortcut-projection stem.patchify"),
    ("base", "max-pooled", "", "schedule.early schedule.separate-layer"),
    # Links
    ("base", "skip", "links.skip", "links.dense links.multi-scale fusion.concat"),
    ("base", "skip-concat", "links.skip fusion.concat", "links.dense"),
    ("base", "dense-stages", "links.dense", "fusion.weighted"),
    ("skip", "dense-stages", "links.dense", "fusion.weighted"),
    ("base", "pyramid-head", "links.multi-scale", "links.dense tail.final-expansion"),
    ("base", "top-down", "links.multi-scale", "links.dense"),
    ("base", "dense-layers", "links.dense fusion.concat", "links.multi-scale links.skip"),
    # Tails
    ("base", "power-mean", "tail.generalised-pooling", "tail.attention-pooling tail.final-expansion"),
    ("base", "global-max", "tail.generalised-pooling", "tail.attention-pooling pool.max-pool"),
    ("base", "attention-pool", "tail.attention-pooling", "tail.generalised-pooling mixing.self-attention gate.spatial"),
    ("attention-pool", "power-mean", "tail.generalised-pooling", "tail.attention-pooling"),
    ("base", "expanded", "tail.final-expansion", "tail.generalised-pooling stages.width-ratio"),
    ("base", "expanded-late", "tail.final-expansion", "tail.generalised-pooling"),
    ("base", "widths-8-24-48", "", "tail.final-expansion"),
)


class Pair(NamedTuple):
    """One judgement by hand."""

    parent: str
    child: str
    sub: str
    label: str

    @property
    def held_out(self) -> bool:
        """Whether it is of the two fifths that were looked at once, when signatures and features stood."""
        return int(hashlib.sha256(f"{self.parent} > {self.child}".encode()).hexdigest()[:8], 16) % 10 < 4


PAIRS = [
    Pair(parent, child, sub, label)
    for parent, child, applied, not_applied in _LINES
    for label, subs in (("yes", applied), ("no", not_applied))
    for sub in subs.split()
]
