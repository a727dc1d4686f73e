"""The single calls that ``rewrites`` understands, and what it puts in their place."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fairnad_engine.python_source import parse_expression

from .catalogue.draw import Draw

_CONV_ARGS = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias")
_ACT_MODULES = ("ReLU", "GELU", "SiLU", "Mish", "ELU", "Hardswish", "ReLU6", "LeakyReLU")
_ACT_FUNCTIONS = ("relu", "gelu", "silu", "mish", "elu", "hardswish", "relu6", "leaky_relu")
_PURE = (ast.Name, ast.Attribute, ast.Constant, ast.BinOp, ast.operator, ast.expr_context)


@dataclass(frozen=True)
class Found:
    """A call in a source: its node and its text."""

    node: ast.Call
    text: str
    source: str

    def segment(self, node: ast.AST) -> str:
        """Return the text of a part of the call."""
        return ast.get_source_segment(self.source, node) or ""

    def arguments(self, names: tuple[str, ...]) -> dict[str, str] | None:
        """Return the arguments' texts by name; None where they are not plain."""
        if any(isinstance(arg, ast.Starred) for arg in self.node.args) or len(self.node.args) > len(names):
            return None
        found = {name: self.segment(arg) for name, arg in zip(names, self.node.args, strict=False)}
        for keyword in self.node.keywords:
            if keyword.arg not in names:
                return None
            found[keyword.arg] = self.segment(keyword.value)
        return found


Build = Callable[[Found], str | None]


@dataclass(frozen=True)
class CallRewrite:
    """One rewrite of calls named ``calls``; ``prepare`` draws its parameters once for all places."""

    name: str
    subs: tuple[str, ...]
    calls: tuple[str, ...]
    prepare: Callable[[Draw], Build]
    hyper: bool = False

    def text(self, draw: Draw) -> str:
        """Return what it does, in words."""
        return self.name.replace("-", " ")


def call_name(call: ast.Call) -> str:
    """Return the last part of the called name, empty for anything but ``a.b.c(...)``."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _pure(text: str) -> bool:
    """Whether an expression may be written twice."""
    try:
        tree = parse_expression(text)
    except SyntaxError:
        return False
    return all(isinstance(node, (*_PURE, ast.Expression)) for node in ast.walk(tree))


def _conv(found: Found) -> dict[str, str] | None:
    """Return the arguments of a plain convolution with an odd literal kernel and the padding that goes with it."""
    args = found.arguments(_CONV_ARGS)
    if args is None or not {"in_channels", "out_channels", "kernel_size"} <= set(args):
        return None
    kernel = args["kernel_size"]
    plain = kernel in ("3", "5", "7") and args.get("padding") == str(int(kernel) // 2)
    alone = "dilation" not in args and "groups" not in args
    stride = args.get("stride", "1")
    known = stride in ("1", "2") or stride.isidentifier()
    pure = _pure(args["in_channels"]) and _pure(args["out_channels"])
    return args if plain and alone and known and pure else None


def _write(args: Mapping[str, str], **changes: str) -> str:
    """Return a convolution with some arguments changed; an empty value drops one."""
    merged = {name: value for name, value in {**args, **changes}.items() if value}
    first = ", ".join(merged.pop(name) for name in _CONV_ARGS[:3])
    rest = "".join(f", {name}={merged[name]}" for name in _CONV_ARGS[3:] if name in merged)
    return f"nn.Conv2d({first}{rest})"


def _separable(args: Mapping[str, str], kernel: str) -> str:
    inner = _write(
        args,
        out_channels=args["in_channels"],
        kernel_size=kernel,
        padding=str(int(kernel) // 2),
        groups=args["in_channels"],
        bias="False",
    )
    return f"nn.Sequential({inner}, {_write(args, kernel_size='1', stride='', padding='')})"


def _convolutions(make: Callable[[dict[str, str], Draw], str | None]) -> Callable[[Draw], Build]:
    def prepare(draw: Draw) -> Build:
        def build(found: Found) -> str | None:
            args = _conv(found)
            return None if args is None else make(args, draw)

        return build

    return prepare


def _depthwise(draw: Draw) -> Build:
    return _convolutions(lambda args, _: _separable(args, args["kernel_size"]))(draw)


def _large(draw: Draw) -> Build:
    kernel = str(draw.number("kernel", (5, 7, 9)))
    return _convolutions(lambda args, _: _separable(args, kernel) if args["kernel_size"] < kernel else None)(draw)


def _kernel(draw: Draw) -> Build:
    kernel = draw.choice(("3", "5"))
    return _convolutions(
        lambda args, _: (
            None if args["kernel_size"] == kernel else _write(args, kernel_size=kernel, padding=str(int(kernel) // 2))
        )
    )(draw)


def _dilated(draw: Draw) -> Build:
    rate = draw.number("dilation", (2, 3))
    return _convolutions(
        lambda args, _: _write(args, padding=str(rate * (int(args["kernel_size"]) // 2)), dilation=str(rate))
    )(draw)


def _grouped(draw: Draw) -> Build:
    groups = draw.number("groups", (2, 4, 8))
    return _convolutions(
        lambda args, _: _write(args, groups=f"math.gcd({groups}, {args['in_channels']}, {args['out_channels']})")
    )(draw)


def _factorised(draw: Draw) -> Build:
    def make(args: dict[str, str], _: Draw) -> str:
        k, half, stride = args["kernel_size"], args["padding"], args.get("stride", "1")
        tall = _write(args, kernel_size=f"({k}, 1)", padding=f"({half}, 0)", stride=f"({stride}, 1)", bias="False")
        flat = _write(
            {**args, "in_channels": args["out_channels"]},
            kernel_size=f"(1, {k})",
            padding=f"(0, {half})",
            stride=f"(1, {stride})",
        )
        return f"nn.Sequential({tall}, {flat})"

    return _convolutions(make)(draw)


def _downsampling(operator: str) -> Callable[[Draw], Build]:
    def make(args: dict[str, str], _: Draw) -> str | None:
        if args.get("stride") != "2":
            return None
        after = operator.format(channels=args["out_channels"])
        return f"nn.Sequential({_write(args, stride='')}, {after})"

    return _convolutions(make)


def _norms(template: str, kinds: Mapping[str, tuple[int, ...]] | None = None) -> Callable[[Draw], Build]:
    """Return a rewrite of ``BatchNorm2d(c)``; ``{n}`` in the template is a number drawn from ``kinds``."""

    def prepare(draw: Draw) -> Build:
        kind, options = next(iter((kinds or {}).items()), ("", ()))
        number = draw.number(kind, options) if options else 0

        def build(found: Found) -> str | None:
            args = found.arguments(("num_features", "eps", "momentum", "affine", "track_running_stats"))
            if not args or not _pure(args.get("num_features", "")):
                return None
            return template.format(old=found.text, c=args["num_features"], n=number)

        return build

    return prepare


def _activations(names: tuple[tuple[str, str], ...]) -> Callable[[Draw], Build]:
    """Return a rewrite of activations, to one of the (module, function) pairs."""

    def prepare(draw: Draw) -> Build:
        module, function = draw.named({pair: pair[1].replace("_", ".?") for pair in names})

        def build(found: Found) -> str | None:
            name = call_name(found.node)
            if name in (module, function):
                return None
            if name in _ACT_MODULES:
                return f"nn.{module}()"
            owner = found.segment(found.node.func.value) if isinstance(found.node.func, ast.Attribute) else ""
            if owner not in ("F", "torch", "nn.functional", "torch.nn.functional") or not found.node.args:
                return None
            return f"F.{function}({found.segment(found.node.args[0])})"

        return build

    return prepare


def _classifier(template: str) -> Callable[[Draw], Build]:
    """Return a rewrite of the linear layer that gives the logits."""

    def prepare(draw: Draw) -> Build:
        number = draw.choice((2, 3, 4))

        def build(found: Found) -> str | None:
            args = found.arguments(("in_features", "out_features", "bias"))
            if not args or args.get("out_features") != "num_classes" or not _pure(args.get("in_features", "")):
                return None
            return template.format(old=found.text, c=f"({args['in_features']})", n=number)

        return build

    return prepare


def _swap(new: str) -> Callable[[Draw], Build]:
    return lambda draw: lambda found: new if found.arguments(("output_size",)) == {"output_size": "1"} else None


_CONV, _NORM, _ACTS = ("Conv2d",), ("BatchNorm2d",), (*_ACT_MODULES, *_ACT_FUNCTIONS)
_SMOOTH = (("GELU", "gelu"), ("SiLU", "silu"), ("Mish", "mish"), ("ELU", "elu"))
_HARD = (("Hardswish", "hardswish"), ("ReLU6", "relu6"), ("LeakyReLU", "leaky_relu"))
_BEHIND = "nn.Sequential({old}, %s)"
_SIZES, _REDUCTIONS = {"kernel": (3, 5, 7)}, {"reduction": (2, 4, 8, 16)}

CALL_REWRITES: tuple[CallRewrite, ...] = (
    CallRewrite("depthwise-separable-convolution", ("conv.depthwise",), _CONV, _depthwise),
    CallRewrite("grouped-convolution", ("conv.grouped", "branch.cardinality"), _CONV, _grouped),
    CallRewrite("dilated-convolution", ("conv.dilated",), _CONV, _dilated),
    CallRewrite("large-kernel", ("conv.large-kernel",), _CONV, _large),
    CallRewrite("factorised-convolution", ("conv.factorised",), _CONV, _factorised),
    CallRewrite("other-kernel-size", ("conv.large-kernel",), _CONV, _kernel, hyper=True),
    CallRewrite("layer-norm", ("norm.layer-norm",), _NORM, _norms("LayerNorm2d({c})")),
    CallRewrite("group-norm", ("norm.group-norm",), _NORM, _norms("nn.GroupNorm(math.gcd(4, {c}), {c})"), hyper=True),
    CallRewrite("response-norm", ("norm.response-norm",), _NORM, _norms(_BEHIND % "ResponseNorm({c})")),
    CallRewrite("smooth-activation", ("act.smooth",), _ACTS, _activations(_SMOOTH), hyper=True),
    CallRewrite("hard-activation", ("act.hard",), _ACTS, _activations(_HARD), hyper=True),
    CallRewrite("max-pooling", ("pool.max-pool",), _CONV, _downsampling("nn.MaxPool2d(2, ceil_mode=True)")),
    CallRewrite("blur-pooling", ("pool.blur-pool",), _CONV, _downsampling("BlurPool({channels}, 3)")),
    CallRewrite(
        "feed-forward", ("channel.feed-forward",), _NORM, _norms(_BEHIND % "FeedForward({c}, 2 * ({c}), nn.GELU())")
    ),
    CallRewrite(
        "squeeze-and-excitation",
        ("gate.squeeze-excitation",),
        _NORM,
        _norms(_BEHIND % "SqueezeExcitation({c}, reduction={n})", _REDUCTIONS),
    ),
    CallRewrite(
        "efficient-channel-attention",
        ("gate.efficient-channel",),
        _NORM,
        _norms(_BEHIND % "EfficientChannelAttention({n})", _SIZES),
    ),
    CallRewrite("spatial-gate", ("gate.spatial",), _NORM, _norms(_BEHIND % "SpatialGate({n})", _SIZES)),
    CallRewrite(
        "multiplicative-gate", ("gate.multiplicative",), _NORM, _norms(_BEHIND % "MultiplicativeGate({c}, {n})", _SIZES)
    ),
    CallRewrite(
        "global-max-pooling",
        ("tail.generalised-pooling",),
        ("AdaptiveAvgPool2d",),
        _swap("nn.AdaptiveMaxPool2d(1)"),
    ),
    CallRewrite(
        "wider-last-features",
        ("tail.final-expansion",),
        ("Linear",),
        _classifier("nn.Sequential(nn.Linear({c}, {n} * {c}), nn.ReLU(), nn.Linear({n} * {c}, num_classes))"),
    ),
    CallRewrite(
        "classifier-dropout",
        ("tail.final-expansion",),
        ("Linear",),
        _classifier("nn.Sequential(nn.Dropout(0.0{n}), {old})"),
        hyper=True,
    ),
)
