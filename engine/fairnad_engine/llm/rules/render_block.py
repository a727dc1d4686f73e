"""From a block to a class: the constructor and the forward pass, as a person would write them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .blueprint import Block, Path
from .geometry import LayerShape, changes_entry, enters_by_operator, path_shapes, width_divisor
from .naming import describe
from .render_layer import (
    Uses,
    act_call,
    act_module,
    downsampling,
    gate,
    norm,
    operation,
    sequence,
    shortcut,
)

_NAMES = {"conv": "conv", "attention": "attention", "window": "attention", "shuffle": "shuffle"}
_PAD = " " * 8


@dataclass(frozen=True)
class BlockClass:
    """A class to write: its name, a block as the pattern, and what its instances vary in.

    Attributes:
        name: Class name.
        block: The pattern; its stride is 2 where any instance strides.
        reshapes: Some instance changes the width or the resolution.
        drops: Some instance has stochastic depth.
        grids: It holds a token MLP.
    """

    name: str
    block: Block
    reshapes: bool
    drops: bool
    grids: bool


class _Writer:
    """Collects the lines of one block class."""

    def __init__(self, spec: BlockClass, uses: Uses) -> None:
        self.spec, self.block, self.uses = spec, spec.block, uses
        self.init: list[str] = []
        self.forward: list[str] = []
        self.hidden: dict[float, str] = {}
        self.strides = self.block.stride != 1
        self.in_path_stride = "stride" if self.strides and not enters_by_operator(self.block) else ""
        # An operator that brings the new width also renames it: behind it, the block's input is as wide as its output.
        self.flow = replace(self.block, stride=1) if changes_entry(self.block) else self.block

    def channels(self, width: float | None) -> str:
        """Return the expression for a relative width (None: the block's input)."""
        if width is None:
            return "in_channels"
        return self.hidden.get(width, "half" if self.block.split else "channels")

    def widths(self) -> None:
        """Name the hidden widths."""
        shapes = [shape for path in self.block.paths for shape in path_shapes(self.flow, path)]
        hidden = sorted({s.after for s in shapes if s.after not in (None, 1.0)}, key=lambda w: w or 0.0)
        base = "half" if self.block.split else "channels"
        if self.block.split:
            self.init.append("half = channels // 2")
        for i, width in enumerate(hidden, start=1):
            assert width is not None  # noqa: S101  (filtered above, for the type checker)
            name = "hidden" if len(hidden) == 1 else f"hidden{i}"
            divisor = width_divisor(self.flow, width)
            extra = f", {divisor}" if divisor > 1 else ""
            self.init.append(f"{name} = {self.uses('scaled')}({base}, {width:g}{extra})")
            self.hidden[width] = name

    def entry(self) -> None:
        """Write the operator that halves the block's input."""
        if not enters_by_operator(self.block):
            return
        modules = downsampling(self.block.down, "in_channels", "channels", self.uses)
        if changes_entry(self.block):
            modules.append(norm("batch", "channels", self.uses))
        self.init.append("self.down = nn.Identity()")
        self.init.append("if stride != 1:")
        self.init.append(f"    self.down = {sequence(modules, _PAD + '    ')}")
        if changes_entry(self.block):
            self.init.append("    in_channels = channels")
        self.forward.append("x = self.down(x)")

    def main_path(self, source: str) -> None:
        """Write the main path, layer by layer."""
        y = source
        for i, shape in enumerate(path_shapes(self.flow, self.block.layers), start=1):
            y = self.layer(str(i), shape, y)
        if y != "y":
            self.forward.append(f"y = {y}")

    def layer(self, i: str, shape: LayerShape, y: str) -> str:
        """Write one layer; return the expression of its output."""
        layer, order = shape.layer, self.block.order
        before, after = self.channels(shape.before), self.channels(shape.after)
        name = _NAMES.get(layer.op, "mixer") + i
        stride = self.in_path_stride if shape.stride != 1 else ""
        op = operation(self.block, shape, before, after, self.uses, stride)
        if layer.norm != "none" and self.block.norms_inputs:
            self.init.append(f"self.norm{i} = {norm(layer.norm, before, self.uses)}")
        self.init.append(f"self.{name} = {op}")
        if layer.norm != "none" and not self.block.norms_inputs:
            self.init.append(f"self.norm{i} = {norm(layer.norm, after, self.uses)}")
        normed = "self.norm{i}({})" if layer.norm != "none" else "{}"
        steps = {
            "post": [f"self.{name}({{}})", normed, "act"],
            "pre": [normed, "act", f"self.{name}({{}})"],
            "act-norm": [f"self.{name}({{}})", "act", normed],
            "norm-first": [normed, f"self.{name}({{}})", "act"],
        }[order]
        for step in steps:
            y = act_call(layer.act, y) if step == "act" else step.replace("{i}", i).format(y)
        extras = [("response", f"{self.uses('ResponseNorm')}({after})")] if layer.response else []
        extras += [("gate", gate(g, after, self.uses)) for g in layer.gates]
        for n, (kind, module) in enumerate(extras):
            attribute = f"{kind}{i}" + ("abcdef"[n] if len(extras) > 1 else "")
            self.init.append(f"self.{attribute} = {module}")
            y = f"self.{attribute}({y})"
        self.forward.append(f"y = {y}")
        return "y"

    def branch(self, number: int, path: Path, source: str) -> None:
        """Write a branch as a sequence of modules."""
        modules: list[str] = []
        for shape in path_shapes(self.flow, path):
            before, after = self.channels(shape.before), self.channels(shape.after)
            stride = self.in_path_stride if shape.stride != 1 else ""
            op = operation(self.block, shape, before, after, self.uses, stride)
            normed = [norm(shape.layer.norm, before if self.block.norms_inputs else after, self.uses)]
            act = [act_module(shape.layer.act)]
            normed, act = [[m for m in part if m != "nn.Identity()"] for part in (normed, act)]
            order = {
                "post": [op, *normed, *act],
                "pre": [*normed, *act, op],
                "act-norm": [op, *act, *normed],
                "norm-first": [*normed, op, *act],
            }
            modules += order[self.block.order]
            modules += [gate(g, after, self.uses) for g in shape.layer.gates]
        self.init.append(f"self.branch{number} = {sequence(modules, _PAD)}")
        self._meet(number, path, f"self.branch{number}({source})")

    def _meet(self, number: int, path: Path, branch: str) -> None:
        if self.block.join == "weighted":
            self.init.append(f"self.weight{number} = nn.Parameter(torch.full((1,), 0.5))")
            self.forward.append(f"y = y + self.weight{number} * {branch}")
        elif self.block.join == "add":
            self.forward.append(f"y = y + {branch}")
        else:
            own = "half" if self.block.split else "channels"
            new = self.channels(path_shapes(self.flow, path)[-1].after)
            self._fuse("mix" + ("" if len(self.block.branches) == 1 else str(number)), own, new, branch)

    def _fuse(self, name: str, own: str, new: str, other: str) -> None:
        """Concatenate and bring back to the block's width by a 1x1 convolution."""
        total = f"2 * {own}" if own == new else f"{own} + {new}"
        modules = [f"nn.Conv2d({total}, {own}, 1, bias=False)", norm("batch", own, self.uses)]
        self.init.append(f"self.{name} = {sequence(modules, _PAD)}")
        self.forward.append(f"y = self.{name}(torch.cat([y, {other}], dim=1))")

    def residual(self, x: str) -> None:
        """Write how the path meets the shortcut."""
        block = self.block
        if block.scale != "none":
            shape = f"({self.channels(1.0)}, 1, 1)" if block.scale == "channel" else "(1,)"
            self.init.append(f"self.scale = nn.Parameter(torch.full({shape}, {float(block.scale_init)!r}))")
            self.forward.append("y = self.scale * y")
        if self.spec.drops:
            self.init.append(f"self.drop_path = {self.uses('DropPath')}(drop_path)")
            self.forward.append("y = self.drop_path(y)")
        skip = self._shortcut(x)
        if block.merge == "concat":
            own = "half" if block.split else "channels"
            self._fuse("fuse", own, own, skip)
            out = "y"
        elif block.merge == "weighted":
            self.init.append("self.keep = nn.Parameter(torch.ones(1))")
            self.init.append("self.add = nn.Parameter(torch.full((1,), 0.5))")
            out = f"self.keep * {skip} + self.add * y"
        else:
            out = f"{skip} + y"
        self._finish(act_call(block.act, out))

    def _shortcut(self, x: str) -> str:
        block = self.block
        stride = "stride" if self.in_path_stride else "1"
        if block.project:
            modules = shortcut("conv" if block.shortcut == "pad" else block.shortcut, stride, "batch", self.uses)
            self.init.append(f"self.shortcut = {sequence(modules, _PAD)}")
        elif self.spec.reshapes and not block.split:
            when = "in_channels != channels" if stride == "1" else "stride != 1 or in_channels != channels"
            modules = shortcut(block.shortcut, stride, "batch", self.uses)
            self.init.append("self.shortcut = nn.Identity()")
            self.init.append(f"if {when}:")
            self.init.append(f"    self.shortcut = {sequence(modules, _PAD + '    ')}")
        else:
            return x
        return f"self.shortcut({x})"

    def _finish(self, out: str) -> None:
        block = self.block
        if block.split:
            self.init.append(f"self.shuffle = {self.uses('ChannelShuffle')}(2)")
            out = f"self.shuffle(torch.cat([rest, {out}], dim=1))"
        if block.feed_forward is None:
            self.forward.append(f"return {out}")
            return
        ff = block.feed_forward
        kind = {"plain": "FeedForward", "gated": "GatedFeedForward", "depthwise": "DepthwiseFeedForward"}[ff.kind]
        hidden = f"{self.uses('scaled')}(channels, {ff.ratio:g})"
        self.init.append(f"self.feed_forward = {self.uses(kind)}(channels, {hidden}, {act_module(ff.act)})")
        self.forward.append(f"return self.feed_forward({out})")


def render_block(spec: BlockClass, uses: Uses) -> str:
    """Return the source of a block class."""
    writer = _Writer(spec, uses)
    writer.entry()
    writer.widths()
    source = "x"
    if spec.block.split:
        writer.forward.append("rest, x = x.chunk(2, dim=1)")
    writer.main_path(source)
    for number, path in enumerate(spec.block.branches, start=1):
        writer.branch(number, path, source)
    writer.residual("x")
    signature = ["self", "in_channels: int", "channels: int"]
    signature += ["stride: int = 1"] if writer.strides else []
    signature += ["grid: int = 4"] if spec.grids else []
    signature += ["drop_path: float = 0.0"] if spec.drops else []
    lines = [
        f"class {spec.name}(nn.Module):",
        *_docstring(describe(spec.block)),
        "",
        f"    def __init__({', '.join(signature)}) -> None:",
        "        super().__init__()",
        *(f"{_PAD}{line}" for line in writer.init),
        "",
        "    def forward(self, x: torch.Tensor) -> torch.Tensor:",
        *(f"{_PAD}{line}" for line in writer.forward),
    ]
    return "\n" + "\n".join(lines) + "\n"


def _docstring(text: str) -> list[str]:
    """Return the lines of a class docstring; one that is wrapped closes on a line of its own."""
    return [f'    """{text}', '    """'] if "\n" in text else [f'    """{text}"""']
