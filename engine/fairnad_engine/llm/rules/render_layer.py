"""From layers to PyTorch expressions: what one layer, norm, activation, gate or shortcut is called in a source."""

from __future__ import annotations

from collections.abc import Iterable

from .blueprint import ActKind, Block, Gate, Layer, NormKind, ShortcutKind
from .components import NEEDS
from .geometry import LayerShape, bias

_FUNCTIONS: dict[ActKind, str] = {"hardtanh": "F.hardtanh({}, 0.0, 4.0)", "leaky_relu": "F.leaky_relu({}, 0.1)"}
_MODULES: dict[ActKind, str] = {
    "relu": "nn.ReLU()",
    "gelu": "nn.GELU()",
    "silu": "nn.SiLU()",
    "mish": "nn.Mish()",
    "elu": "nn.ELU()",
    "softplus": "nn.Softplus()",
    "hardswish": "nn.Hardswish()",
    "relu6": "nn.ReLU6()",
    "leaky_relu": "nn.LeakyReLU(0.1)",
    "hardtanh": "nn.Hardtanh(0.0, 4.0)",
    "none": "nn.Identity()",
}


class Uses:
    """The components a source needs, gathered while it is rendered."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __call__(self, name: str) -> str:
        """Note that ``name`` is used, with what it builds on, and return it."""
        self.names.update((name, *NEEDS.get(name, ())))
        return name


def act_call(act: ActKind, argument: str) -> str:
    """Return ``argument`` wrapped in the activation, as a functional call."""
    if act == "none":
        return argument
    return _FUNCTIONS.get(act, f"F.{act}({{}})").format(argument)


def act_module(act: ActKind) -> str:
    """Return the activation as a module."""
    return _MODULES[act]


def norm(kind: NormKind, channels: str, uses: Uses) -> str:
    """Return the normalisation of ``channels`` as a module."""
    if kind == "batch":
        return f"nn.BatchNorm2d({channels})"
    if kind == "layer":
        return f"{uses('LayerNorm2d')}({channels})"
    if kind == "group":
        return f"nn.GroupNorm(math.gcd(4, {channels}), {channels})"
    return "nn.Identity()"


def gate(kind: Gate, channels: str, uses: Uses) -> str:
    """Return a gate as a module."""
    if kind.kind == "squeeze":
        return f"{uses('SqueezeExcitation')}({channels}, reduction={kind.reduction})"
    if kind.kind == "efficient":
        return f"{uses('EfficientChannelAttention')}({kind.kernel})"
    if kind.kind == "spatial":
        return f"{uses('SpatialGate')}({kind.kernel})"
    return f"{uses('MultiplicativeGate')}({channels}, {kind.kernel})"


def operation(block: Block, shape: LayerShape, before: str, after: str, uses: Uses, stride: str = "") -> str:
    """Return a layer's operation as a module; ``stride`` is an expression, empty for 1."""
    layer = shape.layer
    if layer.op == "conv":
        return _convolution(block, layer, before, after, uses, stride)
    if layer.op == "attention":
        return f"{uses('SelfAttention')}({before}, heads={layer.heads})"
    if layer.op == "window":
        return f"{uses('WindowAttention')}({before}, heads={layer.heads}, window={layer.window})"
    if layer.op == "pool":
        return f"{uses('PoolingMixer')}({layer.kernel})"
    if layer.op == "mean":
        return f"nn.AvgPool2d({layer.kernel}, stride=1, padding={layer.kernel // 2}, count_include_pad=False)"
    if layer.op == "max":
        return f"nn.MaxPool2d({layer.kernel}, stride=1, padding={layer.kernel // 2})"
    if layer.op == "tokens":
        return f"{uses('TokenMLP')}(grid, hidden={token_hidden('grid', layer.ratio)})"
    return f"{uses('ChannelShuffle')}({layer.groups})"


def token_hidden(grid: str, ratio: float) -> str:
    """Return the expression of a token MLP's hidden size."""
    return f"round(grid * grid * {ratio:g})" if ratio != 1 else "grid * grid"


def _convolution(block: Block, layer: Layer, before: str, after: str, uses: Uses, stride: str) -> str:
    groups = before if layer.groups == 0 else str(layer.groups)
    extra = [f"stride={stride}"] if stride else []
    if layer.kernels:
        kernels = ", ".join(str(k) for k in (layer.kernel, *layer.kernels))
        extra += [f"groups={groups}"] if groups != "1" else []
        return f"{uses('ParallelConv')}({', '.join([before, after, f'({kernels})', *extra])})"
    if layer.factorised and layer.kernel > 1:
        extra += [f"groups={groups}"] if groups != "1" else []
        return f"{uses('FactorisedConv')}({', '.join([before, after, str(layer.kernel), *extra])})"
    reach = layer.dilation * (layer.kernel // 2)
    extra += [f"padding={reach}"] if reach else []
    extra += [f"dilation={layer.dilation}"] if layer.dilation > 1 and layer.kernel > 1 else []
    extra += [f"groups={groups}"] if groups != "1" else []
    extra += [] if bias(block, layer) else ["bias=False"]
    return f"nn.Conv2d({', '.join([before, after, str(layer.kernel), *extra])})"


def downsampling(op: str, before: str, after: str, uses: Uses) -> list[str]:
    """Return the modules that halve the resolution; only ``space-to-depth`` and ``patch`` bring the new width."""
    if op == "max":
        return ["nn.MaxPool2d(2, ceil_mode=True)"]
    if op == "avg":
        return ["nn.AvgPool2d(2, ceil_mode=True)"]
    if op == "max3":
        return ["nn.MaxPool2d(3, stride=2, padding=1)"]
    if op == "avg3":
        return ["nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)"]
    if op in ("blur", "blur5"):
        return [f"{uses('BlurPool')}({before}, {5 if op == 'blur5' else 3})"]
    if op == "space-to-depth":
        return ["nn.PixelUnshuffle(2)", f"nn.Conv2d(4 * {before}, {after}, 1, bias=False)"]
    if op == "conv":
        return [f"nn.Conv2d({before}, {after}, 3, stride=2, padding=1, bias=False)"]
    return [f"nn.Conv2d({before}, {after}, 2, stride=2, bias=False)"]


def shortcut(kind: ShortcutKind, stride: str, norm_kind: NormKind, uses: Uses) -> list[str]:
    """Return the modules of a shortcut between ``in_channels`` and ``channels``; ``stride`` is an expression or 1."""
    if kind == "pad":
        return [f"{uses('PadShortcut')}(in_channels, channels, {stride})"]
    step = f", stride={stride}" if stride != "1" else ""
    after = norm(norm_kind, "channels", uses)
    if kind == "conv":
        return [f"nn.Conv2d(in_channels, channels, 1{step}, bias=False)", after]
    if kind == "conv3":
        return [f"nn.Conv2d(in_channels, channels, 3{step}, padding=1, bias=False)", after]
    pool = [f"nn.AvgPool2d({stride}, ceil_mode=True)"] if stride != "1" else []
    return [*pool, "nn.Conv2d(in_channels, channels, 1, bias=False)", after]


def sequence(modules: Iterable[str], indent: str) -> str:
    """Return one module, or several in an ``nn.Sequential`` laid out line by line."""
    found = list(modules)
    if len(found) == 1:
        return found[0]
    inner = "".join(f"{indent}    {module},\n" for module in found)
    return f"nn.Sequential(\n{inner}{indent})"
