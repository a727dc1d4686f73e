"""From a blueprint to the ``Backbone`` class: stem, stages, links and tail, spelled out."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from .blueprint import Block, Blueprint, Stage, Tail
from .geometry import brings_width, divisors, link_stride
from .naming import class_name
from .render_block import BlockClass
from .render_layer import Uses, act_module, downsampling, norm, sequence

_PAD = " " * 8
_RUN = 3  # this many equal blocks in a row are written as one comprehension


class BlockClasses:
    """Which class each block is an instance of.

    Blocks that differ only in stride, stochastic depth or token grid share a class; what acts only where the shape
    changes (operator, shortcut) is taken from those that change it.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        self.specs: list[BlockClass] = []
        self.of: dict[tuple[int, int], BlockClass] = {}
        self._reshaping = {(s, i) for s, i, _ in blueprint.blocks() if _reshapes(blueprint, s, i)}
        variants: dict[Block, dict[Block, list[tuple[int, int]]]] = {}
        for s, i, block in sorted(blueprint.blocks(), key=lambda place: self._rank(*place)):
            core, own = _core(block), (s, i)
            known = variants.setdefault(core, {})
            exact = replace(core, shortcut=block.shortcut, down=block.down)
            if block.stride == 1 and (own in self._reshaping or block.project):
                exact = next((v for v in known if v.shortcut == block.shortcut), replace(exact, down="conv"))
            elif block.stride == 1:
                exact = next(iter(known), core)
            known.setdefault(exact, []).append(own)
        found = [(min(places), exact, places) for known in variants.values() for exact, places in known.items()]
        for _, exact, places in sorted(found, key=lambda item: item[0]):
            self._add(blueprint, exact, places)

    def _rank(self, s: int, i: int, block: Block) -> tuple[int, int, int]:
        """Strided blocks come first, since they decide what the others' classes look like."""
        return (0 if block.stride != 1 else 1 if (s, i) in self._reshaping or block.project else 2, s, i)

    def _add(self, blueprint: Blueprint, exact: Block, places: list[tuple[int, int]]) -> None:
        blocks = [blueprint.block(s, i) for s, i in places]
        stem = class_name(exact)
        taken = sum(spec.name.rstrip("0123456789") == stem for spec in self.specs)
        spec = BlockClass(
            name=stem if not taken else f"{stem}{taken + 1}",
            block=replace(exact, stride=max(block.stride for block in blocks)),
            reshapes=any(place in self._reshaping for place in places),
            drops=any(block.drop_path > 0 for block in blocks),
            grids=any(layer.op == "tokens" for path in exact.paths for layer in path),
        )
        self.specs.append(spec)
        self.of.update(dict.fromkeys(places, spec))


def _core(block: Block) -> Block:
    """Return the block without what may differ between instances of one class."""
    layers, *branches = (tuple(replace(layer, grid=4) for layer in path) for path in block.paths)
    return replace(block, layers=layers, branches=tuple(branches), stride=1, down="conv", shortcut="pad", drop_path=0.0)


def _reshapes(blueprint: Blueprint, s: int, i: int) -> bool:
    """Whether block ``i`` of stage ``s`` may change the width or the resolution."""
    stage = blueprint.stages[s]
    return stage.blocks[i].stride != 1 or (i == 0 and stage.transition is None)


def _blocks(stage: Stage, s: int, classes: BlockClasses) -> list[str]:
    """Return the constructor calls of a stage's blocks."""
    calls = []
    for i, block in enumerate(stage.blocks):
        spec = classes.of[s, i]
        before = f"c{s}" if i == 0 and stage.transition is None else f"c{s + 1}"
        arguments = [before, f"c{s + 1}"]
        arguments += [f"stride={block.stride}"] if block.stride != 1 else []
        if spec.grids:
            grids = [layer.grid for path in block.paths for layer in path if layer.op == "tokens"]
            arguments.append(f"grid={grids[0]}")
        arguments += [f"drop_path={block.drop_path:g}"] if block.drop_path > 0 else []
        calls.append(f"{spec.name}({', '.join(arguments)})")
    lines: list[str] = []
    for call, run in groupby(calls):
        count = len(list(run))
        lines += [f"*({call} for _ in range({count}))"] if count >= _RUN else [call] * count
    return lines


def _stem(blueprint: Blueprint, uses: Uses) -> list[str]:
    stem = blueprint.stem
    modules, before, strides = [], "in_channels", stem.stride
    for n, kernel in enumerate(stem.kernels):
        last = n == len(stem.kernels) - 1
        after = "c0" if last else "max(4, c0 // 2)"
        if stem.patch:
            step = f", stride={stem.stride}" if stem.stride > 1 else ""
        else:
            step = f", stride={2 if strides > 1 else 1}" if strides > 1 else ""
            step += f", padding={kernel // 2}" if kernel > 1 else ""
            strides //= 2
        free = "" if stem.norm == "none" else ", bias=False"
        modules.append(f"nn.Conv2d({before}, {after}, {kernel}{step}{free})")
        modules += [norm(stem.norm, after, uses)] if stem.norm != "none" else []
        modules += [act_module(stem.act)] if stem.act != "none" else []
        before = after
    if stem.pool:
        modules.append("nn.MaxPool2d(3, stride=2, padding=1)")
    return [f"self.stem = {sequence(modules, _PAD)}"]


def _transition(stage: Stage, s: int, uses: Uses) -> list[str]:
    if stage.transition is None:
        return []
    before, after = f"c{s}", f"c{s + 1}"
    modules = [norm(stage.transition.norm, before, uses)] if stage.transition.norm != "none" else []
    modules += downsampling(stage.transition.op, before, after, uses)
    if not brings_width(stage.transition.op):
        modules.append(f"nn.Conv2d({before}, {after}, 1, bias=False)")
    return [f"self.down{s + 1} = {sequence(modules, _PAD)}"]


def _link_lines(blueprint: Blueprint, s: int, uses: Uses) -> tuple[list[str], list[str]]:
    """Return constructor and forward lines of the links that arrive at stage ``s``."""
    init: list[str] = []
    forward: list[str] = []
    joined: list[int] = []
    after = f"c{s + 1}"
    for link in (link for link in blueprint.links if link.target == s):
        n, stride = link.source + 1, link_stride(blueprint, link.source, s)
        if link.join == "concat":
            joined.append(n)
            pooled = f"F.avg_pool2d(x{n}, {stride}, ceil_mode=True)" if stride > 1 else f"x{n}"
            forward.append(f"early{n} = {pooled}")
            continue
        modules = [f"nn.AvgPool2d({stride}, ceil_mode=True)"] if stride > 1 else []
        modules += [f"nn.Conv2d(c{n}, {after}, 1, bias=False)", norm("batch", after, uses)]
        init.append(f"self.link{n}to{s + 1} = {sequence(modules, _PAD)}")
        forward.append(f"x{s + 1} = x{s + 1} + self.link{n}to{s + 1}(x{n})")
    if joined:
        total = " + ".join([after, *(f"c{n}" for n in joined)])
        modules = [f"nn.Conv2d({total}, {after}, 1, bias=False)", norm("batch", after, uses), "nn.ReLU()"]
        init.append(f"self.fuse{s + 1} = {sequence(modules, _PAD)}")
        features = ", ".join([f"x{s + 1}", *(f"early{n}" for n in joined)])
        forward.append(f"x{s + 1} = self.fuse{s + 1}(torch.cat([{features}], dim=1))")
    return init, forward


def _tail(blueprint: Blueprint, uses: Uses) -> tuple[list[str], list[str]]:
    tail, last = blueprint.tail, len(blueprint.stages)
    init, forward, x, features = [], [], f"x{last}", f"c{last}"
    final = blueprint.stages[-1].blocks[-1]
    if final.norms_inputs:
        modules = [norm("batch", features, uses), act_module(final.activation)]
        init.append(f"self.final = {sequence([m for m in modules if m != 'nn.Identity()'], _PAD)}")
        forward.append(f"{x} = self.final({x})")
    if tail.expansion and not tail.late:
        init.append(f"expanded = {uses('scaled')}({features}, {tail.expansion:g})")
        modules = [f"nn.Conv2d({features}, expanded, 1, bias=False)", "nn.BatchNorm2d(expanded)", act_module(tail.act)]
        init.append(f"self.expand = {sequence(modules, _PAD)}")
        forward.append(f"{x} = self.expand({x})")
        features = "expanded"
    init.append(f"self.pool = {_pool(tail, features, uses)}")
    forward.append(f"features = self.pool({x})")
    copies = {"pyramid": 5, "attention": tail.heads}.get(tail.pool, 1)
    features = features if copies == 1 else f"{copies} * {features}"
    for level in tail.levels:
        features += f" + c{level + 1}"
    if tail.levels:
        pooled = ", ".join(["features", *(f"x{level + 1}.mean((2, 3))" for level in tail.levels)])
        forward.append(f"features = torch.cat([{pooled}], dim=1)")
    if tail.expansion and tail.late:
        init.append(f"expanded = {uses('scaled')}(c{last}, {tail.expansion:g})")
        init.append(f"self.expand = nn.Sequential(nn.Linear({features}, expanded), {act_module(tail.act)})")
        forward.append("features = self.expand(features)")
        features = "expanded"
    if tail.dropout:
        init.append(f"self.dropout = nn.Dropout({tail.dropout:g})")
        forward.append("features = self.dropout(features)")
    init.append(f"self.classifier = nn.Linear({features}, num_classes)")
    forward.append("return self.classifier(features)")
    return init, forward


def _pool(tail: Tail, features: str, uses: Uses) -> str:
    if tail.pool == "avg":
        return "nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())"
    if tail.pool == "mixed":
        return f"{uses('MixedPool')}({features})"
    if tail.pool == "attention":
        return f"{uses('AttentionPool')}({features}, heads={tail.heads})"
    return f"{uses({'gem': 'GeneralisedMeanPool', 'max': 'GlobalMaxPool', 'pyramid': 'PyramidPool'}[tail.pool])}()"


def render_backbone(blueprint: Blueprint, classes: BlockClasses, uses: Uses) -> str:
    """Return the source of ``class Backbone``."""
    needs = divisors(blueprint)
    bases = [blueprint.stem.channels, *(stage.channels for stage in blueprint.stages)]
    init = []
    for s, (base, need) in enumerate(zip(bases, needs, strict=True)):
        extra = f", {need}" if need > 1 else ""
        init.append(f"c{s} = {uses('scaled')}({base}, width{extra})")
    init += _stem(blueprint, uses)
    forward = ["x0 = self.stem(x)"]
    for s, stage in enumerate(blueprint.stages):
        init += _transition(stage, s, uses)
        blocks = "".join(f"{_PAD}    {line},\n" for line in _blocks(stage, s, classes))
        init.append(f"self.stage{s + 1} = nn.Sequential(\n{blocks}{_PAD})")
        source = f"self.down{s + 1}(x{s})" if stage.transition is not None else f"x{s}"
        forward.append(f"x{s + 1} = self.stage{s + 1}({source})")
        link_init, link_forward = _link_lines(blueprint, s, uses)
        init += link_init
        forward += link_forward
    tail_init, tail_forward = _tail(blueprint, uses)
    uses("initialise")
    init += [*tail_init, "self.apply(initialise)"]
    forward += tail_forward
    lines = [
        "class Backbone(nn.Module):",
        f'    """{_summary(blueprint)}',
        "",
        "    ``width`` multiplies the channels inside; inputs (N, in_channels, H, W), logits (N, num_classes).",
        '    """',
        "",
        "    def __init__(self, in_channels: int, num_classes: int, width: float = 1.0) -> None:",
        "        super().__init__()",
        *(f"{_PAD}{line}" for line in init),
        "",
        "    def forward(self, x: torch.Tensor) -> torch.Tensor:",
        *(f"{_PAD}{line}" for line in forward),
    ]
    return "\n" + "\n".join(lines) + "\n"


def _summary(blueprint: Blueprint) -> str:
    depths = "-".join(str(len(stage.blocks)) for stage in blueprint.stages)
    widths = "-".join(str(stage.channels) for stage in blueprint.stages)
    return f"{len(blueprint.stages)} stages of {depths} blocks, {widths} channels wide."
