"""Cross-stage links and multi-scale: features that reach past the next stage."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from ..blueprint import Blueprint, Link
from .draw import Change, Draw
from .registry import inverse, transformation


def _name(stage: int) -> str:
    return f"stage {stage + 1}" if stage >= 0 else "the stem"


@transformation("skip-link", "links.skip")
def skip(b: Blueprint, draw: Draw) -> Change | None:
    """Carry an early stage's features to a later stage's output."""
    taken = {(link.source, link.target) for link in b.links}
    pairs = [
        (source, target)
        for target in range(len(b.stages))
        for source in range(-1, target)
        if (source, target) not in taken
    ]
    if not pairs:
        return None
    source, target = draw.choice(pairs)
    joins: dict[Literal["add", "concat"], str] = {"add": r"\badd|sum|residual", "concat": r"concat"}
    new = replace(b, links=(*b.links, Link(source, target, draw.named(joins))))
    return Change(new, f"link from {_name(source)} to {_name(target)}")


@transformation("dense-links", "links.dense")
def dense(b: Blueprint, draw: Draw) -> Change | None:
    """Concatenate the features of all earlier stages to one stage's output, or to every stage's."""
    targets = list(range(1, len(b.stages)))
    if not targets:
        return None
    chosen = targets if draw.chance(0.5) else [draw.choice(targets)]
    kept = tuple(link for link in b.links if link.target not in chosen)
    links = tuple(Link(source, target, "concat") for target in chosen for source in range(-1, target))
    stages = ", ".join(str(target + 1) for target in chosen)
    return Change(replace(b, links=kept + links), f"all earlier features concatenated into stage {stages}")


@transformation("multi-scale-features", "links.multi-scale")
def multi_scale(b: Blueprint, draw: Draw) -> Change | None:
    """Classify by the pooled features of several stages."""
    free = [s for s in range(len(b.stages) - 1) if s not in b.tail.levels]
    if not free:
        return None
    chosen = free if draw.chance(0.4) else [draw.choice(free)]
    levels = tuple(sorted((*b.tail.levels, *chosen)))
    new = replace(b, tail=replace(b.tail, levels=levels))
    return Change(new, f"classifier also sees stage {', '.join(str(s + 1) for s in chosen)}")


@inverse("no-links", "links.skip", "links.dense", "links.multi-scale")
def no_links(b: Blueprint, draw: Draw) -> Change | None:
    """Take cross-stage links and levels out."""
    return Change(replace(b, links=(), tail=replace(b.tail, levels=())), "no cross-stage links")
