"""Ordering and feature fusion: how features meet, and in which order operations come."""

from __future__ import annotations

from dataclasses import replace

from ..blueprint import Block, Blueprint, MergeKind, Order
from ..geometry import InvalidBlueprintError, check
from .draw import Change, Draw, edit_blocks, where
from .registry import inverse, transformation


def fuse(b: Blueprint, draw: Draw, kind: MergeKind) -> Change | None:
    """Let the shortcut (or the branches, where there are any) meet the path by ``kind``."""
    places = draw.blocks(b, lambda x: x.merge != kind or (bool(x.branches) and x.join != kind))
    if not places:
        return None

    def edit(block: Block) -> Block:
        if block.branches and block.join != kind:
            return replace(block, join=kind)
        return replace(block, merge=kind)

    how = {"concat": "concatenated, then 1x1", "weighted": "summed with learnt weights", "add": "summed"}[kind]
    return Change(edit_blocks(b, places, edit), f"{where(b, places)}: paths {how}")


@transformation("concatenation", "fusion.concat")
def concatenation(b: Blueprint, draw: Draw) -> Change | None:
    """Concatenate a block's paths and fuse them by a 1x1 convolution."""
    return fuse(b, draw, "concat")


@transformation("weighted-sum", "fusion.weighted")
def weighted(b: Blueprint, draw: Draw) -> Change | None:
    """Add a block's paths with learnt weights."""
    return fuse(b, draw, "weighted")


@transformation("norm-order", "fusion.operation-order")
def norm_order(b: Blueprint, draw: Draw) -> Change | None:
    """Change where the normalisation stands among convolution and activation."""
    orders: dict[Order, str] = {
        "act-norm": r"activation before|after (?:the )?activation",
        "norm-first": r"before (?:the |each )?conv|norm\w* first",
    }
    order = draw.named(orders)
    places = draw.blocks(
        b, lambda x: x.order in ("post", "act-norm", "norm-first") and x.order != order and _ordered(x)
    )
    if not places:
        return None
    new = edit_blocks(b, places, lambda block: replace(block, order=order))
    text = {"act-norm": "convolution, activation, norm", "norm-first": "norm, convolution, activation"}[order]
    return Change(new, f"{where(b, places)}: {text}")


def _ordered(block: Block) -> bool:
    """Whether a block has a norm and an activation to reorder."""
    return any(layer.norm != "none" and layer.act != "none" for layer in block.layers)


@transformation("layer-order", "fusion.operation-order")
def layer_order(b: Blueprint, draw: Draw) -> Change | None:
    """Swap two neighbouring operations of a block."""
    swaps = []
    for s, i, block in b.blocks():
        for n in range(len(block.layers) - 1):
            first, second = block.layers[n : n + 2]
            # Norm, activation, gates and width belong to the position; what moves is the operation.
            fields = ("op", "kernel", "kernels", "groups", "dilation", "factorised", "heads", "window", "grid", "ratio")
            moved = (
                replace(first, **{f: getattr(second, f) for f in fields}),
                replace(second, **{f: getattr(first, f) for f in fields}),
            )
            if moved == (first, second):
                continue
            new = b.with_block(s, i, replace(block, layers=(*block.layers[:n], *moved, *block.layers[n + 2 :])))
            try:
                check(new)
            except InvalidBlueprintError:
                continue
            swaps.append((new, s, i, n))
    if not swaps:
        return None
    new, s, i, n = draw.choice(swaps)
    return Change(new, f"stage {s + 1} block {i + 1}: layers {n + 1} and {n + 2} swapped")


@inverse("plain-sum", "fusion.concat", "fusion.weighted")
def plain_sum(b: Blueprint, draw: Draw) -> Change | None:
    """Add paths without weights."""
    return fuse(b, draw, "add")


@inverse("usual-order", "fusion.operation-order")
def usual_order(b: Blueprint, draw: Draw) -> Change | None:
    """Return to convolution, norm, activation, with an activation behind the addition."""
    places = draw.blocks(b, lambda x: x.order in ("act-norm", "norm-first"))
    if not places:
        return None

    def edit(block: Block) -> Block:
        last = replace(block.layers[-1], act="none")
        return replace(block, order="post", layers=(*block.layers[:-1], last), act=block.activation)

    return Change(edit_blocks(b, places, edit), f"{where(b, places)}: usual order")
