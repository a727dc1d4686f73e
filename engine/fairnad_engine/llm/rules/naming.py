"""Names and one-line descriptions of layers, blocks and stages, for sources and for the account of a change."""

from __future__ import annotations

from itertools import groupby
from textwrap import fill

from .blueprint import ActKind, Block, Gate, Layer, Path

_LINE = 104  # characters of a docstring's line

ACT_NAMES: dict[ActKind, str] = {
    "relu": "ReLU",
    "gelu": "GELU",
    "silu": "SiLU",
    "mish": "Mish",
    "elu": "ELU",
    "softplus": "softplus",
    "hardswish": "hard swish",
    "relu6": "ReLU6",
    "leaky_relu": "leaky ReLU",
    "hardtanh": "clipped linear",
    "none": "no activation",
}
NORM_NAMES = {"batch": "batch norm", "layer": "layer norm", "group": "group norm", "none": "no norm"}
GATE_NAMES = {
    "squeeze": "squeeze-and-excitation",
    "efficient": "efficient channel attention",
    "spatial": "spatial gate",
    "multiplicative": "multiplicative gate",
}
DOWN_NAMES = {
    "conv": "strided convolution",
    "max": "max pooling",
    "max3": "overlapping max pooling",
    "avg": "average pooling",
    "avg3": "overlapping average pooling",
    "blur": "blur pooling",
    "blur5": "wide blur pooling",
    "space-to-depth": "space-to-depth",
    "patch": "2x2 patch convolution",
}


def layer_name(layer: Layer) -> str:
    """Return what a layer is, for example ``depthwise 5x5``."""
    if layer.op != "conv":
        return {
            "attention": f"self-attention ({layer.heads} heads)",
            "window": f"window attention ({layer.window}x{layer.window})",
            "pool": f"{layer.kernel}x{layer.kernel} pooling mixer",
            "tokens": "token MLP",
            "mean": f"{layer.kernel}x{layer.kernel} average pooling",
            "max": f"{layer.kernel}x{layer.kernel} max pooling",
            "shuffle": f"channel shuffle ({layer.groups})",
        }[layer.op]
    sizes = "+".join(f"{k}x{k}" for k in (layer.kernel, *layer.kernels))
    if layer.factorised and layer.kernel > 1:
        sizes = f"{layer.kernel}x1-1x{layer.kernel}"
    kind = {0: "depthwise ", 1: ""}.get(layer.groups, f"grouped ({layer.groups}) ")
    return ("dilated " if layer.dilation > 1 else "") + kind + sizes


def path_name(path: Path) -> str:
    """Return a path as its layers."""
    return ", ".join(layer_name(layer) for layer in path)


def gate_name(gate: Gate) -> str:
    """Return what a gate is."""
    size = f"{gate.reduction}" if gate.kind == "squeeze" else f"{gate.kernel}"
    return f"{GATE_NAMES[gate.kind]} ({size})"


def class_name(block: Block) -> str:
    """Return a class name that says what sets the block apart."""
    ops = {layer.op for layer in block.layers}
    hidden = [layer.width for layer in block.layers if not layer.keeps_channels and layer.width != 1.0]
    if block.split:
        kind = "Split"
    elif "attention" in ops or "window" in ops:
        kind = "Attention" if "attention" in ops else "WindowAttention"
    elif "tokens" in ops:
        kind = "Mixer"
    elif "pool" in ops:
        kind = "PoolMixer"
    elif block.branches:
        kind = "MultiPath"
    elif hidden:
        kind = "InvertedBottleneck" if max(hidden) > 1 else "Bottleneck"
    elif any(layer.op == "conv" and layer.groups == 0 for layer in block.layers):
        kind = "Depthwise"
    elif any(layer.groups > 1 for layer in block.layers):
        kind = "Grouped"
    else:
        kind = "PreActivation" if block.order == "pre" else "Basic"
    return f"{kind}Block"


def describe(block: Block) -> str:
    """Return the docstring of a block class."""
    parts = [f"Residual block: {path_name(block.layers)}"]
    for path, run in groupby(block.branches):
        times = len(list(run))
        parts.append(f"beside it {path_name(path)}" + (f" ({times} times)" if times > 1 else ""))
    if block.split:
        parts.append("on half of the channels")
    if block.order == "pre":
        parts.append("pre-activation")
    gates = [gate_name(gate) for layer in block.layers for gate in layer.gates]
    parts += gates
    if block.merge != "add":
        parts.append({"weighted": "a weighted shortcut", "concat": "a concatenated shortcut"}[block.merge])
    if block.feed_forward is not None:
        parts.append("then a channel MLP")
    return fill("; ".join(parts) + ".", width=_LINE, subsequent_indent="    ")
