"""Residual form: where norms stand, what the shortcut does, how strongly and how often the residual counts."""

from __future__ import annotations

from dataclasses import replace

from ..blueprint import Block, Blueprint, ScaleKind, ShortcutKind
from .draw import Change, Draw, edit_blocks, where
from .registry import hyperparameter, inverse, transformation

_SHORTCUTS = {"pool-conv": r"pool", "conv3": r"3\s*[x×]\s*3", "conv": r"1\s*[x×]\s*1|linear|projection"}
_SCALES = {"channel": r"per.channel|layer.?scale|diagonal|vector", "scalar": r"scalar|single|skip.?init|re.?zero"}


def _reshapes(b: Blueprint, s: int, i: int) -> bool:
    """Whether a block's shortcut has a shape to change."""
    stage = b.stages[s]
    before = b.stages[s - 1].channels if s else b.stem.channels
    return stage.blocks[i].stride != 1 or (i == 0 and stage.transition is None and before != stage.channels)


@transformation("pre-activation", "residual.pre-activation")
def pre_activation(b: Blueprint, draw: Draw) -> Change | None:
    """Move norm and activation in front of each convolution, so that the shortcut stays clean."""
    places = draw.blocks(b, lambda block: block.order != "pre")
    if not places:
        return None

    def edit(block: Block) -> Block:
        act = block.activation
        layers = tuple(replace(x, act=act if x.op == "conv" else "none") for x in block.layers)
        branches = tuple(tuple(replace(x, act=act) if x.op == "conv" else x for x in path) for path in block.branches)
        return replace(block, order="pre", layers=layers, branches=branches, act="none")

    return Change(edit_blocks(b, places, edit), f"{where(b, places)}: pre-activation")


@inverse("post-activation", "residual.pre-activation")
def post_activation(b: Blueprint, draw: Draw) -> Change | None:
    """Move norm and activation behind each convolution again."""
    places = draw.blocks(b, lambda block: block.order == "pre")
    if not places:
        return None

    def edit(block: Block) -> Block:
        last = replace(block.layers[-1], act="none")
        return replace(block, order="post", layers=(*block.layers[:-1], last), act=block.activation)

    return Change(edit_blocks(b, places, edit), f"{where(b, places)}: post-activation")


@transformation("shortcut-projection", "residual.shortcut-projection")
def projection(b: Blueprint, draw: Draw) -> Change | None:
    """Project the shortcut by a learnt convolution."""
    kinds: dict[ShortcutKind, str] = {"pool-conv": "", "conv3": "", "conv": ""}
    kind = draw.named({k: _SHORTCUTS[k] for k in kinds})
    places = [(s, i) for s, i, block in b.blocks() if _reshapes(b, s, i) and block.shortcut != kind]
    if places and draw.chance(0.7):
        chosen = draw.scope(places)
        new = edit_blocks(b, chosen, lambda block: replace(block, shortcut=kind))
        return Change(new, f"{where(b, chosen)}: shortcut -> {kind}")
    chosen = draw.blocks(b, lambda block: not block.project and not block.split)
    if not chosen:
        return None
    new = edit_blocks(b, chosen, lambda block: replace(block, project=True, shortcut=kind))
    return Change(new, f"{where(b, chosen)}: shortcut projected ({kind})")


@inverse("plain-shortcut", "residual.shortcut-projection")
def plain_shortcut(b: Blueprint, draw: Draw) -> Change | None:
    """Let shortcuts be without parameters."""
    places = draw.scope([(s, i) for s, i, x in b.blocks() if x.project or (_reshapes(b, s, i) and x.shortcut != "pad")])
    if not places:
        return None
    new = edit_blocks(b, places, lambda block: replace(block, project=False, shortcut="pad"))
    return Change(new, f"{where(b, places)}: shortcut without parameters")


@transformation("residual-scaling", "residual.residual-scaling")
def scaling(b: Blueprint, draw: Draw) -> Change | None:
    """Multiply the residual by learnt factors that start small."""
    scales: dict[ScaleKind, str] = {"channel": _SCALES["channel"], "scalar": _SCALES["scalar"]}
    kind, start = draw.named(scales), draw.choice((0.1, 0.2, 0.5))
    places = draw.blocks(b, lambda block: (block.scale, block.scale_init) != (kind, start))
    if not places:
        return None
    new = edit_blocks(b, places, lambda block: replace(block, scale=kind, scale_init=start))
    return Change(
        new, f"{where(b, places)}: residual scaled per {'channel' if kind == 'channel' else 'block'}, from {start}"
    )


@transformation("stochastic-depth", "residual.stochastic-depth")
def stochastic_depth(b: Blueprint, draw: Draw) -> Change | None:
    """Drop residuals at random while training, deeper blocks more often."""
    rate = draw.number("rate", (0.05, 0.1, 0.15, 0.2))
    places = [(s, i) for s, i, _ in b.blocks()]
    if draw.chance(0.3):
        places = draw.scope(places)
    new = b
    for n, (s, i) in enumerate(places, start=1):
        new = new.with_block(s, i, replace(b.block(s, i), drop_path=round(rate * n / len(places), 3)))
    return Change(new, f"{where(b, places)}: stochastic depth up to {rate}")


@inverse("no-residual-scaling", "residual.residual-scaling")
def no_scaling(b: Blueprint, draw: Draw) -> Change | None:
    """Add residuals unscaled."""
    places = draw.blocks(b, lambda block: block.scale != "none")
    new = edit_blocks(b, places, lambda block: replace(block, scale="none"))
    return Change(new, f"{where(b, places)}: residual not scaled") if places else None


@inverse("no-stochastic-depth", "residual.stochastic-depth")
def no_stochastic_depth(b: Blueprint, draw: Draw) -> Change | None:
    """Never drop residuals."""
    places = draw.blocks(b, lambda block: block.drop_path > 0)
    new = edit_blocks(b, places, lambda block: replace(block, drop_path=0.0))
    return Change(new, f"{where(b, places)}: no stochastic depth") if places else None


@hyperparameter("drop-path-rate")
def drop_path_rate(b: Blueprint, draw: Draw) -> Change | None:
    """Change the rate of stochastic depth."""
    return stochastic_depth(b, draw)


@hyperparameter("residual-scale-start")
def scale_start(b: Blueprint, draw: Draw) -> Change | None:
    """Change the initial value of the residual's scale."""
    start = draw.choice((0.05, 0.1, 0.2, 0.3, 0.5, 1.0))
    places = draw.blocks(b, lambda block: block.scale != "none" and block.scale_init != start)
    new = edit_blocks(b, places, lambda block: replace(block, scale_init=start))
    return Change(new, f"{where(b, places)}: residual scale starts at {start}") if places else None
